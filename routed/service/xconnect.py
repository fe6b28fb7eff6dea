"""A pair of connections that one session is passed on between: the peer's, and ours to its collector.

Back-pressure works both ways: each connection is the producer of the other one, so who does not read makes us not read
at the other end, and TCP carries that on. In either direction wait at most what the kernel holds, what the transport
holds before it complains (64 KiB), one read of the other connection (64 KiB) and one message.

Before the collector is there the peer is not read. Both connections end together. An end that is told why has our
direction closed behind the NOTIFICATION, and is read into the void until it closes too; one that is told nothing is
closed. Neither has longer than `MAX_LINGER` to take what is still to be sent, or than a peer of our own when we stop.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol, cast

from twisted.internet import protocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.model.xconnect_event import End, XconnectDown
from routed.service.dial import Cancellable, Dial
from routed.service.peers import SHUTDOWN_TEXT
from routed.service.pump import MAX_LINGER as MAX_LINGER_AT_STOP
from routed.service.pump import Stream
from routed.service.xconnect_map import Destination
from routed.session.bgp_xconnect import BgpXconnect

#: Seconds that an end has to take what is still to be sent and to close: more than a peer of our own gets, because
#: behind a slow collector it may be the rest of a table.
MAX_LINGER: Final = 10.0


class Owner(Protocol):
    """Who hears of pairs, in this order."""

    def connected(self, pair: "Pair") -> None:
        """Take note that the collector is there."""

    def closed(self, pair: "Pair", down: XconnectDown) -> None:
        """Take note that the session is over; the connections may still be closing."""

    def caught(self, bug: Failure, where: str) -> None:
        """Take note of an exception from our own code."""

    def gone(self, pair: "Pair") -> None:
        """Take note that neither connection exists any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who a pair connects, and the slot it holds."""

    slot: int
    address: IPv4Address | IPv6Address
    port: int
    destination: Destination

    def __str__(self) -> str:
        """Write it as log lines begin."""
        return f"{self.address} x {self.destination}"


class Phase(Enum):
    """Where a connection is in its life."""

    WAITING = auto()
    OPEN = auto()
    CLOSING = auto()  # the session is over; what still comes is discarded
    LOST = auto()


class Pair:
    """One session that is passed on, with its connections."""

    def __init__(self, place: Place, clock: IReactorTime, dial: Dial, owner: Owner) -> None:
        self.place, self.clock = place, clock
        self.session = BgpXconnect()
        self.down: XconnectDown | None = None
        self.peer, self.collector = Half(self, End.PEER), Half(self, End.COLLECTOR)
        self._dial, self._owner = dial, owner
        self._attempt: Cancellable | None = None

    def half(self, end: End) -> "Half":
        """Return the connection to an end."""
        return self.peer if end is End.PEER else self.collector

    def stop(self) -> None:
        """End the session because we shut down, and say so to both ends (RFC 9003); who is closing has to hurry."""
        self.drive(lambda: self.session.stop(SHUTDOWN_TEXT))
        self.peer.hurry()
        self.collector.hurry()

    def abort(self) -> None:
        """Reset both connections."""
        self.peer.abort()
        self.collector.abort()

    def lose_peer(self) -> None:
        """Take the peer's connection for lost."""
        self.drive(lambda: self.session.end_of_stream(End.PEER))

    def open(self, end: End) -> None:
        """Go on now that an end is connected: from the peer to its collector, from there to passing on."""
        with self._contained():
            if end is End.PEER:
                self.peer.wait()
                destination = self.place.destination
                self._attempt = self._dial(destination.address, destination.port, self.collector, self._unreachable)
                return
            self._attempt = None
            self.peer.restrain(self.collector)
            self.collector.restrain(self.peer)
            self.session.connected()
            self._owner.connected(self)
            self.peer.resumeProducing()

    def drive(self, step: Callable[[], Iterable[XconnectDown]]) -> None:
        """Let the session take a step, send what is to be sent, and end when it says so."""
        with self._contained():
            events = step()
            for end in End:
                self.half(end).send(self.session.take_outbox(end))
            for down in events:
                self._end(down)

    def part(self) -> None:
        """Tell the owner when both connections are gone."""
        if self.peer.phase is Phase.LOST and self.collector.phase in {Phase.LOST, Phase.WAITING}:
            self._owner.gone(self)

    def _unreachable(self, reason: str) -> None:
        self._attempt = None
        self.drive(lambda: self.session.unreachable(reason))

    def _end(self, down: XconnectDown) -> None:
        self.down = down
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
        for end in End:
            self.half(end).close(is_told=end in down.told)
        self._owner.closed(self, down)

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """Let a bug of our own cost this session, and nothing else."""
        try:
            yield
        except Exception:  # noqa: BLE001 (as in the pump: the one place that contains our own bugs)
            self._owner.caught(Failure(), f"the xconnect {self.place}")  # type: ignore[no-untyped-call]  # bare there
            self.abort()


