"""What a listener acknowledges, asks for and keeps to itself."""

from dataclasses import replace

import pytest

from routed.rib.lsdb import Lsdb, Taken
from routed.session import isis_flooding as module
from routed.session.isis_flooding import ATTEMPTS, GATHERED, PATIENCE, Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.wire.isis.authentication import Key
from routed.wire.isis.codepoints import AuthenticationType
from routed.wire.isis.lsp import LSP_BUFFER_OCTETS, Lsp, decode_lsp, encode_lsp
from routed.wire.isis.snp import Csnp, Psnp, decode_csnp, decode_psnp, entries_that_fit
from routed.wire.isis.tlv import LspEntry

US, THEM, THIRD = (bytes(5) + bytes((number,)) for number in (1, 2, 3))
WHERE = "circuit"
MTU = 576
ENTRIES = entries_that_fit(MTU)


def lsp(system: bytes = THEM, sequence: int = 5, lifetime: int = 1200, name: str = "") -> Lsp:
    """Return an LSP as it is received."""
    made = Lsp(lsp_id=system + b"\0\0", sequence=sequence, lifetime=lifetime, checksum=0, hostname=name)
    return decode_lsp(encode_lsp(made))


def entry_of(one: Lsp) -> LspEntry:
    """Return what a sequence numbers PDU says of an LSP."""
    return LspEntry(one.lifetime, one.lsp_id, one.sequence, one.checksum)


class Rig:
    """A listener with one neighbour that is up."""

    def __init__(self) -> None:
        self.lsdb = Lsdb()
        self.own = OwnLsp(own_template(US, (b"\x49",), (), (), "us"))
        self.flooding = Flooding(self.lsdb, self.own, WHERE)
        self.own.up(WHERE, THEM, 0.0)
        self.own.timeout(0.0)
        self.greeting = self.flooding.up(THEM, MTU)

    def entries(self, now: float) -> list[LspEntry]:
        """Return the entries of the PSNPs that are sent at a time."""
        return [entry for pdu in self.flooding.tick(now) for entry in decode_psnp(pdu).entries]


@pytest.fixture
def rig() -> Rig:
    """Return a listener with one neighbour."""
    return Rig()


def test_a_new_neighbour_hears_of_our_own_lsp_alone(rig: Rig) -> None:
    """What else we claimed to hold it could ask for, and would not get."""
    rig.lsdb.take(lsp(THIRD), 0.0)
    (csnp,) = map(decode_csnp, rig.flooding.up(THEM, MTU))
    assert rig.own.lsp is not None
    assert csnp.entries == (entry_of(rig.own.lsp),)
    assert (csnp.start, csnp.end) == (bytes(8), b"\xff" * 8)


def test_before_it_is_issued_there_is_nothing_to_claim() -> None:
    flooding = Flooding(Lsdb(), OwnLsp(own_template(US, (b"\x49",), (), (), "us")), WHERE)
    assert [decode_csnp(pdu).entries for pdu in flooding.up(THEM, MTU)] == [()]


@pytest.mark.parametrize(
    "key", [None, Key(AuthenticationType.HMAC_MD5, b"x"), Key(AuthenticationType.CLEAR_TEXT, b"x" * 254)]
)
@pytest.mark.parametrize("largest", [576, 1280, 1476, 9000])
def test_what_is_acknowledged_fits_into_a_pdu(largest: int, key: Key | None) -> None:
    """And one entry more would not: 16 octets, with two in front where a TLV begins."""
    rig = Rig()
    rig.flooding.settle(key)
    rig.flooding.up(THEM, largest)
    sent: list[bytes] = []
    for number in range(300):
        sent += rig.flooding.lsp(lsp(bytes(4) + (256 + number).to_bytes(2, "big")), 1.0)[1]
    sent += rig.flooding.tick(9.0)
    assert sum(len(decode_psnp(pdu).entries) for pdu in sent) == 300
    limit = min(largest, LSP_BUFFER_OCTETS)
    assert limit - 18 < max(map(len, sent)) <= limit


def test_an_lsp_is_taken_and_acknowledged_soon(rig: Rig) -> None:
    taken, sent = rig.flooding.lsp(lsp(), 1.0)
    assert (taken, sent) == (Taken.NEW, [])
    assert rig.flooding.deadline() == 1.0 + GATHERED
    assert rig.entries(1.5) == []
    assert rig.entries(1.0 + GATHERED) == [entry_of(lsp())]
    assert rig.flooding.deadline() is None


