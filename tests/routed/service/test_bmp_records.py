"""The records of BMP: of each type of message key by key, and the keys around route rows."""

import json
from ipaddress import IPv4Address
from typing import Any, Final

import pytest

from routed.octets import Cursor
from routed.service.bmp_records import EventRecord, event_records, mark_keys, route_end, route_keys
from routed.service.records import BMP_ROUTER, PeerText, TimeFormat
from routed.service.settings import RenderSettings, TimestampLayout
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.peer import PeerHeader, decode_peer_header
from routed.wire.bmp.statistics import SPECS, Layout
from tests.oracles.bmp_build import (
    INITIATION,
    PEER_DOWN,
    PEER_UP,
    ROUTE_MIRRORING,
    STATISTICS,
    TERMINATION,
    F,
    L,
    O,
    ends,
    frame,
    open_message,
    peer,
    statistic,
    tlv,
)
from tests.oracles.build import message as bgp_message

RD: Final = b"\0\0\xfd\xe8\0\0\0\x64"
ROUTER: Final = PeerText(
    address=IPv4Address("192.0.2.61"),
    port=48521,
    names=BMP_ROUTER,
    tag=b'"tag": 7, ',
    dump_tag=b'"tag": 8, ',
)
PEER_FACTS: Final = '"peer_ip": "192.0.2.1", "peer_asn": 65001, '
OF_PEER: Final = '"bgp_id": "10.0.0.1", "peer_type": 0, "peer_type_str": "Global Instance Peer", '
ADJ_RIB_IN: Final = '"bmp_rib_type": "Adj-Rib-In Pre-Policy", "is_filtered": 0, "is_post": 0, "is_in": 1'


def times(layout: TimestampLayout = TimestampLayout.PLAIN) -> TimeFormat:
    return TimeFormat(
        RenderSettings(
            as_path_as_array=False,
            communities_as_array=False,
            communities_numeric=False,
            origin_as_integer=False,
            label_as_map=False,
            peer_id=False,
            extra_attributes=False,
            timestamps=layout,
            utc=True,
        )
    )


def records(octets: bytes, *, set_pd: bool = False) -> list[EventRecord]:
    return event_records(decode_message(octets), set_pd=set_pd)


def text(octets: bytes, *, set_pd: bool = False) -> list[str]:
    """What the records of a message have behind `bmp_msg_type`."""
    found = []
    for record in records(octets, set_pd=set_pd):
        line = record.log(3, b"now", ROUTER, times()).decode()
        found.append(line.split(f'"bmp_msg_type": "{record.kind}"')[1].removeprefix(", ").removesuffix("}\n"))
    return found


def facts(octets: bytes, *, set_pd: bool = False) -> list[dict[str, Any]]:
    return [json.loads("{" + one + "}") for one in text(octets, set_pd=set_pd)]


def header_of(octets: bytes) -> PeerHeader:
    return decode_peer_header(Cursor(octets))


UP: Final = frame(PEER_UP, peer() + ends() + open_message(65000) + open_message(65001))


def test_a_log_record_key_by_key() -> None:
    (record,) = records(frame(PEER_DOWN, peer() + b"\4"))
    assert record.log(21, b"2026-11-20 15:28:10.308421", ROUTER, times()).decode() == (
        '{"event_type": "log", "seq": 21, "timestamp": "2023-11-14 22:13:20.250000", '
        '"timestamp_arrival": "2026-11-20 15:28:10.308421", "bmp_router": "192.0.2.61", "bmp_router_port": 48521, '
        f'"tag": 7, "bmp_msg_type": "peer_down", {PEER_FACTS}{OF_PEER}{ADJ_RIB_IN}, "reason_type": 4, '
        '"reason_str": "The remote system closed the session without a notification message"}\n'
    )


def test_a_dump_record_key_by_key() -> None:
    """The time of the event goes by another name, there is no arrival, and the tag is that of dumps."""
    (record,) = records(frame(INITIATION, tlv(2, b"r1")))
    assert record.dump(15, b"2026-11-20 15:29:00", ROUTER, times()).decode() == (
        '{"event_type": "dump", "seq": 15, "timestamp": "2026-11-20 15:29:00", '
        '"timestamp_event": "0000-00-00 00:00:00.000000", "bmp_router": "192.0.2.61", "bmp_router_port": 48521, '
        '"tag": 8, "bmp_msg_type": "init", "bmp_init_info_sysname": "r1"}\n'
    )


