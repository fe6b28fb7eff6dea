import json
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from routed.service.records import BMP_ROUTER, PeerText, TimeFormat, dump_event, log_event
from routed.service.settings import RenderSettings, TimestampLayout

WHEN = 1_795_187_456.904753
PEER = PeerText(
    address=IPv4Address("192.0.2.1"), port=35913, router_id=IPv4Address("192.0.2.9"), stream_tag=b'"tag": 7, '
)


@pytest.fixture
def _east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five and a half hours east of Greenwich."""
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def times(layout: TimestampLayout, *, utc: bool = True) -> TimeFormat:
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
            utc=utc,
        )
    )


@pytest.mark.parametrize(
    ("layout", "exact", "whole"),
    [
        (TimestampLayout.PLAIN, b"2026-11-20 15:10:56.904753", b"2026-11-20 15:10:56"),
        (TimestampLayout.RFC9557, b"2026-11-20T15:10:56.904753+00:00", b"2026-11-20T15:10:56+00:00"),
        (TimestampLayout.SINCE_EPOCH, b"1795187456.904753", b"1795187456"),
    ],
)
def test_times_have_the_layout_that_is_asked_for(layout: TimestampLayout, exact: bytes, whole: bytes) -> None:
    assert times(layout).exact(WHEN) == exact
    assert times(layout).whole(int(WHEN)) == whole


@pytest.mark.usefixtures("_east")
def test_times_are_local_unless_utc_is_asked_for() -> None:
    assert times(TimestampLayout.RFC9557, utc=False).whole(int(WHEN)) == b"2026-11-20T20:40:56+05:30"
    assert times(TimestampLayout.PLAIN, utc=False).exact(WHEN) == b"2026-11-20 20:40:56.904753"
    assert times(TimestampLayout.PLAIN, utc=True).whole(int(WHEN)) == b"2026-11-20 15:10:56"
    assert times(TimestampLayout.SINCE_EPOCH, utc=False).whole(int(WHEN)) == b"1795187456"


def test_fractions_are_never_rounded_into_a_seventh_digit() -> None:
    assert times(TimestampLayout.SINCE_EPOCH).exact(1.9999999) == b"2.000000"
    assert times(TimestampLayout.SINCE_EPOCH).exact(1.000001) == b"1.000001"


def test_peers_are_named_by_address_and_port_and_by_router_id_if_that_is_wanted() -> None:
    assert PEER.keys(peer_id=False) == b'"peer_ip_src": "192.0.2.1", "peer_tcp_port": 35913, '
    assert PEER.keys(peer_id=True) == PEER.keys(peer_id=False) + b'"peer_id": "192.0.2.9", '
    nameless = PeerText(address=IPv6Address("2001:db8::1"), port=1)
    assert nameless.keys(peer_id=True) == b'"peer_ip_src": "2001:db8::1", "peer_tcp_port": 1, '


def test_records_of_streams_have_their_keys_in_order() -> None:
    line = log_event(4, b"now", PEER, b"log_init")
    assert line.endswith(b"}\n")
    assert list(json.loads(line).items()) == [
        ("seq", 4),
        ("timestamp", "now"),
        ("peer_ip_src", "192.0.2.1"),
        ("tag", 7),
        ("peer_tcp_port", 35913),
        ("event_type", "log_init"),
    ]


def test_records_of_dumps_have_their_keys_in_order() -> None:
    line = dump_event(4, b"now", PEER, b"dump_close", b'"entries": 3, "tables": 1')
    assert list(json.loads(line).items()) == [
        ("timestamp", "now"),
        ("peer_ip_src", "192.0.2.1"),
        ("peer_tcp_port", 35913),
        ("tag", 7),
        ("event_type", "dump_close"),
        ("entries", 3),
        ("tables", 1),
        ("seq", 4),
    ]


ROUTER = PeerText(address=IPv4Address("192.0.2.1"), port=35913, names=BMP_ROUTER, stream_tag=b'"tag": 7, ')


@pytest.mark.parametrize(
    ("layout", "second", "text"),
    [
        (TimestampLayout.PLAIN, (b"2026-11-20 15:10:56", b""), b"2026-11-20 15:10:56.000250"),
        (TimestampLayout.RFC9557, (b"2026-11-20T15:10:56", b"+00:00"), b"2026-11-20T15:10:56.000250+00:00"),
        (TimestampLayout.SINCE_EPOCH, (b"1795187456", b""), b"1795187456.000250"),
    ],
)
def test_times_of_routers_have_the_same_layouts(
    layout: TimestampLayout, second: tuple[bytes, bytes], text: bytes
) -> None:
    assert times(layout).second(int(WHEN)) == second
    assert times(layout).of_router(int(WHEN), 250) == text
    assert times(layout).of_router(int(WHEN), 4_000_250) == text  # more than a second of them is nonsense


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (TimestampLayout.PLAIN, b"0000-00-00 00:00:00.000000"),
        (TimestampLayout.RFC9557, b"0000-00-00T00:00:00.000000"),
        (TimestampLayout.SINCE_EPOCH, b"0.000000"),
    ],
)
def test_a_router_that_has_no_time_is_shown_none(layout: TimestampLayout, text: bytes) -> None:
    """RFC 7854 4.2: if zero, the time is unavailable."""
    assert times(layout).of_router(0, 0) == text
    assert times(layout).of_router(0, 250) == text


@pytest.mark.usefixtures("_east")
def test_times_of_routers_are_local_unless_utc_is_asked_for() -> None:
    assert times(TimestampLayout.RFC9557, utc=False).of_router(int(WHEN), 5) == b"2026-11-20T20:40:56.000005+05:30"
    assert times(TimestampLayout.PLAIN, utc=False).second(int(WHEN)) == (b"2026-11-20 20:40:56", b"")
    assert times(TimestampLayout.SINCE_EPOCH, utc=False).second(int(WHEN)) == (b"1795187456", b"")


def test_the_last_second_that_a_router_can_name_is_a_time() -> None:
    assert times(TimestampLayout.PLAIN).of_router(2**32 - 1, 999_999) == b"2106-02-07 06:28:15.999999"


def test_records_of_routers_have_their_own_names_for_address_and_port() -> None:
    assert list(json.loads(log_event(4, b"now", ROUTER, b"log_close")).items()) == [
        ("seq", 4),
        ("timestamp", "now"),
        ("bmp_router", "192.0.2.1"),
        ("tag", 7),
        ("bmp_router_port", 35913),
        ("event_type", "log_close"),
    ]
    assert list(json.loads(dump_event(4, b"now", ROUTER, b"dump_close", b"")).items()) == [
        ("timestamp", "now"),
        ("bmp_router", "192.0.2.1"),
        ("bmp_router_port", 35913),
        ("tag", 7),
        ("event_type", "dump_close"),
        ("seq", 4),
    ]
