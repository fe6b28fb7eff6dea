import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from routed.model.event import NotificationReceived, PeerUp, RouteRefresh, SessionDown, UpdateRun
from routed.plumbing.log import Level, Log
from routed.plumbing.maps import Limits
from routed.plumbing.names import PEER_VARIABLES, parse_name
from routed.plumbing.sink import Watch
from routed.rib._rib import Rib
from routed.service import collector as module
from routed.service import sweeper
from routed.service.collector import Collector
from routed.service.message_log import Counter, MessageLog
from routed.service.peers import Peer
from routed.service.pump import SessionProtocol
from routed.service.settings import RenderSettings, SpeakerSettings, TimestampLayout
from routed.service.tag_map import TagMap, parse_tag_map
from routed.service.tagging import Tagging
from routed.session.bgp_passive import BgpPassive
from routed.wire.bgp.capability import GracefulRestart, LongLivedGracefulRestart, PreservedFamily, StaleFamily
from routed.wire.bgp.codepoints import RefreshSubtype
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import OpenMessage
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Family
from tests.oracles.build import MANDATORY, attribute, mp_reach, mp_unreach, prefix, update

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

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def drive(self, step: Callable[[float], Any]) -> None:
        step(0.0)


class Session:
    """Remembers how it was ended."""

    def __init__(self) -> None:
        self.resets: list[Notification] = []

    def reset(self, notification: Notification, _now: float) -> list[Any]:
        self.resets.append(notification)
        return []


class File:
    """A sink in memory."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.octets, self.rows, self.is_closed = watch, b"", 0, False

    def write(self, octets: bytes, rows: int) -> None:
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
        self.lines: list[str] = []

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str) -> None:
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
        log: bool = True,
        name: str = "log",
    ) -> None:
        self.clock, self.rib, self.lines = Turns(), Rib(1), Lines()
        self.files: dict[str, File] = {}
        self.tags = tags
        self.message_log = MessageLog(
            parse_name(name, PEER_VARIABLES), self.open_file, RENDER, Counter(), wall_clock=lambda: 0.5
        )
        self.collector = Collector(
            self.clock,
            self.rib,
            settings,
            log=cast("Log", self.lines),
            tagging=Tagging(None if tags is None else self.tag_map, label_as_map=False, label_filter=label_filter),
            message_log=self.message_log if log else None,
            compare_ports=compare_ports,
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
        peer.up = up(**facts)
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
) -> PeerUp:
    message = OpenMessage(my_as=65001, hold_time=180, bgp_identifier=bytes([192, 0, 2, 1]))
    return PeerUp(
        local_open=message,
        remote_open=message,
        context=DecodeContext(as4=True, add_path=add_path),
        hold_time=180,
        graceful_restart=graceful,
        long_lived=long_lived,
    )


def grace(
    *families: Family, preserved: bool = True, seconds: int = 120, notification: bool = False
) -> GracefulRestart:
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


def resets(peer: Peer) -> list[Notification]:
    return cast("Session", peer.session).resets


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep two routes a turn."""
    monkeypatch.setattr(module, "ROUTES", 2)
    monkeypatch.setattr(sweeper, "SLICE", 0)


# -- plain sessions ---------------------------------------------------------------------------------------------------


def test_a_session_is_logged_from_its_first_moment_to_the_last_delete() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), withdraw(1), END_OF_RIB)
    rig.collector.closed(peer, LOST)
    assert rig.routes == 0
    rig.settle()
    assert rig.rows() == [
        "1000 log_init",
        "1000 update 10.1.0.0/16",
        "1000 update 10.2.0.0/16",
        "1000 withdraw 10.1.0.0/16",
        "1000 end-of-rib",
        "1000 delete 10.2.0.0/16",
        "1000 log_close",
    ]
    records = rig.records()
    assert [record["seq"] for record in records] == list(range(7))
    assert {record["timestamp"] for record in records} == {"1970-01-01 00:00:00.500000"}
    assert rig.is_empty