def test_an_untagged_record_has_no_tag() -> None:
    router = PeerText(address=IPv4Address("192.0.2.61"), port=1, names=BMP_ROUTER, tag=None)
    (record,) = records(frame(INITIATION))
    assert record.log(0, b"now", router, times(TimestampLayout.RFC9557)).decode() == (
        '{"event_type": "log", "seq": 0, "timestamp": "0000-00-00T00:00:00.000000", "timestamp_arrival": "now", '
        '"bmp_router": "192.0.2.61", "bmp_router_port": 1, "bmp_msg_type": "init"}\n'
    )


def test_initiation_names_what_it_knows() -> None:
    octets = frame(
        INITIATION,
        tlv(2, b"r1") + tlv(1, b"Test OS 1.0") + tlv(0, 'schön "'.encode()) + tlv(3, b"\1\2") + tlv(77, b"\1\2\xff"),
    )
    assert text(octets) == [
        (
            '"bmp_init_info_sysname": "r1", "bmp_init_info_sysdescr": "Test OS 1.0", '
            '"bmp_init_info_string": "schön \\"", "bmp_init_info_reserved": "01-02", "bmp_init_info_77": "01-02-ff"'
        )
    ]


def test_values_of_tlvs_may_be_empty_or_no_utf_8() -> None:
    octets = frame(INITIATION, tlv(2, b"") + tlv(1, b"a\xff\xfeb") + tlv(9, b""))
    assert facts(octets) == [{"bmp_init_info_sysname": None, "bmp_init_info_sysdescr": "a��b", "bmp_init_info_9": None}]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([b"a", b"b", b"c"], "a; b; c"), ([b"a", b""], "a; "), ([b"", b"b"], "b"), ([b"", b""], None)],
)
def test_a_tlv_that_is_repeated_loses_nothing(values: list[bytes], expected: str | None) -> None:
    """Departs from pmacct, whose last one wins."""
    octets = frame(INITIATION, b"".join(tlv(0, value) for value in values))
    assert facts(octets) == [{"bmp_init_info_string": expected}]


def test_tlvs_of_enterprises_have_keys_of_their_own() -> None:
    octets = tlv(2, b"r1", enterprise=9) + tlv(2, b"r2")
    assert facts(frame(INITIATION, octets, 4)) == [{"bmp_init_info_9_2": "72-31", "bmp_init_info_sysname": "r2"}]
    assert facts(frame(INITIATION, octets, 3))[0].keys() == {"bmp_init_info_32770", "bmp_init_info_sysname"}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (b"\0\0", "Session administratively closed"),
        (b"\0\1", "Unspecified reason"),
        (b"\0\2", "Out of resources"),
        (b"\0\3", "Redundant connection"),
        (b"\0\4", "Session permanently administratively closed"),
        (b"\1\1", "257"),
        (b"\1", "01"),
        (b"", None),
    ],
)
def test_termination_says_why(reason: bytes, expected: str | None) -> None:
    octets = frame(TERMINATION, tlv(0, b"bye") + tlv(1, reason) + tlv(7, b"\7"))
    assert facts(octets) == [{"bmp_term_info_string": "bye", "bmp_term_info_reason": expected, "bmp_term_info_7": "07"}]


