"""Datagrams from the socket, in turns that leave the reactor time for everything else.

A turn costs the same for one datagram as for a hundred, so the reactor wakes us for the first one only. As long as more
come, we look again after a pause that is short beside the time in which the receive buffer fills.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from socket import socket
from time import monotonic
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from flowcorr.service._udp import Receiver
from flowcorr.service.flow_input import FlowInput

#: How long one turn may take. Units: seconds.
TURN: Final = 0.005
#: How long we look away between two turns, at most. Units: seconds.
PAUSE: Final = 0.03
#: What may come meanwhile at most, and still has to fit into the receive buffer: 1 Gb/s. Units: octets a second.
MOST_OCTETS: Final = 125_000_000


@implementer(IReadDescriptor)
class UdpInput(Service):
    """Reads a bound socket, from its start to its stop."""

    def __init__(
        self,
        reactor: Any,
        sock: socket,
        flows: FlowInput,
        *,
        receive_buffer: int = 0,
        receiver: Receiver | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._flows = flows
        self._pause = min(PAUSE, receive_buffer / MOST_OCTETS)
        self._receiver = receiver or Receiver()
        self._seconds = seconds
        self._next_turn: IDelayedCall | None = None
        self.failures = 0

    @property
    def dropped(self) -> int:
        """Datagrams that the system dropped because nobody fetched them in time."""
        return self._receiver.dropped

    def startService(self) -> None:
        """Begin to read."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._reactor.addReader(self)

    def stopService(self) -> None:
        """Read what has come, then no more, and close the socket."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        if self._next_turn is None:
            self._reactor.removeReader(self)
        else:
            self._next_turn.cancel()
        self._read()
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Read for a turn, and look away; the reactor watches again once nothing came meanwhile."""
        self._reactor.removeReader(self)
        _, is_empty = self._read()
        self._look_later(is_empty)

    def _look_later(self, is_empty: bool) -> None:
        self._next_turn = self._reactor.callLater(self._pause if is_empty else 0, self._look)

    def _look(self) -> None:
        received, is_empty = self._read()
        if received:
            self._look_later(is_empty)
        else:
            self._next_turn = None
            self._reactor.addReader(self)

    def _read(self) -> tuple[int, bool]:
        """Read for a turn, or until there is nothing more; return how many datagrams, and whether that was all."""
        until = self._seconds() + TURN
        total, is_empty = 0, False
        while not is_empty:
            try:
                received = self._receiver.receive(self._socket.fileno())
            except OSError:  # an error of an earlier packet, such as an ICMP answer; the socket stays good
                self.failures += 1
                break
            is_empty = received < self._receiver.datagrams.capacity
            if received:
                total += received
                self._flows.take(self._receiver.datagrams)
            if self._seconds() >= until:
                break
        self._flows.flush()
        return total, is_empty

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: a UDP socket has no connection."""

    def logPrefix(self) -> str:
        """Return what Twisted logs for this descriptor."""
        return "UDP input"
