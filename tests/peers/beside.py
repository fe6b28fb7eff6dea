"""Our flow daemon and Debian's, each with routers of its own: one configuration, one table, one traffic, then rows.

Each daemon lives in a network of its own, where the same routers announce the same routes and the same exporters send.
What is printed is compared as sums by key, since rows are written at any moment.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from tests.peers.collector import AS, PATIENCE, Collector, read_rows
from tests.peers.flow_world import Flow, datagrams
from tests.peers.network import COLLECTOR, Network, network
from tests.peers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from tests.peers.route import Route, Row
    from tests.peers.speaker import Link, Speaker

    Routers = Mapping[Link, tuple[type[Speaker], Sequence[Route]]]

OURS: Final = (sys.executable, "-m", "flowcorr.daemon.nfacctd")
THEIRS: Final = ("/usr/sbin/nfacctd",)
PORT: Final = 2_100
#: The plugin whose rows tell that all has been read.
ALL: Final = "rows"
#: What both say once they read flows; sessions are let in by then.
LISTENS: Final = "waiting for NetFlow/IPFIX data"

#: Sends lines of exporter and datagram from a file.
SEND: Final = f"""
import socket, sys
sockets = {{}}
for line in open(sys.argv[1]):
    exporter, octets = line.split()
    if exporter not in sockets:
        sockets[exporter] = socket.socket(type=socket.SOCK_DGRAM)
        sockets[exporter].bind((exporter, 0))
    sockets[exporter].sendto(bytes.fromhex(octets), ({COLLECTOR!r}, {PORT}))
"""

#: What a row counts; everything else is its key.
COUNTERS: Final = ("flows", "packets", "bytes")
#: What Debian's release does not print yet.
LATER: Final = frozenset({"mpls_vpn_rd_origin"})

Sums = Counter[tuple[str, str]]


class FlowDaemon(Collector):
    """An nfacctd of whoever's that prints what its plugins aggregate."""

    name = "nfacctd"

    def __init__(self, inside: Network, home: Path, command: Sequence[str], settings: Mapping[str, object]) -> None:
        self.command = command  # type: ignore[misc]  # of this daemon, not of all
        super().__init__(inside, home, settings)

    def defaults(self) -> dict[str, object]:
        return {
            "bgp_daemon": "true",
            "bgp_daemon_as": AS,
            "bgp_daemon_id": "10.255.0.1",
            "bgp_daemon_max_peers": 16,
            "bgp_daemon_msglog_file": self.message_log,
            "nfacctd_ip": COLLECTOR,
            "nfacctd_port": PORT,
            "print_output": "json",
            "print_output_file_append": "true",
            "print_refresh_time": 1,
        }

    def ready(self) -> None:
        """Wait until it listens for routers and exporters."""
        eventually(lambda: LISTENS in self.text or not self.running, PATIENCE, "the daemon to listen")
        assert self.running, f"the daemon left at once:\n{self.text}"

    def has(self, link: Link, routes: Sequence[Route]) -> bool:
        """Tell whether a router has announced all that it is to announce."""
        wanted = {_identity(route.row(), link) for route in routes}
        return wanted <= {_identity(row, link) for row in self.routes(link.local, "update")}

    def sums(self, plugin: str) -> Sums:
        """Return what a plugin has printed, summed by key."""
        found: Sums = Counter()
        for row in read_rows(self.home / f"{plugin}.json"):
            for counter in COUNTERS:
                found[key_of(row), counter] += row.get(counter, 0)
        return found


def _identity(row: Row, link: Link) -> tuple[object, ...]:
    return row["safi"], row["ip_prefix"], row.get("rd"), row["bgp_nexthop"] if link.add_path else None


def key_of(row: Row) -> str:
    """Return what rows are told apart by."""
    facts = {name: value for name, value in row.items() if name not in {*COUNTERS, *LATER}}
    return json.dumps(facts, sort_keys=True)


class Side:
    """One daemon, its routers and the exporters."""

    def __init__(
        self,
        stack: ExitStack,
        home: Path,
        command: Sequence[str],
        settings: Mapping[str, object],
        routers: Routers,
    ) -> None:
        home.mkdir()
        self.home, self._inside, self._routers = home, stack.enter_context(network()), routers
        self.plugins = str(settings["plugins"]).replace("print[", "").replace("]", "").split(", ")
        files = {f"print_output_file[{name}]": home / f"{name}.json" for name in self.plugins}
        self.daemon = FlowDaemon(self._inside, home, command, {**settings, **files})
        stack.callback(self.daemon.kill)
        self._speakers: list[Speaker] = []
        for link, (kind, routes) in routers.items():
            speaker = kind(self._inside, home, link)
            speaker.announce(*routes)
            stack.callback(speaker.kill)
            self._speakers.append(speaker)

    def play(self, flows: Sequence[Flow]) -> None:
        """Let the routers announce their routes, then the exporters send."""
        self.daemon.ready()
        for speaker in self._speakers:
            speaker.start()
        for link, (_, routes) in self._routers.items():
            eventually(
                lambda link=link, routes=routes: self.daemon.has(link, routes), PATIENCE, f"routes of {link.local}"
            )
        lines = self.home / "datagrams"
        lines.write_text("".join(f"{exporter} {octets.hex()}\n" for exporter, octets in datagrams(flows)))
        self._inside.run(sys.executable, "-c", SEND, str(lines))

    def wait_for(self, counts: Mapping[str, int]) -> dict[str, Sums]:
        """Wait until plugins have printed so many flows; return what all have printed."""
        for plugin, count in counts.items():
            eventually(
                lambda plugin=plugin, count=count: (
                    flows_of(self.daemon.sums(plugin)) >= count or not self.daemon.running
                ),
                PATIENCE,
                f"{count} flows of {plugin}",
            )
        return {name: self.daemon.sums(name) for name in self.plugins}


def flows_of(sums: Sums) -> int:
    """Return how many flows all rows are of."""
    return sum(count for (_, counter), count in sums.items() if counter == "flows")


def play_both(
    stack: ExitStack, home: Path, settings: Mapping[str, object], routers: Routers, flows: Sequence[Flow]
) -> tuple[Side, dict[str, Sums], dict[str, Sums]]:
    """Play the same with our daemon and with Debian's; return our side and what each printed.

    Debian's is not asked to end: it may write rows twice then, or crash.
    """
    ours = Side(stack, home / "ours", OURS, settings, routers)
    theirs = Side(stack, home / "theirs", THEIRS, settings, routers)
    ours.play(flows)
    theirs.play(flows)
    ours.wait_for({ALL: len(flows)})
    ours.daemon.end()
    printed = {name: ours.daemon.sums(name) for name in ours.plugins}
    return ours, printed, theirs.wait_for({name: flows_of(sums) for name, sums in printed.items()})


def differences(ours: Sums, theirs: Sums, identity: Sequence[str] = ("peer_ip_src", "ip_src", "ip_dst")) -> list[Any]:
    """Return the fields in which rows of one identity differ: that, ours, theirs."""

    def rows(sums: Sums) -> dict[tuple[object, ...], Row]:
        found = [{**json.loads(key), counter: count} for (key, counter), count in sums.items()]
        return {tuple(row.get(name) for name in identity): row for row in found}

    one, other = rows(ours - theirs), rows(theirs - ours)
    return [
        (
            key,
            {name: value for name, value in one.get(key, {}).items() if other.get(key, {}).get(name) != value},
            other.get(key),
        )
        for key in one.keys() | other.keys()
    ]
