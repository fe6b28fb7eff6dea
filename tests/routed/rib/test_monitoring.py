"""Route Monitoring into the tables of monitored peers: whose routes, how they are read, their rows and their marks."""

import json
from typing import Final

import pytest

from routed.rib._monitoring import MonitoredRib, MonitoringRun
from routed.rib._rib import Rib
from routed.rib._rows import Rows
from routed.service.bmp_records import mark_keys
from routed.service.records import TimeFormat
from routed.service.settings import RenderSettings, TimestampLayout
from tests.oracles import attributes as a
from tests.oracles.bmp_build import ROUTE_MONITORING, A, L, O, frame, peer, tlv
from tests.oracles.build import (
    MANDATORY,
    MARKER,
    NET_10,
    NEXT_HOP_1,
    ORIGIN_IGP,
    attribute,
    label_stack,
    mp_reach,
    mp_unreach,
    prefix,
    segments,
    update,
)
from tests.oracles.compiled_router import CompiledRouter, Taken
from tests.oracles.monitored import RIB_OCTETS, Agreed

NOTHING: Final = {"routes": 0, "prefixes": 0, "paths": 0}
PEER: Final = peer()
KEY: Final = PEER[:RIB_OCTETS]
OTHER: Final = peer(flags=L, address="2001:db8::1")
NET_11: Final = prefix(bytes([11, 0, 0, 0]), 8)
ANNOUNCED: Final = update(MANDATORY, NET_10)
WITHDRAWN: Final = update(withdrawn=NET_10)
END_OF_RIB: Final = update()
RD: Final = bytes.fromhex("0000fde800000064")
BEST: Final = bytes.fromhex("00000002")
BACKUP: Final = bytes.fromhex("000000100001")
#: ADD-PATH of IPv4 unicast: receive, send; of IPv6 unicast, receive.
RECEIVES, SENDS, RECEIVES_6 = (bytes.fromhex(text) for text in ("450400010101", "450400010102", "450400020101"))


def v3(octets: bytes, header: bytes = PEER) -> bytes:
    return frame(ROUTE_MONITORING, header + octets)


def v4(octets: bytes, *tlvs: bytes, header: bytes = PEER) -> bytes:
    return frame(ROUTE_MONITORING, header + b"".join(tlvs) + tlv(4, octets, index=0), 4)


def marking(value: bytes, index: int) -> bytes:
    return tlv(5, value, index=index)


def kept(value: bytes, kind: int = 5) -> str:
    """A TLV as it is kept with a route."""
    return tlv(kind, value).hex()


def stateless(value: bytes) -> bytes:
    return tlv(1, value, index=0)


def nets(first: int, count: int) -> bytes:
    return b"".join(bytes([24]) + n.to_bytes(3, "big") for n in range(first, first + count))


def identified(identifier: int) -> bytes:
    return prefix(bytes([10, 0, 0, 0]), 8, path_id=identifier)


def up(_header: bytes) -> Agreed:
    return Agreed()


@pytest.fixture
def router() -> CompiledRouter:
    return CompiledRouter(up)


def values(taken: Taken, *keys: str) -> list[tuple]:
    return [tuple(json.loads(row).get(key) for key in keys) for row in taken.rows]


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


WIDE: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, segments((2, [65001, 65002]))), NEXT_HOP_1), NET_10)
NARROW: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, segments((2, [65001, 65002]), width=2)), NEXT_HOP_1), NET_11)
#: A path without numbers does not tell.
EITHER: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, b""), NEXT_HOP_1), NET_10)


@pytest.mark.parametrize("as4", [True, False])
def test_where_the_router_is_not_clear_as_numbers_are_as_long_as_they_look(as4: bool) -> None:
    router = CompiledRouter(lambda _: Agreed(as4=as4, guesses_as4=True))
    taken = router.take(v3(WIDE) + v3(NARROW) + v3(EITHER) + v4(WIDE) + v3(NARROW))
    assert [path for (path,) in values(taken, "as_path")] == ["65001 65002", "65001 65002", "", *["65001 65002"] * 2]


