"""Plays a capture instead of listening: its TCP streams become sessions, as if the routers had connected.

The capture is read as it is played, as fast as the sessions take it, in slices between which the reactor turns. Order
is the capture's, over all sessions: while the session that is next is paused, nothing is fed to any of them, and
nothing has to be kept. So no session may wait for what another one reads later; that it waits for another one's end is
fine when the collector itself brings that end about.

A session ends as its connection did: FIN in good order, RST as a reset, a gap in the capture as a loss that names it.
Those that are open when the capture ends are closed in good order. What a session sends goes nowhere; when it closes,
in whatever way, the rest of its stream is passed over.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Final

from twisted.application.service import Service
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from routed.plumbing.capture import Capture, PacketCounters
from routed.plumbing.ip_packet import Skipped
from routed.plumbing.pcap import CaptureError, Packet
from routed.plumbing.tcp_segment import Flow, read_segment
from routed.plumbing.tcp_streams import Closed, End, Octets, Opened, StreamCounters, StreamEvent, TcpStreams
from routed.service.captured_transport import CapturedTransport
from routed.service.handover import Accept

#: How long the replay may hold the reactor in one turn. Units: seconds.
SLICE: Final = 0.003


class StreamLost(ConnectionLost):
    """The stream cannot be followed to its end; the arguments say why."""


@dataclass(slots=True)
class ReplayCounters(PacketCounters):
    """What was read and fed, over all repetitions."""

    streams: StreamCounters = field(default_factory=StreamCounters)
    sessions: int = 0
    sessions_refused: int = 0


class Replay(Service):
    """Plays a capture from its start to its stop, or to its end.

    `accept` takes a router's address and port and gives the session's protocol, or None to pass the stream over.
    `delay` is waited for before every repetition; `times` is their number, 0 for no end. `on_end` is called once when
    nothing is left to play, with the error that ended it early, if one did.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        path: Path,
        accept: Accept,
        *,
        delay: float = 0.0,
        times: int = 1,
        filter: str | None = None,  # noqa: A002 (as the key and its users call it)
        on_end: Callable[[CaptureError | None], None],
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Read the first packet and compile the filter; CaptureError when that is not possible."""
        self.reactor = reactor
        self._streams = TcpStreams()
        self.counters = ReplayCounters(streams=self._streams.counters)
        self._capture = Capture(path, filter, self.counters)
        self._accept, self._delay, self._times = accept, delay, times
        self._on_end, self._seconds = on_end, seconds
        self._now = self._capture.began
        self._sessions: dict[Flow, CapturedTransport] = {}
        self._events = self._read()
        self._next: StreamEvent | None = None  # what a paused session keeps back
        self._turn: IDelayedCall | None = None
        self._is_playing = False
        self._error: CaptureError | None = None

    def now(self) -> float:
        """Return when the packet that is being fed was captured, in seconds since the epoch."""
        return self._now

    def startService(self) -> None:
        """Begin to play, after the delay."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._repeat()

    def stopService(self) -> None:
        """Play no further; the sessions stay for their owner to close."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        self._rest()

    def resumed(self) -> None:
        """Go on, if a session that is no longer paused kept something back."""
        if self._is_playing:
            self._schedule(0.0)

    def left(self, transport: CapturedTransport) -> None:
        """Pass over the rest of a stream whose session has closed; what it kept back is void."""
        if self._sessions.get(transport.flow) is transport:
            del self._sessions[transport.flow]
            self._streams.forget(transport.flow)
            self.resumed()

    def _schedule(self, seconds: float) -> None:
        if self._turn is None:
            self._turn = self.reactor.callLater(seconds, self._play)

    def _rest(self) -> None:
        self._is_playing = False
        self._events.close()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _repeat(self) -> None:
        self.counters.repetitions += 1
        self._events, self._next = self._read(), None
        self._is_playing = True
        self._schedule(self._delay)

    def _read(self) -> Generator[StreamEvent | None, None, None]:
        """Yield what the streams of the capture do; None stands for a packet that was read."""
        last = self._now
        try:
            for packet in self._capture.read():
                if packet is not None:
                    last = packet.time
                    yield from self._read_packet(packet)
                yield None
        except CaptureError as error:
            self._error = error
        yield from self._streams.end(last)

    def _read_packet(self, packet: Packet) -> Iterator[StreamEvent]:
        segment = read_segment(packet)
        if isinstance(segment, Skipped):
            self.counters.packets_skipped[segment] += 1
        else:
            yield from self._streams.receive(segment)

    def _play(self) -> None:
        """Feed for a slice of time, or until a session does not want to be fed."""
        self._turn = None
        until = self._seconds() + SLICE
        while self._is_playing and self._step():
            if self._seconds() >= until:
                self._schedule(0.0)
                return

    def _step(self) -> bool:
        """Let the next thing happen; say whether another one may follow at once."""
        try:
            event = next(self._events) if self._next is None else self._next
        except StopIteration:
            self._end_repetition()
            return False
        self._next = None
        if event is not None and self._is_kept_back(event):
            self._next = event
            return False
        if event is not None:
            self._now = event.time
            self._feed(event)
        return True

    def _is_kept_back(self, event: StreamEvent) -> bool:
        transport = self._sessions.get(event.flow)
        return transport is not None and transport.is_paused

    def _feed(self, event: StreamEvent) -> None:
        match event:
            case Opened(flow, _):
                self._open(flow)
            case Octets(flow, octets, _) if flow in self._sessions:
                self._sessions[flow].protocol.dataReceived(octets)
            case Closed(flow, end, reason, _) if flow in self._sessions:
                self._sessions.pop(flow).lose(_loss(end, reason))

    def _open(self, flow: Flow) -> None:
        protocol = self._accept(str(ip_address(flow.source)), flow.source_port)
        if protocol is None:
            self.counters.sessions_refused += 1
            self._streams.forget(flow)
            return
        self.counters.sessions += 1
        self._sessions[flow] = CapturedTransport(self, protocol, flow)
        protocol.makeConnection(self._sessions[flow])

    def _end_repetition(self) -> None:
        self._rest()
        if self._error is not None or self.counters.repetitions == self._times:
            self._on_end(self._error)
        else:
            self._repeat()


def _loss(end: End, reason: str) -> Exception:
    """Return what a session is told of its end."""
    if end in (End.FIN, End.CAPTURE):
        return ConnectionDone()
    return StreamLost(reason) if end is End.GAP else ConnectionLost(reason)
