"""Routers that come with big tables in many RIBs and go again leave the station as lean as they found it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.bench.make_table import Shape, updates
from tests.peers.bmp_octets import (
    VIEWS,
    announcement,
    initiation,
    monitoring,
    peer_down,
    peer_up,
    per_peer_header,
    termination,
    usual_session,
)
from tests.peers.bmp_station import LoopbackStation, loopback_station
from tests.peers.raw_speaker import HEADER_LENGTH, RawSession
from tests.peers.test_churn import settled
from tests.ports import reserved_port

PORT: Final = reserved_port()
CYCLES: Final = 8
IPV4_ROUTES, IPV6_ROUTES = 55_000, 5_000  # in each RIB
FAITHFUL, FLEETING = "127.9.0.1", "127.9.0.2"
NETWORK: Final = "198.51.100.0/24"
LONG: Final = 300.0
HEADERS: Final = tuple(per_peer_header(peer_type=kind, flags=flags) for kind, flags in VIEWS)


def split(stream: bytes) -> list[bytes]:
    """Cut a stream of BGP messages."""
    messages = []
    at = 0
    while at < len(stream):
        length = int.from_bytes(stream[at + 16 : at + 18], "big")
        assert length >= HEADER_LENGTH
        messages.append(stream[at : at + length])
        at += length
    return messages


@pytest.fixture(scope="module")
def tables() -> Sequence[bytes]:
    """One large table for each RIB; they share prefixes and no attribute sets."""
    shapes = (Shape(ipv4=IPV4_ROUTES, ipv6=IPV6_ROUTES, view=view) for view in range(len(HEADERS)))
    streams = (b"".join(updates(shape)) for shape in shapes)
    return [
        b"".join(monitoring(header, pdu) for pdu in split(stream))
        for header, stream in zip(HEADERS, streams, strict=True)
    ]


def flap(daemon: LoopbackStation, tables: Sequence[bytes], how: str) -> None:
    """Come, show all RIBs and go: with a Termination, with Peer Downs first, or without a word."""
    with RawSession(daemon.address, FLEETING, patience=LONG) as session:
        session.tcp.settimeout(LONG)
        session.send(initiation() + peer_up(HEADERS[0]) + peer_up(HEADERS[-1]) + b"".join(tables))
        if how == "peers first":
            session.send(peer_down(HEADERS[0]) + peer_down(HEADERS[-1]))
        if how == "termination":
            session.send(termination())
        else:
            session.tcp.shutdown(socket.SHUT_WR)
        assert session.verdict() is None


def test_flapping_router_leaves_memory_where_it_was(tmp_path: Path, tables: Sequence[bytes]) -> None:
    """Memory after the last cycle is that after the second; only routes of the router that stayed remain."""
    with (
        loopback_station(tmp_path, PORT, bmp_daemon_msglog_file="/dev/null") as daemon,
        RawSession(daemon.address, FAITHFUL) as faithful,
    ):
        faithful.send(usual_session(NETWORK))
        after: list[int] = []
        for cycle in range(CYCLES):
            flap(daemon, tables, ("without a word", "peers first", "termination")[cycle % 3])
            after.append(settled(daemon))
        assert after[-1] <= after[1] * 1.1 + (4 << 20), after
        rows = [row for row in daemon.dumps(FAITHFUL)[FAITHFUL] if row.get("bmp_msg_type") == "route_monitor"]
    assert [(row["bmp_router"], row["ip_prefix"]) for row in rows] == [(FAITHFUL, NETWORK)]


def test_loss_of_a_large_router_holds_no_other_up(tmp_path: Path, tables: Sequence[bytes]) -> None:
    """While a quarter of a million routes are swept, each with its row, another router announces; no row is missing."""
    networks = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(5_000)]
    routes = len(HEADERS) * (IPV4_ROUTES + IPV6_ROUTES)
    with (
        loopback_station(tmp_path, PORT, bmp_dump_refresh_time=0) as daemon,
        RawSession(daemon.address, FAITHFUL) as faithful,
    ):
        faithful.send(usual_session())
        with RawSession(daemon.address, FLEETING, patience=LONG) as fleeting:
            fleeting.tcp.settimeout(LONG)
            fleeting.send(initiation() + peer_up(HEADERS[0]) + peer_up(HEADERS[-1]) + b"".join(tables))
            daemon.wait_for_routes(FLEETING, "update", routes, within=LONG)
            announcing = threading.Thread(
                target=lambda: [faithful.send(announcement(HEADERS[0], network)) for network in networks]
            )
            announcing.start()
            fleeting.abort()
        announcing.join(LONG)
        daemon.wait_for_routes(FAITHFUL, "update", len(networks), within=LONG)
        daemon.wait_for_routes(FLEETING, "delete", routes, within=LONG)
        daemon.wait_for_text(f"[{FLEETING}] ", within=LONG)
        logged = [row["ip_prefix"] for row in daemon.log_of(FAITHFUL, log_type="update")]
        left = daemon.log_path(FLEETING).read_bytes()
    assert logged == networks
    assert left.count(b'"log_type": "delete"') == left.count(b'"log_type": "update"') == routes
    assert b'"log_close"' in left[-400:]