@pytest.mark.parametrize(("as4", "octets"), [(True, WIDE), (False, NARROW)])
def test_where_it_is_clear_nothing_is_guessed(as4: bool, octets: bytes) -> None:
    router = CompiledRouter(lambda _: Agreed(as4=as4))
    assert values(router.take(v3(octets)), "as_path") == [("65001 65002",)]
    other = CompiledRouter(lambda _: Agreed(as4=not as4))
    assert values(other.take(v3(octets)), "as_path") == [("",)]


def test_path_identifiers_are_read_as_the_opens_agreed() -> None:
    router = CompiledRouter(lambda header: Agreed(add_path=frozenset({(1, 1)} if header == PEER else ())))
    octets = v3(update(MANDATORY, identified(1) + identified(2))) + v3(ANNOUNCED, OTHER)
    taken = router.take(octets)
    assert [identifier for (identifier,) in values(taken, "as_path_id")] == [1, 2, None]


def test_stateless_parsing_says_how_its_own_message_is_read(router: CompiledRouter) -> None:
    """draft-ietf-grow-bmp-tlv: the peer need not be up; without the TLV, what the OPENs agreed holds."""
    octets = v4(update(MANDATORY, identified(7)), stateless(RECEIVES)) * 2 + v4(ANNOUNCED) + v3(ANNOUNCED)
    taken = router.take(octets)
    assert [identifier for (identifier,) in values(taken, "as_path_id")] == [7, 7, None, None]
    assert router.asked == [(PEER, True)]
    assert router.read == [RECEIVES]
    assert [len(table) for _, _, table in router.gone] == [1]
    router.sweep()
    assert router.held() == NOTHING


@pytest.mark.parametrize("logged", [True, False])
def test_a_message_about_one_family_leaves_the_tables_of_others(router: CompiledRouter, logged: bool) -> None:
    """Routers name only the family of the message, so capabilities change all the time while the tables do not."""
    wide = mp_reach((2, 1), bytes(16), prefix(bytes([32, 1]), 16, path_id=3))
    octets = v4(update(MANDATORY, identified(7)), stateless(RECEIVES)) + v4(
        update((*MANDATORY, wide)), stateless(RECEIVES_6)
    )
    router.take(octets * 3, octets * 300, logged=logged)
    assert router.gone == []
    assert [router.ribs[KEY].family_table(family) is not None for family in (0, 4)] == [True, True]
    assert router.ribs[KEY].counts(0) == router.ribs[KEY].counts(4) == (1, 302, 0, 0, 0)


@pytest.mark.parametrize("logged", [True, False])
def test_a_table_goes_when_its_routes_get_path_identifiers(router: CompiledRouter, logged: bool) -> None:
    many = update(MANDATORY, nets(0, 600))
    octets = v3(many) + v4(WITHDRAWN) + v4(update(MANDATORY, identified(7)), stateless(RECEIVES))
    router.take(octets, logged=logged)
    assert [(family, len(table)) for _, family, table in router.gone] == [(0, 600)]
    assert len(router.ribs[KEY]) == 1
    assert len(router.sweep()) == 601
    assert router.held() == NOTHING


@pytest.mark.parametrize(
    ("header", "capability", "identifier"),
    [(PEER, RECEIVES, 7), (PEER, SENDS, None), (peer(flags=O), SENDS, 7), (peer(3, address="0.0.0.0"), SENDS, 7)],
)
def test_the_direction_must_be_that_of_the_rib(
    router: CompiledRouter, header: bytes, capability: bytes, identifier: int | None
) -> None:
    octets = update(MANDATORY, NET_10 if identifier is None else identified(7))
    taken = router.take(v4(octets, stateless(capability), header=header))
    assert values(taken, "as_path_id", "ip_prefix") == [(identifier, "10.0.0.0/8")]


def test_other_opens_take_tables_out_at_once(router: CompiledRouter) -> None:
    router.take(v3(ANNOUNCED))
    rib = router.ribs[KEY]
    assert rib.reread(as4=True, guesses_as4=False, add_path=0) == []
    ((family, table),) = rib.reread(as4=False, guesses_as4=False, add_path=1)
    assert (family, len(table), len(rib), rib.as4) == (0, 1, 0, False)
    router.gone.append((rib, family, table))
    taken = router.take(v3(update((ORIGIN_IGP, attribute(a.AS_PATH, b""), NEXT_HOP_1), identified(5))))
    assert values(taken, "as_path_id") == [(5,)]


