"""A message log that is written slowly: routers are read on, then made to wait, and in the end no row is missing."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final

import fastavro
import pytest

from tests.peers.bmp_octets import announcement, initiation, peer_up, per_peer_header, termination, usual_session
from tests.peers.bmp_station import LoopbackStation, loopback_station
from tests.peers.collector import read_rows
from tests.peers.raw_speaker import RawSession
from tests.peers.waiting import eventually
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
#: Routes whose binary records are several times what a pipe holds; octets that are read at a time.
FEW: Final = 6_000
LITTLE: Final = 65_536
KINDS: Final = ("bmp_loginit", "bmp_init", "bmp_peer_up", "bmp_msglog_rm")


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


def decoded(octets: bytes, schema: Path) -> list[Any]:
    """Decode the log of a session that has not ended: how it began, then routes."""
    kinds = chain(("bmp_loginit", "bmp_init", "bmp_peer_up"), repeat("bmp_msglog_rm"))
    schemas = {kind: fastavro.parse_schema(json.loads(Path(f"{schema}-{kind}").read_text())) for kind in KINDS}
    file, records = BytesIO(octets), []
    while file.tell() < len(octets):
        records.append(fastavro.schemaless_reader(file, schemas[next(kinds)], None))
    return records


def test_a_reader_of_binary_records_that_falls_behind_reads_whole_ones(tmp_path: Path) -> None:
    """It does not read for longer than the station waits, then little by little; what is missing is counted."""
    fifo, schema, last = tmp_path / f"messages-{SLOW.replace('.', '_')}.json", tmp_path / "schema", "198.51.100.0/24"
    os.mkfifo(fifo)
    keys = {
        "bmp_daemon_msglog_output": "avro",
        "bmp_daemon_msglog_avro_schema_file": schema,
        "bmp_dump_refresh_time": 0,
    }
    octets, sent = b"", networks()[:FEW]
    with ExitStack() as stack:
        station = stack.enter_context(loopback_station(tmp_path, PORT, **keys))
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        stack.callback(os.close, reader)
        slow = stack.enter_context(RawSession(station.address, SLOW, patience=LONG))
        header = per_peer_header()
        slow.send(initiation() + peer_up(header))
        for at in range(0, FEW, ROUTES_PER_MESSAGE):
            slow.send(announcement(header, *sent[at : at + ROUTES_PER_MESSAGE]))
        station.wait_for_text("nobody reads it: rows are dropped", within=LONG)

        def read_last() -> bool:
            """Read a little; where there is nothing send the last route, until that comes."""
            nonlocal octets
            try:
                octets += os.read(reader, LITTLE)
            except BlockingIOError:
                slow.send(announcement(header, last))
            return last.encode() in octets

        eventually(read_last, LONG, "the last route")
        station.wait_for_text("] read again, ")
        lost = re.search(r"\] read again, (\d+) rows lost", station.text)
    assert lost is not None
    prefixes = [record["ip_prefix"] for record in decoded(octets, schema)[3:]]
    assert prefixes == sorted({*prefixes}, key=[*sent, last].index)
    assert prefixes[-1] == last
    assert 0 < int(lost[1]) <= FEW + 1 - len(prefixes)
