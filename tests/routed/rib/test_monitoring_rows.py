"""Rows of the message log for Route Monitoring: which there are, and what is in them."""

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
from tests.oracles.bmp_build import peer, tlv
from tests.oracles.build import MANDATORY, attribute, label_stack, mp_reach, prefix, update
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import RIB_OCTETS
from tests.routed.rib.monitoring_build import (
    ANNOUNCED,
    BACKUP,
    BEST,
    END_OF_RIB,
    KEY,
    NET_11,
    OTHER,
    RD,
    WITHDRAWN,
    kept,
    marking,
    v3,
    v4,
    values,
)

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
