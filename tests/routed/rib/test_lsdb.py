"""The link-state database: what is newer, what ages, what there is room for."""

import gc
import sys
from dataclasses import fields, is_dataclass, replace

import pytest

from routed.rib import lsdb as module
from routed.rib.lsdb import ZERO_AGE_LIFETIME, Age, Lsdb, Taken
from routed.wire.isis.codepoints import PduType, TlvType
from routed.wire.isis.header import with_length
from routed.wire.isis.lsp import Lsp, decode_lsp, encode_lsp
from routed.wire.isis.reachability import Neighbor
from routed.wire.isis.tlv import LspEntry

LSP_ID = bytes(5) + b"\1\0\0"
OTHER = bytes(5) + b"\2\0\0"
LINK = (Neighbor(0, OTHER[:7], 10),)


def lsp(sequence: int = 5, lifetime: int = 1200, checksum: int = 7, **facts: object) -> Lsp:
    """Return an LSP."""
    return Lsp(lsp_id=LSP_ID, sequence=sequence, lifetime=lifetime, checksum=checksum, **facts)  # type: ignore[arg-type]


@pytest.fixture
def lsdb() -> Lsdb:
    """Return a database with one LSP."""
    made = Lsdb()
    assert made.take(lsp(), 0.0) is Taken.NEW
    return made


@pytest.mark.parametrize(
    ("later", "taken"),
    [
        (lsp(), Taken.SAME),
        (lsp(lifetime=3), Taken.SAME),
        (lsp(sequence=4), Taken.OLDER),
        (lsp(sequence=6), Taken.REFRESHED),
        (lsp(sequence=6, neighbors=LINK), Taken.CHANGED),
        (lsp(checksum=8, neighbors=LINK), Taken.CHANGED),  # the listener's choice: the later one counts
        (lsp(lifetime=0), Taken.PURGED),
        (lsp(sequence=4, lifetime=0), Taken.OLDER),
    ],
)
def test_the_newer_one_of_two_stays(lsdb: Lsdb, later: Lsp, taken: Taken) -> None:
    """ISO/IEC 10589 section 7.3.16."""
    version = lsdb.version
    assert lsdb.take(later, 1.0) is taken
    assert (lsdb.version != version) is (taken in {Taken.CHANGED, Taken.PURGED})


def test_what_is_over_stays_as_a_header_and_is_then_forgotten(lsdb: Lsdb) -> None:
    assert lsdb.take(lsp(lifetime=0), 10.0) is Taken.PURGED
    assert not lsdb.live()
    assert lsdb.take(lsp(), 11.0) is Taken.OLDER
    assert lsdb.take(lsp(lifetime=0), 12.0) is Taken.SAME
    assert [held.lifetime(12.0) for held in lsdb] == [0]
    assert lsdb.age(10.0 + ZERO_AGE_LIFETIME) == []
    assert not len(lsdb)
    assert lsdb.take(lsp(lifetime=0), 80.0) is Taken.UNKNOWN


def test_a_newer_one_brings_back_what_was_over(lsdb: Lsdb) -> None:
    lsdb.take(lsp(lifetime=0), 10.0)
    assert lsdb.take(lsp(sequence=6, neighbors=LINK), 20.0) is Taken.NEW
    assert [one.sequence for one in lsdb.live()] == [6]
    assert lsdb.contents == 1


def test_time_ends_an_lsp(lsdb: Lsdb) -> None:
    assert lsdb.deadline() == 1200.0
    assert lsdb.age(1199.9) == []
    assert [one.lsp_id for one in lsdb.age(1200.0)] == [LSP_ID]
    assert not lsdb.live()
    assert lsdb.deadline() == 1200.0 + ZERO_AGE_LIFETIME
    lsdb.age(1200.0 + ZERO_AGE_LIFETIME)
    assert lsdb.deadline() is None


def test_lifetimes_run_down(lsdb: Lsdb) -> None:
    (held,) = lsdb
    assert [held.lifetime(now) for now in (0.0, 1000.0, 1199.9, 1300.0)] == [1200, 200, 1, 1]
    assert lsdb.entry(held, 200.0) == LspEntry(1000, LSP_ID, 5, 7)


def test_of_what_is_doubted_the_next_copy_counts(lsdb: Lsdb) -> None:
    """Whatever its number, and once; one that is the same says that there is nothing to doubt."""
    old = LspEntry(1200, LSP_ID, 4, 7)
    lsdb.doubt()
    assert lsdb.compare(old) is Age.NEWER
    assert lsdb.counted(LSP_ID) is None
    assert lsdb.take(lsp(sequence=4, neighbors=LINK), 1.0) is Taken.CHANGED
    assert lsdb.counted(LSP_ID) is not None
    assert lsdb.take(lsp(sequence=3), 1.0) is Taken.OLDER
    lsdb.doubt()
    assert lsdb.take(lsp(sequence=4, neighbors=LINK), 2.0) is Taken.SAME
    assert lsdb.compare(LspEntry(1200, LSP_ID, 3, 7)) is Age.OLDER
    lsdb.doubt()
    assert lsdb.take(lsp(sequence=2, lifetime=0), 3.0) is Taken.PURGED


def test_what_was_forgotten_is_not_doubted_when_it_is_back(lsdb: Lsdb) -> None:
    lsdb.doubt()
    lsdb.age(1200.0)
    lsdb.age(1200.0 + ZERO_AGE_LIFETIME)
    assert lsdb.take(lsp(), 2000.0) is Taken.NEW
    assert lsdb.take(lsp(sequence=4), 2000.0) is Taken.OLDER


