"""A collector with peers, files and a clock that do what a test says."""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.model.event import PeerUp, SessionDown, UpdateRun
from routed.plumbing.log import Level, Log
from routed.plumbing.maps import Limits
from routed.plumbing.names import PEER_VARIABLES, parse_name
from routed.plumbing.sink import TEXT, Framing, Watch
from routed.rib._rib import Rib
from routed.service import sweeper, walks
from routed.service.collector import Collector
from routed.service.message_log import MessageLog
from routed.service.outlet import FileOutlet
from routed.service.peers import Peer
from routed.service.pump import SessionProtocol
from routed.service.records import Counter
from routed.service.settings import RenderSettings, SpeakerSettings, TimestampLayout
from routed.service.tag_map import TagMap, parse_tag_map
from routed.service.tagging import Tagging
from routed.session.bgp_passive import BgpPassive, State
from routed.wire.bgp.capability import (
    Capability,
    GracefulRestart,
    LongLivedGracefulRestart,
    PreservedFamily,
    StaleFamily,
)
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import Capabilities, OpenMessage
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Family
from tests.oracles.build import MANDATORY, attribute, mp_reach, prefix, update

ADDRESS = "192.0.2.1"
SPEAKER = SpeakerSettings(
    asn=0,
    router_id=IPv4Address("192.0.2.254"),
    hold_time=180,
    role=None,
    hostname=None,
    add_path=True,
    check_router_id=True,
    graceful_restart=True,
    stale_time=3600,
    max_routes=0,
)
RENDER = RenderSettings(
    as_path_as_array=False,
    communities_as_array=False,
    communities_numeric=False,
    origin_as_integer=False,
    label_as_map=False,
    peer_id=False,
    extra_attributes=False,
    timestamps=TimestampLayout.PLAIN,
    utc=True,
)
NO_LLGR = attribute(8, (0xFFFF0007).to_bytes(4, "big"))
LOST = SessionDown(reason="lost")
KEPT = SessionDown(reason="lost", graceful=True)
END_OF_RIB = update()


class Turns(Clock):
    """A clock whose reactor can be turned once: what is due now runs, what that schedules does not."""

    def turn(self) -> bool:
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        return bool(due)


class Pump:
    """Remembers whether its peer is read."""

    paused = False

    def __init__(self) -> None:
        self.bugs: list[type] = []

    def fail(self, bug: Failure) -> None:
        self.bugs.append(bug.type)

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def end(self, step: Callable[[float], Any]) -> None:
        step(0.0)


class Session:
    """Remembers how it was ended."""

    def __init__(self) -> None:
        self.resets: list[Notification] = []
        self.state = State.OPEN_WAIT
        self.received = dict.fromkeys(MessageType, 0)
        self.sent = dict.fromkeys(MessageType, 0)

    def reset(self, notification: Notification, _now: float) -> list[Any]:
        self.resets.append(notification)
        return []


class File:
    """A sink in memory."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.octets, self.rows, self.is_closed = watch, b"", 0, False

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        assert framing == TEXT
        assert not self.is_closed
        assert octets.count(b"\n") == rows
        self.octets += octets
        self.rows += rows

    def reopen(self) -> None:
        raise NotImplementedError

    def close(self) -> Deferred[None]:
        self.is_closed = True
        return succeed(None)


class Lines:
    """Takes the lines of a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []  # warnings
        self.facts: list[str] = []

    def info(self, text: str) -> None:
        self.facts.append(text)

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str, **_: object) -> None:
        assert level is Level.WARN
        self.lines.append(text)