def test_counters_say_what_updates_came_to() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2, 3), announce(1), withdraw(2, 9))
    [neighbor] = rig.collector.neighbors()
    counters = neighbor.counters
    assert (counters.updates, counters.announced, counters.unchanged) == (3, 3, 1)
    assert (counters.withdrawn, counters.unknown, counters.dropped) == (1, 1, 0)
    assert (neighbor.asn, neighbor.slot) == (65001, 1)
    assert neighbor.text.router_id == IPv4Address("192.0.2.1")


def test_a_connection_that_is_refused_as_a_duplicate_opens_and_closes() -> None:
    rig = Rig()
    peer = rig.connect(1000)
    rig.send(peer, announce(1))
    duplicate = rig.accept(2000)
    rig.collector.closed(duplicate, LOST)
    assert rig.rows() == ["1000 log_init", "1000 update 10.1.0.0/16", "2000 log_init", "2000 log_close"]
    rig.send(peer, announce(2))
    assert rig.routes == 2


def test_a_session_that_never_came_up_has_nothing_to_sweep() -> None:
    rig = Rig()
    peer = rig.accept()
    rig.collector.event(peer, NotificationReceived(6, 5, b"", None))
    rig.collector.closed(peer, LOST)
    assert rig.rows() == ["1000 log_init", "1000 log_close"]
    assert rig.is_empty


def test_routes_are_kept_without_a_message_log_too() -> None:
    rig = Rig(log=False)
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    assert rig.routes == 3
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1), END_OF_RIB)
    rig.settle()
    assert rig.routes == 1
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.files == {}
    assert rig.is_empty


def test_a_new_session_waits_for_the_sweep_of_the_old_tables() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    new = rig.accept(2000)
    rig.collector.closed(old, LOST)
    rig.clock.turn()
    rig.establish(new)
    assert paused(new)
    rig.clock.turn()
    assert paused(new)
    rig.settle()
    assert not paused(new)
    rig.send(new, announce(1))
    rows = rig.rows()
    assert rows[rows.index("2000 log_init") :] == [
        "2000 log_init",
        *(f"1000 delete 10.{n}.0.0/16" for n in range(1, 8)),
        "1000 log_close",
        "2000 update 10.1.0.0/16",
    ]
    assert rig.routes == 1


def test_a_session_may_come_and_go_while_the_old_one_is_swept() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    rig.collector.closed(old, LOST)
    new = rig.connect(2000)
    assert paused(new)
    rig.collector.closed(new, LOST)
    rig.settle()
    assert rig.rows()[-2:] == ["1000 log_close", "2000 log_close"] or rig.rows()[-2:] == [
        "2000 log_close",
        "1000 log_close",
    ]
    assert rig.is_empty


def test_routers_behind_one_address_are_told_apart_by_port_if_that_is_wanted() -> None:
    rig = Rig(compare_ports=True)
    one, other = rig.connect(1000), rig.connect(2000)
    rig.send(one, announce(1))
    rig.send(other, announce(1, 2))
    assert [len(neighbor.table or ()) for neighbor in rig.collector.neighbors()] == [1, 2]
    rig.collector.closed(one, LOST)
    rig.settle()
    assert rig.routes == 2


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_an_update_that_must_end_the_session_does() -> None:
    """RFC 4271 6.3: UPDATE Message Error."""
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1), update([*MANDATORY], bytes([33, 10, 0, 0, 0, 0])), announce(2))
    [reset] = resets(peer)
    assert (reset.code, reset.subcode) == (3, 10)
    assert rig.rows() == ["1000 log_init", "1000 update 10.1.0.0/16"]


def test_an_update_that_is_treated_as_withdraw_is_logged_as_one() -> None:
    """RFC 7606 2."""
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2))
    rig.send(peer, announce(1, extra=(attribute(8, b"\0\0\0"),)))
    assert rig.rows()[-1] == "1000 withdraw 10.1.0.0/16"
    assert rig.lines.lines == [
        f"[{ADDRESS}] attribute 8: length, treat-as-withdraw (RFC 7606); 1 refused so far",
    ]
    [neighbor] = rig.collector.neighbors()
    assert neighbor.refused == {(8, "treat-as-withdraw"): 1}
    assert not resets(peer)


