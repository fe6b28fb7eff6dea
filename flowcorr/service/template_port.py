"""The port for templates: datagrams of which only templates count, which other collectors pass on."""

# ruff: noqa: N802 (Twisted's names are camelCase)

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from flowcorr.collect.template_sets import template_sets
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.service.flow_input import FlowInput
from routed.octets.errors import WireError

#: Datagrams that are read at once; each takes some ten microseconds.
PER_TURN: Final = 64
_LONGEST: Final = 65_535
_MICROSECONDS: Final = 1_000_000


@dataclass(slots=True)
class PortCounters:
    """Datagrams that came to the port for templates."""

    datagrams: int = 0
    sets: int = 0  # of templates
    malformed: int = 0  # that break their format
    refused: int = 0  # sets that are unsound, or of exporters that may not send or find no room
    failures: int = 0  # errors of the socket


@implementer(IReadDescriptor)
class TemplatePort(Service):
    """Reads a bound socket, from its start to its stop."""

    def __init__(
        self, reactor: Any, sock: socket.socket, flows: FlowInput, seconds: Callable[[], float] = time.time
    ) -> None:
        self.counters = PortCounters()
        self._reactor, self._socket, self._flows, self._seconds = reactor, sock, flows, seconds

    def startService(self) -> None:
        """Begin to read."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._reactor.addReader(self)

    def stopService(self) -> None:
        """Read no more, and close the socket."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        self._reactor.removeReader(self)
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Read a few datagrams; the reactor comes back for more."""
        for _ in range(PER_TURN):
            try:
                octets, origin = self._socket.recvfrom(_LONGEST)
            except BlockingIOError:
                break
            except OSError:  # an error of an earlier packet; the socket stays good
                self.counters.failures += 1
                break
            self._take(octets, _packed(origin[0]), origin[1])
        self._flows.read_ready()

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: a UDP socket has no connection."""

    def logPrefix(self) -> str:
        """Return what Twisted logs for this descriptor."""
        return "templates"

    def _take(self, octets: bytes, exporter: bytes, port: int) -> None:
        self.counters.datagrams += 1
        now = int(self._seconds() * _MICROSECONDS)
        try:
            for found in template_sets(octets):
                self.counters.sets += 1
                self.counters.refused += not self._flows.intake.learn(found, exporter, port, now)
        except WireError:
            self.counters.malformed += 1


def _packed(address: str) -> bytes:
    """Return an address as the system writes it, in sixteen octets."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return IPV4_MAPPED + socket.inet_pton(socket.AF_INET, address)
