from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from routed.plumbing.names import (
    DATED_VARIABLES,
    PEER_VARIABLES,
    WRITER_VARIABLES,
    Variable,
    format_offset,
    parse_name,
)

WHEN = datetime(2026, 11, 20, 15, 11, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/d/bgp.json", "/d/bgp.json"),
        ("/d/$peer_src_ip.json", "/d/192_0_2_1.json"),
        ("/d/$bmp_router", "/d/192_0_2_1"),
        ("/d/$telemetry_node", "/d/192_0_2_1"),
        ("$peer_src_ip-$peer_tcp_port", "192_0_2_1-4711"),
        ("$bmp_router-$bmp_router_port", "192_0_2_1-4711"),
        ("$bmp_router_port", "4711"),
        ("$telemetry_node_port", "4711"),
        ("$peer_src_ip$peer_tcp_port", "192_0_2_14711"),
        ("$peer_src_ip/$peer_src_ip", "192_0_2_1/192_0_2_1"),
        ("$peer_src_ip_x", "192_0_2_1_x"),
        ("$peer_src", "$peer_src"),
        ("$nobody-$peer_src_ip", "$nobody-192_0_2_1"),
        ("$", "$"),
        ("$$peer_src_ip", "$192_0_2_1"),
        ("%Y-$peer_src_ip", "%Y-192_0_2_1"),
        ("$tzone", "$tzone"),
    ],
)
def test_names_of_logs_hold_the_peer(text: str, name: str) -> None:
    assert parse_name(text, PEER_VARIABLES).expand_for_peer("192.0.2.1", 4711) == name


def test_an_ipv6_peer_has_underscores_for_colons() -> None:
    assert parse_name("$peer_src_ip", PEER_VARIABLES).expand_for_peer("2001:db8::1", 1) == "2001_db8__1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/d/bgp-$peer_src_ip-%Y%m%d-%H%M.json", "/d/bgp-192_0_2_1-20261120-1511.json"),
        ("%H$tzone", "15+01:00"),
        ("100%%", "100%"),
        ("x", "x"),
    ],
)
def test_names_of_dumps_hold_the_time_too(text: str, name: str) -> None:
    assert parse_name(text, DATED_VARIABLES, dated=True).expand_for_peer("192.0.2.1", 1, WHEN) == name


def test_what_was_put_in_is_not_looked_into() -> None:
    name = parse_name("$peer_src_ip", DATED_VARIABLES, dated=True)
    assert name.expand({Variable.PEER_ADDRESS: "%Y$peer_tcp_port"}, WHEN) == "%Y$peer_tcp_port"


def test_a_name_tells_what_it_depends_on() -> None:
    fixed = parse_name("/d/x", DATED_VARIABLES, dated=True)
    assert (fixed.variables, fixed.follows_time, fixed.unknown) == (frozenset(), False, ())
    moving = parse_name("$tzone$peer_src_ip$nobody", DATED_VARIABLES, dated=True)
    assert moving.variables == {Variable.TIME_ZONE, Variable.PEER_ADDRESS}
    assert moving.follows_time
    assert moving.unknown == ("$nobody",)
    assert not parse_name("%Y", PEER_VARIABLES).follows_time


def test_a_writer_is_a_process() -> None:
    values = {Variable.PROCESS_NAME: "default", Variable.WRITER_PID: "4857", Variable.BUILD: "0.1"}
    name = parse_name("$proc_name/$writer_pid $pmacct_build", WRITER_VARIABLES)
    assert name.expand(values) == "default/4857 0.1"


def test_offsets_have_a_colon() -> None:
    assert format_offset(WHEN) == "+01:00"
    assert format_offset(datetime(2026, 1, 1, tzinfo=UTC)) == "+00:00"
    assert format_offset(datetime(2026, 1, 1, tzinfo=timezone(-timedelta(hours=3, minutes=30)))) == "-03:30"