# -- marks -----------------------------------------------------------------------------------------------


def marks(rows: list[str]) -> list[str | None]:
    return [json.loads(row).get("marks") for row in rows]


def test_marks_are_of_the_routes_that_their_index_names(router: CompiledRouter) -> None:
    group = tlv(2, b"\0\1\0\3", index=0x8001)
    octets = v4(
        update(MANDATORY, nets(0, 3)), group, marking(BEST, 2), marking(BACKUP, 0x8001), tlv(3, b"red", index=0)
    )
    found = marks(router.take(octets).rows)
    assert found == [kept(one) + kept(b"red", 3) for one in (BACKUP, BEST, BACKUP)]


def test_routes_are_counted_from_the_withdrawn_ones_on(router: CompiledRouter) -> None:
    router.take(v3(ANNOUNCED))
    both = update(MANDATORY, NET_11, NET_10)
    taken = router.take(v4(both, marking(BEST, 2)))
    assert values(taken, "log_type", "marks") == [("withdraw", None), ("update", kept(BEST))]


@pytest.mark.parametrize(
    "tlvs",
    [
        [marking(BEST, 2)],
        [marking(BEST, 0x8001)],
        [tlv(2, b"\0\2", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0\1", index=0x8001), tlv(2, b"\0\2", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0\1", index=1), stateless(b"")],
    ],
    ids=["another route", "no group", "another one's group", "half a number", "the last group counts", "no mark"],
)
def test_what_is_not_about_a_route_is_no_mark_of_it(router: CompiledRouter, tlvs: list[bytes]) -> None:
    assert marks(router.take(v4(ANNOUNCED, *tlvs)).rows) == [None]


def test_marks_are_stored_with_the_route(router: CompiledRouter) -> None:
    """Later rows of a route, whatever they are, have the marks with which it was announced."""
    octets = v4(update(MANDATORY, NET_10 + NET_11), marking(BEST, 1)) + v3(END_OF_RIB)
    assert marks(router.take(octets).rows) == [kept(BEST), None, None]
    assert marks(router.dump(KEY)) == [kept(BEST), None]
    assert marks(router.take(v3(WITHDRAWN)).rows) == [kept(BEST)]
    router.take(v4(update(MANDATORY, NET_11), marking(BACKUP, 0)))
    assert marks(router.dump(KEY)) == [kept(BACKUP)]
    assert marks(router.sweep()) == [kept(BACKUP)]
    assert router.held() == NOTHING


def test_the_same_route_with_other_marks_is_another_route(router: CompiledRouter) -> None:
    marked = v4(ANNOUNCED, marking(BEST, 0))
    router.take(v3(ANNOUNCED) + marked + marked + v3(ANNOUNCED))
    assert router.ribs[KEY].counts(0) == (3, 1, 0, 0, 0)
    assert router.held() == {"routes": 1, "prefixes": 1, "paths": 1}


def test_marks_stand_beside_labels(router: CompiledRouter) -> None:
    def vpn(label: int) -> bytes:
        return prefix(bytes([10, 0, 0, 0]), 8, labels=label_stack(label), rd=RD)

    reach = mp_reach((1, 128), bytes([192, 0, 2, 1]), vpn(16) + prefix(bytes([11]), 8, labels=label_stack(17), rd=RD))
    octets = v4(update((*MANDATORY[:2], reach)), marking(BEST, 1))
    taken = router.take(octets)
    assert values(taken, "mpls_label", "marks") == [("16", kept(BEST)), ("17", None)]
    assert all('"vpn": ' in row and '"rib": ' not in row for row in taken.rows)
    withdrawn = router.take(v3(update((mp_unreach((1, 128), vpn(16)),))))
    assert values(withdrawn, "mpls_label", "marks") == [("16", kept(BEST))]
    router.sweep()
    assert router.held() == NOTHING