class Rig:
    def __init__(
        self,
        settings: SpeakerSettings = SPEAKER,
        *,
        tags: str | None = None,
        label_filter: tuple[str, ...] | None = None,
        compare_ports: bool = False,
        max_retained: int = 100,
        log: bool = True,
        name: str = "log",
    ) -> None:
        self.clock, self.rib, self.lines = Turns(), Rib(1), Lines()
        self.files: dict[str, File] = {}
        self.tags = tags
        self.message_log = MessageLog(
            [FileOutlet(parse_name(name, PEER_VARIABLES), self.open_file)], RENDER, Counter(), wall_clock=lambda: 0.5
        )
        self.collector = Collector(
            self.clock,
            self.rib,
            settings,
            log=cast("Log", self.lines),
            tagging=Tagging(None if tags is None else self.tag_map, label_as_map=False, label_filter=label_filter),
            message_log=self.message_log if log else None,
            compare_ports=compare_ports,
            max_retained=max_retained,
        )
        self.slot = 0

    def tag_map(self) -> TagMap:
        assert self.tags is not None
        return parse_tag_map(self.tags, "tags", Limits()).content

    def open_file(self, name: str, watch: Watch) -> File:
        self.files[name] = File(watch)
        return self.files[name]

    def accept(self, port: int = 1000, address: str = ADDRESS) -> Peer:
        self.slot += 1
        peer = Peer(
            slot=self.slot,
            address=ip_address(address),
            port=port,
            connected_at=0.0,
            session=cast("BgpPassive", Session()),
            pump=cast("SessionProtocol", Pump()),
        )
        self.collector.accepted(peer)
        return peer

    def establish(self, peer: Peer, **facts: Any) -> Peer:
        peer.up, peer.up_at = up(**facts), self.clock.seconds()
        peer.session.state = State.ESTABLISHED
        peer.router_id = IPv4Address(peer.up.remote_open.bgp_identifier)
        self.collector.event(peer, peer.up)
        return peer

    def connect(self, port: int = 1000, address: str = ADDRESS, **facts: Any) -> Peer:
        return self.establish(self.accept(port, address), **facts)

    def send(self, peer: Peer, *updates: bytes) -> None:
        assert not paused(peer)
        self.collector.event(peer, UpdateRun(b"".join(updates), len(updates)))

    def settle(self) -> None:
        while self.clock.turn():
            pass

    def rows(self, name: str = "log") -> list[str]:
        """What was logged, as `port event prefix`."""
        return [
            " ".join(
                str(row[key])
                for key in ("peer_tcp_port", "log_type" if "log_type" in row else "event_type", "ip_prefix")
                if key in row
            )
            for row in self.records(name)
        ]

    def records(self, name: str = "log") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[name].octets.splitlines()]

    def new_rows(self) -> list[str]:
        """What was logged since the last time."""
        rows = self.rows()
        self.files["log"].octets = b""
        return rows

    def deletes(self) -> list[str]:
        """Of what was logged, the routes that went without being withdrawn."""
        return [row for row in self.rows() if " delete " in row]

    def wait(self, seconds: float) -> None:
        """Let time pass, and what falls due then be done to its end."""
        self.clock.advance(seconds)
        self.settle()

    @property
    def routes(self) -> int:
        return sum(len(neighbor.table or ()) for neighbor in self.collector.neighbors())

    @property
    def is_empty(self) -> bool:
        return not self.collector.neighbors() and sum(map(len, self.rib.prefixes)) == len(self.rib.paths) == 0


def up(
    *,
    graceful: GracefulRestart | None = None,
    long_lived: LongLivedGracefulRestart | None = None,
    add_path: frozenset[Family] = frozenset(),
    capabilities: tuple[Capability, ...] = (),
    answered: tuple[Capability, ...] = (),
) -> PeerUp:
    message = OpenMessage(
        my_as=65001,
        hold_time=180,
        bgp_identifier=bytes([192, 0, 2, 1]),
        parameters=(Capabilities(capabilities),) if capabilities else (),
    )
    return PeerUp(
        local_open=replace(message, parameters=(Capabilities(answered),) if answered else ()),
        remote_open=message,
        context=DecodeContext(as4=True, add_path=add_path),
        hold_time=180,
        graceful_restart=graceful,
        long_lived=long_lived,
    )


def grace(*families: Family, preserved: bool = True, seconds: int = 120, notification: bool = False) -> GracefulRestart:
    return GracefulRestart(
        notification=notification,
        restart_time=seconds,
        families=tuple(PreservedFamily(family, preserved) for family in families),
    )


def long_life(**seconds: int) -> LongLivedGracefulRestart:
    families = {"ipv4": IPV4_UNICAST, "ipv6": IPV6_UNICAST}
    return LongLivedGracefulRestart(tuple(StaleFamily(families[name], True, s) for name, s in seconds.items()))


def net(number: int) -> bytes:
    return prefix(bytes([10, number, 0, 0]), 16)


def announce(*numbers: int, extra: tuple[bytes, ...] = ()) -> bytes:
    return update([*MANDATORY, *extra], b"".join(map(net, numbers)))


def withdraw(*numbers: int) -> bytes:
    return update(withdrawn=b"".join(map(net, numbers)))


def announce_ipv6(number: int = 1) -> bytes:
    nlri = prefix(bytes([0x20, 1, 0xD, 0xB8, 0, number]) + bytes(10), 48)
    return update([*MANDATORY[:2], mp_reach(IPV6_UNICAST, b"\x20" + bytes(15), nlri)])


def paused(peer: Peer) -> bool:
    return cast("Pump", peer.pump).paused


def bugs_of(peer: Peer) -> list[type]:
    return cast("Pump", peer.pump).bugs


def resets(peer: Peer) -> list[Notification]:
    return cast("Session", peer.session).resets


def two_routes_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps take two routes in a turn of the reactor."""
    monkeypatch.setattr(walks, "ROUTES", 2)
    monkeypatch.setattr(sweeper, "SLICE", 0)
