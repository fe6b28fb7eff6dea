"""Our own LSP: when it is issued, and how long it is sent."""

from dataclasses import replace

from routed.session.isis_own_lsp import (
    MAX_SEQUENCE,
    MIN_ISSUE_INTERVAL,
    REFRESH_INTERVAL,
    RESEND_INTERVAL,
    ZERO_AGE_LIFETIME,
    OwnLsp,
    own_template,
)
from routed.wire.isis.authentication import Key, is_authentic
from routed.wire.isis.checksum import is_checksum_right
from routed.wire.isis.codepoints import AuthenticationType, PduType
from routed.wire.isis.lsp import MAX_AGE, Lsp, decode_lsp
from routed.wire.isis.reachability import Neighbor
from routed.wire.isis.tlv import LspEntry

US, THEM, OTHER = (bytes((0, 0, 0, 0, 0, last)) for last in (1, 2, 3))
TEMPLATE = own_template(US, (b"\x49\0\1",), (b"\n\0\0\1",), (0xCC,), "listener-é")


def issued(own: OwnLsp, now: float) -> Lsp:
    lsp = own.timeout(now)
    assert lsp is not None
    return lsp


def adjacent(now: float = 0.0) -> OwnLsp:
    """Return an LSP that was issued because of a neighbour on circuit 1, which holds nothing yet."""
    own = OwnLsp(TEMPLATE)
    own.up(1, THEM, now)
    issued(own, now)
    return own


def entry(lsp: Lsp | None, sequence: int | None = None, lifetime: int = 1000) -> LspEntry:
    assert lsp is not None
    return LspEntry(lifetime, lsp.lsp_id, lsp.sequence if sequence is None else sequence, lsp.checksum)


def test_it_says_who_we_are_and_that_nothing_goes_through_us() -> None:
    """The overload bit, our neighbours, no prefixes."""
    own = OwnLsp(TEMPLATE)
    assert (own.lsp, own.deadline(1), own.timeout(0.0)) == (None, None, None)
    own.up(1, THEM, 0.0)
    own.up(2, OTHER, 0.0)
    own.up(3, THEM, 0.0)  # a second link to the same
    lsp = issued(own, 0.0)
    assert (lsp.sequence, lsp.lifetime, lsp.flags.overload, lsp.hostname) == (1, MAX_AGE, True, "listener-?")
    assert lsp.neighbors == (Neighbor(0, THEM + b"\0", 10), Neighbor(0, OTHER + b"\0", 10))
    assert (lsp.prefixes, is_checksum_right(lsp.octets)) == ((), True)
    assert [own.take_outbox(circuit, 0.0) for circuit in (1, 2, 3, 4)] == [[lsp.octets]] * 3 + [[]]


def test_it_is_sent_until_the_neighbour_holds_it() -> None:
    """ISO/IEC 10589 section 7.3.15; with the seconds that it has left."""
    own = adjacent()
    assert len(own.take_outbox(1, 0.0)) == 1
    assert own.take_outbox(1, RESEND_INTERVAL - 0.1) == []
    assert own.deadline(1) == RESEND_INTERVAL
    (again,) = own.take_outbox(1, RESEND_INTERVAL)
    assert decode_lsp(again).lifetime == MAX_AGE - RESEND_INTERVAL
    assert is_checksum_right(again)
    own.held(1, entry(own.lsp), 6.0)
    assert (own.take_outbox(1, 100.0), own.deadline(1), own.superseded) == ([], REFRESH_INTERVAL, 0)
    own.held(1, None, 101.0)  # it has lost it
    assert len(own.take_outbox(1, 101.0)) == 1


def test_it_is_issued_again_before_it_is_old() -> None:
    own = adjacent()
    assert own.timeout(REFRESH_INTERVAL - 1) is None
    assert issued(own, REFRESH_INTERVAL).sequence == 2


def test_neighbours_that_come_and_go_change_it_and_not_more_often_than_every_second() -> None:
    own = adjacent()
    for step in range(100):
        (own.up(2, OTHER, step / 100) if step % 2 else own.down(2, step / 100))
        assert own.timeout(step / 100) is None
    assert issued(own, MIN_ISSUE_INTERVAL).sequence == 2
    own.down(1, 5.0)
    own.down(2, 5.0)
    lonely = issued(own, 5.0)
    assert (lonely.neighbors, own.deadline(1)) == ((), None)  # nobody is there to hear it again
    own.up(1, THEM, 9.0)
    assert issued(own, 9.0).sequence == 4


def test_it_goes_on_behind_what_is_left_of_an_earlier_life() -> None:
    """ISO/IEC 10589 section 7.3.16.1."""
    early = OwnLsp(TEMPLATE)
    early.up(1, THEM, 0.0)
    early.held(1, replace(entry(adjacent().lsp), sequence=41), 0.0)
    assert (issued(early, 0.0).sequence, early.superseded) == (42, 0)
    late = adjacent()
    late.held(1, entry(late.lsp, 41), 0.1)
    assert late.take_outbox(1, 0.5) == []  # the one that is out counts no more
    assert (issued(late, MIN_ISSUE_INTERVAL).sequence, late.superseded) == (42, 1)


def test_another_system_with_our_id_is_noticed_and_makes_us_talk_once_a_second() -> None:
    """Same number, other contents, or a purge of ours."""
    own = adjacent()
    for step in range(1, 1001):
        now, lsp = step / 100, own.lsp
        assert lsp is not None
        strange = replace(entry(lsp), checksum=lsp.checksum ^ 1) if step % 2 else entry(lsp, lifetime=0)
        own.held(1, strange, now)
        own.timeout(now)
    assert own.lsp is not None
    assert own.lsp.sequence <= 11
    assert own.superseded >= 10


def test_when_numbers_are_used_up_we_are_silent_until_the_last_one_is_forgotten() -> None:
    own = adjacent()
    own.held(1, entry(own.lsp, MAX_SEQUENCE), 1.0)
    own.held(1, entry(own.lsp, MAX_SEQUENCE), 2.0)
    own.held(1, None, 2.0)
    own.up(2, OTHER, 3.0)
    end = 1.0 + MAX_AGE + ZERO_AGE_LIFETIME
    assert (own.take_outbox(1, 4.0), own.timeout(end - 1), own.deadline(1)) == ([], None, end)
    assert issued(own, end).sequence == 1
    assert len(own.take_outbox(1, end)) == 1


def test_it_is_signed() -> None:
    key = Key(AuthenticationType.GENERIC, b"secret", 3)
    own = OwnLsp(TEMPLATE, key)
    own.up(1, THEM, 0.0)
    issued(own, 0.0)
    assert is_authentic(PduType.LSP_2, own.take_outbox(1, 7.0)[0], (key,))


def test_a_circuit_that_is_down_neither_sends_nor_counts() -> None:
    own = adjacent()
    own.down(1, 1.0)
    own.held(1, entry(own.lsp, 99), 1.0)
    assert own.take_outbox(1, 1.0) == []
    assert issued(own, 1.0).sequence == 2
