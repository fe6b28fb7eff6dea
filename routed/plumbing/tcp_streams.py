"""TCP streams out of captured segments: what the client sent, in order, once (RFC 9293).

Of a connection whose beginning is in the capture, the direction towards the SYN's destination is a stream. Where the
capture begins later, the direction of the first payload is one, and the other direction too once it has payload.

A segment that comes early is kept until the octets before it are there. They may never come, because a capture loses
packets: then the stream ends with that reason, since nothing behind a gap can be told apart. So it does when too much
is kept, when the gap is open for too long, or when the connection or the capture ends. Of octets that are sent twice
the first ones count.

What an ended connection still sends is ignored until it begins anew.

Captures that tools write have sessions without a handshake: a SYN with payload, then segments whose numbers do not
count the SYN. So payload in a SYN (RFC 7413) is heard at once, and the segment behind it shows how they count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from routed.plumbing.tcp_segment import ACK, FIN, RST, SYN, Flow, Segment

#: Octets of one stream that wait for those before them: more than any receiver's window on the way to a collector.
MAX_KEPT: Final = 16 << 20
#: Segments of one stream that wait.
MAX_KEPT_SEGMENTS: Final = 65_536
#: Seconds of the capture that a gap may stay open while the stream goes on; a retransmission is far faster.
MAX_GAP: Final = 120.0
#: Connections that are followed, and ended ones that are remembered, at one time.
MAX_FOLLOWED: Final = 65_536
MAX_REMEMBERED: Final = 65_536

_SEQUENCE_MASK: Final = 0xFFFF_FFFF


class End(Enum):
    """How a stream ended."""

    FIN = auto()
    RESET = auto()
    REPLACED = auto()  # the same ports began a new connection
    GAP = auto()  # octets are missing
    CAPTURE = auto()  # it was open when the capture ended


class Opened(NamedTuple):
    """A client has connected, or is seen for the first time."""

    flow: Flow
    time: float


class Octets(NamedTuple):
    """The next octets of a stream."""

    flow: Flow
    octets: bytes
    time: float


class Closed(NamedTuple):
    """A stream ended."""

    flow: Flow
    end: End
    reason: str
    time: float


StreamEvent: TypeAlias = Opened | Octets | Closed


@dataclass(slots=True)
class StreamCounters:
    """What was met on the way."""

    segments: int = 0
    cut_segments: int = 0  # not captured whole
    repeated_octets: int = 0
    early_segments: int = 0
    streams: int = 0
    streams_with_gap: int = 0
    streams_not_followed: int = 0  # beyond the limit


@dataclass(slots=True)
class _Stream:
    """One direction. Positions count octets from where the stream begins, and never wrap."""

    origin: int  # sequence number of position 0
    has_beginning: bool  # a SYN or its answer was captured, so it is known who is the client
    is_open: bool = False
    at: int = 0  # where the octets are expected that come next
    end: int | None = None  # where the FIN stands
    octets_in_syn: int = 0  # until the next segment is there
    kept: list[tuple[int, bytes]] = field(default_factory=list)  # a heap
    kept_octets: int = 0
    gap_since: float | None = None

    def position(self, sequence: int) -> int:
        """Return the position of a sequence number: the one of its many that is nearest to here."""
        distance = (sequence - self.origin - self.at) & _SEQUENCE_MASK
        return self.at + (distance if distance <= _SEQUENCE_MASK >> 1 else distance - _SEQUENCE_MASK - 1)

    def settle(self, sequence: int) -> None:
        """Learn from the segment behind a SYN with payload whether the SYN itself counts."""
        if self.octets_in_syn > 1 and (self.origin + self.octets_in_syn - 1 - sequence) & _SEQUENCE_MASK == 0:
            self.origin = (self.origin - 1) & _SEQUENCE_MASK
        self.octets_in_syn = 0

    def keep(self, position: int, octets: bytes, now: float) -> None:
        """Put octets aside."""
        heappush(self.kept, (position, octets))
        self.kept_octets += len(octets)
        if self.gap_since is None:
            self.gap_since = now

    def take_all(self, now: float) -> Iterator[bytes]:
        """Yield what was put aside and can be had now."""
        progress = self.at
        while self.kept and self.kept[0][0] <= self.at:
            position, octets = heappop(self.kept)
            self.kept_octets -= len(octets)
            if fresh := octets[self.at - position :]:
                self.at += len(fresh)
                yield fresh
        if not self.kept:
            self.gap_since = None
        elif self.at > progress:
            self.gap_since = now

    @property
    def gap(self) -> str:
        """Say what is missing, if anything is."""
        if self.kept:
            return f"{self.kept[0][0] - self.at} octets are missing from the capture after {self.at}"
        if self.end is not None and self.at < self.end:
            return f"{self.end - self.at} octets are missing from the capture after {self.at}"
        return ""

    def is_beyond_hope(self, now: float) -> bool:
        """Say whether what is missing will not come."""
        is_late = self.gap_since is not None and now - self.gap_since > MAX_GAP
        return is_late or self.kept_octets > MAX_KEPT or len(self.kept) > MAX_KEPT_SEGMENTS


class TcpStreams:
    """The streams of a capture."""

    def __init__(self) -> None:
        self.counters = StreamCounters()
        self._streams: dict[Flow, _Stream] = {}
        self._ended: dict[Flow, None] = {}  # the oldest first

    def receive(self, segment: Segment) -> Iterator[StreamEvent]:
        """Take the next segment; yield what becomes known. To be exhausted before the next call."""
        self.counters.segments += 1
        self.counters.cut_segments += len(segment.payload) < segment.length
        if segment.flags & RST:
            for flow in (segment.flow, segment.flow.reversed()):
                yield from self._close(flow, End.RESET, "connection reset", segment.time)
            return
        if segment.flags & SYN:
            yield from self._begin(segment)
        stream = self._find(segment)
        if stream is not None:
            yield from self._advance(stream, segment)

    def forget(self, flow: Flow) -> None:
        """Follow a stream no longer, without a word; nothing more is heard of it until it begins anew."""
        stream = self._streams.pop(flow, None)
        if stream is not None:
            self._remember(flow, stream)

    def end(self, now: float) -> Iterator[Closed]:
        """End the streams that are open when the capture ends, in the order in which they began."""
        for flow in tuple(self._streams):
            yield from self._close(flow, End.CAPTURE, "the capture ends", now)
        self._ended.clear()

    def _begin(self, segment: Segment) -> Iterator[StreamEvent]:
        """Take a SYN, or learn from the answer to it who is the client."""
        is_answer = bool(segment.flags & ACK)
        flow = segment.flow.reversed() if is_answer else segment.flow
        origin = segment.acknowledgment if is_answer else segment.sequence + 1 & _SEQUENCE_MASK
        known = self._streams.get(flow)
        if known is not None and (is_answer or known.origin == origin):
            return  # sent again
        yield from self._close(flow, End.REPLACED, "a new connection from the same port", segment.time)
        yield from self._close(flow.reversed(), End.REPLACED, "a new connection to the same port", segment.time)
        self._ended.pop(flow, None)
        self._add(flow, origin, has_beginning=True)

    def _find(self, segment: Segment) -> _Stream | None:
        """Return the stream of a segment; one with payload makes a stream unless it goes to a client."""
        flow = segment.flow
        stream = self._streams.get(flow)
        if stream is not None or not segment.payload or segment.flags & SYN or flow in self._ended:
            return stream
        opposite = self._streams.get(flow.reversed())
        if opposite is not None and opposite.has_beginning:
            return None
        return self._add(flow, segment.sequence, has_beginning=False)

    def _add(self, flow: Flow, origin: int, *, has_beginning: bool) -> _Stream | None:
        stream = _Stream(origin, has_beginning)
        if len(self._streams) >= MAX_FOLLOWED:
            self.counters.streams_not_followed += 1
            self._remember(flow, stream)
            return None
        self._streams[flow] = stream
        return stream

    def _advance(self, stream: _Stream, segment: Segment) -> Iterator[StreamEvent]:
        flow, now, is_first = segment.flow, segment.time, bool(segment.flags & SYN)
        if is_first and (stream.is_open or not segment.payload):
            return
        if not stream.is_open:
            stream.is_open = True
            self.counters.streams += 1
            yield Opened(flow, now)
        if is_first:
            stream.octets_in_syn = segment.length
        elif stream.octets_in_syn:
            stream.settle(segment.sequence)
        position = stream.position(segment.sequence + is_first)
        if segment.flags & FIN and position + segment.length >= stream.at:
            stream.end = position + segment.length
        self._weigh(stream, position, len(segment.payload))
        if segment.payload:
            stream.keep(position, segment.payload, now)
        for octets in stream.take_all(now):
            yield Octets(flow, octets, now)
        if stream.end is not None and stream.at >= stream.end:
            yield from self._close(flow, End.FIN, "connection closed", now)
        elif stream.is_beyond_hope(now):
            yield from self._close(flow, End.GAP, stream.gap, now)

    def _weigh(self, stream: _Stream, position: int, octets: int) -> None:
        """Count what comes early or again."""
        if position > stream.at:
            self.counters.early_segments += octets > 0
        else:
            self.counters.repeated_octets += min(octets, stream.at - position)

    def _close(self, flow: Flow, end: End, reason: str, now: float) -> Iterator[Closed]:
        stream = self._streams.pop(flow, None)
        if stream is None:
            return
        self._remember(flow, stream)
        if not stream.is_open:
            return
        if end is not End.FIN and stream.gap:
            end, reason = End.GAP, stream.gap
            self.counters.streams_with_gap += 1
        yield Closed(flow, end, reason, now)

    def _remember(self, flow: Flow, stream: _Stream) -> None:
        """Remember what ended, and that its other direction goes to a client."""
        self._ended[flow] = None
        if stream.has_beginning:
            self._ended[flow.reversed()] = None
        while len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]