@pytest.mark.parametrize(
    ("entry", "age"),
    [
        (LspEntry(1, LSP_ID, 5, 7), Age.SAME),
        (LspEntry(1, LSP_ID, 6, 7), Age.NEWER),
        (LspEntry(1, LSP_ID, 4, 7), Age.OLDER),
        (LspEntry(0, LSP_ID, 5, 7), Age.NEWER),
        (LspEntry(1, OTHER, 1, 1), Age.NEWER),
    ],
)
def test_entries_compare_like_lsps(lsdb: Lsdb, entry: LspEntry, age: Age) -> None:
    assert lsdb.compare(entry) is age


def test_there_is_room_for_so_many(lsdb: Lsdb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LSPS", 2)
    assert lsdb.take(replace(lsp(), lsp_id=OTHER), 0.0) is Taken.NEW
    assert lsdb.take(replace(lsp(), lsp_id=bytes(8)), 0.0) is Taken.REFUSED


def test_there_is_room_for_so_much(lsdb: Lsdb, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large takes the place of what it replaces, and says nothing."""
    monkeypatch.setattr(module, "MAX_CONTENTS", 2)
    assert lsdb.take(lsp(sequence=6, neighbors=LINK * 2), 0.0) is Taken.CHANGED
    assert lsdb.take(replace(lsp(neighbors=LINK), lsp_id=OTHER), 0.0) is Taken.REFUSED
    assert lsdb.take(lsp(sequence=7, neighbors=LINK * 3), 0.0) is Taken.REFUSED
    assert lsdb.contents == 0
    assert not lsdb.live()
    assert lsdb.take(replace(lsp(neighbors=LINK), lsp_id=OTHER), 0.0) is Taken.NEW


def test_what_is_held_costs_no_search_for_cycles() -> None:
    """Of all values of an LSP, the entry of the database alone is on the collector's list; tuples leave it later."""
    said = bytes.fromhex("160b0000000000020000000a00 870800000005180a0001 e50200020206abcdefabcdef".replace(" ", ""))
    octets = with_length(PduType.LSP_2, encode_lsp(lsp()) + said)
    lsdb = Lsdb()
    for sequence in (5, 6):
        made = decode_lsp(octets[:20] + sequence.to_bytes(4, "big") + octets[24:])
        lsdb.take(made, 0.0)
        parts = (made, made.flags, *made.neighbors, *made.prefixes, made.prefixes[0].prefix, *made.topologies)
        assert len(parts) == 6
        assert not any(map(gc.is_tracked, (*parts, *made.unknown)))


def deep_size(value: object) -> int:
    """Return the memory of a value with all that is in it, small integers and what is shared aside."""
    if isinstance(value, tuple):
        return sys.getsizeof(value) + sum(map(deep_size, value))
    if is_dataclass(value):
        return sys.getsizeof(value) + sum(deep_size(getattr(value, each.name)) for each in fields(value))
    return sys.getsizeof(value) if isinstance(value, bytes | str) and value else 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TlvType.AREA_ADDRESSES, b"\1\x49" * 127),
        (TlvType.PROTOCOLS_SUPPORTED, b"\xcc" * 255),
        (TlvType.HOSTNAME, b"\0" * 255),
        (TlvType.IPV4_ADDRESSES, bytes(252)),
        (TlvType.IPV6_ADDRESSES, bytes(240)),
        (TlvType.MULTI_TOPOLOGY, bytes(254)),
        (TlvType.IS_NEIGHBORS, bytes(1 + 11 * 23)),
        (TlvType.EXTENDED_IS_REACHABILITY, bytes(11 * 23)),
        (TlvType.IPV4_INTERNAL_REACHABILITY, bytes(12 * 21)),
        (TlvType.EXTENDED_IPV4_REACHABILITY, bytes(255)),
        (TlvType.IPV6_REACHABILITY, bytes(252)),
        (TlvType.IPV4_ADDRESSES, b"\0"),
        (TlvType.THREE_WAY_ADJACENCY, b""),
        (TlvType.THREE_WAY_ADJACENCY, b"x" * 255),
    ],
)
@pytest.mark.parametrize("octets", [1492, 9000])
def test_whatever_fills_an_lsp_is_counted(kind: TlvType, value: bytes, octets: int) -> None:
    """The ceiling is one of memory: values of at most 300 octets, whatever a neighbour makes them of."""
    tlv = bytes((kind, len(value))) + value
    filled = with_length(PduType.LSP_2, encode_lsp(lsp()) + tlv * ((octets - 27) // len(tlv)))
    made, lsdb = decode_lsp(filled), Lsdb()
    lsdb.take(made, 0.0)
    assert deep_size(made) - sys.getsizeof(made) < 300 * lsdb.contents + 1_000


def test_names_are_those_of_the_lowest_fragment_that_has_one(lsdb: Lsdb) -> None:
    assert lsdb.hostnames() == {}
    lsdb.take(lsp(sequence=6, hostname="one"), 0.0)
    lsdb.take(replace(lsp(hostname="two"), lsp_id=LSP_ID[:7] + b"\1"), 0.0)
    lsdb.take(replace(lsp(hostname="lan"), lsp_id=LSP_ID[:6] + b"\1\0"), 0.0)
    assert lsdb.hostnames() == {LSP_ID[:6]: "one"}
