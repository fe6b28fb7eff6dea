"""Five daemons of five makers announce and withdraw side by side; log and dump hold exactly what they said."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from routed.wire.family import IPV4_MULTICAST, IPV6_MULTICAST
from tests.peers.announcements import LINKS, MANY_COMMUNITIES, ROUTES
from tests.peers.collector import AS, Collector, collector, is_pmacct
from tests.peers.gobgp import GoBgp
from tests.peers.install import require
from tests.peers.network import network
from tests.peers.route import Route, Row, described
from tests.peers.speaker import Speaker

#: What the collector says when it is told to leave (RFC 9003), in every speaker's log.
FAREWELL = "shutting down"

each_speaker = pytest.mark.parametrize("kind", LINKS, ids=lambda kind: kind.package)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the collector wrote and the speakers said from the first connection to the last."""

    rows: Mapping[type[Speaker], list[Row]]
    dumps: Mapping[type[Speaker], list[Row]]
    daemon_said: str
    speakers_said: Mapping[type[Speaker], str]


def expected(kind: type[Speaker]) -> tuple[Route, ...]:
    """The routes of a speaker; pmacct agrees to multicast and then ignores it, and does not agree to long messages."""
    if not is_pmacct():
        return ROUTES[kind]
    ignored = (IPV4_MULTICAST, IPV6_MULTICAST)
    return tuple(
        route for route in ROUTES[kind] if route.family not in ignored and route.communities is not MANY_COMMUNITIES
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """Run the whole play once: all come, announce, are dumped, withdraw; then the collector leaves."""
    require("iproute2")
    home = tmp_path_factory.mktemp("together")
    with ExitStack() as stack:
        inside = stack.enter_context(network())
        daemon = stack.enter_context(collector(inside, home, bgp_daemon_as=AS))
        speakers = {kind: kind(inside, home, link) for kind, link in LINKS.items()}
        for kind, speaker in speakers.items():
            stack.callback(speaker.kill)
            speaker.announce(*ROUTES[kind])
            speaker.start()
        yield play(daemon, speakers)


def play(daemon: Collector, speakers: Mapping[type[Speaker], Speaker]) -> Evidence:
    for kind, link in LINKS.items():
        daemon.wait_for(link.local, count=len(expected(kind)), log_type="update")
    dumps = daemon.dumps(*(link.local for link in LINKS.values()))
    for kind, speaker in speakers.items():
        speaker.withdraw(*ROUTES[kind])
    for kind, link in LINKS.items():
        daemon.wait_for(link.local, count=len(expected(kind)), log_type="withdraw")
    daemon.stop()
    for kind, speaker in speakers.items():
        if kind.understands_reasons:
            speaker.wait_for_text(FAREWELL)
    return Evidence(
        rows={kind: daemon.rows(link.local) for kind, link in LINKS.items()},
        dumps={kind: dumps[link.local] for kind, link in LINKS.items()},
        daemon_said=daemon.text,
        speakers_said={kind: speaker.text() for kind, speaker in speakers.items()},
    )


def of_type(rows: list[Row], log_type: str) -> list[Row]:
    return [row for row in rows if row.get("log_type") == log_type]


@each_speaker
def test_log_holds_every_announced_route_and_nothing_else(evidence: Evidence, kind: type[Speaker]) -> None:
    updates = of_type(evidence.rows[kind], "update")
    assert described(updates, ids_are_picked=kind.ids_are_picked) == described(
        (route.row() for route in expected(kind)), ids_are_picked=False
    )


@each_speaker
def test_dump_holds_every_announced_route_and_nothing_else(evidence: Evidence, kind: type[Speaker]) -> None:
    first, *routes, last = evidence.dumps[kind]
    assert described(routes, ids_are_picked=kind.ids_are_picked) == described(
        (route.row() for route in expected(kind)), ids_are_picked=False
    )
    assert (first["event_type"], first["dump_period"]) == ("dump_init", 60)
    assert (last["event_type"], last["entries"]) == ("dump_close", len(expected(kind)))
    assert {row["event_type"] for row in routes} == {"dump"}
    assert len({row["seq"] for row in (first, *routes, last)}) == 1


@each_speaker
def test_dump_is_in_order_of_family_and_prefix(evidence: Evidence, kind: type[Speaker]) -> None:
    families = [(row["afi"], row["safi"]) for row in evidence.dumps[kind][1:-1]]
    assert families == sorted(families)


@each_speaker
def test_withdraws_carry_the_attributes_that_were_stored(evidence: Evidence, kind: type[Speaker]) -> None:
    updates, withdraws = (of_type(evidence.rows[kind], log_type) for log_type in ("update", "withdraw"))
    assert described(withdraws, ids_are_picked=False) == described(updates, ids_are_picked=False)


@each_speaker
def test_path_identifiers_tell_the_paths_of_a_prefix_apart(evidence: Evidence, kind: type[Speaker]) -> None:
    updates = of_type(evidence.rows[kind], "update")
    paths = [(row["afi"], row["safi"], row.get("rd"), row["ip_prefix"], row.get("as_path_id")) for row in updates]
    assert len(paths) == len(set(paths)) == len(expected(kind))


@each_speaker
def test_session_is_framed_by_log_init_and_log_close(evidence: Evidence, kind: type[Speaker]) -> None:
    rows = evidence.rows[kind]
    kinds = [row["event_type"] for row in rows]
    assert (kinds[0], kinds[-1]) == ("log_init", "log_close")
    assert set(kinds[1:-1]) == {"log"}
    assert {row["peer_tcp_port"] for row in rows} == {rows[0]["peer_tcp_port"]}


@each_speaker
def test_open_is_logged_with_both_as_numbers(evidence: Evidence, kind: type[Speaker]) -> None:
    link = LINKS[kind]
    words = f"[{link.router_id}] BGP_OPEN: Local AS: {AS} Remote AS: {link.local_as} HoldTime: {link.hold_time}"
    assert words in evidence.daemon_said


@pytest.mark.skipif(is_pmacct(), reason="pmacct agrees to every family")
def test_families_that_are_not_stored_are_said(evidence: Evidence) -> None:
    [(router, families)] = set(re.findall(r"\[(\S+)\] offered, but not stored .* agreed: (.*)", evidence.daemon_said))
    assert router == LINKS[GoBgp].router_id
    assert set(families.split(", ")) == {
        "l2vpn/evpn (25/70)",
        "ipv4/flowspec (1/133)",
        "link_state/link_state (16388/71)",
    }


def test_rows_and_dumps_share_one_sequence_of_numbers(evidence: Evidence) -> None:
    numbers = sorted(row["seq"] for rows in evidence.rows.values() for row in rows)
    assert len(numbers) == len(set(numbers))
    unused = set(range(numbers[-1] + 1)) - set(numbers)
    dumps = {row["seq"] for rows in evidence.dumps.values() for row in rows}
    assert dumps <= unused
    assert len(unused) <= 3, f"{unused} are more than the dumps of a play of two minutes"


@pytest.mark.parametrize("kind", [kind for kind in LINKS if kind.understands_reasons], ids=lambda kind: kind.package)
def test_speaker_is_told_why_the_collector_leaves(evidence: Evidence, kind: type[Speaker]) -> None:
    """RFC 9003: Cease/Administrative Shutdown carries a text."""
    assert FAREWELL in evidence.speakers_said[kind]
