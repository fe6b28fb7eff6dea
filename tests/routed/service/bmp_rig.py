"""A BMP listener and its collector with routers, files and clocks that do what a test says: octets in, records out."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from routed.plumbing.log import Log
from routed.plumbing.maps import Limits
from routed.plumbing.names import PEER_VARIABLES, parse_name
from routed.plumbing.sink import Watch
from routed.rib._rib import Rib
from routed.service import bmp_collector as module
from routed.service import sweeper
from routed.service.bmp_collector import BmpCollector
from routed.service.bmp_listener import BmpListener
from routed.service.bmp_records import mark_keys
from routed.service.bmp_session import Session
from routed.service.listener import Policy
from routed.service.message_log import MessageLog
from routed.service.monitored import MonitoredRouter
from routed.service.outlet import FileOutlet
from routed.service.records import Counter
from routed.service.reports import Reporter
from routed.service.routers import Router
from routed.service.settings import ListenerSettings, StationSettings
from routed.service.tag_map import TagMap, parse_tag_map
from routed.service.tagging import Tagging
from tests.oracles.bmp_build import (
    INITIATION,
    PEER_DOWN,
    PEER_UP,
    ROUTE_MONITORING,
    STATISTICS,
    TERMINATION,
    ends,
    frame,
    open_message,
    peer,
    statistic,
    tlv,
)
from tests.oracles.build import MANDATORY, attribute, prefix, update
from tests.routed.service.collector_rig import RENDER, File, Turns
from tests.routed.service.doubles import Lines, Port, listener_settings

ADDRESS = "192.0.2.101"
STATION = StationSettings(set_pd=False, backlog=1 << 26, keeps_events=False, excludes_statistics=False)
AS4 = b"\x41\x04" + (65001).to_bytes(4, "big")
#: ADD-PATH for IPv4 unicast, in both directions (RFC 7911 4).
ADD_PATH = b"\x45\x04\0\1\1\3"
P1, P2 = peer(), peer(address="192.0.2.2")
RED, BLUE = peer(1, rd=b"\0\0\0\1\0\0\0\1"), peer(1, rd=b"\0\0\0\1\0\0\0\2")
END_OF_RIB = update()
INIT = frame(INITIATION, tlv(2, b"r1"))
TERM = frame(TERMINATION, tlv(1, b"\0\0"))
#: When the messages of a test arrive: the wall clock stands still. Units: seconds since 1970.
NOW = 0.5


class Wire(StringTransport):
    """The transport of a router; what it sends while it is not read waits."""

    def __init__(self, rig: "Rig", protocol: Any) -> None:
        super().__init__()
        self.rig, self.protocol = rig, protocol
        self.is_read, self.is_gone, self.is_finished, self.end = True, False, False, ""
        self.unread = b""
        protocol.makeConnection(self)

    def send(self, *messages: bytes) -> None:
        self.unread += b"".join(messages)
        self._pass_on()

    def finish(self) -> None:
        """Close in good order: behind what waits to be read."""
        self.is_finished = True
        self._pass_on()

    def lose(self, reason: Exception | None = None) -> None:
        if not self.is_gone:
            self.is_gone = True
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def _pass_on(self) -> None:
        if self.is_read and self.unread and not self.end:
            octets, self.unread = self.unread, b""
            self.protocol.dataReceived(octets)
        if self.is_read and not self.unread and self.is_finished:
            self.lose()

    def _end(self, how: str, reason: Exception) -> None:
        if not self.end:
            self.end = how
            self.rig.clock.callLater(0, self.lose, reason)

    def pauseProducing(self) -> None:  # noqa: N802
        self.is_read = False

    def resumeProducing(self) -> None:  # noqa: N802
        self.is_read = True
        self.rig.clock.callLater(0, self._pass_on)

    def loseConnection(self) -> None:  # noqa: N802
        self._end("closed", ConnectionDone())

    def abortConnection(self) -> None:  # noqa: N802
        self._end("reset", ConnectionAborted())

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        assert enabled


class Rig:
    def __init__(
        self,
        settings: StationSettings = STATION,
        *,
        tags: str | None = None,
        label_filter: tuple[str, ...] | None = None,
        log: bool = True,
        name: str = "log",
        skips_unchanged: bool = False,
        allows: Callable[[Any], bool] = lambda _address: True,
        listener: ListenerSettings | None = None,
        identity: Any = None,
    ) -> None:
        self.clock, self.rib, self.lines, self.port = Turns(), Rib(1), Lines(), Port()
        self.files: dict[str, File] = {}
        self.tags = tags
        self.now = NOW
        self.message_log = MessageLog(
            [FileOutlet(parse_name(name, PEER_VARIABLES), self.open_file)],
            RENDER,
            Counter(),
            wall_clock=lambda: self.now,
            marker=mark_keys,
            skips_unchanged=skips_unchanged,
        )
        reporter = Reporter(cast("Log", self.lines), "BMP")
        self.collector = BmpCollector(
            self.clock,
            self.rib,
            settings,
            log=cast("Log", self.lines),
            reporter=reporter,
            tagging=Tagging(None if tags is None else self.tag_map, label_as_map=False, label_filter=label_filter),
            message_log=self.message_log if log else None,
            wall_clock=lambda: self.now,
        )
        self.listener = BmpListener(
            self.clock,
            self.listen,
            Policy(listener or listener_settings(), allows),
            reporter=reporter,
            subscriber=self.collector,
            identity=identity,
        )
        self.listener.startService()

    def listen(self, factory: Any) -> Any:
        self.factory = factory
        return self.port

    def tag_map(self) -> TagMap:
        assert self.tags is not None
        return parse_tag_map(self.tags, "tags", Limits()).content

    def open_file(self, name: str, watch: Watch) -> File:
        self.files[name] = File(watch)
        return self.files[name]

    def accept(self, port: int = 1000, address: str = ADDRESS) -> Wire | None:
        """A connection; None when it is closed at once."""
        kind = IPv6Address if ":" in address else IPv4Address
        protocol = self.factory.buildProtocol(kind("TCP", address, port))
        return None if protocol is None else Wire(self, protocol)

    def connect(self, *messages: bytes, port: int = 1000, address: str = ADDRESS) -> Wire:
        """A router that sends something at once."""
        wire = self.accept(port, address)
        assert wire is not None
        if messages:
            wire.send(*messages)
        return wire

    def up(self, *messages: bytes, port: int = 1000, address: str = ADDRESS) -> Wire:
        """A router with one peer."""
        return self.connect(INIT, peer_up(), *messages, port=port, address=address)

    def settle(self) -> None:
        while self.clock.turn():
            pass

    def fill(self, name: str = "log") -> None:
        """Let a file be slow."""
        self.files[name].watch.on_full()

    def drain(self, name: str = "log") -> None:
        """Let it take rows again."""
        self.files[name].watch.on_drained()
        self.settle()

    def records(self, name: str = "log") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[name].octets.splitlines()]

    def rows(self, name: str = "log") -> list[str]:
        """What was logged, in short."""
        return [short(record) for record in self.records(name)]

    def new_rows(self) -> list[str]:
        """What was logged since the last time."""
        rows = self.rows()
        self.files["log"].octets = b""
        return rows

    @property
    def sessions(self) -> list[Session]:
        return list(self.collector._sessions.values())

    @property
    def monitored(self) -> MonitoredRouter:
        [session] = self.sessions
        return session.monitored

    @property
    def router(self) -> Router:
        [session] = self.sessions
        return session.router

    @property
    def routes(self) -> int:
        return sum(len(rib) for router in self.collector.neighbors() for rib in router.ribs())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of anybody."""
        collector = self.collector
        busy = collector._sessions or collector._leaving or collector._works
        return not busy and sum(map(len, self.rib.prefixes)) == len(self.rib.paths) == 0


