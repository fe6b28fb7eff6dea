"""A disk that is full under message log and dumps: told, tried again, and in the end not a row is missing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.peers.bmp_octets import announcement, per_peer_header, usual_session, withdrawal
from tests.peers.bmp_station import LoopbackStation
from tests.peers.collector import at_work, read_rows
from tests.peers.disk import Disk, small_disk
from tests.peers.raw_speaker import RawSession
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
ROUTER: Final = "127.9.3.1"
HEADER: Final = per_peer_header()
NETWORKS: Final = tuple(f"10.{number >> 8}.{number & 255}.0/24" for number in range(2_000))
#: Seconds until two dumps are due, and written.
TWO_DUMPS: Final = 300.0


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


class Troubled(LoopbackStation):
    """A station whose log may have errors: those of the disk."""

    def stop(self) -> None:
        """Stop the daemon and demand that it was a good daemon to the end."""
        assert self.running, f"the daemon had left:\n{self.text}"
        status = self._program.stop(signal.SIGINT)
        errors = [line for line in self.text.splitlines() if "ERROR" in line and "No space left on device" not in line]
        assert (status, errors, "Traceback" in self.text) == (0, [], False), self.text


def test_a_full_disk_costs_nothing_that_is_held(disk: Disk, tmp_path: Path) -> None:
    """Routers are read all the time; when there is room again the log has every row, and the dump every event."""
    log, dump = disk.place / "messages.json", disk.place / "dump.json"
    keys = {"bmp_daemon_msglog_file": log, "bmp_dump_file": dump}
    with at_work(Troubled(tmp_path, PORT, **keys)) as daemon, RawSession(daemon.address, ROUTER) as router:
        router.send(usual_session(NETWORKS[0]))
        eventually(lambda: log.exists() and b'"update"' in log.read_bytes(), TWO_DUMPS, "the first row")
        disk.fill()
        router.send(b"".join(announcement(HEADER, network) for network in NETWORKS[1:]))
        daemon.wait_for_text(f"[{log}] No space left on device: retrying, ")
        daemon.wait_for_text(f"table dump not written: {dump}", within=TWO_DUMPS)
        router.send(withdrawal(HEADER, NETWORKS[0]))
        disk.empty()
        daemon.wait_for_text(f"[{log}] written again, 0 rows lost")
        eventually(lambda: b"dump_close" in (dump.read_bytes() if dump.exists() else b""), TWO_DUMPS, "a whole dump")
        dumped = list(read_rows(dump))
        rows = eventually(
            lambda: rows if (rows := list(read_rows(log)))[-1].get("log_type") == "withdraw" else [],
            TWO_DUMPS,
            "all rows",
        )
        assert [row["ip_prefix"] for row in rows if row.get("log_type") == "update"] == list(NETWORKS)
        assert sorted(row["ip_prefix"] for row in dumped if "ip_prefix" in row) == sorted(NETWORKS[1:])
        assert [
            row["bmp_msg_type"] for row in dumped if row.get("event_type") == "dump" and "ip_prefix" not in row
        ] == [*("init", "peer_up")]
        numbers = [row["seq"] for row in rows]
        assert numbers == sorted({*numbers} - {dumped[0]["seq"]})  # one sequence, of which each dump takes one
