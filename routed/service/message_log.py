"""The message log: every record of every peer, in the order in which it happened, to all places that it is to go to.

A place is an outlet: files whose names hold the peer's, or a broker. Peers whose names expand to the same file share a
sink, and all peers share that of a broker. A sink that has no more room pauses the peers that write to it; a failing
file does not (see `plumbing.sink`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred, gatherResults

from routed.plumbing.sink import Watch
from routed.service.encoding import JsonEncoding
from routed.service.records import Counter, PeerText, TimeFormat, log_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from routed.plumbing.sink import Framing, Lane, Sink
    from routed.rib._rows import Rows
    from routed.service.encoding import Encoding
    from routed.service.outlet import Outlet
    from routed.service.settings import RenderSettings
    from routed.service.validation import Validation


class Pausable(Protocol):
    """A producer of records: a peer."""

    def pause(self) -> None:
        """Stop reading; somebody else may have asked for that too."""

    def resume(self) -> None:
        """Take that back."""


class _Channel:
    """A sink and the peers that write to it."""

    def __init__(self, outlet: Outlet, name: str) -> None:
        self.writers: set[Pausable] = set()
        self.users = 0
        self.is_full = False
        self._waiting: list[Deferred[None]] = []
        self.sink: Sink = outlet.open(name, Watch(on_full=self.on_full, on_drained=self.on_drained))

    def on_full(self) -> None:
        self.is_full = True
        for writer in tuple(self.writers):
            writer.pause()

    def on_drained(self) -> None:
        self.is_full = False
        for writer in tuple(self.writers):  # who is resumed may be over with, and go
            writer.resume()
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def drained(self) -> Deferred[None] | None:
        if not self.is_full:
            return None
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred


class _Route(NamedTuple):
    """The way of one peer's records to one place."""

    channel: _Channel
    lane: Lane


class Stream:
    """One peer's part in the message log, from its `log_init` to its `log_close`."""

    def __init__(self, log: MessageLog, text: PeerText, routes: Sequence[_Route]) -> None:
        self.text = text
        self._log, self._routes = log, routes
        self._is_closed = self._is_released = False

    def rows(self) -> Rows | None:
        """Return a buffer for the rows of a run that happens now; None when no row of this peer is to be written."""
        if self.text.tag is None and self.text.tagger is None:
            return None
        return self._log.begin_rows(self.text)

    def monitored_rows(self, arrived: float) -> Rows | None:
        """Return a buffer for rows of peers that a router monitors; None when no row of the router is to be written.

        Args:
            arrived: when the message came that the rows are about. Units: seconds since 1970.
        """
        if self.text.tag is None and self.text.tagger is None:
            return None
        return self._log.begin_monitored_rows(arrived)

    @property
    def times(self) -> TimeFormat:
        """Return how times are written."""
        return self._log.times

    def record(self, render: Callable[[int], bytes]) -> None:
        """Write one record, which is told its sequence number."""
        if self.text.tag is not None:
            self._put(*self._log.encoding.event(render(self._log.sequence.take())), 1)

    def write(self, rows: Rows | None) -> None:
        """Write the rows of a run."""
        if rows is None or not rows.count:
            return
        self._log.sequence.next, count = rows.sequence, rows.count
        self._put(*self._log.encoding.take(rows), count)

    def drained(self) -> Deferred[None] | None:
        """Return what fires when all sinks take rows again; None when they do now.

        Whoever makes many rows, a sweep for instance, waits for that; else a queue would lose some.
        """
        waits = [wait for route in self._routes if (wait := route.channel.drained()) is not None]
        return gatherResults(waits).addCallback(lambda _: None) if waits else None

    def open(self) -> None:
        """Write the record that opens the stream."""
        self._event(b"log_init")

    def close(self) -> None:
        """Write, once, the record that closes the stream; rows of routes that are swept later may follow."""
        if not self._is_closed:
            self._is_closed = True
            self._event(b"log_close")

    def release(self) -> None:
        """Let the sinks go that nobody else writes to."""
        if not self._is_released:
            self._is_released = True
            for route in self._routes:
                self._log.release(route.channel)

    def pauses(self, writer: Pausable) -> None:
        """Pause a producer whenever a sink has no room."""
        for route in self._routes:
            route.channel.writers.add(writer)
            if route.channel.is_full:
                writer.pause()

    def forget(self, writer: Pausable) -> None:
        """Do not pause a producer any more."""
        for route in self._routes:
            route.channel.writers.discard(writer)

    def _event(self, event_type: bytes) -> None:
        now = self._log.times.exact(self._log.wall_clock())
        self._put(*self._log.encoding.event(log_event(self._log.sequence.take(), now, self.text, event_type)), 1)

    def _put(self, octets: bytes, framing: Framing, rows: int) -> None:
        for route in self._routes:
            route.lane.write(octets, rows, framing)


