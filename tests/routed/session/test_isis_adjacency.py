"""One adjacency on a point-to-point circuit, and two that are each other's neighbour."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from routed.model.event import Event
from routed.model.isis_event import (
    AdjacencyDown,
    AdjacencyUp,
    CsnpReceived,
    LspReceived,
    PduRefused,
    PsnpReceived,
    Refusal,
)
from routed.session.isis_adjacency import (
    JITTER,
    PROMPT_HELLOS,
    PROMPT_UPS,
    STEPS,
    UPS_PER_SECOND,
    CircuitSettings,
    IsisAdjacency,
)
from routed.wire.isis.authentication import Key
from routed.wire.isis.codepoints import AdjacencyState, AuthenticationType, CircuitType, PduType
from routed.wire.isis.hello import P2pHello, decode_p2p_hello, encode_p2p_hello
from routed.wire.isis.lsp import Lsp, encode_lsp
from routed.wire.isis.snp import Csnp, Psnp, encode_csnp, encode_psnp
from routed.wire.isis.three_way import ThreeWay

DOWN, INITIALIZING, UP = AdjacencyState.DOWN, AdjacencyState.INITIALIZING, AdjacencyState.UP
US, THEM, OTHER = (bytes((0, 0, 0, 0, 0, last)) for last in (1, 2, 3))
AREA = b"\x49\0\1"
SETTINGS = CircuitSettings(system_id=US, areas=(AREA,), addresses=(b"\n\0\0\1",), protocols=(0xCC,), mtu=1476)
HELLO = P2pHello(
    circuit_type=CircuitType.LEVEL_1_2,
    source=THEM,
    hold_time=30,
    areas=(b"\x49\0\2",),
    addresses=(b"\n\0\0\2",),
    protocols=(0xCC, 0x8E),
    three_way=ThreeWay(DOWN, 77),
)
LSP = encode_lsp(Lsp(lsp_id=THEM + b"\0\0", sequence=1, lifetime=1200, checksum=0))
CSNP, PSNP = encode_csnp(Csnp(source=THEM + b"\0")), encode_psnp(Psnp(source=THEM + b"\0"))
KEY, OLD_KEY = (Key(AuthenticationType.HMAC_MD5, secret) for secret in (b"new", b"old"))


def seen(state: AdjacencyState, neighbor: bytes | None = US, circuit: int | None = 1) -> P2pHello:
    """Return their hello when they see the adjacency like this."""
    known = state is not DOWN
    return replace(HELLO, three_way=ThreeWay(state, 77, neighbor if known else None, circuit if known else None))


def tell(adjacency: IsisAdjacency, *pdus: P2pHello | bytes, now: float = 0.0) -> list[Event]:
    octets = (pdu if isinstance(pdu, bytes) else encode_p2p_hello(pdu) for pdu in pdus)
    return [event for pdu in octets for event in adjacency.receive(pdu, now)]


def said(adjacency: IsisAdjacency) -> list[P2pHello]:
    return [decode_p2p_hello(pdu) for pdu in adjacency.take_outbox()]


def refused(events: Sequence[Event]) -> list[Refusal]:
    return [event.why for event in events if isinstance(event, PduRefused)]


def adjacent(settings: CircuitSettings = SETTINGS) -> IsisAdjacency:
    """Return an adjacency that is up since 0."""
    adjacency = IsisAdjacency(settings)
    adjacency.start(0.0)
    assert isinstance(tell(adjacency, seen(INITIALIZING))[-1], AdjacencyUp)
    adjacency.take_outbox()
    return adjacency


def test_the_first_hello_says_who_we_are_and_fills_the_mtu() -> None:
    """ISO/IEC 10589 section 8.2.3: padded, so that a link with a smaller MTU has no adjacency."""
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    (pdu,) = adjacency.take_outbox()
    assert len(pdu) == 1476
    assert decode_p2p_hello(pdu) == P2pHello(
        circuit_type=CircuitType.LEVEL_2,
        source=US,
        hold_time=30,
        local_circuit_id=1,
        areas=(AREA,),
        protocols=(0xCC,),
        addresses=(b"\n\0\0\1",),
        three_way=ThreeWay(DOWN, 1),
    )
    bare = IsisAdjacency(replace(SETTINGS, is_padded=False))
    bare.start(0.0)
    assert len(bare.take_outbox()[0]) < 100


@pytest.mark.parametrize(("before", "theirs"), list(itertools.product(AdjacencyState, repeat=2)))
def test_every_step_of_the_handshake(before: AdjacencyState, theirs: AdjacencyState) -> None:
    """RFC 5303 section 3.2: each state with each state that the neighbour may see."""
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    for step in {DOWN: (), INITIALIZING: (DOWN,), UP: (INITIALIZING,)}[before]:
        tell(adjacency, seen(step))
    assert adjacency.state is before
    events = tell(adjacency, seen(theirs), now=1.0)
    assert adjacency.state is STEPS[before, theirs]
    changes = [type(event) for event in events]
    is_up = adjacency.state is UP
    assert changes == ([] if is_up == (before is UP) else [AdjacencyUp if is_up else AdjacencyDown])


def test_two_systems_become_adjacent_without_waiting_for_a_hello_interval() -> None:
    ends = {system: IsisAdjacency(replace(SETTINGS, system_id=system)) for system in (US, THEM)}
    up: dict[bytes, float] = {}
    for end in ends.values():
        end.start(0.0)
    for tick in range(60):
        now = tick / 10
        for system, other in ((US, THEM), (THEM, US)):
            ends[system].timeout(now)
            for pdu in ends[system].take_outbox():
                for event in ends[other].receive(pdu, now):
                    assert isinstance(event, AdjacencyUp)
                    up[other] = now
    assert set(up) == {US, THEM}
    assert max(up.values()) <= 0.3  # three hellos, each of which arrives with the next turn
    for system, end in ends.items():
        assert end.neighbor is not None
        assert end.neighbor.three_way == ThreeWay(UP, 1, system, 1)


def test_a_neighbour_without_the_handshake_is_up_with_its_first_hello() -> None:
    """ISO/IEC 10589 section 8.2.5."""
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    (up,) = tell(adjacency, replace(HELLO, three_way=None))
    assert up == AdjacencyUp(
        system_id=THEM,
        areas=HELLO.areas,
        addresses=HELLO.addresses,
        protocols=HELLO.protocols,
        hold_time=30,
        mtu=len(encode_p2p_hello(replace(HELLO, three_way=None))),
        is_three_way=False,
    )


def test_what_the_neighbour_hears_of_itself_is_what_it_said() -> None:
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    adjacency.take_outbox()
    tell(adjacency, seen(INITIALIZING))
    assert [hello.three_way for hello in said(adjacency)] == [ThreeWay(UP, 1, THEM, 77)]


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        (replace(HELLO, source=US), Refusal.OWN),
        (replace(HELLO, circuit_type=CircuitType.LEVEL_1), Refusal.LEVEL_1),
        (replace(HELLO, circuit_type=CircuitType.RESERVED), Refusal.MALFORMED),
        (seen(UP, OTHER), Refusal.ELSEWHERE),
        (seen(UP, US, 2), Refusal.ELSEWHERE),
        (replace(HELLO, three_way=None, unknown=((240, b"\3"),)), Refusal.MALFORMED),
        (encode_p2p_hello(HELLO)[:-1], Refusal.MALFORMED),
        (b"", Refusal.MALFORMED),
        (b"\x83" * 60, Refusal.MALFORMED),
    ],
)
def test_hellos_that_are_not_for_us_change_nothing(hello: P2pHello | bytes, why: Refusal) -> None:
    """Also when the neighbour is up: a stranger's hello neither keeps nor ends an adjacency."""
    for adjacency in (IsisAdjacency(SETTINGS), adjacent()):
        before = (adjacency.state, adjacency.neighbor, adjacency.deadline())
        assert refused(tell(adjacency, hello)) == [why]
        assert (adjacency.state, adjacency.neighbor, adjacency.deadline()) == before


