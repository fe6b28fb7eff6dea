"""Route Monitoring into the tables of monitored peers: whose routes, in which steps, and what is malformed."""

from typing import Final

import pytest

from routed.rib._monitoring import MonitoredRib, MonitoringRun
from routed.wire.bmp.monitoring import MAX_STATELESS
from tests.oracles import attributes as a
from tests.oracles.bmp_build import ROUTE_MONITORING, A, L, frame, peer, tlv
from tests.oracles.build import MANDATORY, MARKER, NET_10, attribute, update
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import RIB_OCTETS, Agreed
from tests.routed.rib.monitoring_build import (
    ANNOUNCED,
    BEST,
    END_OF_RIB,
    KEY,
    NARROW,
    NET_11,
    NOTHING,
    OTHER,
    PEER,
    RD,
    RECEIVES,
    WITHDRAWN,
    marking,
    nets,
    stateless,
    v3,
    v4,
    values,
)


@pytest.mark.parametrize("form", [v3, v4], ids=["3", "4"])
def test_an_update_of_either_version_is_taken(router: CompiledRouter, form) -> None:
    taken = router.take(form(ANNOUNCED) + form(ANNOUNCED) + form(WITHDRAWN) + form(WITHDRAWN))
    assert values(taken, "log_type", "ip_prefix") == [("update", "10.0.0.0/8")] * 2 + [("withdraw", "10.0.0.0/8")]
    assert router.ribs[KEY].counts(0) == (1, 1, 1, 1, 0)
    assert router.held() == NOTHING


@pytest.mark.parametrize("logged", [True, False])
def test_peers_that_take_turns_have_tables_of_their_own(router: CompiledRouter, logged: bool) -> None:
    octets = (
        v3(ANNOUNCED) + v3(update(MANDATORY, NET_10 + NET_11), OTHER) + v4(update(MANDATORY, NET_11)) + v3(WITHDRAWN)
    )
    router.take(octets, logged=logged)
    assert [len(router.ribs[key]) for key in (KEY, OTHER[:RIB_OCTETS])] == [1, 2]
    assert [header for header, _ in router.asked] == [PEER, OTHER]
    assert router.held() == {"routes": 3, "prefixes": 2, "paths": 1}


def test_what_tells_ribs_apart_is_type_flags_distinguisher_and_address(router: CompiledRouter) -> None:
    headers = [PEER, peer(1), peer(flags=L), peer(1, rd=RD), peer(address="192.0.2.2"), peer(3, address="0.0.0.0")]
    same = [peer(asn=7), peer(bgp_id="7.7.7.7"), peer(time=(7, 7))]
    router.take(b"".join(v3(ANNOUNCED, header) for header in headers + same))
    assert [len(rib) for rib in router.ribs.values()] == [1] * len(headers)
    assert router.ribs[KEY].counts(0) == (1, 3, 0, 0, 0)


@pytest.mark.parametrize("logged", [True, False])
def test_a_run_of_many_blocks_goes_on_where_each_ended(router: CompiledRouter, logged: bool) -> None:
    """A block is full in the middle of a stretch; a step ends in the middle of a message."""
    octets = b"".join(
        v3(update(MANDATORY, nets(700 * n, 700)), OTHER if n % 5 == 3 else PEER) + v3(END_OF_RIB) for n in range(60)
    )
    taken = router.take(octets, logged=logged)
    assert taken.steps >= 3
    assert taken.end_of_ribs == 60
    assert [len(rib) for rib in router.ribs.values()] == [48 * 700, 12 * 700]
    if logged:
        assert len(taken.rows) == 60 * 701
        assert [seq for (seq,) in values(taken, "seq")] == list(range(len(taken.rows)))
        of_other = [row for row in taken.rows if OTHER[:RIB_OCTETS].hex() in row]
        assert len(of_other) == 12 * 700
    router.sweep()
    assert router.held() == NOTHING


def test_rows_of_a_step_are_bounded_and_none_is_lost(router: CompiledRouter) -> None:
    """Each row is some kilobytes, so the buffer is full in mid-message, and the peer's keys are there again after."""
    communities = attribute(a.COMMUNITIES, b"".join((0xFDE90000 | n).to_bytes(4, "big") for n in range(500)))
    octets = b"".join(v3(update((*MANDATORY, communities), nets(1000 * n, 300)), OTHER) for n in range(4))
    taken = router.take(octets + v3(ANNOUNCED))
    assert taken.steps > 4
    assert len(taken.rows) == 1201
    assert all(OTHER[:RIB_OCTETS].hex() in row for row in taken.rows[:-1])


def test_messages_of_unknown_peers_are_orphans() -> None:
    router = CompiledRouter(lambda header: Agreed() if header == OTHER else None)
    taken = router.take(v3(ANNOUNCED) + v3(ANNOUNCED, OTHER) + v4(ANNOUNCED) + v3(WITHDRAWN, OTHER))
    assert (taken.orphans, taken.malformed, taken.malformed_of) == (2, 0, None)
    assert router.asked == [(PEER, False), (OTHER, False), (PEER, False)]
    assert list(router.ribs) == [OTHER[:RIB_OCTETS]]


