"""Connections that begin with a PROXY protocol header: the session is for the address that the header names.

What is accepted here has passed the test of its TCP source already.
"""

from ipaddress import ip_address
from typing import Final

from twisted.internet.interfaces import IReactorTime

from routed.octets import WireError
from routed.service.handover import Accept, Handover, OnRefused, WaitingRoom
from routed.wire.proxy_protocol import PrefaceReader

#: Seconds that a header may take from the connection on; a balancer sends it with the first packet.
HEADER_PATIENCE: Final = 10.0
#: Connections whose header is waited for: a balancer that connects all its routers anew, and more than it needs.
MAX_WAITING: Final = 4096


class Proxied:
    """The connections whose header is waited for.

    `accept` takes the address and port that the header names, or those of the TCP connection.
    """

    def __init__(
        self, clock: IReactorTime, accept: Accept, on_refused: OnRefused, *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._room = WaitingRoom(
            clock, accept, on_refused, what="PROXY header", patience=HEADER_PATIENCE, limit=max_waiting
        )

    def expect(self, host: str, port: int) -> "ProxiedProtocol | None":
        """Return what reads the header of a connection from this TCP source, or None when too many wait already."""
        return ProxiedProtocol(self._room, host, port) if self._room.has_room(host) else None

    @property
    def waiting(self) -> int:
        """Connections whose header is waited for."""
        return len(self._room.waiting)

    def stop(self) -> None:
        """Reset the connections whose header is waited for still."""
        self._room.stop()


class ProxiedProtocol(Handover):
    """One connection: its header first, then its session."""

    def __init__(self, room: WaitingRoom, host: str, port: int) -> None:
        super().__init__(room, host, port)
        self._reader = PrefaceReader()

    def settle(self, octets: bytes) -> None:
        """Read the header."""
        try:
            preface = self._reader.receive(octets)
        except WireError as error:
            self.refuse(f"malformed PROXY header: {error}")
            return
        if preface is None:
            return
        source = preface.source
        host, port = (self.host, self.port) if source is None else (str(ip_address(source.address)), source.port)
        self.begin(host, port, preface.octets)