def test_too_many_paths_of_a_prefix_are_dropped_and_said() -> None:
    rig = Rig()
    peer = rig.connect(add_path=frozenset({IPV4_UNICAST}))
    nets = [prefix(bytes([10, 0, 0, 0]), 8, path_id=n) for n in range(2049)]
    rig.send(peer, update(MANDATORY, b"".join(nets[:700])), update(MANDATORY, b"".join(nets[700:1400])))
    assert rig.lines.lines == []
    rig.send(peer, update(MANDATORY, b"".join(nets[1400:])))
    assert rig.lines.lines == [f"[{ADDRESS}] 1 routes dropped: too many paths of a prefix, or no memory"]
    assert rig.routes == 2048


@pytest.mark.parametrize(
    ("graceful", "expected"),
    [
        (None, Notification(6, 1)),
        (grace(IPV4_UNICAST), Notification(6, 1)),
        (grace(IPV4_UNICAST, notification=True), Notification(6, 9, b"\x06\x01")),
    ],
    ids=["no grace", "grace", "grace after notifications"],
)
def test_more_routes_than_allowed_end_the_session(graceful: GracefulRestart | None, expected: Notification) -> None:
    """RFC 4486 4; RFC 8538 4: a hard reset where a NOTIFICATION would not end the grace."""
    rig = Rig(replace(SPEAKER, max_routes=3))
    peer = rig.connect(graceful=graceful)
    rig.send(peer, announce(1, 2, 3))
    assert resets(peer) == []
    rig.send(peer, announce(4))
    assert resets(peer) == [expected]


# -- graceful restart (RFC 4724) ----------------------------------------------------------------------------------------


def test_a_peer_that_returns_in_time_loses_what_it_does_not_announce_again() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 10)))
    rig.new_rows()
    rig.collector.closed(peer, KEPT)
    assert rig.new_rows() == ["1000 log_close"]
    assert rig.routes == 9
    rig.clock.advance(119)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    assert not paused(peer)
    rig.send(peer, announce(2, 5))
    rig.clock.advance(100)
    assert rig.routes == 9
    rig.new_rows()
    rig.send(peer, END_OF_RIB)
    assert paused(peer)
    rig.settle()
    assert not paused(peer)
    assert rig.new_rows() == ["2000 end-of-rib", *(f"2000 delete 10.{n}.0.0/16" for n in (1, 3, 4, 6, 7, 8, 9))]
    assert rig.routes == 2
    rig.clock.advance(4000)
    assert (rig.routes, rig.new_rows()) == (2, [])


def test_a_peer_that_does_not_return_loses_its_routes() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(119.9)
    assert rig.routes == 3
    rig.new_rows()
    rig.clock.advance(0.2)
    rig.settle()
    assert rig.new_rows() == [f"1000 delete 10.{n}.0.0/16" for n in (1, 2, 3)]
    assert rig.is_empty


def test_a_peer_that_comes_back_without_grace_starts_afresh() -> None:
    """RFC 4724 4.2: the capability is not there, so all stale routes go at once."""
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000)
    assert paused(peer)
    rig.settle()
    assert rig.rows()[-3:] == [f"2000 delete 10.{n}.0.0/16" for n in (1, 2, 3)] or rig.rows()[-3:] == [
        f"1000 delete 10.{n}.0.0/16" for n in (1, 2, 3)
    ]
    rig.send(peer, announce(7))
    assert rig.routes == 1


def test_families_without_preserved_forwarding_go_when_the_peer_is_back() -> None:
    rig = Rig()
    both = GracefulRestart(
        restart_time=120, families=(PreservedFamily(IPV4_UNICAST, True), PreservedFamily(IPV6_UNICAST, False))
    )
    peer = rig.connect(graceful=both)
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    assert rig.routes == 2
    rig.connect(2000, graceful=both)
    rig.settle()
    assert [row for row in rig.rows() if "delete" in row] == ["2000 delete 2001:db8:1::/48"]
    assert rig.routes == 1


