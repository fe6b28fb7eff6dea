"""Connections behind a balancer: the header first, then the session."""

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.service.proxied import HEADER_PATIENCE, Proxied, ProxiedProtocol

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.9 179 1790\r\n"
V2_SIX = bytes.fromhex("0d0a0d0a000d0a515549540a 21 21 0024 20010db8" + "0" * 23 + "1" + "0" * 32 + "00b3 06fe")
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000")
DONE = Failure(ConnectionDone())


class Session(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connectionMade(self) -> None:  # noqa: N802
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.heard.append(data)

    def connectionLost(self, reason: Failure = DONE) -> None:  # noqa: N802
        self.heard.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Session):
    def readConnectionLost(self) -> None:  # noqa: N802
        self.heard.append("read lost")

    def writeConnectionLost(self) -> None:  # noqa: N802
        self.heard.append("write lost")


class Rig:
    """One connection and who accepts it."""

    def __init__(self, session: Session | None) -> None:
        self.clock, self.session = Clock(), session
        self.accepted: list[tuple[str, int]] = []
        self.refused: list[tuple[str, str]] = []
        self.proxied = Proxied(self.clock, self._accept, lambda host, reason: self.refused.append((host, reason)))
        self.wire = StringTransport()
        self.protocol = self.proxied.expect("10.0.0.1", 40000)
        assert self.protocol is not None
        self.protocol.makeConnection(self.wire)

    def _accept(self, host: str, port: int) -> Session | None:
        self.accepted.append((host, port))
        return self.session

    def feed(self, octets: bytes) -> None:
        assert self.protocol is not None
        self.protocol.dataReceived(octets)


@pytest.fixture
def rig() -> Rig:
    return Rig(HalfCloseable())


@pytest.mark.parametrize(
    ("octets", "source"),
    [
        (HEADER + b"abc", ("192.0.2.1", 179)),
        (V2_SIX + b"abc", ("2001:db8::1", 179)),
        (LOCAL + b"abc", ("10.0.0.1", 40000)),
        (b"PROXY UNKNOWN\r\nabc", ("10.0.0.1", 40000)),
        (b"abc", ("10.0.0.1", 40000)),
    ],
)
def test_the_session_is_for_the_address_that_the_header_names(rig: Rig, octets: bytes, source: tuple[str, int]) -> None:
    rig.feed(octets)
    rig.feed(b"def")
    assert rig.accepted == [source]
    assert rig.session.heard == ["made", b"abc", b"def"]
    assert rig.session.transport is rig.wire
    assert not rig.clock.getDelayedCalls()


def test_a_header_may_come_octet_by_octet(rig: Rig) -> None:
    for octet in HEADER:
        assert not rig.accepted
        rig.feed(bytes([octet]))
    assert rig.session.heard == ["made"]


def test_who_is_not_accepted_is_closed_and_no_longer_heard() -> None:
    rig = Rig(None)
    rig.feed(HEADER + b"abc")
    rig.feed(b"def")
    assert rig.wire.disconnecting
    assert rig.accepted == [("192.0.2.1", 179)]
    assert rig.refused == []


def test_a_malformed_header_resets_the_connection(rig: Rig) -> None:
    rig.feed(b"PROXY TCP9 1 2 3 4\r\n")
    rig.feed(HEADER)
    assert rig.wire.disconnected
    assert rig.accepted == []
    ((host, reason),) = rig.refused
    assert host == "10.0.0.1"
    assert "malformed PROXY header" in reason
    assert not rig.clock.getDelayedCalls()


@pytest.mark.parametrize("octets", [b"", HEADER[:-1]])
def test_a_header_that_does_not_come_in_time_resets_the_connection(rig: Rig, octets: bytes) -> None:
    if octets:
        rig.feed(octets)
    rig.clock.advance(HEADER_PATIENCE - 0.1)
    assert not rig.refused
    rig.clock.advance(0.1)
    assert rig.refused == [("10.0.0.1", "no whole PROXY header in 10 s")]
    rig.protocol.connectionLost(DONE)
    assert not rig.proxied.waiting


def test_a_session_has_all_the_time(rig: Rig) -> None:
    rig.feed(HEADER)
    rig.clock.advance(2 * HEADER_PATIENCE)
    assert not rig.refused


def test_a_connection_lost_before_its_header_is_forgotten(rig: Rig) -> None:
    rig.feed(HEADER[:5])
    rig.protocol.connectionLost(DONE)
    assert not rig.proxied.waiting
    assert not rig.clock.getDelayedCalls()
    assert rig.accepted == rig.refused == []


def test_the_end_reaches_the_session(rig: Rig) -> None:
    rig.feed(HEADER)
    rig.protocol.readConnectionLost()
    rig.protocol.writeConnectionLost()
    rig.protocol.connectionLost(DONE)
    assert rig.session.heard == ["made", "read lost", "write lost", ConnectionDone]
    assert not rig.wire.disconnecting


def test_a_session_that_knows_no_half_close_is_closed() -> None:
    rig = Rig(Session())
    rig.feed(HEADER)
    rig.protocol.writeConnectionLost()
    rig.protocol.readConnectionLost()
    assert rig.wire.disconnecting
    assert rig.session.heard == ["made"]


def test_half_a_close_before_the_header_is_the_end(rig: Rig) -> None:
    rig.protocol.readConnectionLost()
    assert rig.wire.disconnecting


def test_stopping_resets_those_who_wait(rig: Rig) -> None:
    rig.proxied.stop()
    assert not rig.proxied.waiting
    assert not rig.clock.getDelayedCalls()
    rig.feed(HEADER)
    assert rig.accepted == []


def test_only_so_many_may_wait() -> None:
    refused: list[tuple[str, str]] = []
    proxied = Proxied(Clock(), lambda *_: None, lambda *words: refused.append(words), max_waiting=2)
    waiting = [proxied.expect("10.0.0.1", port) for port in (1, 2)]
    for each in waiting:
        assert isinstance(each, ProxiedProtocol)
        each.makeConnection(StringTransport())
    assert proxied.expect("10.0.0.3", 1) is None
    assert refused == [("10.0.0.3", "more than 2 connections wait for a PROXY header")]
    waiting[0].dataReceived(HEADER)
    assert proxied.expect("10.0.0.3", 1) is not None
