"""Several flow daemons on one port: the kernel spreads datagrams over them, and no flow is lost or counted twice."""

from __future__ import annotations

import grp
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
import zmq.auth

from routed.plumbing.placement import place_of
from routed.plumbing.statements import parse_statements
from tests.flowcorr.exports import export_set, template, v9
from tests.peers.collector import PATIENCE, at_work, read_rows
from tests.peers.flow_daemon import FlowDaemon
from tests.peers.nobody import NOBODY, command_for_others, privileges, status
from tests.peers.program import ROOT
from tests.peers.raw_speaker import RawSession, prefix, update, usual_attributes
from tests.peers.route import Row
from tests.peers.siege import Host
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

#: So many that no daemon is left out, whatever the kernel's hash: two to the power of minus 63 is the chance.
EXPORTERS: Final = 64
LAYOUT: Final = export_set(0, template(300, (8, 4), (2, 4), (1, 4)))
LAYOUT_TO: Final = export_set(0, template(301, (8, 4), (12, 4), (2, 4), (1, 4)))
EXAMPLE: Final = ROOT / "examples" / "quickstart-cores.conf"
#: Processes of one daemon, and routers, of which each process has some.
COUNT: Final = 2
OTHER_GROUP: Final = grp.getgrnam("games")
ROUTERS: Final = tuple(f"127.9.8.{number}" for number in range(1, 7))


class Sharing(FlowDaemon):
    """An nfacctd on a port of the machine that others have too."""

    def __init__(self, home: Path, port: int, **settings: object) -> None:
        home.mkdir(exist_ok=True)
        self.port = port
        super().__init__(Host(), home, {"aggregate": "src_host, peer_src_ip, flows", **settings})

    def ready(self) -> None:
        """Wait for a line: the port itself is there with the first of several daemons."""
        self.wait_for_text("waiting for NetFlow/IPFIX data")

    def forget_words(self) -> None:
        """Let what the next daemon of this home says not be taken for what this one said."""
        (self.home / f"{self.name}.out").unlink()


def test_each_exporter_is_read_by_one_daemon_with_its_templates(tmp_path: Path) -> None:
    port = reserved_port()
    with ExitStack() as stack:
        daemons = [stack.enter_context(at_work(Sharing(tmp_path / name, port))) for name in ("first", "second")]
        exporters = []
        for number in range(EXPORTERS):
            exporter = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            exporter.bind((f"127.9.7.{number + 1}", 0))
            exporter.connect(("127.0.0.1", port))
            exporters.append(exporter)
            exporter.send(v9(LAYOUT))
        for number, exporter in enumerate(exporters):
            for turn in range(2):
                record = struct.pack("!III", 0x0A000000 + number, 3, 300)
                exporter.send(v9(export_set(300, record), sequence=2 + turn))

        def counted() -> bool:
            return sum(row["flows"] for daemon in daemons for row in daemon.flows()) >= 2 * EXPORTERS

        eventually(counted, PATIENCE, "all flows")
        seen = [{row["ip_src"] for row in daemon.flows()} for daemon in daemons]
        assert all(seen)
        assert not seen[0] & seen[1]
        assert len(seen[0] | seen[1]) == EXPORTERS
        assert sum(row["flows"] for daemon in daemons for row in daemon.flows()) == 2 * EXPORTERS