def test_families_that_are_not_in_the_capability_go_when_the_session_is_lost() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert [row for row in rig.rows() if "delete" in row] == ["1000 delete 2001:db8:1::/48"]
    assert rig.routes == 1


def test_a_peer_that_never_says_that_it_is_done_is_not_waited_for_for_ever() -> None:
    rig = Rig(replace(SPEAKER, stale_time=300))
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(100)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.clock.advance(299)
    assert rig.routes == 2
    rig.clock.advance(2)
    rig.settle()
    assert rig.routes == 1
    assert rig.rows()[-1] == "2000 delete 10.2.0.0/16"


def test_grace_is_no_longer_than_the_operator_allows() -> None:
    rig = Rig(replace(SPEAKER, stale_time=30))
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(31)
    rig.settle()
    assert rig.is_empty


def test_no_stale_time_is_no_grace() -> None:
    rig = Rig(replace(SPEAKER, stale_time=0))
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert rig.rows()[-2:] == ["1000 delete 10.1.0.0/16", "1000 log_close"]
    assert rig.is_empty


def test_stale_routes_have_no_second_life() -> None:
    """RFC 4724 4.2: what was stale when the session is lost again goes."""
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    gone = [row for row in rig.rows() if "delete" in row]
    assert {"2000 delete 10.2.0.0/16", "2000 delete 10.3.0.0/16"} <= set(gone)
    rig.clock.advance(500)
    rig.settle()
    assert rig.is_empty


def test_a_second_loss_after_the_end_of_rib_keeps_routes_again() -> None:
    rig = Rig()
    for port in (1000, 2000, 3000):
        peer = rig.connect(port, graceful=grace(IPV4_UNICAST))
        rig.send(peer, announce(1, 2), END_OF_RIB)
        rig.settle()
        rig.collector.closed(peer, KEPT)
        rig.settle()
        assert rig.routes == 2
    assert not [row for row in rig.rows() if "delete" in row]


def test_a_session_lost_during_the_sweep_of_stale_routes_leaves_nothing_behind() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 20)))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 15)), END_OF_RIB)
    rig.clock.turn()
    rig.clock.turn()
    rig.collector.closed(peer, LOST)
    rig.settle()
    gone = [row.split()[-1] for row in rig.rows() if "delete" in row]
    assert sorted(gone) == sorted(f"10.{n}.0.0/16" for n in range(1, 20))
    assert rig.rows()[-1] == "2000 log_close"
    assert rig.is_empty


def test_a_session_lost_when_the_last_stale_route_is_gone_keeps_the_others() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 20)))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(3, 20)), END_OF_RIB)
    rig.clock.turn()  # the two stale ones are gone, the sweep is not through
    assert rig.routes == 17
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert rig.routes == 17


# -- long-lived graceful restart (RFC 9494) -----------------------------------------------------------------------------


def test_long_lived_routes_outlive_the_restart_time_but_not_those_that_must_not() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST), long_lived=long_life(ipv4=1000))
    rig.send(peer, announce(1, 2), announce(3, 4, extra=(NO_LLGR,)))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(121)
    rig.settle()
    assert [row for row in rig.rows() if "delete" in row] == ["1000 delete 10.3.0.0/16", "1000 delete 10.4.0.0/16"]
    rig.clock.advance(990)
    rig.settle()
    assert rig.routes == 2
    rig.clock.advance(20)
    rig.settle()
    assert rig.is_empty


def test_each_family_lives_as_long_as_it_says() -> None:
    rig = Rig()
    families = grace(IPV4_UNICAST, IPV6_UNICAST)
    peer = rig.connect(graceful=families, long_lived=long_life(ipv4=500, ipv6=200))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(120)
    rig.clock.advance(199)
    rig.settle()
    assert rig.routes == 2
    rig.clock.advance(2)
    rig.settle()
    assert [row for row in rig.rows() if "delete" in row] == ["1000 delete 2001:db8:1::/48"]
    rig.clock.advance(298)
    rig.settle()
    assert rig.routes == 1
    rig.clock.advance(2)
    rig.settle()
    assert rig.is_empty