def short(record: dict[str, Any]) -> str:
    """Port, what happened, and to what."""
    what = record.get("log_type") or record.get("bmp_msg_type") or record["event_type"]
    path_id = f" path {record['as_path_id']}" if "as_path_id" in record else ""
    about = record.get("ip_prefix") or (record.get("peer_ip") if what.startswith("peer_") else None)
    return f"{record['bmp_router_port']} {what}" + (f" {about}{path_id}" if about else "")


def peer_up(header: bytes = P1, *, router: bytes = AS4, remote: bytes = AS4, tlvs: bytes = b"") -> bytes:
    """A Peer Up with the capabilities of both OPENs."""
    return frame(
        PEER_UP,
        header + ends() + open_message(65000, "10.0.0.9", router) + open_message(65001, "10.0.0.1", remote) + tlvs,
    )


def peer_down(header: bytes = P1) -> bytes:
    return frame(PEER_DOWN, header + b"\4")


def stats(header: bytes = P1, *values: int) -> bytes:
    return frame(
        STATISTICS,
        header
        + len(values).to_bytes(4, "big")
        + b"".join(statistic(kind, value.to_bytes(4, "big")) for kind, value in enumerate(values)),
    )


def monitoring(header: bytes, *updates: bytes) -> bytes:
    """A message each."""
    return b"".join(frame(ROUTE_MONITORING, header + one) for one in updates)


def net(number: int, path_id: int | None = None) -> bytes:
    return prefix(bytes([10, number >> 8, number & 255, 0]), 24, path_id=path_id)


def route(number: int) -> str:
    return f"10.{number >> 8}.{number & 255}.0/24"


def announce(*numbers: int, header: bytes = P1, extra: tuple[bytes, ...] = (), path_id: int | None = None) -> bytes:
    return monitoring(header, update([*MANDATORY, *extra], b"".join(net(number, path_id) for number in numbers)))


def withdraw(*numbers: int, header: bytes = P1, path_id: int | None = None) -> bytes:
    return monitoring(header, update(withdrawn=b"".join(net(number, path_id) for number in numbers)))


def community(value: int) -> bytes:
    """65001:value."""
    return attribute(8, (65001 << 16 | value).to_bytes(4, "big"))


def two_routes_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps take two routes in a turn of the reactor, and walks one step."""
    monkeypatch.setattr(module, "ROUTES", 2)
    monkeypatch.setattr(sweeper, "SLICE", 0)


def deletes(*numbers: int, port: int = 1000) -> list[str]:
    return [f"{port} delete {route(number)}" for number in numbers]


def updates(*numbers: int, port: int = 1000) -> list[str]:
    return [f"{port} update {route(number)}" for number in numbers]


def long_run(count: int = 3000, header: bytes = P1) -> bytes:
    """More routes than a step takes, and large attributes."""
    many = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(500)))
    nets = [prefix(n.to_bytes(4, "big"), 32) for n in range(count)]
    return monitoring(
        header, *[update([*MANDATORY, many], b"".join(nets[at : at + 300])) for at in range(0, count, 300)]
    )


def stateless(octets: bytes, header: bytes = P1, capabilities: bytes = AS4 + ADD_PATH) -> bytes:
    """A message of version 4 that says how its UPDATE is to be read."""
    return frame(0, header + tlv(1, capabilities, index=0) + tlv(4, octets, index=0), 4)


def end(rig: Rig) -> list[None]:
    """Stop as a plane does."""
    ended: list[None] = []
    swept = rig.collector.stop()
    rig.listener.stopService()
    swept.addCallback(ended.append)
    return ended