def test_all_of_them_read_what_one_has_heard(tmp_path: Path) -> None:
    """A router whose source port changes reaches all; one hears the templates, and one starts anew without them.

    What they tell each other is encrypted.
    """
    port, places = reserved_port(), [f"127.0.0.1:{reserved_port()}" for _ in range(3)]
    _, key_file = zmq.auth.create_certificates(tmp_path, "collectors")
    known = {"nfacctd_templates_zmq_peers": ", ".join(places), "nfacctd_templates_zmq_curve_key_file": key_file}

    def start(stack: ExitStack, *numbers: int) -> list[Sharing]:
        started = []
        for number in numbers:
            own = {"nfacctd_templates_zmq_address": places[number], **known}
            started.append(Sharing(tmp_path / str(number), port, **own))
            stack.callback(started[-1].kill)
        return [stack.enter_context(at_work(daemon)) for daemon in started]

    with ExitStack() as stack:
        homes = [tmp_path / str(number) for number in range(3)]
        last = stack.enter_context(ExitStack())
        [killed] = start(last, 2)
        start(stack, 0, 1)
        senders = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(EXPORTERS)]
        for sender in senders:
            sender.bind(("127.9.7.1", 0))
            sender.connect(("127.0.0.1", port))
        senders[0].send(v9(LAYOUT))

        def counted() -> list[int]:
            return [sum(row["flows"] for row in read_rows(home / "flows.json")) for home in homes]

        def all_send(count: int) -> None:
            for number, sender in enumerate(senders):
                sender.send(v9(export_set(300, struct.pack("!III", 0x0A000000 + number, 3, 300))))
            eventually(lambda: sum(counted()) >= count, PATIENCE, f"{count} flows")

        all_send(EXPORTERS)
        before = counted()
        assert all(before)
        killed.kill()
        last.pop_all()
        killed.forget_words()
        start(stack, 2)
        all_send(2 * EXPORTERS)
        assert sum(counted()) == 2 * EXPORTERS
        assert counted()[2] > before[2]


