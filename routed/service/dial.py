"""Connections that we open: to collectors that sessions are passed on to.

A socket is made by hand, because its options must be there before the first packet; the reactor says when it is
connected, and takes it over from then on. Nothing here blocks.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

import errno
import os
import socket
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from twisted.internet import protocol
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.plumbing.values import Address

#: Seconds that a collector has to accept a connection.
CONNECT_PATIENCE: Final = 10.0

#: Makes a socket for connections to an address, which does not block.
OpenSocket: TypeAlias = Callable[[Address], socket.socket]


class Reactor(Protocol):
    """What is asked of a reactor here."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall:  # noqa: A002
        """Call later."""

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Watch until something can be written."""

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Watch no more."""

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: protocol.ServerFactory) -> None:  # noqa: N803
        """Take a connection over, with a descriptor of its own."""


class Cancellable(Protocol):
    """A connection that may still be given up."""

    def cancel(self) -> None:
        """Give up, without a word."""


#: Connects to an address and port; the protocol gets the connection, or the callable the reason why there is none,
#: neither of them before this has returned.
Dial: TypeAlias = Callable[[Address, int, IProtocol, Callable[[str], None]], Cancellable]


class Dialler:
    """Opens connections with sockets of one make."""

    def __init__(self, reactor: Reactor, open_socket: OpenSocket) -> None:
        self._reactor, self._open_socket = reactor, open_socket

    def __call__(
        self, address: Address, port: int, wanted: IProtocol, on_failure: Callable[[str], None]
    ) -> Cancellable:
        """Connect; see `Dial`."""
        attempt = _Attempt(self._reactor, wanted, on_failure)
        try:
            attempt.begin(self._open_socket(address), (str(address), port))
        except OSError as error:
            attempt.fail_soon(error)
        return attempt


@implementer(IWriteDescriptor)
class _Attempt:
    """One connection that is being opened, in the reactor's eyes something that waits to write."""

    def __init__(self, reactor: Reactor, wanted: IProtocol, on_failure: Callable[[str], None]) -> None:
        self._reactor, self._wanted, self._on_failure = reactor, wanted, on_failure
        self._socket: socket.socket | None = None
        self._alarm: IDelayedCall | None = None

    def begin(self, sock: socket.socket, target: tuple[str, int]) -> None:
        """Send the first packet.

        Raises: OSError.
        """
        self._socket = sock
        result = sock.connect_ex(target)
        if result not in {0, errno.EINPROGRESS}:
            raise OSError(result, os.strerror(result))
        self._alarm = self._reactor.callLater(CONNECT_PATIENCE, self._fail, os.strerror(errno.ETIMEDOUT))
        self._reactor.addWriter(self)

    def fail_soon(self, error: OSError) -> None:
        """Fail once the caller has returned."""
        self._alarm = self._reactor.callLater(0, self._fail, error.strerror or str(error))

    def cancel(self) -> None:
        """Give up, without a word."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None
        if self._socket is not None:
            self._reactor.removeWriter(self)
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """Tell the reactor what to watch."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """Name this in Twisted's own lines."""
        return "dial"

    def doWrite(self) -> None:
        """Learn that the connection is there, or that it will not be."""
        assert self._socket is not None, "the reactor was told not to watch"
        result = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result:
            self._fail(os.strerror(result))
            return
        self._reactor.removeWriter(self)
        try:
            self._reactor.adoptStreamConnection(self._socket.fileno(), self._socket.family, _Adoption(self._wanted))
        except OSError as error:  # the connection ended within this turn
            self._fail(error.strerror or str(error))
        else:
            self.cancel()  # the reactor has a descriptor of its own

    def connectionLost(self, _reason: Failure) -> None:
        """Learn from the reactor that there is an error to be asked for."""
        self.doWrite()

    def _fail(self, reason: str) -> None:
        self.cancel()
        self._on_failure(reason)


class _Adoption(protocol.ServerFactory):
    """Gives one connection to one protocol."""

    noisy = False

    def __init__(self, wanted: IProtocol) -> None:
        self._wanted = wanted

    def buildProtocol(self, _addr: IAddress | None) -> IProtocol:  # type: ignore[override]
        """Return the protocol."""
        return self._wanted