def test_peer_up_key_by_key() -> None:
    octets = UP + tlv(3, b"red") + tlv(4, b"label") + tlv(0, b"hello") + tlv(1, b"\1")
    octets = frame(PEER_UP, octets[6:])
    assert text(octets) == [
        (
            '"peer_ip": "192.0.2.1", "peer_asn": 65001, "local_as": 65000, '
            f"{OF_PEER}{ADJ_RIB_IN}"
            ', "local_port": 179, "remote_port": 40000, "local_ip": "192.0.2.2", '
            '"bmp_peer_up_info_vrf_table_name": "red", "bmp_peer_up_info_admin_label": "label", '
            '"bmp_peer_up_info_string": "hello", "bmp_peer_up_info_reserved": "01"'
        )
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (peer(flags=L), '"bmp_rib_type": "Adj-Rib-In Post-Policy", "is_filtered": 0, "is_post": 1, "is_in": 1'),
        (peer(flags=O), '"bmp_rib_type": "Adj-Rib-Out Pre-Policy", "is_filtered": 0, "is_post": 0, "is_out": 1'),
        (peer(flags=O | L), '"bmp_rib_type": "Adj-Rib-Out Post-Policy", "is_filtered": 0, "is_post": 1, "is_out": 1'),
        (peer(3, address="0.0.0.0"), '"bmp_rib_type": "Loc-Rib", "is_filtered": 0, "is_loc": 1'),
        (peer(3, F, address="0.0.0.0"), '"bmp_rib_type": "Loc-Rib", "is_filtered": 1, "is_loc": 1'),
        (peer(9), '"bmp_rib_type": "Adj-Rib-In Pre-Policy", "is_filtered": 0, "is_post": 0, "is_in": 1'),
    ],
)
def test_the_rib_is_named(header: bytes, expected: str) -> None:
    (found,) = text(frame(PEER_DOWN, header + b"\5"))
    assert f"{expected}, " in found
    keys, _ = route_keys(header_of(header), set_pd=False)
    assert keys.decode() == f'{expected}, "bgp_id": "10.0.0.1", '


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (0, "Global Instance Peer"),
        (1, "RD Instance Peer"),
        (2, "Local Instance Peer"),
        (3, "Loc-RIB Instance Peer"),
        (4, None),
    ],
)
def test_types_of_peers_have_names(kind: int, name: str | None) -> None:
    ((found),) = facts(frame(PEER_DOWN, peer(kind) + b"\5"))
    assert (found["peer_type"], found.get("peer_type_str")) == (kind, name)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("set_pd", [False, True])
def test_distinguishers_are_those_of_vrfs(kind: int, set_pd: bool) -> None:
    """Of types 1 and 3, when not zero; a prefix with a distinguisher of its own has only that, unless it is a `pd`."""
    key = "pd" if set_pd else "rd"
    expected = {key: "0:65000:100", f"{key}_origin": "bmp"} if kind in {1, 3} else {}
    (found,) = facts(frame(PEER_DOWN, peer(kind, rd=RD) + b"\5"), set_pd=set_pd)
    assert {k: v for k, v in found.items() if k[:2] in {"rd", "pd"}} == expected
    assert not [k for k in facts(frame(PEER_DOWN, peer(kind) + b"\5"))[0] if k[:2] in {"rd", "pd"}]
    header = header_of(peer(kind, rd=RD))
    keys, vpn_keys = (json.loads(b"{" + one[:-2] + b"}") for one in route_keys(header, set_pd=set_pd))
    assert list(keys.items())[len(keys) - len(expected) :] == list(expected.items())
    assert vpn_keys == (keys if set_pd else {k: v for k, v in keys.items() if k not in expected})


@pytest.mark.parametrize(
    ("behind", "version", "expected"),
    [
        (b"\0", 3, {"reason_type": 0, "reason_str": "Reserved"}),
        (
            b"\1" + bgp_message(3, b"\6\2"),
            3,
            {"reason_type": 1, "reason_str": "The local system closed the session"},
        ),
        (
            b"\2\0\x11",
            3,
            {
                "reason_type": 2,
                "reason_str": "The local system closed the session without a notification message",
                "reason_loc_code": 17,
            },
        ),
        (
            b"\2\0\x11" + tlv(3, b"red"),
            4,
            {
                "reason_type": 2,
                "reason_str": "The local system closed the session without a notification message",
                "reason_loc_code": 17,
                "bmp_peer_down_info_vrf_table_name": "red",
            },
        ),
        (
            b"\5",
            3,
            {
                "reason_type": 5,
                "reason_str": "Info for this peer will no longer be sent for configuration reasons",
            },
        ),
        (b"\6" + tlv(3, b"red"), 3, {"reason_type": 6, "bmp_peer_down_info_vrf_table_name": "red"}),
        (b"\x63", 3, {"reason_type": 99}),
    ],
)
def test_peer_down_says_why(behind: bytes, version: int, expected: dict[str, Any]) -> None:
    (found,) = text(frame(PEER_DOWN, peer() + behind, version))
    assert found == f"{PEER_FACTS}{OF_PEER}{ADJ_RIB_IN}, " + json.dumps(expected)[1:-1]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.kind))
