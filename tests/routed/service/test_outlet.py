"""A message log with a file and a broker: the same records, each with its own pace."""

from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from routed.plumbing.names import PEER_VARIABLES, parse_name
from routed.plumbing.parcel import Address
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import Watch
from routed.plumbing.sink_broker import BrokerOptions, BrokerSink
from routed.service.message_log import MessageLog
from routed.service.outlet import Addresses, BrokerOutlet, FileOutlet
from routed.service.records import Counter, PeerText
from tests.routed.service.test_dump_place import PEER, Carrier
from tests.routed.service.test_message_log import RENDER, File, Writer, write_route


class Rig:
    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.carrier: Any = Carrier()
        self.sinks: list[BrokerSink] = []
        file = FileOutlet(parse_name("log-$peer_src_ip", PEER_VARIABLES), self.open_file)
        addresses = Addresses(parse_name("bgp", PEER_VARIABLES), parse_name("$peer_src_ip", PEER_VARIABLES), "me/7")
        broker = BrokerOutlet("kafka", addresses, self.open_broker)
        self.log = MessageLog([file, broker], RENDER, Counter(), wall_clock=lambda: 0.5)
        self.stream = self.log.stream(PEER)

    def open_file(self, name: str, watch: Watch) -> File:
        self.files[name] = File(watch)
        return self.files[name]

    def open_broker(self, watch: Watch) -> BrokerSink:
        options = BrokerOptions(bounds=Bounds(limit=10_000, full=300, drained=100))
        sink = BrokerSink(
            "kafka",
            self.carrier,
            None,
            clock=Clock(),
            in_thread=lambda work: succeed(work()),
            watch=watch,
            options=options,
        )
        self.sinks.append(sink)
        return sink


def test_the_broker_is_there_before_any_peer() -> None:
    """What an earlier run has left for it is delivered then."""
    rig = Rig()
    assert (list(rig.files), len(rig.sinks)) == (["log-192_0_2_1"], 1)
    MessageLog([], RENDER, Counter())


def test_both_get_the_same_records_and_the_broker_an_address_for_each_peer() -> None:
    rig = Rig()
    other = rig.log.stream(PeerText(address=PEER.address + 1, port=7))
    rig.stream.open()
    other.open()
    write_route(rig.stream)
    sent = rig.carrier.sent
    assert b"".join(one.octets for one in sent if one.address.key == b"192_0_2_1") == rig.files["log-192_0_2_1"].octets
    assert b"".join(one.octets for one in sent if one.address.key == b"192_0_2_2") == rig.files["log-192_0_2_2"].octets
    assert sent[0].address == Address("bgp", b"192_0_2_1", b"192.0.2.1 179", "me/7")
    assert len(rig.sinks) == 1


def test_a_peer_waits_for_both(monkeypatch: Any) -> None:
    monkeypatch.setattr("routed.plumbing.sink_broker.WINDOW", 1)
    rig = Rig()
    writer = Writer()
    rig.stream.pauses(writer)
    for _ in range(3):
        rig.stream.open()
    assert writer.held == 1
    rig.files["log-192_0_2_1"].watch.on_full()
    assert writer.held == 2
    drained = rig.stream.drained()
    assert drained is not None
    rig.files["log-192_0_2_1"].watch.on_drained()
    assert writer.held == 1
    assert not drained.called
    while rig.carrier.sent:
        rig.carrier.reports.delivered([rig.carrier.sent.pop(0).number])
    assert writer.held == 0
    assert drained.called
    assert rig.stream.drained() is None
    rig.stream.forget(writer)


def test_the_broker_outlives_its_peers() -> None:
    rig = Rig()
    rig.stream.release()
    assert rig.files["log-192_0_2_1"].closing is not None
    again = rig.log.stream(PEER)
    again.open()
    assert len(rig.sinks) == 1
    assert rig.carrier.sent[-1].rows == 1