def test_a_route_has_at_most_512_octets_of_marks(router: CompiledRouter) -> None:
    """What does not fit is left out, and what fits behind it is taken."""
    whole, less = tlv(9, bytes(508), index=0), tlv(9, bytes(500), index=0)
    assert marks(router.take(v4(ANNOUNCED, whole)).rows) == [kept(bytes(508), 9)]
    assert marks(router.take(v4(ANNOUNCED, tlv(9, bytes(509), index=0))).rows) == [None]
    taken = router.take(v4(ANNOUNCED, less, marking(BEST, 0), tlv(8, b"", index=0)))
    assert marks(taken.rows) == [kept(bytes(500), 9) + kept(BEST)]
    router.sweep()
    assert router.held() == NOTHING


def test_looking_for_marks_has_an_end(router: CompiledRouter) -> None:
    """30,000 routes, each with thousands of TLVs, would be hours; the work for one message is bounded."""
    groups = b"".join(tlv(2, b"\xff\xff", index=0x8000 | n) for n in range(4000))
    marked = b"".join(marking(BEST, 0x8000 | n) for n in range(4000))
    octets = frame(ROUTE_MONITORING, PEER + tlv(4, update(MANDATORY, b"\0" * 30_000), index=0) + groups + marked, 4)
    router.take(octets, logged=False)
    assert router.ribs[KEY].counts(0) == (1, 29_999, 0, 0, 0)


def test_without_a_marker_marks_are_not_shown(router: CompiledRouter) -> None:
    router.rows.marker = None
    taken = router.take(v4(ANNOUNCED, marking(BEST, 0)))
    assert marks(taken.rows) == [None]


# -- rows ------------------------------------------------------------------------------------------------

KEYS: Final = (
    b'"bmp_rib_type": "Adj-Rib-In Pre-Policy", "is_filtered": 0, "is_post": 0, "is_in": 1, "bgp_id": "192.0.2.52", '
)
RD_KEYS: Final = b'"rd": "0:64499:11", "rd_origin": "bmp", '
END: Final = (
    b', "bmp_router": "192.0.2.61", "bmp_router_port": 48521, "peer_ip": "198.51.100.52", "peer_asn": 65536, '
    b'"peer_tcp_port": 0, "bmp_msg_type": "route_monitor"'
)
ARRIVAL: Final = b', "timestamp_arrival": "2026-11-20 15:28:10.318097"'


def rows_of(octets: bytes, layout: TimestampLayout = TimestampLayout.PLAIN, **options) -> list[str]:
    """The rows of a run as the collector asks for them."""
    rib, rows = Rib(1), Rows(**options)
    times = TimeFormat(
        RenderSettings(
            as_path_as_array=False, communities_as_array=False, communities_numeric=False, origin_as_integer=False,
            label_as_map=False, peer_id=False, extra_attributes=False, timestamps=layout, utc=True,
        )
    )  # fmt: skip
    rows.clock, rows.marker, rows.sequence = times.second, mark_keys, 21
    monitored = MonitoredRib(rib)
    monitored.keys, monitored.vpn_keys, monitored.end, monitored.tag = KEYS + RD_KEYS, KEYS, END, b'"tag": 7, '
    rows.log_monitored(b"-", ARRIVAL)
    run = MonitoringRun(rib, octets, {KEY: monitored}, lambda *_: None, lambda *_: None)
    while run.step(rows) is None:
        continue
    return rows.take().decode().splitlines()


def test_rows_are_those_of_pmacct_key_by_key() -> None:
    vpn = mp_reach((1, 128), bytes([192, 0, 2, 1]), prefix(b"\x0a", 8, labels=label_stack(16), rd=RD))
    octets = (
        v4(ANNOUNCED, marking(BACKUP, 0), tlv(3, b"red", index=0))
        + v3(update((*MANDATORY[:2], vpn)), peer(time=(1_700_000_000, 7)))
        + v3(END_OF_RIB, peer(time=(0, 9)))
    )
    arrival, end, keys, rd_keys = ARRIVAL.decode(), END.decode(), KEYS.decode(), RD_KEYS.decode()
    assert rows_of(octets) == [
        (
            '{"seq": 21, "log_type": "update", "timestamp": "2023-11-14 22:13:20.250000", '
            f'{keys}{rd_keys}"path_status": ["Backup"], "reason_code": "0x0001", "bmp_rm_info_vrf": "red", "tag": 7, '
            '"event_type": "log", "afi": 1, "safi": 1, "ip_prefix": "10.0.0.0/8", "bgp_nexthop": "192.0.2.1", '
            f'"as_path": "65001", "origin": "i"{arrival}{end}}}'
        ),
        (
            '{"seq": 22, "log_type": "update", "timestamp": "2023-11-14 22:13:20.000007", '
            f'{keys}"tag": 7, "event_type": "log", "afi": 1, "safi": 128, "ip_prefix": "10.0.0.0/8", '
            '"bgp_nexthop": "192.0.2.1", "as_path": "65001", "origin": "i", "rd": "0:65000:100", "rd_origin": "bgp", '
            f'"mpls_label": "16"{arrival}{end}}}'
        ),
        (
            '{"seq": 23, "log_type": "end-of-rib", "timestamp": "0000-00-00 00:00:00.000000", '
            f'{keys}{rd_keys}"tag": 7, "event_type": "log", "afi": 1, "safi": 1{arrival}{end}}}'
        ),
    ]


