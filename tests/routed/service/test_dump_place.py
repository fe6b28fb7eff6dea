from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock

from routed.plumbing.carrier import Reports
from routed.plumbing.metrics import SinkCounters
from routed.plumbing.names import DATED_VARIABLES, PEER_VARIABLES, parse_name
from routed.plumbing.parcel import Parcel
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import TEXT, Framing, SinkError
from routed.plumbing.sink_broker import BrokerOptions, BrokerSink
from routed.service.dump_place import PATIENCE, BrokerDump, Everywhere
from routed.service.outlet import Addresses
from routed.service.records import PeerText

PEER = PeerText(address=ip_address("192.0.2.1"), port=179)


class Place:
    """A place that a test holds up or breaks."""

    def __init__(self, name: str) -> None:
        self.name, self.counters = name, SinkCounters()
        self.error: SinkError | None = None
        self.rows: list[bytes] = []
        self.wait: Deferred[None] | None = None
        self.ended = ""

    def lane(self, _text: PeerText) -> "Place":
        return self

    def write(self, octets: bytes, _rows: int, _framing: Framing = TEXT) -> None:
        self.rows.append(octets)

    def ready(self) -> Deferred[None]:
        if self.wait is None:
            return succeed(None)
        self.wait = Deferred()
        return self.wait

    def go_on(self) -> None:
        assert self.wait is not None
        wait, self.wait = self.wait, None
        wait.callback(None)

    async def commit(self) -> None:
        if self.error is not None:
            raise self.error
        self.ended = "whole"

    async def abort(self) -> None:
        self.ended = "given up"


class Rig:
    def __init__(self) -> None:
        self.clock, self.first, self.second = Clock(), Place("first"), Place("second")
        self.failures: list[str] = []
        self.places = Everywhere([self.first, self.second], self.clock, self.failures.append)
        self.lane = self.places.lane(PEER)

    def ready(self) -> list[None]:
        fired: list[None] = []
        ensureDeferred(self.places.ready()).addCallback(fired.append)
        return fired

    def commit(self) -> int:
        whole: list[int] = []
        ensureDeferred(self.places.commit()).addCallback(whole.append)
        return whole[0]


def test_every_place_gets_every_row() -> None:
    rig = Rig()
    rig.lane.write(b"a\n", 1)
    assert rig.ready() == [None]
    rig.lane.write(b"b\n", 1)
    assert rig.first.rows == rig.second.rows == [b"a\n", b"b\n"]
    assert rig.commit() == 2
    assert rig.first.ended == rig.second.ended == "whole"


def test_the_walk_waits_for_the_slowest_place() -> None:
    rig = Rig()
    rig.second.wait = Deferred()
    fired = rig.ready()
    assert fired == []
    rig.second.go_on()
    assert fired == [None]


def test_a_place_that_failed_is_left_behind() -> None:
    rig = Rig()
    rig.first.error = SinkError("first: disk full")
    rig.lane.write(b"a\n", 1)
    rig.ready()
    rig.lane.write(b"b\n", 1)
    assert rig.failures == ["first: disk full"]
    assert (rig.first.rows, rig.second.rows) == ([b"a\n"], [b"a\n", b"b\n"])
    assert rig.first.ended == "given up"
    assert rig.commit() == 1


def test_a_place_that_takes_nothing_is_left_behind_and_one_that_is_slow_is_not() -> None:
    rig = Rig()
    rig.second.wait = Deferred()
    fired = rig.ready()
    rig.second.counters.octets_written += 1
    rig.clock.advance(PATIENCE)
    assert fired == []
    rig.clock.advance(PATIENCE)
    assert fired == [None]
    assert rig.failures == [f"second: nothing could be written for {PATIENCE:.0f} s"]
    rig.second.error = rig.first.error = SinkError("late")
    assert rig.commit() == 0
    assert not rig.places


class Carrier:
    def __init__(self) -> None:
        self.sent: list[Parcel] = []

    def start(self, reports: Reports) -> None:
        self.reports = reports

    def send(self, parcels: Sequence[Parcel]) -> None:
        self.sent += parcels

    def reopen(self) -> None:
        pass

    def close(self) -> Deferred[None]:
        return succeed(None)


def test_a_dump_to_a_broker_has_the_address_of_each_peer_and_the_time_of_the_dump() -> None:
    carrier: Any = Carrier()
    options = BrokerOptions(bounds=Bounds(limit=10_000, full=300, drained=100), patient=True)
    sink = BrokerSink("kafka", carrier, None, clock=Clock(), in_thread=lambda work: succeed(work()), options=options)
    target = parse_name("t.$peer_src_ip-%H%M", DATED_VARIABLES, dated=True)
    addresses = Addresses(target, parse_name("$peer_src_ip:$peer_tcp_port", PEER_VARIABLES), "me/7")
    dump = BrokerDump("kafka", sink, addresses, datetime(2026, 11, 20, 15, 1, tzinfo=UTC))
    dump.lane(PEER).write(b"{}\n", 1)
    [parcel] = carrier.sent
    assert parcel.address == ("t.192_0_2_1-1501", b"192_0_2_1:179", b"192.0.2.1 179", "me/7")
    assert dump.ready().called