@pytest.mark.parametrize(("stale_time", "long"), [(150, 100_000), (3600, 150)], ids=["operator's", "peer's"])
def test_the_shorter_of_two_patiences_counts(stale_time: int, long: int) -> None:
    rig = Rig(replace(SPEAKER, stale_time=stale_time))
    peer = rig.connect(graceful=grace(IPV4_UNICAST, seconds=0), long_lived=long_life(ipv4=long))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(0)
    rig.clock.advance(149)
    rig.settle()
    assert rig.routes == 1
    rig.clock.advance(2)
    rig.settle()
    assert rig.is_empty


def test_a_family_with_no_long_life_goes_with_the_restart_time() -> None:
    rig = Rig()
    families = grace(IPV4_UNICAST, IPV6_UNICAST)
    peer = rig.connect(graceful=families, long_lived=long_life(ipv4=0, ipv6=1000))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(121)
    rig.settle()
    assert [row for row in rig.rows() if "delete" in row] == ["1000 delete 10.1.0.0/16"]
    assert rig.routes == 1


def test_a_peer_that_returns_to_a_long_life_goes_on_as_after_a_short_one() -> None:
    rig = Rig()
    facts: dict[str, Any] = {"graceful": grace(IPV4_UNICAST), "long_lived": long_life(ipv4=1000)}
    peer = rig.connect(1000, **facts)
    rig.send(peer, announce(1, 2, 3, 4, 5, 6), announce(7, extra=(NO_LLGR,)))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(120)
    peer = rig.connect(2000, **facts)
    rig.settle()
    assert rig.routes == 6
    rig.send(peer, announce(1), END_OF_RIB)
    rig.settle()
    assert rig.routes == 1
    rig.clock.advance(5000)
    assert rig.routes == 1


# -- route refresh (RFC 7313) -------------------------------------------------------------------------------------------


def test_what_is_not_announced_between_the_marks_of_a_refresh_is_gone() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2, 3))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))
    rig.send(peer, announce(2), announce(4))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))  # the second changes nothing
    rig.new_rows()
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.END))
    rig.settle()
    assert rig.new_rows() == ["1000 delete 10.1.0.0/16", "1000 delete 10.3.0.0/16"]
    assert rig.routes == 2


def test_marks_that_mean_nothing_change_nothing() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))
    rig.send(peer, announce(1))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.END))
    rig.collector.event(peer, RouteRefresh(Family(25, 70), RefreshSubtype.BEGIN))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype(0)))
    rig.settle()
    assert rig.routes == 1
    assert not paused(peer)


# -- back-pressure ------------------------------------------------------------------------------------------------------


def test_a_slow_file_and_a_sweep_both_have_to_be_over_before_a_peer_is_read() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    rig.collector.closed(old, LOST)
    new = rig.connect(2000)
    watch = rig.files["log"].watch
    watch.on_full()
    watch.on_drained()
    assert paused(new)
    watch.on_full()
    rig.settle()
    assert paused(new)
    watch.on_drained()
    assert not paused(new)
    assert new.counters.pauses == 3


def test_a_file_of_a_peer_stays_open_until_its_last_row() -> None:
    rig = Rig(name="log-$peer_tcp_port")
    facts: dict[str, Any] = {"graceful": grace(IPV4_UNICAST)}
    peer = rig.connect(1000, **facts)
    rig.send(peer, announce(*range(1, 8)), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert not rig.files["log-1000"].is_closed
    peer = rig.connect(2000, **facts)
    assert rig.files["log-1000"].is_closed
    rig.send(peer, END_OF_RIB)
    rig.clock.turn()
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.files["log-2000"].is_closed
    assert rig.rows("log-2000")[-1] == "2000 log_close"
    assert rig.is_empty


def test_a_peer_without_lasting_routes_closes_its_file_behind_the_deletes() -> None:
    rig = Rig(name="log-$peer_tcp_port")
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST, seconds=0))
    rig.send(peer, *(announce_ipv6(n) for n in range(1, 9)))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    rows = rig.rows("log-1000")
    assert len([row for row in rows if "delete" in row]) == 8
    assert rig.files["log-1000"].is_closed
    assert rig.is_empty


