"""Peers that come with big tables and go again, many times over, leave the daemon as lean as they found it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.bench.make_table import Shape, updates
from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.raw_speaker import NOTIFICATION, RawSession, message, prefix, update, usual_attributes
from tests.peers.siege import Target, target
from tests.peers.waiting import PACE, eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
CYCLES: Final = 12
PEERS: Final = 4
IPV4_ROUTES, IPV6_ROUTES = 90_000, 10_000
ASN: Final = 65300
CEASE: Final = message(NOTIFICATION, b"\x06\x02")
#: Looks at the memory in a row that must agree before it counts as settled.
LOOKS: Final = 10


@pytest.fixture(scope="module")
def tables() -> Sequence[bytes]:
    """One table for each peer; they share prefixes and no attribute sets."""
    shapes = (Shape(ipv4=IPV4_ROUTES, ipv6=IPV6_ROUTES, view=view) for view in range(PEERS))
    return [b"".join(updates(shape)) for shape in shapes]


def settled(daemon: Target) -> int:
    """Return the resident memory once it does not change any more, for sweeps go on after a session has ended."""
    looks: list[int] = []

    def agree() -> bool:
        looks.append(daemon.resident)
        return len(looks) > LOOKS and len(set(looks[-LOOKS:])) == 1

    eventually(agree, PATIENCE + LOOKS * PACE, "the memory to settle")
    return looks[-1]


def flap(daemon: Target, source: str, table: bytes, *, polite: bool) -> None:
    """Come, announce a whole table and go; that the daemon ends its side shows that it has read all of it."""
    with RawSession(daemon.address, source, patience=60) as session:
        session.establish(ASN, hold_time=180)
        session.tcp.settimeout(60)
        session.send(table)
        if polite:
            session.send(CEASE)
        session.tcp.shutdown(socket.SHUT_WR)
        assert session.verdict() is None


def test_flapping_peers_leave_memory_where_it_was(tmp_path: Path, tables: Sequence[bytes]) -> None:
    """Memory after the last cycle is that after the second; of all routes only those of the peer that stayed remain."""
    if is_pmacct():
        pytest.skip("pmacct takes minutes for it")
    with (
        target(tmp_path, PORT, bgp_daemon_msglog_file="/dev/null") as daemon,
        RawSession(daemon.address, "127.6.0.1") as faithful,
        ThreadPoolExecutor(PEERS) as peers,
    ):
        faithful.establish(ASN, hold_time=240)
        faithful.send(update(attributes=usual_attributes(ASN), nlri=prefix("198.51.100.0/24")))
        after: list[int] = []
        for cycle in range(CYCLES):
            flaps = [
                peers.submit(flap, daemon, f"127.6.1.{1 + peer}", table, polite=bool(cycle % 2))
                for peer, table in enumerate(tables)
            ]
            for one in flaps:
                one.result()
            after.append(settled(daemon))
        assert after[-1] <= after[1] * 1.1 + (4 << 20), after
        rows = [row for row in daemon.next_dump() if row["event_type"] == "dump"]
    assert [(row["peer_ip_src"], row["ip_prefix"]) for row in rows] == [("127.6.0.1", "198.51.100.0/24")]