GOOD_TLV: Final = tlv(4, ANNOUNCED, index=0)
#: Route Refresh as often as there is room for it.
MANY_CAPABILITIES: Final = b"\2\0" * (MAX_STATELESS // 2)

MALFORMED: Final = {
    "no per-peer header": frame(ROUTE_MONITORING, PEER[:-1]),
    "nothing behind the headers": frame(ROUTE_MONITORING, PEER),
    "a cut UPDATE": v3(ANNOUNCED[:-1]),
    "octets behind the UPDATE": v3(ANNOUNCED + b"\0"),
    "another message": v3(MARKER + b"\0\x17\4" + bytes(4)),
    "no marker": v3(b"\0" + ANNOUNCED[1:]),
    "an UPDATE that is too short": v3(MARKER + b"\0\x16\2" + bytes(3)),
    "no PDU": frame(ROUTE_MONITORING, PEER + tlv(3, b"red", index=0), 4),
    "two PDUs": v4(ANNOUNCED, GOOD_TLV),
    "a cut PDU": frame(ROUTE_MONITORING, PEER + tlv(4, ANNOUNCED[:-1], index=0), 4),
    "a TLV that overruns": frame(ROUTE_MONITORING, PEER + GOOD_TLV + b"\0\5\0\5\0\0abcd", 4),
    "a cut TLV header": frame(ROUTE_MONITORING, PEER + GOOD_TLV + b"\0\5\0\0\0", 4),
    "an enterprise without a number": v4(ANNOUNCED, b"\x80\5\0\3\0\0abc"),
    "a cut capability": v4(ANNOUNCED, stateless(RECEIVES[:-1])),
    "capabilities across TLVs": v4(ANNOUNCED, stateless(RECEIVES[:3]), stateless(RECEIVES[3:])),
    "too many capabilities": v4(ANNOUNCED, stateless(MANY_CAPABILITIES), stateless(b"\2\0")),
    "ADD-PATH that is no multiple of 4": v4(ANNOUNCED, stateless(b"\x45\3\0\1\1")),
    "withdrawn routes that overrun": v3(update()[:19] + b"\0\7" + update()[21:]),
    "NLRI that overruns": v3(update(MANDATORY, b"\x18\x0a")),
    "an MP attribute that overruns": v3(update((b"\x80\x0e\x09\0\1\1",))),
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("logged", [True, False])
def test_a_malformed_message_costs_only_itself(router: CompiledRouter, octets: bytes, logged: bool) -> None:
    """RFC 7606 would reset the session for some; a router is shown, not spoken to."""
    taken = router.take(v3(ANNOUNCED) + octets + v3(update(MANDATORY, NET_11)), logged=logged)
    assert (taken.malformed, taken.orphans) == (1, 0)
    assert router.ribs[KEY].counts(0) == (2, 0, 0, 0, 0)
    assert taken.malformed_of == (PEER if len(octets) >= 48 else None)
    router.sweep()
    assert router.held() == NOTHING


def test_as_many_capabilities_as_an_open_could_hold_are_read(router: CompiledRouter) -> None:
    taken = router.take(v4(ANNOUNCED, stateless(MANY_CAPABILITIES)))
    assert taken.malformed == 0
    assert router.ribs[KEY].counts(0)[0] == 1


def test_a_bad_attribute_costs_only_itself(router: CompiledRouter) -> None:
    """The router has the route, whatever RFC 7606 would have had it do; refusals name attribute and place."""
    run = MonitoringRun(router.rib, v3(update((*MANDATORY, attribute(a.MED, b"\1")), NET_10)), {}, router.find, None)
    came_to = run.step()
    assert came_to is not None
    assert came_to.refused == {(a.MED, "attribute-discard"): 1}
    assert [(one.attribute, one.verdict) for one in came_to.refusals] == [(a.MED, "attribute-discard")]
    assert (came_to.refused_of, came_to.malformed_of) == (PEER, None)
    assert router.held()["routes"] == 1


def test_octets_that_are_no_whole_messages_are_a_bug_of_the_caller(router: CompiledRouter) -> None:
    for octets in (v3(ANNOUNCED)[:-1], v3(ANNOUNCED) + b"\3\0\0\0\5\0"):
        with pytest.raises(ValueError, match="starts no whole UPDATE"):
            router.take(octets)


def test_what_find_raises_comes_out_and_leaves_nothing(router: CompiledRouter) -> None:
    def find(_header: bytes, _says_how: bool) -> MonitoredRib:
        raise LookupError

    run = MonitoringRun(router.rib, v3(ANNOUNCED), {}, find, router.read_stateless)
    with pytest.raises(LookupError):
        run.step()
    del run
    assert router.held() == NOTHING


def test_the_flag_for_old_as_paths_makes_another_header_of_the_same_rib(router: CompiledRouter) -> None:
    """Whoever owns the tables says which headers are one RIB: here they are two, with a table each."""
    router.take(v3(ANNOUNCED) + v3(NARROW, peer(flags=A)))
    assert len(router.ribs) == 2


def test_a_run_that_is_given_up_leaves_no_references(router: CompiledRouter) -> None:
    octets = b"".join(v4(update(MANDATORY, nets(700 * n, 700)), marking(BEST, 3)) for n in range(40))
    run = MonitoringRun(router.rib, octets, router.ribs, router.find, router.read_stateless)
    assert run.step() is None
    assert not run.is_over
    del run
    router.sweep()
    assert router.held() == NOTHING