@pytest.mark.parametrize(
    ("layout", "time", "text"),
    [
        (TimestampLayout.PLAIN, (1_700_000_000, 250_000), "2023-11-14 22:13:20.250000"),
        (TimestampLayout.PLAIN, (1_700_000_000, 4_000_001), "2023-11-14 22:13:20.000001"),
        (TimestampLayout.PLAIN, (0, 250_000), "0000-00-00 00:00:00.000000"),
        (TimestampLayout.RFC9557, (1_700_000_000, 250_000), "2023-11-14T22:13:20.250000+00:00"),
        (TimestampLayout.RFC9557, (0, 0), "0000-00-00T00:00:00.000000"),
        (TimestampLayout.SINCE_EPOCH, (1_700_000_000, 5), "1700000000.000005"),
        (TimestampLayout.SINCE_EPOCH, (2**32 - 1, 2**32 - 1), "4294967295.967295"),
    ],
)
def test_the_time_of_a_row_is_that_of_the_router(layout: TimestampLayout, time: tuple[int, int], text: str) -> None:
    octets = v3(ANNOUNCED, peer(time=(1, 1))) + v3(ANNOUNCED, peer(time=time)) * 2
    assert [json.loads(row)["timestamp"] for row in rows_of(octets, layout)][1:] == [text] * 2


def test_messages_of_one_second_ask_the_clock_once(router: CompiledRouter) -> None:
    asked = []
    router.rows.clock = lambda seconds: asked.append(seconds) or (b"%d" % seconds, b"")
    taken = router.take(b"".join(v3(ANNOUNCED, peer(time=(8 + n // 3, n))) for n in range(6)))
    assert [time for (time,) in values(taken, "timestamp")] == [f"{8 + n // 3}.00000{n}" for n in range(6)]
    assert asked == [8, 9]


def test_routes_that_are_as_they_were_may_be_kept_out_of_the_log(router: CompiledRouter) -> None:
    router.rows.skips_unchanged = True
    taken = router.take(v3(ANNOUNCED) * 3 + v4(ANNOUNCED, marking(BEST, 0)) * 2 + v3(WITHDRAWN))
    assert values(taken, "log_type", "marks") == [("update", None), ("update", kept(BEST)), ("withdraw", kept(BEST))]
    assert router.ribs[KEY].counts(0) == (2, 3, 1, 0, 0)


def test_a_peer_whose_tag_is_filtered_has_no_rows(router: CompiledRouter) -> None:
    router.take(v3(ANNOUNCED) + v3(ANNOUNCED, OTHER))
    router.ribs[KEY].tag = None
    taken = router.take(v3(WITHDRAWN) + v3(END_OF_RIB) + v3(WITHDRAWN, OTHER))
    assert [json.loads(row)["rib"] for row in taken.rows] == [OTHER[:RIB_OCTETS].hex()]


def test_a_tagger_is_asked_for_each_path(router: CompiledRouter) -> None:
    router.take(v3(END_OF_RIB))
    router.ribs[KEY].tagger = lambda communities: b'"label": "%s", ' % communities.hex().encode()
    with_communities = update((*MANDATORY, attribute(a.COMMUNITIES, bytes.fromhex("fde80001"))), NET_11)
    taken = router.take(v3(ANNOUNCED) + v4(with_communities, marking(BEST, 0)))
    assert values(taken, "label", "marks") == [("", None), ("fde80001", kept(BEST))]


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
