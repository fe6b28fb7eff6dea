"""Where the sessions of a plane come from: a listening socket with its TCP-MD5 keys, or a capture that is played."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, cast

from twisted.internet.address import IPv4Address, IPv6Address

from routed.service.replay import Replay
from routed.service.reports import Line
from routed.service.socket_options import Md5Keys, open_listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IListeningPort, IProtocol
    from twisted.internet.protocol import Factory

    from routed.daemon.map_files import Maps
    from routed.plumbing.log import Log
    from routed.plumbing.pcap import CaptureError
    from routed.service.clock import DaemonReactor
    from routed.service.reports import Reporter
    from routed.service.settings import ListenerSettings, ReplaySettings


class Door(Protocol):
    """Where sessions come from."""

    def now(self) -> float:
        """Return the time that records show. Units: seconds since 1970."""

    def listen(self, factory: Factory) -> IListeningPort:
        """Let sessions in; the port that is returned stops that."""

    def reload(self) -> None:
        """Take over what has changed in the maps."""

    def close(self) -> None:
        """Let nobody in any more."""


class ListeningSocket:
    """Opens the socket at once, so that a port that is taken is known early.

    Raises: ListenError.
    """

    def __init__(
        self, reactor: DaemonReactor, settings: ListenerSettings, maps: Maps, *, log: Log, reporter: Reporter
    ) -> None:
        self._reactor, self._maps = reactor, maps
        listening = open_listener(settings)
        for warning in listening.warnings:
            log.warning(warning)
        self._socket = listening.socket
        self._md5 = Md5Keys(listening.socket, lambda problem: reporter.say(Line.MD5, problem=problem))
        self.reload()
        reporter.say(Line.MAX_PEERS, max_peers=settings.max_peers)
        reporter.say(
            Line.WAITING, interface=settings.interface or "all", ip=settings.address or "::", port=settings.port
        )

    def now(self) -> float:
        """Return the time of the system."""
        return time.time()

    def listen(self, factory: Factory) -> IListeningPort:
        """Let the reactor accept connections."""
        port: IListeningPort = self._reactor.adoptStreamPort(  # type: ignore[no-untyped-call]  # bare in Twisted
            self._socket.fileno(), self._socket.family, factory
        )
        return port

    def reload(self) -> None:
        """Set the TCP-MD5 keys of the map; none of this needs privileges."""
        self._md5.load(self._maps.md5_keys())

    def close(self) -> None:
        """Close the socket: the reactor has one of its own, to which a successor would lose connections."""
        self._socket.close()


class Capture:
    """Plays a capture, whose sessions are accepted as if the routers had connected.

    `on_end` is called when there is nothing left to play and the daemon is not to stay.
    Raises: CaptureError, FilterError.
    """

    def __init__(
        self, reactor: DaemonReactor, settings: ReplaySettings, *, log: Log, on_end: Callable[[], object]
    ) -> None:
        self._settings, self._log, self._on_end = settings, log, on_end
        self._factory: Factory | None = None
        self._replay = Replay(
            reactor,
            settings.file,
            self._accept,
            delay=settings.delay,
            times=settings.times,
            filter=settings.filter,
            on_end=self._played,
        )
        self.now = self._replay.now
        log.info(f"[{settings.file}] is played instead of listening")

    def listen(self, factory: Factory) -> IListeningPort:
        """Begin to play."""
        self._factory = factory
        self._replay.startService()
        return cast("IListeningPort", self)

    def stopListening(self) -> None:  # noqa: N802 (Twisted's name)
        """Play no further."""
        self._replay.stopService()

    def reload(self) -> None:
        """Have nothing that changes."""

    def close(self) -> None:
        """Have nothing to close."""

    def _accept(self, host: str, port: int) -> IProtocol | None:
        assert self._factory is not None
        kind = IPv6Address if ":" in host else IPv4Address
        return self._factory.buildProtocol(kind("TCP", host, port))

    def _played(self, error: CaptureError | None) -> None:
        if error is not None:
            self._log.error(str(error))
        self._log.info(f"[{self._settings.file}] has been played")
        if not self._settings.stays:
            self._on_end()
