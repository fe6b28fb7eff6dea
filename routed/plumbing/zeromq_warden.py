"""Keeps the connections of a ZeroMQ socket within bounds that the library does not have.

libzmq takes every connection, and keeps every frame of a message until its last one has come, however many there are:
a peer that never ends its message would take all memory. So we count what comes. A monitor tells which connections
there are; of each, the system says how many octets have come, and the server when a message was whole. What has come
since then is unfinished, or waits to be read. When all connections together have too much of that, the worst one is
ended; the library gives back what it held for it. There is a look every `INTERVAL` while something comes, and every
`QUIET_INTERVAL` otherwise, so a client may exceed the bound by what it can send in that time.

Connections beyond the most are ended as soon as we hear of them, and those that send nothing whole within `PATIENCE`.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

import os
import socket as sockets
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import zmq
from twisted.internet.interfaces import IReadDescriptor
from zmq.utils.monitor import parse_monitor_message
from zope.interface import implementer

from routed.plumbing.metrics import gauge
from routed.plumbing.zeromq_settings import MAX_ZMQ_CONNECTIONS

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

#: Octets of all connections that are not part of a message which was read.
MAX_UNREAD: Final = 64 << 20
#: Seconds between two looks, the same while nothing comes, and those that a connection has for its first message.
INTERVAL: Final = 0.05
QUIET_INTERVAL: Final = 0.2
PATIENCE: Final = 60.0

#: Where the system says how many octets have come: `tcpi_bytes_received` of `struct tcp_info` (Linux 4.1).
_BYTES_RECEIVED: Final = 128
_TCP_INFO_OCTETS: Final = 136
_FAMILIES: Final = (sockets.AF_INET, sockets.AF_INET6)
_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_BEGINS: Final = (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED)


@dataclass(slots=True)
class WardenCounters:
    """What became of connections."""

    open: int = gauge("ZeroMQ connections that there are")
    accepted: int = 0
    refused: int = 0  # because there were too many
    ended: int = 0  # because too much of them was unfinished
    silent: int = 0  # ended because nothing whole came


@dataclass(slots=True)
class Connection:
    """One connection: a descriptor of our own, since when, and what came until its last message was read."""

    socket: sockets.socket
    since: float
    received: int = 0
    read: int = 0
    is_known: bool = False  # has sent something whole
    is_heard: bool = False  # has done so since the last look


@implementer(IReadDescriptor)
class Warden:
    """Watches the connections of one socket, which is to be bound or connected after this is made."""

    def __init__(self, reactor: Any, socket: zmq.Socket[bytes]) -> None:
        self.counters = WardenCounters()
        self._reactor, self._socket = reactor, socket
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._port = 0
        self._connections: dict[int, Connection] = {}
        self._alarm: IDelayedCall | None = None

    def start(self, port: int) -> None:
        """Begin to watch; `port` is what the socket is bound or connected to."""
        self._port = port
        self._reactor.addReader(self)
        self.doRead()

    def stop(self) -> None:
        """Watch no more; to be called before the socket is closed."""
        self._reactor.removeReader(self)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.close()

    def close(self) -> None:
        """Give back what was needed to know of connections."""
        self._socket.disable_monitor()  # first: the library would wait for ever for somebody who reads what it tells
        self._monitor.close(linger=0)
        for descriptor in tuple(self._connections):
            self._forget(descriptor)

    def fileno(self) -> int:
        """Return what tells that connections may have come or gone."""
        return -1 if self._monitor.closed else int(self._monitor.FD)

    def logPrefix(self) -> str:
        """Name this reader."""
        return "zeromq connections"

    def connectionLost(self, reason: Failure) -> None:
        """Know that the reactor is over."""

    def doRead(self) -> None:
        """Take notice of connections that came or went."""
        while not self._monitor.closed:
            try:
                told = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            self._learn(told["event"], int(told["value"]))
        self.counters.open = len(self._connections)
        if self._connections and self._alarm is None:
            self._alarm = self._reactor.callLater(INTERVAL, self._look)

    def heard(self, descriptor: int) -> None:
        """Know that a whole message of a connection was read."""
        if descriptor not in self._connections:
            self.doRead()  # the monitor may be behind
        connection = self._connections.get(descriptor)
        if connection is not None:
            connection.is_known = connection.is_heard = True

    def _learn(self, event: int, descriptor: int) -> None:
        self._forget(descriptor)
        if event not in _BEGINS:
            return
        self.counters.accepted += 1
        connection = self._borrowed(descriptor)
        if connection is None:  # it is gone already
            return
        self._connections[descriptor] = Connection(connection, self._reactor.seconds())
        if len(self._connections) > MAX_ZMQ_CONNECTIONS:
            self.counters.refused += 1
            self._end(descriptor)

    def _look(self) -> None:
        """End connections of which too much is unfinished, the worst first."""
        self._alarm = None
        is_quiet = True
        unread: dict[int, int] = {}
        for descriptor, connection in list(self._connections.items()):
            before, connection.received = connection.received, received(connection.socket) or connection.received
            is_quiet &= connection.received == before
            if connection.is_heard:  # a message is whole only when those before it are
                connection.read, connection.is_heard = connection.received, False
            if not connection.is_known and self._reactor.seconds() - connection.since >= PATIENCE:
                self.counters.silent += 1
                self._end(descriptor)
            else:
                unread[descriptor] = connection.received - connection.read
        total = sum(unread.values())
        while total > MAX_UNREAD:
            worst = max(unread, key=unread.__getitem__)
            total -= unread.pop(worst)
            self.counters.ended += 1
            self._end(worst)
        self.counters.open = len(self._connections)
        if self._connections:
            self._alarm = self._reactor.callLater(QUIET_INTERVAL if is_quiet else INTERVAL, self._look)

    def _end(self, descriptor: int) -> None:
        """End a connection behind the library's back, which then finds it ended."""
        with suppress(OSError):
            self._connections[descriptor].socket.shutdown(sockets.SHUT_RDWR)
        self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        connection = self._connections.pop(descriptor, None)
        if connection is not None:
            connection.socket.close()

    def _borrowed(self, descriptor: int) -> sockets.socket | None:
        """Return a descriptor of our own of a connection, unless the library's is that of something else by now."""
        try:
            connection = sockets.socket(fileno=os.dup(descriptor))
        except OSError:
            return None
        with suppress(OSError):
            if connection.family in _FAMILIES and self._port in (
                connection.getsockname()[1],
                connection.getpeername()[1],
            ):
                return connection
        connection.close()
        return None


def received(connection: sockets.socket) -> int:
    """Return how many octets have come over a connection, 0 when the system does not say."""
    with suppress(OSError):
        facts = connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_OCTETS)
        if len(facts) >= _TCP_INFO_OCTETS:
            return int(struct.unpack_from("=Q", facts, _BYTES_RECEIVED)[0])
    return 0