class MessageLog:
    """All streams of a daemon."""

    def __init__(
        self,
        outlets: Sequence[Outlet],
        render: RenderSettings,
        sequence: Counter,
        wall_clock: Callable[[], float] = time.time,
        *,
        encoding: Encoding | None = None,
        marker: Callable[[bytes], bytes] | None = None,
        skips_unchanged: bool = False,
        validation: Validation | None = None,
    ) -> None:
        self.sequence, self.wall_clock = sequence, wall_clock
        self.times: Final = TimeFormat(render)
        self._outlets, self._render = outlets, render
        self.encoding: Final = encoding or JsonEncoding(render)
        self._rows = self.encoding.new_rows()
        self._rows.clock, self._rows.marker = self.times.second, marker
        self._rows.skips_unchanged = skips_unchanged
        self._validation = validation
        self._channels: dict[tuple[Outlet, str], _Channel] = {}
        self._closing: set[Deferred[None]] = set()
        for outlet in outlets:
            if outlet.early_name is not None:
                self._channel(outlet, outlet.early_name)

    def stream(self, text: PeerText) -> Stream:
        """Begin a peer's stream."""
        return Stream(self, text, tuple(self._route(outlet, text) for outlet in self._outlets))

    def _route(self, outlet: Outlet, text: PeerText) -> _Route:
        channel = self._channel(outlet, outlet.name(text))
        channel.users += 1
        return _Route(channel, outlet.lane(channel.sink, text))

    def _channel(self, outlet: Outlet, name: str) -> _Channel:
        channel = self._channels.get((outlet, name))
        if channel is None:
            channel = self._channels[outlet, name] = _Channel(outlet, name)
        return channel

    def begin_rows(self, text: PeerText) -> Rows:
        """Return the shared buffer, ready for the rows of one run of one peer."""
        self._rows.sequence = self.sequence.next
        self._rows.own_as = text.own_as
        self._prepare()
        self._rows.log(
            self.times.exact(self.wall_clock()), text.keys(peer_id=self._render.peer_id), text.tag, text.tagger
        )
        return self._rows

    def begin_monitored_rows(self, arrived: float) -> Rows:
        """Return the shared buffer, ready for rows of peers that a router monitors."""
        self._rows.sequence = self.sequence.next
        self._prepare()
        arrival = b', "timestamp_arrival": "%s"' % self.times.exact(arrived)
        self._rows.log_monitored(self.times.exact(self.wall_clock()), arrival)
        return self._rows

    def _prepare(self) -> None:
        if self._validation is not None:
            self._validation.prepare(self._rows)

    def release(self, channel: _Channel) -> None:
        """Close a sink that nobody uses any more, unless it is everybody's."""
        channel.users -= 1
        if channel.users:
            return
        for (outlet, name), other in list(self._channels.items()):
            if other is channel and not outlet.is_everybodys:
                del self._channels[outlet, name]
                self._close(channel)

    def reopen(self) -> None:
        """Go on in new files of the same names and with fresh connections."""
        for channel in self._channels.values():
            channel.sink.reopen()

    def close(self) -> Deferred[None]:
        """Close all sinks; fires when all that was written is where it will be."""
        for channel in self._channels.values():
            self._close(channel)
        self._channels = {}
        return gatherResults(list(self._closing)).addCallback(lambda _: None)

    def _close(self, channel: _Channel) -> None:
        closing = channel.sink.close()
        self._closing.add(closing)

        def closed(_: None) -> None:
            self._closing.discard(closing)

        closing.addCallback(closed)


def room(stream: Stream | None) -> Deferred[None] | None:
    """Return what a producer of rows waits for before the next ones; None for nothing."""
    return None if stream is None else stream.drained()


def finish(stream: Stream | None) -> None:
    """Close a router's part of the message log, unless that was done before, and let its file go."""
    if stream is not None:
        stream.close()
        stream.release()