# -- tags ---------------------------------------------------------------------------------------------------------------


def test_records_carry_the_tags_of_the_map_and_new_ones_after_a_reload() -> None:
    rig = Rig(tags=f"set_tag=7 ip={ADDRESS}/32")
    waiting, peer = rig.accept(3000), rig.connect()
    rig.send(peer, announce(1))
    rig.tags = f"set_label=west ip={ADDRESS}/32"
    rig.collector.retag()
    rig.send(peer, announce(2))
    rig.collector.closed(waiting, LOST)
    said = [(r.get("tag"), r.get("label")) for r in rig.records()]
    assert said == [(7, None), (7, None), (7, None), (None, "west"), (None, "west")]


def test_the_label_filter_keeps_route_rows_back_and_nothing_else() -> None:
    rig = Rig(tags=f"set_label=east ip={ADDRESS}/32", label_filter=("west",))
    peer = rig.connect()
    rig.send(peer, announce(1), END_OF_RIB)
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.rows() == ["1000 log_init", "1000 log_close"]
    assert [record["seq"] for record in rig.records()] == [0, 1]


def test_routes_are_tagged_one_by_one_where_the_map_looks_at_communities() -> None:
    rig = Rig(tags="set_label=red comms=65001:1\nset_label=blue comms=65001:2", label_filter=("red",))
    peer = rig.connect()

    def community(value: int) -> tuple[bytes, ...]:
        return (attribute(8, (65001 << 16 | value).to_bytes(4, "big")),)

    rig.send(peer, announce(1, extra=community(1)), announce(2, extra=community(2)), announce(3))
    assert rig.rows()[1:] == ["1000 update 10.1.0.0/16"]
    assert rig.routes == 3


# -- the end ------------------------------------------------------------------------------------------------------------


def test_the_end_of_the_daemon_closes_streams_and_sweeps_nothing() -> None:
    rig = Rig()
    kept = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(kept, announce(*range(1, 8)))
    rig.collector.closed(kept, KEPT)
    swept = rig.connect(3000, "192.0.2.3")
    rig.send(swept, announce(*range(1, 8)))
    peer = rig.connect(2000, "192.0.2.2")
    rig.send(peer, announce(1))
    rig.collector.closed(swept, LOST)
    rig.clock.turn()
    rig.new_rows()
    ended: list[None] = []
    rig.collector.stop().addCallback(ended.append)
    assert not ended
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert ended == [None]
    assert rig.new_rows() == ["2000 log_close", "3000 log_close"]
    rig.clock.advance(10_000)
    assert (rig.new_rows(), rig.clock.calls) == ([], [])


def test_an_end_without_sweeps_is_immediate() -> None:
    rig = Rig()
    ended: list[None] = []
    rig.collector.stop().addCallback(ended.append)
    assert ended == [None]


def test_memory_is_given_back_behind_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUTES", 4000)
    rig = Rig()
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(120)))
    staying, leaving = rig.connect(1000), rig.connect(2000, "192.0.2.2")

    def run(first: int, step: int) -> list[bytes]:
        return [
            update([*MANDATORY, communities, attribute(4, n.to_bytes(4, "big"))], prefix(n.to_bytes(4, "big"), 32))
            for n in range(first, 9600, step)
        ]

    rig.send(staying, *run(0, 16))
    rig.send(leaving, *(one for n in range(1, 16) for one in run(n, 16)))
    full = rig.rib.paths.memory
    rig.collector.closed(leaving, LOST)
    rig.settle()
    assert rig.rib.paths.memory < full / 4
    assert rig.routes == 600


def test_withdrawals_of_other_families_reach_their_tables() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce_ipv6(), announce_ipv6(2))
    gone = prefix(bytes([0x20, 1, 0xD, 0xB8, 0, 1]) + bytes(10), 48)
    rig.send(peer, update([mp_unreach(IPV6_UNICAST, gone)]), update([mp_unreach(IPV6_UNICAST, b"")]))
    assert rig.rows()[-2:] == ["1000 withdraw 2001:db8:1::/48", "1000 end-of-rib"]
    assert rig.routes == 1