def test_an_area_of_its_own_is_no_obstacle() -> None:
    """ISO/IEC 10589 section 8.2.4.2, table 6: level 2 connects areas."""
    assert adjacent().neighbor is not None


def test_a_silent_neighbour_is_gone_after_its_hold_time_and_may_come_back() -> None:
    adjacency = adjacent()
    assert not tell(adjacency, seen(UP), now=20.0)
    assert not adjacency.timeout(49.9)
    assert adjacency.timeout(50.0) == [AdjacencyDown(THEM, "no hello came for 30 s")]
    assert said(adjacency)[-1].three_way == ThreeWay(DOWN, 1)
    assert isinstance(tell(adjacency, seen(INITIALIZING), now=51.0)[0], AdjacencyUp)


def test_a_hello_that_holds_for_nothing_is_a_farewell() -> None:
    adjacency = adjacent()
    assert tell(adjacency, replace(seen(UP), hold_time=0)) == [AdjacencyDown(THEM, "its hold time is 0")]
    assert not tell(IsisAdjacency(SETTINGS), replace(HELLO, hold_time=0))


def test_a_restarted_neighbour_is_taken_anew() -> None:
    """RFC 5303 section 3.2: it says that it is down while we are up."""
    adjacency = adjacent()
    assert tell(adjacency, seen(DOWN), now=5.0) == [AdjacencyDown(THEM, "the neighbor restarted")]
    assert said(adjacency)[-1].three_way == ThreeWay(INITIALIZING, 1, THEM, 77)
    assert isinstance(tell(adjacency, seen(INITIALIZING), now=6.0)[0], AdjacencyUp)


