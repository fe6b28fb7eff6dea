"""IPFIX over TCP."""

import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flowcorr.service import ipfix_stream
from flowcorr.service.ipfix_stream import PATIENCE, IpfixStream, IpfixStreams, ask_silent_ones
from tests.flowcorr.exports import NOW, Input, export_set, ipfix, template
from tests.flowcorr.service.flows import Kept

LAYOUT = ipfix(export_set(2, template(300, (8, 4), (1, 4))))
STREAM = LAYOUT + b"".join(
    ipfix(export_set(300, *(struct.pack("!II", 0x0A000000 + n, i) for i in range(n))), sequence=n) for n in range(1, 7)
)


def factory(kept: Kept, allow: object = None) -> IpfixStreams:
    return IpfixStreams(kept.flows, allow or (lambda _address: True), Clock(), now=lambda: NOW)  # type: ignore[arg-type]


def connect(streams: IpfixStreams, host: str = "192.0.2.7") -> tuple[IpfixStream, StringTransport]:
    protocol = streams.buildProtocol(IPv4Address("TCP", host, 4000))
    assert protocol is not None
    transport = StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


@given(cuts=lists(integers(0, len(STREAM)), max_size=12))
def test_segmentation_is_invisible(cuts: list[int]) -> None:
    kept = Kept("src_host sender_address timestamp_arrival")
    protocol, _ = connect(factory(kept))
    ends = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(ends):
        protocol.dataReceived(STREAM[start:end])
    expected = Input("src_host sender_address timestamp_arrival").take(STREAM, sender="192.0.2.7")
    assert kept.rows == expected
    assert len(expected) == 21


def test_what_is_no_ipfix_ends_the_connection() -> None:
    for octets in (b"GET / HTTP/1.1\r\n\r\n", struct.pack("!HHIII", 10, 15, 0, 0, 0)):
        kept = Kept()
        streams = factory(kept)
        protocol, transport = connect(streams)
        protocol.dataReceived(LAYOUT + ipfix(export_set(300, bytes(8))) + octets)
        assert transport.disconnecting
        assert (len(kept.rows), streams.malformed) == (1, 1)


def test_only_who_may_send_is_let_in() -> None:
    streams = factory(Kept(), lambda address: address[-1] == 7)
    assert streams.buildProtocol(IPv4Address("TCP", "192.0.2.8", 1)) is None
    assert streams.buildProtocol(IPv4Address("TCP", "192.0.2.7", 1)) is not None
    assert streams.buildProtocol(IPv6Address("TCP", "::ffff:192.0.2.7", 1)) is not None
    assert streams.refused == 1


def test_connections_have_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipfix_stream, "MAX_CONNECTIONS", 2)
    streams = factory(Kept())
    first, _ = connect(streams)
    connect(streams)
    assert streams.buildProtocol(IPv4Address("TCP", "192.0.2.7", 1)) is None
    first.connectionLost()
    connect(streams)
    assert (streams.accepted, streams.without_slot) == (3, 1)


def test_who_says_nothing_whole_for_long_makes_room() -> None:
    streams = factory(Kept())
    (mute, _), (slow, _), (good, _) = (connect(streams) for _ in range(3))
    assert isinstance(streams.clock, Clock)
    slow.dataReceived(LAYOUT[:-1])
    good.dataReceived(LAYOUT)
    streams.clock.advance(PATIENCE - 1)
    assert not mute.transport.disconnecting  # type: ignore[attr-defined]
    streams.clock.advance(1)
    leaving = [each.transport.disconnecting for each in (mute, slow, good)]  # type: ignore[attr-defined]
    assert leaving == [True, True, False]
    assert streams.silent == 2


def test_a_connection_that_ends_is_not_waited_for() -> None:
    streams = factory(Kept())
    protocol, _ = connect(streams)
    protocol.connectionLost()
    assert isinstance(streams.clock, Clock)
    assert not streams.clock.getDelayedCalls()


def test_tcp_looks_after_connections_that_fall_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ask_silent_ones(listening)
        with socket.create_connection(listening.getsockname()) as exporter:
            accepted, _ = listening.accept()
            with accepted:
                assert exporter.fileno() != accepted.fileno()
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == PATIENCE