@implementer(IHalfCloseableProtocol, IPushProducer)
class Half(protocol.Protocol):
    """One connection of a pair; as a producer, what the other one slows down."""

    def __init__(self, pair: Pair, end: End) -> None:
        self.phase = Phase.WAITING
        self.errno: int | None = None  # how the end closed its stream, once it has
        self._pair, self._end = pair, end
        self._paused_at: float | None = None  # by the other end's slowness
        self._restrains = False  # its transport tells the other connection when it is fed too fast
        self._linger: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Go on with what this connection was waited for."""
        self._stream = cast("Stream", self.transport)
        self._stream.setTcpNoDelay(True)
        self.phase = Phase.OPEN
        self._pair.open(self._end)

    def dataReceived(self, data: bytes) -> None:
        """Pass on what came."""
        if self.phase is Phase.OPEN:
            self._pair.drive(lambda: self._pair.session.receive(self._end, data))

    def readConnectionLost(self) -> None:
        """Learn that the end says no more; what waits to be sent to it still goes out."""
        self._finish(0)
        if self._linger is None:
            self._limit_linger()
        self._stream.loseConnection()

    def writeConnectionLost(self) -> None:
        """Know already: only our last words end our direction."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session if it is not over."""
        self._finish(0 if isinstance(reason.value, ConnectionDone) else errno.ECONNRESET)
        self.phase = Phase.LOST
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._pair.part()

    @property
    def held_up(self) -> float:
        """Seconds that it has not been read because the other end does not read."""
        return 0.0 if self._paused_at is None else self._pair.clock.seconds() - self._paused_at

    def wait(self) -> None:
        """Read nothing yet."""
        self._stream.pauseProducing()

    def pauseProducing(self) -> None:
        """Read no more, because the other end does not."""
        self._pair.session.passed[self._end].pauses += 1
        self._paused_at = self._pair.clock.seconds()
        self._stream.pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self._paused_at = None
        self._stream.resumeProducing()

    def stopProducing(self) -> None:
        """Learn from its own end that the other connection is lost."""

    def restrain(self, other: "Half") -> None:
        """Let the other connection know when this one is fed too fast."""
        self._restrains = True
        self._stream.registerProducer(other, True)  # noqa: FBT003 (positional in the interface)

    def send(self, octets: bytes) -> None:
        """Send whole messages."""
        if octets and self.phase is Phase.OPEN:
            self._stream.write(octets)

    def close(self, *, is_told: bool) -> None:
        """Close once everything is sent; who is told why closes too."""
        if self.phase is not Phase.OPEN:
            return
        self.phase = Phase.CLOSING
        if self._restrains:
            self._stream.unregisterProducer()  # or the transport would not close
        self._limit_linger()
        if is_told:
            self._stream.resumeProducing()
            self._stream.loseWriteConnection()
        else:
            self._stream.loseConnection()

    def hurry(self) -> None:
        """Wait no longer for the end to close than one may when the daemon stops."""
        if self._linger is not None and self._linger.active():
            self._linger.reset(MAX_LINGER_AT_STOP)

    def abort(self) -> None:
        """Reset the connection."""
        if self.phase in {Phase.OPEN, Phase.CLOSING}:
            self._stream.abortConnection()

    def _finish(self, number: int) -> None:
        if self.phase is Phase.OPEN:
            self.errno = number
            self._pair.drive(lambda: self._pair.session.end_of_stream(self._end))

    def _limit_linger(self) -> None:
        self._linger = self._pair.clock.callLater(MAX_LINGER, self._stream.abortConnection)
