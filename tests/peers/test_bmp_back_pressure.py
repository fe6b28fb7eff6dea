"""A message log that is written slowly: routers are read on, then made to wait, and in the end no row is missing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.peers.bmp_octets import announcement, initiation, peer_up, per_peer_header, termination, usual_session
from tests.peers.bmp_station import LoopbackStation, loopback_station
from tests.peers.collector import read_rows
from tests.peers.raw_speaker import RawSession
from tests.ports import reserved_port

PORT: Final = reserved_port()
#: Octets that may wait in the daemon: rows for the file, and messages for their turn.
QUEUE: Final = 256 << 10
BACKLOG: Final = 64 << 10
ROUTES: Final = 60_000
ROUTES_PER_MESSAGE: Final = 4
#: What the station may hold besides what it held before; the rows alone are 25 MB. Units: octets.
GROWTH: Final = 24 << 20
SLOW, FAST = "127.8.0.1", "127.8.0.2"
#: Seconds between two reads of a slow reader; the station takes one that does not read for longer as gone.
NAP: Final = 0.01
LONG: Final = 300.0


class SlowDisk:
    """A FIFO and who reads from it, little by little."""

    def __init__(self, fifo: Path, copy: Path) -> None:
        os.mkfifo(fifo)
        self.copy = copy
        self._fifo = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._leaving = threading.Event()
        self.is_closed = threading.Event()  # the last row has come
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self.copy.open("wb", buffering=0) as copy:
            while not self._leaving.wait(NAP):
                try:
                    octets = os.read(self._fifo, 65536)
                except BlockingIOError:
                    continue
                copy.write(octets)
                if b'"event_type": "log_close"' in octets[-400:]:
                    self.is_closed.set()

    def close(self) -> None:
        """Read no more."""
        self._leaving.set()
        self._thread.join()
        os.close(self._fifo)


@contextmanager
def slow_disk(daemon_home: Path, router: str) -> Iterator[SlowDisk]:
    """Let the message log of one router be a slow one."""
    disk = SlowDisk(daemon_home / f"messages-{router.replace('.', '_')}.json", daemon_home / "copy.json")
    try:
        yield disk
    finally:
        disk.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[LoopbackStation]:
    keys = {"bmp_daemon_msglog_queue_size": QUEUE, "bmp_daemon_backlog": BACKLOG, "bmp_dump_refresh_time": 0}
    with loopback_station(tmp_path, PORT, **keys) as daemon:
        yield daemon


def networks() -> list[str]:
    """Return as many prefixes as there are routes."""
    return [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32" for number in range(ROUTES)]


def table() -> bytes:
    """Return a whole session with a large table and a word of farewell."""
    header, all_of_them = per_peer_header(), networks()
    parts = (all_of_them[at : at + ROUTES_PER_MESSAGE] for at in range(0, ROUTES, ROUTES_PER_MESSAGE))
    return initiation() + peer_up(header) + b"".join(announcement(header, *part) for part in parts) + termination()


def test_slow_file_makes_its_router_wait_and_loses_nothing(station: LoopbackStation, tmp_path: Path) -> None:
    """The one that pauses is the router, which is said; another one with a file of its own notices nothing."""
    before = station.resident
    with slow_disk(tmp_path, SLOW) as disk, RawSession(station.address, SLOW, patience=LONG) as slow:
        sending = threading.Thread(target=slow.send, args=(table(),))
        sending.start()
        station.wait_for_text(f"[{SLOW}] is not read: more waits than bmp_daemon_backlog allows", within=LONG)
        with RawSession(station.address, FAST) as fast:
            fast.send(usual_session("198.51.100.0/24"))
            station.wait_for_routes(FAST, "update", 1)
        assert station.resident < before + GROWTH
        sending.join(LONG)
        assert not sending.is_alive()
        assert disk.is_closed.wait(LONG)
        assert "nobody reads it" not in station.text  # this test itself was not held up for too long
        rows = list(read_rows(disk.copy))
    for log_type in ("update", "delete"):
        logged = [row["ip_prefix"] for row in rows if row.get("log_type") == log_type]
        assert sorted(logged) == sorted(networks())
    assert [row["ip_prefix"] for row in rows if row.get("log_type") == "update"] == networks()
    numbers = [row["seq"] for row in rows] + [row["seq"] for row in station.log_of(FAST)]
    assert sorted(numbers) == list(range(len(numbers)))
    assert [row["bmp_msg_type"] for row in rows if row["event_type"] == "log" and "log_type" not in row] == [
        *("init", "peer_up", "term")
    ]


def test_fifo_that_nobody_reads_holds_nobody_up(station: LoopbackStation, tmp_path: Path) -> None:
    """Its rows are dropped, which is said; tables are kept, and other routers notice nothing."""
    os.mkfifo(tmp_path / f"messages-{SLOW.replace('.', '_')}.json")
    with RawSession(station.address, SLOW, patience=LONG) as slow, RawSession(station.address, FAST) as fast:
        slow.send(table())
        fast.send(usual_session("198.51.100.0/24"))
        station.wait_for_routes(FAST, "update", 1)
        assert slow.verdict() is None
        station.wait_for_text(f"[{SLOW}] {ROUTES // ROUTES_PER_MESSAGE} route monitoring messages", within=LONG)
    station.wait_for_text("nobody reads it: rows are dropped")