def test_when_we_restarted_the_neighbour_hears_that_we_are_down() -> None:
    """It still sees us as we were; only when it has noticed is there an adjacency."""
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    assert not tell(adjacency, seen(UP))
    assert [hello.three_way for hello in said(adjacency)] == [ThreeWay(DOWN, 1)] * 2
    assert isinstance(tell(adjacency, seen(INITIALIZING), now=1.1)[0], AdjacencyUp)


def test_another_neighbour_takes_the_place_of_the_first() -> None:
    adjacency = adjacent()
    down, up = tell(adjacency, replace(seen(INITIALIZING), source=OTHER))
    assert down == AdjacencyDown(THEM, "the neighbor is 0000.0000.0003 now")
    assert isinstance(up, AdjacencyUp)
    assert up.system_id == OTHER


def test_databases_are_exchanged_with_a_neighbour_that_is_up_alone() -> None:
    fresh = IsisAdjacency(SETTINGS)
    assert refused(tell(fresh, LSP, CSNP, PSNP)) == [Refusal.NO_ADJACENCY] * 3
    assert [type(event) for event in tell(adjacent(), LSP, CSNP, PSNP)] == [LspReceived, CsnpReceived, PsnpReceived]


@pytest.mark.parametrize("kind", [PduType.LSP_1, PduType.CSNP_1, PduType.PSNP_1])
def test_level_1_is_for_others(kind: PduType) -> None:
    pdu = {
        PduType.LSP_1: encode_lsp(Lsp(lsp_id=bytes(8), sequence=1, lifetime=1, checksum=0, level=1)),
        PduType.CSNP_1: encode_csnp(Csnp(source=bytes(7), level=1)),
        PduType.PSNP_1: encode_psnp(Psnp(source=bytes(7), level=1)),
    }[kind]
    assert refused(tell(adjacent(), pdu)) == [Refusal.LEVEL_1]


def test_a_broken_lsp_costs_no_adjacency() -> None:
    adjacency = adjacent()
    assert refused(tell(adjacency, LSP + b"\1", LSP[:8] + b"\0\x1d" + LSP[10:] + b"\1\5")) == [Refusal.MALFORMED]
    assert adjacency.state is UP