def test_many_are_acknowledged_at_once(rig: Rig) -> None:
    sent: list[bytes] = []
    for number in range(ENTRIES):
        sent += rig.flooding.lsp(lsp(bytes(4) + (256 + number).to_bytes(2, "big")), 1.0)[1]
    assert [len(decode_psnp(pdu).entries) for pdu in sent] == [ENTRIES]
    assert rig.flooding.deadline() is None


def test_a_system_that_is_behind_with_its_own_lsp_hears_of_it(rig: Rig) -> None:
    """It goes on behind that number (ISO/IEC 10589 section 7.3.16.1)."""
    rig.flooding.lsp(lsp(sequence=6), 1.0)
    assert rig.flooding.lsp(lsp(sequence=5), 1.0) == (Taken.OLDER, [])
    assert rig.entries(9.0) == [entry_of(lsp(sequence=6))]


def test_an_old_one_of_somebody_else_is_acknowledged_as_it_came(rig: Rig) -> None:
    """So that the neighbour neither sends it again nor asks for the newer one."""
    rig.flooding.lsp(lsp(THIRD, sequence=6), 1.0)
    rig.entries(9.0)
    assert rig.flooding.lsp(lsp(THIRD, sequence=5), 9.0) == (Taken.OLDER, [])
    assert rig.entries(19.0) == [entry_of(lsp(THIRD, sequence=5))]
    held = rig.lsdb.get(THIRD + b"\0\0")
    assert held is not None
    assert held.lsp.sequence == 6


def test_what_nobody_stood_for_is_as_the_next_neighbour_has_it(rig: Rig) -> None:
    """A small network that begins anew begins with low numbers, which nobody but us knows to be old."""
    for system in (THEM, THIRD):
        rig.flooding.lsp(lsp(system, sequence=50), 1.0)
    rig.flooding.down()
    rig.own.down(WHERE, 2.0)
    rig.own.up(WHERE, THEM, 3.0)
    rig.flooding.up(THEM, MTU)
    rig.flooding.csnp(Csnp(source=THEM + b"\0", entries=(entry_of(lsp(THIRD, sequence=1)),)), 3.0)
    assert [(entry.lsp_id[:6], entry.sequence) for entry in rig.entries(5.0)] == [(THIRD, 0)]
    for system in (THEM, THIRD):
        assert rig.flooding.lsp(lsp(system, sequence=1, name="new"), 5.0)[0] is Taken.CHANGED
        assert rig.flooding.lsp(lsp(system, sequence=0), 5.0)[0] is Taken.OLDER


def test_what_another_neighbour_stands_for_is_not_doubted(rig: Rig) -> None:
    rig.flooding.lsp(lsp(THIRD, sequence=50), 1.0)
    rig.own.up("second", THIRD, 2.0)
    second = Flooding(rig.lsdb, rig.own, "second")
    second.up(THIRD, MTU)
    assert second.lsp(lsp(THIRD, sequence=1), 3.0)[0] is Taken.OLDER


def test_a_purge_of_what_we_never_had_is_acknowledged_and_not_kept(rig: Rig) -> None:
    assert rig.flooding.lsp(lsp(lifetime=0), 1.0)[0] is Taken.UNKNOWN
    assert rig.entries(9.0) == [entry_of(lsp(lifetime=0))]
    assert not len(rig.lsdb)


def test_a_wrong_checksum_is_neither_taken_nor_acknowledged(rig: Rig) -> None:
    """ISO/IEC 10589 section 7.3.14.2 e."""
    broken = lsp().octets
    assert rig.flooding.lsp(decode_lsp(broken[:24] + b"\1\1" + broken[26:]), 1.0) == (None, [])
    assert rig.flooding.counters.lsps_with_wrong_checksum == 1
    assert rig.flooding.deadline() is None


def test_what_the_neighbour_has_and_we_have_not_is_asked_for_until_it_comes(rig: Rig) -> None:
    rig.flooding.lsp(lsp(sequence=5), 0.0)
    rig.entries(1.0)
    dead = LspEntry(0, bytes(5) + b"\x09\0\0", 3, 1)
    rig.flooding.csnp(Csnp(source=THEM + b"\0", entries=(entry_of(lsp(sequence=6)), entry_of(lsp(THIRD)), dead)), 2.0)
    wanted = [entry.lsp_id[:6] for entry in rig.entries(2.0 + GATHERED)]
    assert wanted == [THEM, THIRD]
    assert [entry.sequence for entry in rig.entries(3.0 + PATIENCE)] == [5, 0]
    rig.flooding.lsp(lsp(THIRD), 9.0)
    assert [entry.sequence for entry in rig.entries(9.0 + PATIENCE)] == [5, 5]