class Several(FlowDaemon):
    """The example of two processes, each with the routes and the flows of its own routers; root starts them."""

    def __init__(self, home: Path) -> None:
        self.command = command_for_others(FlowDaemon.command)  # type: ignore[misc]  # of its own
        self.port = reserved_port()
        self.tables = [str(home / f"table-{number}.pipe") for number in range(1, COUNT + 1)]
        statements = parse_statements(EXAMPLE.read_text(), EXAMPLE.name).statements
        keys: dict[str, object] = {f"{one.key}[{one.scope}]" if one.scope else one.key: one.value for one in statements}
        keys |= {
            "bgp_daemon_port": self.port,
            "bgp_daemon_msglog_file": home / "messages-$proc_number.json",
            "nfacctd_ip": "127.0.0.1",
            "nfacctd_port": self.port,
            "imt_path": home / "table-$proc_number.pipe",
            "print_output_file": home / "flows-$proc_number.json",
            "print_refresh_time": 1,
            "proc_user": NOBODY.pw_name,
            "proc_group": OTHER_GROUP.gr_name,
            "files_gid": OTHER_GROUP.gr_gid,
            "pidfile": home / "pid",
            "logfile": home / "log",
        }
        super().__init__(Host(), home, keys)

    @property
    def said(self) -> str:
        """What all processes have written to their log."""
        log = self.home / "log"
        return log.read_text() if log.exists() else self.text

    def wait_for_times(self, words: str, times: int) -> None:
        """Wait until that many processes have said something."""
        eventually(lambda: self.said.count(words) == times, PATIENCE, f"{times} processes to say {words!r}")

    def announced(self) -> set[tuple[int, str]]:
        """Return the number of the process and the router of each route."""
        rows = self._rows("messages")
        return {(number, str(row["peer_ip_src"])) for number, row in rows if row.get("ip_prefix")}

    def counted(self) -> Counter[tuple[int, str, int]]:
        """Return how many packets there were, by process, router and destination AS."""
        found: Counter[tuple[int, str, int]] = Counter()
        for number, row in self._rows("flows"):
            found[number, row["peer_ip_src"], row["as_dst"]] += row["packets"]
        return found

    def listed(self) -> dict[int, int]:
        """Return how many packets all tables together have of each destination AS."""
        sockets = [argument for path in self.tables for argument in ("-p", path)]
        command = [sys.executable, "-m", "flowcorr.client.cli", *sockets, "-s", "-O", "json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE)
        return {row["as_dst"]: row["packets"] for row in map(json.loads, done.stdout.splitlines())}

    def _rows(self, what: str) -> list[tuple[int, Row]]:
        numbers = range(1, COUNT + 1)
        return [(number, row) for number in numbers for row in read_rows(self.home / f"{what}-{number}.json")]

    def process(self, number: int) -> int:
        """Return the id of a process."""
        found = re.findall(rf"process {number} \(pid (\d+)\) is in service", self.said)
        assert found, self.said
        return int(found[-1])

    def owners(self) -> dict[str, tuple[int, int, int]]:
        """Return user, group and kind of what it has made."""
        made = ("pid", "log", "messages-1.json", "messages-2.json", "flows-1.json", "flows-2.json", *self.tables)
        found = {Path(name).name: (self.home / name).stat() for name in made}
        return {name: (one.st_uid, one.st_gid, stat.S_IFMT(one.st_mode)) for name, one in found.items()}

    def has_no_privileges(self) -> bool:
        """Tell whether all processes that read from the network run as an ordinary user without privileges."""
        pids = [self.process(number) for number in range(1, COUNT + 1)]
        users = {tuple(status(pid, "Uid") + status(pid, "Gid")) for pid in pids}
        wanted = (*[str(NOBODY.pw_uid)] * 4, *[str(OTHER_GROUP.gr_gid)] * 4)
        return users == {wanted} and not any(map(privileges, pids))


def number_of(source: str) -> int:
    return 1 + place_of(ip_address(source), COUNT)


def test_processes_of_one_daemon_have_the_routes_and_the_flows_of_their_routers(home_of_nobody: Path) -> None:
    """Who starts them is root; who reads from the network is not, a process that was started again neither."""
    with ExitStack() as stack:
        daemon = stack.enter_context(at_work(Several(home_of_nobody)))
        daemon.wait_for_times("is in service", COUNT)
        assert daemon.has_no_privileges()
        assert status(daemon.pid, "Uid") == ["0"] * 4
        exporters, origins = [], {}
        for source in ROUTERS:
            origins[source] = 65100 + int(source.rpartition(".")[2])
            session = stack.enter_context(RawSession(("127.0.0.1", daemon.port), source))
            session.establish(65001)
            session.send(update(attributes=usual_attributes(65001, origins[source]), nlri=prefix("10.0.0.0/8")))
            exporter = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            exporter.bind((source, 0))
            exporter.connect(("127.0.0.1", daemon.port))
            exporters.append(exporter)

        def send(sequence: int) -> None:
            for number, exporter in enumerate(exporters):
                record = struct.pack("!IIII", 0x0A000000 + number, 0x0A000001, 1, 300)
                exporter.send(v9(LAYOUT_TO, export_set(301, record), sequence=sequence))

        announced = {(number_of(source), source) for source in ROUTERS}
        eventually(lambda: daemon.announced() == announced, PATIENCE, "each route in the process of its router")
        send(1)
        first = {(number_of(source), source, origins[source]): 1 for source in ROUTERS}
        eventually(lambda: daemon.counted() == first, PATIENCE, "each flow in the process of its router")
        assert daemon.listed() == dict.fromkeys(origins.values(), 1)
        mine = (NOBODY.pw_uid, OTHER_GROUP.gr_gid)
        kinds = {"table-1.pipe": stat.S_IFSOCK, "table-2.pipe": stat.S_IFSOCK}
        assert daemon.owners() == {name: (*mine, kinds.get(name, stat.S_IFREG)) for name in daemon.owners()}
        assert (home_of_nobody / "pid").read_text() == f"{daemon.pid}\n"

        lost = number_of(ROUTERS[0])
        os.kill(daemon.process(lost), signal.SIGKILL)
        send(2)  # what is for a process that is away waits for it; its routers have no session any more
        eventually(lambda: re.search(rf"process {lost} \(.*\) is in service again", daemon.said), PATIENCE, "a restart")
        assert daemon.has_no_privileges()
        again = {(number, source, origin * (number != lost)): 1 for number, source, origin in first}
        both = Counter(first) + Counter(again)
        eventually(lambda: daemon.counted() == both, PATIENCE, "the flows that had to wait")
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.wait_for_times("maps and configuration reloaded", COUNT)
        (home_of_nobody / "log").rename(home_of_nobody / "log.1")
        os.kill(daemon.pid, signal.SIGHUP)
        log = home_of_nobody / "log"
        eventually(lambda: log.exists() and daemon.owners()["log"][:2] == mine, PATIENCE, "a new log of its owner's")
        daemon.end()
        assert not (home_of_nobody / "pid").exists()
