"""The daemon under test: its configuration, its life, its message log and its dumps.

`PMBGPD` names another command to test, such as the `pmbgpd` of Debian's pmacct package, against which most of these
tests pass too: that is how we know that they ask for the format of pmacct and not for ours.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from tests.peers.network import Network, listens
from tests.peers.program import ROOT, Program
from tests.peers.route import Row
from tests.peers.waiting import eventually

COMMAND: Final = shlex.split(os.environ.get("PMBGPD", "")) or [sys.executable, "-m", "routed.daemon.pmbgpd"]
PORT: Final = 179

#: The AS of the collector where a test needs external sessions.
AS: Final = 65000

#: Seconds that a session and its routes may take on a machine that has much else to do; GoBGP alone waits up to ten
#: before it first connects.
PATIENCE: Final = 90.0


@cache
def is_pmacct() -> bool:
    """Tell whether the command under test is pmacct's own daemon."""
    done = subprocess.run([*COMMAND, "-V"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return "pmacct" in done.stdout.lower() and "--build=" in done.stdout


class Collector:
    """One pmbgpd that logs into one file and dumps into a file per peer."""

    name: ClassVar[str] = "pmbgpd"
    command: ClassVar[Sequence[str]] = COMMAND
    port: int = PORT
    peer_key: ClassVar[str] = "peer_ip_src"  # of records: whom they are of

    def __init__(self, network: Network, home: Path, settings: Mapping[str, object]) -> None:
        self.home = home
        self.message_log = home / "messages.json"
        keys = {**self.defaults(), "timestamps_since_epoch": "true", **settings}
        configuration = home / f"{self.name}.conf"
        configuration.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
        self._program = Program(network, [*self.command, "-f", str(configuration)], home / f"{self.name}.out")

    def defaults(self) -> dict[str, object]:
        """Return the keys of a test that has no others."""
        return {
            "bgp_daemon_port": self.port,
            "bgp_daemon_id": "10.255.0.1",
            "bgp_daemon_max_peers": 16,
            "bgp_daemon_msglog_file": self.message_log,
            "bgp_table_dump_file": self.home / "dump-$peer_src_ip.json",
            "bgp_table_dump_refresh_time": 60,
        }

    @property
    def pid(self) -> int:
        return self._program.pid

    @property
    def running(self) -> bool:
        return self._program.running

    @property
    def resident(self) -> int:
        """Octets of memory the daemon holds."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

    @property
    def text(self) -> str:
        """What the daemon has said for people."""
        return self._program.text()

    def ready(self) -> None:
        """Wait until peers can connect."""
        eventually(lambda: listens(self.pid, self.port) or not self.running, PATIENCE, "the daemon to listen")
        assert self.running, f"the daemon left at once:\n{self.text}"

    def rows(self, peer: str = "", **facts: object) -> list[Row]:
        """Return the rows of the message log about a peer that hold all of `facts`."""
        wanted = {**facts, **({self.peer_key: peer} if peer else {})}
        return [row for row in read_rows(self.message_log) if wanted.items() <= row.items()]

    def routes(self, peer: str, log_type: str) -> list[Row]:
        """Return the logged routes of one kind: update, withdraw or delete."""
        return self.rows(peer, event_type="log", log_type=log_type)

    def wait_for(self, peer: str, *, count: int = 1, within: float = PATIENCE, **facts: object) -> list[Row]:
        """Wait until the message log holds `count` rows about a peer with all of `facts`."""
        what = f"{count} rows of {peer} with {facts}"
        try:
            return eventually(lambda: rows if len(rows := self.rows(peer, **facts)) >= count else [], within, what)
        except TimeoutError as timeout:
            timeout.add_note(f"rows: {self.rows(peer)}\nthe daemon said:\n{self.text[-3000:]}")
            raise

    def wait_for_text(self, words: str, within: float = PATIENCE) -> None:
        """Wait until the daemon has said something."""
        try:
            eventually(lambda: words in self.text, within, f"the daemon to say {words!r}")
        except TimeoutError as timeout:
            timeout.add_note(f"the daemon said:\n{self.text[-3000:]}")
            raise

    def dumps(self, *peers: str) -> dict[str, list[Row]]:
        """Return by peer the rows of the first whole dump of its table that is due after this moment."""
        asked = time.time()
        return {peer: self._dump(peer, asked) for peer in peers}

    def _dump(self, peer: str, asked: float) -> list[Row]:
        path = self.home / f"dump-{peer.replace('.', '_').replace(':', '_')}.json"

        def whole() -> list[Row]:
            rows = list(read_rows(path))
            fresh = bool(rows) and rows[0]["event_type"] == "dump_init" and float(rows[0]["timestamp"]) >= asked
            return rows if fresh and rows[-1]["event_type"] == "dump_close" else []

        return eventually(whole, 60 + PATIENCE, f"a dump of the table of {peer}")

    def end(self) -> None:
        """Stop the daemon as an operator would."""
        assert self.running, f"the daemon had left:\n{self.text}"
        assert self._program.stop(signal.SIGINT) == 0, self.text

    def stop(self) -> None:
        """Stop the daemon as an operator would and demand that it was a good daemon to the end."""
        assert self.running, f"the daemon had left:\n{self.text}"
        status = self._program.stop(signal.SIGINT)
        errors = [line for line in self.text.splitlines() if "ERROR" in line or "Traceback" in line]
        assert (status, errors) == (0, []), self.text

    def kill(self) -> None:
        """Leave nothing behind."""
        self._program.kill()


C = TypeVar("C", bound=Collector)


@contextmanager
def collector(network: Network, home: Path, **settings: object) -> Iterator[Collector]:
    """Run a collector; at the end of a test that went well it must stop well, too."""
    with at_work(Collector(network, home, settings)) as daemon:
        yield daemon


@contextmanager
def at_work(daemon: C) -> Iterator[C]:
    """Wait until a daemon is ready; at the end of a test that went well it must stop well, too."""
    try:
        daemon.ready()
        yield daemon
        if daemon.running:
            daemon.stop()
    finally:
        daemon.kill()


def read_rows(path: Path) -> Iterator[Row]:
    """Read the whole lines of a JSON file that somebody may still be writing."""
    if not path.exists():
        return
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            row = json.loads(line)
            if is_pmacct() and "label" in row:
                row["mpls_label"] = row.pop("label")  # what releases before 1.7.8 called it
            yield row