def test_each_statistic_is_a_record(spec) -> None:
    value, family = (7).to_bytes(spec.layout.value, "big"), ""
    if spec.layout is Layout.FAMILY_GAUGE:
        value, family = b"\0\2\1" + value[3:], '"afi": 2, "safi": 1, '
    (found,) = text(frame(STATISTICS, peer() + b"\0\0\0\1" + statistic(spec.kind, value)))
    assert found == (
        f'{PEER_FACTS}"bgp_id": "10.0.0.1", "peer_type": 0, {ADJ_RIB_IN}, "counter_type": {spec.kind}, '
        f'"counter_type_str": "{spec.name}", {family}"counter_value": 7'
    )


def test_statistics_that_are_not_known_are_shown_as_octets() -> None:
    """Of an unknown type, of a length that the type does not have, and of an enterprise."""
    items = statistic(999, b"\1\2\3\4") + statistic(0, b"\1") + tlv(7, b"\0\0\0\0\0\0\0\5", enterprise=9)
    found = facts(frame(STATISTICS, peer(1, rd=RD) + b"\0\0\0\3" + items, 4))
    assert [tuple(one[key] for key in list(one)[-3:]) for one in found] == [
        (999, "Unknown", "01-02-03-04"),
        (0, "Number of prefixes rejected by inbound policy", "01"),
        (7, "Unknown", "00-00-00-00-00-00-00-05"),
    ]
    assert [one["rd"] for one in found] == ["0:65000:100"] * 3


def test_a_report_without_statistics_has_no_records() -> None:
    assert records(frame(STATISTICS, peer() + bytes(4))) == []


@pytest.mark.parametrize(
    ("tlvs", "expected"),
    [
        (tlv(1, b"\0\0") + tlv(0, b"\xff\1") + tlv(0, b"\2"), [("errored_pdu", "ff01"), ("errored_pdu", "02")]),
        (tlv(1, b"\0\1"), [("messages_lost", None)]),
        (tlv(1, b"\0\7") + tlv(0, b""), [("unknown", "")]),
        (b"", [(None, None)]),
    ],
)
def test_each_mirrored_message_is_a_record(tlvs: bytes, expected: list[tuple[str | None, str | None]]) -> None:
    """RFC 7854 section 4.7; what pmacct discards."""
    found = facts(frame(ROUTE_MIRRORING, peer() + tlvs))
    assert [(one.get("mirror_code_str"), one.get("mirror_message")) for one in found] == expected
    assert [record.kind for record in records(frame(ROUTE_MIRRORING, peer() + tlvs))] == ["route_mirror"] * len(found)
    assert all(one["peer_type_str"] == "Global Instance Peer" for one in found)


def test_an_unknown_message_has_no_record() -> None:
    assert records(frame(99, b"what")) == []


def test_the_last_keys_of_route_rows() -> None:
    assert route_end(ROUTER, header_of(peer()), 65099, "internal").decode() == (
        ', "bmp_router": "192.0.2.61", "bmp_router_port": 48521, "peer_ip": "192.0.2.1", "peer_asn": 65099, '
        '"peer_tcp_port": 0, "bmp_msg_type": "internal"'
    )


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", ""),
        (tlv(5, b"\0\0\0\2"), '"path_status": ["Best"], '),
        (tlv(5, b"\0\0\4\2\0\3"), '"path_status": ["Best", "Stale"], "reason_code": "0x0003", '),
        (tlv(5, bytes(4)), '"path_status": ["Unknown"], '),
        (tlv(5, b"\x80\0\0\1"), '"path_status": ["Invalid", "0x80000000"], '),
        (tlv(5, b"\1\2"), '"bmp_rm_info_path_marking": "01-02", '),
        (tlv(3, b"red") + tlv(5, b"\0\0\0\2"), '"path_status": ["Best"], "bmp_rm_info_vrf": "red", '),
        (tlv(5, b"\0\0\0\2\0\1") + tlv(5, b"\0\0\0\x10"), '"path_status": ["Backup"], '),
        (tlv(9, b"\1") + tlv(9, b"\2"), '"bmp_rm_info_9": "01; 02", '),
        (tlv(5, b"\1", enterprise=9) + tlv(6, b""), '"bmp_rm_info_9_5": "01", "bmp_rm_info_6": null, '),
    ],
)
def test_marks_are_written_in_order(octets: bytes, expected: str) -> None:
    """What the router does with the path and why, then everything else; nothing that is repeated is lost."""
    assert mark_keys(octets).decode() == expected
