"""The BMP station under test: a pmbmpd in a namespace with real routers, or on the loopback with hostile ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from tests.peers.collector import PATIENCE, Collector, at_work, read_rows
from tests.peers.network import Network
from tests.peers.route import Row
from tests.peers.siege import LOOPBACK, Host
from tests.peers.waiting import eventually

PORT: Final = 1790

#: Keys of a route's row that say of whose table it is, not what the route is.
VIEW: Final = frozenset({"bmp_rib_type", "is_filtered", "is_post", "is_in", "is_out", "is_loc", "bgp_id", "peer_asn"})
#: Keys of a row that say when and by whom.
CIRCUMSTANCES: Final = frozenset(
    {
        *("seq", "log_type", "event_type", "bmp_msg_type", "timestamp", "timestamp_arrival", "timestamp_event"),
        *("bmp_router", "bmp_router_port", "peer_ip", "peer_tcp_port"),
    }
)


class Station(Collector):
    """One pmbmpd that logs into one file and dumps into a file per router."""

    name: ClassVar[str] = "pmbmpd"
    command: ClassVar[Sequence[str]] = [sys.executable, "-m", "routed.daemon.pmbmpd"]
    port: int = PORT
    peer_key: ClassVar[str] = "bmp_router"

    def defaults(self) -> dict[str, object]:
        """Return the keys of a test that has no others."""
        return {
            "bmp_daemon_port": self.port,
            "bmp_daemon_max_peers": 16,
            "bmp_daemon_msglog_file": self.message_log,
            "bmp_dump_file": self.home / "dump-$peer_src_ip.json",
            "bmp_dump_refresh_time": 60,
        }

    def peers(self, bmp_msg_type: str) -> list[Row]:
        """Return the rows about peers of one kind: peer_up, peer_down, stats, route_mirror."""
        return self.rows(bmp_msg_type=bmp_msg_type)


class LoopbackStation(Station):
    """A station on a port of the machine; each router has a message log of its own."""

    def __init__(self, home: Path, port: int, **settings: object) -> None:
        self.port = port
        self.address = (LOOPBACK, port)
        keys = {"bmp_daemon_ip": LOOPBACK, "bmp_daemon_msglog_file": home / "messages-$peer_src_ip.json", **settings}
        super().__init__(Host(), home, keys)

    def log_path(self, router: str) -> Path:
        """Return where the message log of one router is."""
        return self.home / f"messages-{router.replace('.', '_')}.json"

    def log_of(self, router: str, **facts: object) -> list[Row]:
        """Return the rows of the message log of one router that hold all of `facts`."""
        return [row for row in read_rows(self.log_path(router)) if facts.items() <= row.items()]

    def wait_for_routes(self, router: str, log_type: str, count: int, within: float = PATIENCE) -> None:
        """Wait until the log of a router holds so many routes of one type, which may be very many."""
        path, sign = self.log_path(router), f'"log_type": "{log_type}"'.encode()
        what = f"{count} routes of {router} with {log_type}"
        eventually(lambda: path.exists() and path.read_bytes().count(sign) >= count, within, what)


@contextmanager
def station(network: Network, home: Path, **settings: object) -> Iterator[Station]:
    """Run a station in a namespace; at the end of a test that went well it must stop well, too."""
    with at_work(Station(network, home, settings)) as daemon:
        yield daemon


@contextmanager
def loopback_station(home: Path, port: int, **settings: object) -> Iterator[LoopbackStation]:
    """Run a station on the machine; at the end of a test that went well it must stop well, too."""
    with at_work(LoopbackStation(home, port, **settings)) as daemon:
        yield daemon


def what_it_is(row: Row) -> Row:
    """Return what a route's row says of the route."""
    return {key: value for key, value in row.items() if key not in CIRCUMSTANCES | VIEW}


def whose_it_is(row: Row) -> Row:
    """Return what a row says of the table that it is about."""
    return {key: value for key, value in row.items() if key in {*VIEW, "peer_ip"}}