def test_what_never_comes_is_given_up(rig: Rig) -> None:
    rig.flooding.csnp(Csnp(source=THEM + b"\0", entries=(entry_of(lsp()),)), 0.0)
    asked = sum(len(rig.entries(number * PATIENCE)) for number in range(1, ATTEMPTS + 5))
    assert asked == ATTEMPTS
    assert rig.flooding.deadline() is None


@pytest.mark.parametrize(("claims", "asked"), [(3, 3), (4, 3)])
def test_no_more_than_so_many_are_asked_for_at_a_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, claims: int, asked: int
) -> None:
    monkeypatch.setattr(module, "MAX_REQUESTS", 3)
    claimed = tuple(entry_of(lsp(bytes(5) + bytes((10 + number,)))) for number in range(claims))
    rig.flooding.csnp(Csnp(source=THEM + b"\0", entries=claimed), 0.0)
    assert len(rig.entries(GATHERED)) == asked


def test_lsps_of_others_never_leave(rig: Rig) -> None:
    rig.flooding.lsp(lsp(THIRD), 0.0)
    rig.entries(1.0)
    asked = Psnp(source=THEM + b"\0", entries=(LspEntry(1, THIRD + b"\0\0", 0, 0),))
    assert rig.flooding.psnp(asked, 2.0) == []
    assert rig.flooding.csnp(Csnp(source=THEM + b"\0"), 2.0) == []
    assert rig.flooding.tick(100.0) == []


def sent_by(own: OwnLsp, now: float) -> list[int]:
    """Return the numbers of our LSPs that are sent at a time."""
    return [decode_lsp(octets).sequence for octets in own.take_outbox(WHERE, now)]


def test_our_lsp_is_sent_until_the_neighbour_has_it(rig: Rig) -> None:
    assert sent_by(rig.own, 0.0) == [1]
    assert sent_by(rig.own, 6.0) == [1]
    assert rig.own.lsp is not None
    rig.flooding.psnp(Psnp(source=THEM + b"\0", entries=(entry_of(rig.own.lsp),)), 7.0)
    assert sent_by(rig.own, 20.0) == []
    rig.flooding.csnp(Csnp(source=THEM + b"\0"), 21.0)  # it has lost it
    assert sent_by(rig.own, 21.0) == [1]


def test_an_lsp_from_an_earlier_life_is_outnumbered(rig: Rig) -> None:
    """ISO/IEC 10589 section 7.3.16.1."""
    assert rig.flooding.lsp(lsp(US, sequence=41), 2.0) == (None, [])
    assert rig.own.timeout(2.0) is not None
    assert sent_by(rig.own, 2.0) == [42]
    assert [entry.sequence for entry in rig.entries(9.0)] == [41]
    assert not len(rig.lsdb)
    rig.flooding.lsp(lsp(US, sequence=42, lifetime=0), 9.0)  # somebody ends it
    rig.own.timeout(9.0)
    assert sent_by(rig.own, 9.0) == [43]


def test_other_lsps_with_our_name_are_acknowledged_and_nothing_else(rig: Rig) -> None:
    stray = replace(lsp(US, sequence=41), lsp_id=US + b"\0\3")
    stray = decode_lsp(encode_lsp(stray))
    assert rig.flooding.lsp(stray, 2.0) == (None, [])
    assert rig.own.timeout(2.0) is None
    assert rig.entries(9.0) == [entry_of(stray)]


def test_without_a_neighbour_nothing_counts(rig: Rig) -> None:
    rig.flooding.down()
    assert rig.flooding.lsp(lsp(), 1.0) == (None, [])
    assert rig.flooding.csnp(Csnp(source=THEM + b"\0", entries=(entry_of(lsp()),)), 1.0) == []
    assert rig.flooding.psnp(Psnp(source=THEM + b"\0"), 1.0) == []
    assert rig.flooding.tick(99.0) == []
    assert rig.flooding.deadline() is None
    assert not len(rig.lsdb)