def test_only_who_knows_a_key_is_heard() -> None:
    """RFC 5304 section 2; the first key signs, older ones are still believed."""
    settings = replace(SETTINGS, hello_keys=(KEY, OLD_KEY), domain_keys=(OLD_KEY,))
    adjacency = IsisAdjacency(settings)
    adjacency.start(0.0)
    for key, why in ((None, [Refusal.UNAUTHENTIC]), (KEY, []), (OLD_KEY, [])):
        assert refused(tell(adjacency, encode_p2p_hello(seen(INITIALIZING), key))) == why
    assert adjacency.state is UP
    peer = IsisAdjacency(replace(SETTINGS, system_id=THEM, circuit_id=77, hello_keys=(KEY,)))
    assert not refused(tell(peer, *adjacency.take_outbox()))
    lsp = Lsp(lsp_id=THEM + b"\0\0", sequence=1, lifetime=1200, checksum=0)
    assert refused(tell(adjacency, encode_lsp(lsp), encode_lsp(lsp, KEY))) == [Refusal.UNAUTHENTIC] * 2
    assert not refused(tell(adjacency, encode_lsp(lsp, OLD_KEY)))


def test_an_adjacency_that_flaps_is_damped_and_comes_up_in_the_end() -> None:
    """Otherwise two packets of anybody on the link were two lines of the log."""
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    events: list[Event] = []
    for step in range(1000):
        events += tell(adjacency, seen((INITIALIZING, DOWN)[step % 2]), now=step / 100)
    ups = [event for event in events if isinstance(event, AdjacencyUp)]
    assert PROMPT_UPS <= len(ups) <= PROMPT_UPS + 10 * UPS_PER_SECOND
    assert set(refused(events)) == {Refusal.TOO_OFTEN}
    assert len([event for event in events if isinstance(event, AdjacencyDown)]) in (len(ups), len(ups) - 1)
    later = tell(adjacency, seen(UP), now=10.0 + 1 / UPS_PER_SECOND)
    assert adjacency.state is UP
    assert len(later) <= 1


@pytest.mark.parametrize("has_handshake", [True, False])
def test_strangers_in_turn_are_damped(has_handshake: bool) -> None:
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    events: list[Event] = []
    for step in range(1000):
        hello = replace(seen(INITIALIZING), source=(THEM, OTHER)[step % 2])
        events += tell(adjacency, hello if has_handshake else replace(hello, three_way=None), now=step / 100)
    assert len([event for event in events if isinstance(event, AdjacencyUp)]) <= PROMPT_UPS + 10 * UPS_PER_SECOND


def test_a_neighbour_that_changes_its_mind_all_the_time_does_not_make_us_talk() -> None:
    adjacency = IsisAdjacency(SETTINGS)
    adjacency.start(0.0)
    for step in range(1000):
        now = step / 100
        tell(adjacency, seen((DOWN, INITIALIZING)[step % 2]), now=now)
        adjacency.timeout(now)
    assert len(adjacency.take_outbox()) <= 1 + PROMPT_HELLOS + 10


def test_hellos_are_a_little_early_now_and_then() -> None:
    """ISO/IEC 10589 section 10.1: systems do not fall into step."""
    for chance, due in ((0.0, 10.0), (1.0, 10.0 * (1 - JITTER))):
        adjacency = IsisAdjacency(SETTINGS, lambda chance=chance: chance)  # type: ignore[misc]  # mypy: the default
        adjacency.start(0.0)
        assert adjacency.deadline() == due


def test_leaving_is_told_to_the_neighbour_and_is_the_end() -> None:
    adjacency = adjacent()
    assert adjacency.stop(5.0) == [AdjacencyDown(THEM, "shut down")]
    (farewell,) = said(adjacency)
    assert (farewell.three_way, farewell.hold_time) == (ThreeWay(DOWN, 1), 1)
    assert (adjacency.deadline(), adjacency.timeout(100.0), adjacency.take_outbox()) == (None, [], [])
    assert tell(adjacent(), encode_p2p_hello(replace(seen(DOWN), source=THEM))) == [
        AdjacencyDown(THEM, "the neighbor restarted")
    ]


def test_a_lost_link_says_nothing_more_until_it_starts_again() -> None:
    adjacency = adjacent()
    assert adjacency.link_lost("the interface is down", 5.0) == [AdjacencyDown(THEM, "the interface is down")]
    assert (adjacency.deadline(), adjacency.take_outbox()) == (None, [])
    adjacency.start(9.0)
    assert len(said(adjacency)) == 1
