"""Datagrams from the socket, in turns that leave the reactor time for everything else."""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from socket import socket
from time import monotonic
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from flowcorr.service._udp import Receiver
from flowcorr.service.flow_input import FlowInput

#: How long one turn may take. Units: seconds.
TURN: Final = 0.005


@implementer(IReadDescriptor)
class UdpInput(Service):
    """Reads a bound socket, from its start to its stop."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: socket,
        flows: FlowInput,
        *,
        receiver: Receiver | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._flows = flows
        self._receiver = receiver or Receiver()
        self._seconds = seconds
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
        self._reactor.removeReader(self)
        self.doRead()
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Read for a turn, or until there is nothing more."""
        until = self._seconds() + TURN
        while True:
            try:
                received = self._receiver.receive(self._socket.fileno())
            except OSError:  # an error of an earlier packet, such as an ICMP answer; the socket stays good
                self.failures += 1
                break
            if received:
                self._flows.take(self._receiver.datagrams)
            if received < self._receiver.datagrams.capacity or self._seconds() >= until:
                break
        self._flows.flush()

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: a UDP socket has no connection."""

    def logPrefix(self) -> str:
        """Return what Twisted logs for this descriptor."""
        return "UDP input"
