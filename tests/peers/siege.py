"""A daemon under attack: two good peers live beside whatever a test does, and nothing may happen to them.

No namespace is needed: everybody is a loopback address and the daemon has a port of its own.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.peers.collector import PATIENCE, Collector, at_work
from tests.peers.network import Network
from tests.peers.raw_speaker import (
    KEEPALIVE,
    KEEPALIVE_TYPE,
    Message,
    RawSession,
    prefix,
    update,
    usual_attributes,
)
from tests.peers.waiting import eventually

LOOPBACK: Final = "127.0.0.1"
#: Of the good peers, who must be kept alive whatever happens. Units: seconds.
HOLD_TIME: Final = 30


class Host(Network):
    """The machine itself in place of a namespace."""

    def __init__(self) -> None:
        super().__init__("host")

    def command(self, argv: Sequence[str]) -> list[str]:
        """Run it as it is."""
        return list(argv)


class Target(Collector):
    """A collector on a port of the machine; each peer has its own message log, all share one dump."""

    def __init__(self, home: Path, port: int, **settings: object) -> None:
        self.port = port
        self.address = (LOOPBACK, port)
        keys = {
            "bgp_daemon_ip": LOOPBACK,
            "bgp_daemon_port": port,
            "bgp_daemon_msglog_file": home / "messages-$peer_src_ip.json",
            "bgp_table_dump_file": home / "dump.json",
        }
        super().__init__(Host(), home, {**keys, **settings})

    def log_of(self, peer: str, log_type: str = "") -> list[dict[str, Any]]:
        """Return what was logged about one peer: all rows, or routes of one type."""
        rows = _rows(self.home / f"messages-{peer.replace('.', '_')}.json")
        return [row for row in rows if not log_type or row.get("log_type") == log_type]

    def wait_for_routes(self, peer: str, log_type: str, count: int) -> None:
        """Wait until the log of a peer holds so many routes of one type, which may be very many."""
        path = self.home / f"messages-{peer.replace('.', '_')}.json"
        sign = f'"log_type": "{log_type}"'.encode()
        what = f"{count} routes of {peer} with {log_type}"
        eventually(lambda: path.exists() and path.read_bytes().count(sign) >= count, PATIENCE, what)

    def next_dump(self) -> list[dict[str, Any]]:
        """Return the rows of the first whole dump that is due after this moment."""
        asked, path = time.time(), self.home / "dump.json"

        def whole() -> list[dict[str, Any]]:
            if not path.exists() or path.stat().st_mtime < asked:
                return []
            rows = _rows(path)
            opened = sum(row["event_type"] == "dump_init" for row in rows)
            closed = sum(row["event_type"] == "dump_close" for row in rows)
            fresh = bool(rows) and float(rows[0]["timestamp"]) >= asked and rows[-1]["event_type"] == "dump_close"
            return rows if fresh and opened == closed else []

        return eventually(whole, 60 + PATIENCE, "a whole dump")


@contextmanager
def target(home: Path, port: int, **settings: object) -> Iterator[Target]:
    """Run a collector; at the end of a test that went well it must stop well, too."""
    with at_work(Target(home, port, **settings)) as daemon:
        yield daemon


class Bystander:
    """A good peer with a known table, kept alive by a thread of its own."""

    def __init__(self, daemon: Target, source: str, asn: int, table: Mapping[str, int]) -> None:
        self.source, self.table = source, table
        self._daemon = daemon
        self._probes = 0
        self._session = RawSession(daemon.address, source)
        self._session.establish(asn, hold_time=HOLD_TIME)
        self._sending = threading.Lock()
        self._leaving = threading.Event()
        self.longest_silence = 0.0
        self.surprises: list[Message | None] = []
        for network, origin_as in table.items():
            self._send(update(attributes=usual_attributes(asn, origin_as), nlri=prefix(network)))
        self._pulse = threading.Thread(target=self._keep_alive)
        self._listener = threading.Thread(target=self._listen)
        self._pulse.start()
        self._listener.start()

    def _send(self, octets: bytes) -> None:
        with self._sending:
            self._session.send(octets)

    def _keep_alive(self) -> None:
        while not self._leaving.wait(HOLD_TIME / 6):
            self._send(KEEPALIVE)

    def _listen(self) -> None:
        heard = time.monotonic()
        while True:
            message = self._session.receive()
            if self._leaving.is_set():
                return
            self.longest_silence, heard = max(self.longest_silence, time.monotonic() - heard), time.monotonic()
            if message is None or message.kind != KEEPALIVE_TYPE:
                self.surprises.append(message)
            if message is None:
                return

    def assert_unharmed(self) -> None:
        """Demand that the session answers, was kept alive in time and has lost none of its routes."""
        self._probes += 1
        probe = f"203.0.113.{self._probes}/32"
        self._send(update(attributes=usual_attributes(65000), nlri=prefix(probe)))
        eventually(
            lambda: self._logged("update", probe), PATIENCE, f"the route that {self.source} announces after it all"
        )
        self._send(update(withdrawn=prefix(probe)))
        eventually(lambda: self._logged("withdraw", probe), PATIENCE, f"{self.source} to withdraw it")
        assert not self.surprises
        assert self.longest_silence < HOLD_TIME
        rows = self._daemon.log_of(self.source)
        lost = [row for row in rows if row.get("log_type") in ("withdraw", "delete") and row["ip_prefix"] in self.table]
        assert not lost
        assert [row["event_type"] for row in rows if row["event_type"] != "log"] == ["log_init"]

    def _logged(self, log_type: str, network: str) -> bool:
        return any(row.get("ip_prefix") == network for row in self._daemon.log_of(self.source, log_type))

    def leave(self) -> None:
        """Close the session."""
        self._leaving.set()
        self._pulse.join()
        with suppress(OSError):  # the daemon may have ended it before
            self._session.tcp.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._session.close()


class Siege:
    """The daemon, the two it must protect, and how much it may grow meanwhile."""

    def __init__(self, daemon: Target) -> None:
        self.daemon = daemon
        first = {f"10.1.{number}.0/24": 64600 + number for number in range(100)}
        second = {f"10.{number}.0.0/16": 64800 + number for number in range(100)}
        self.bystanders = (
            Bystander(daemon, "127.4.0.1", 65101, first),
            Bystander(daemon, "127.4.0.2", 65102, second),
        )

    def session(self, source: str) -> RawSession:
        """Connect from an address of the enemy's."""
        return RawSession(self.daemon.address, source)

    def assert_unharmed(self) -> None:
        """Demand that nobody was harmed."""
        for bystander in self.bystanders:
            bystander.assert_unharmed()

    def leave(self) -> None:
        """End the good sessions."""
        for bystander in self.bystanders:
            bystander.leave()


def _rows(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a JSON file that somebody may still be writing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
