"""The message log: every record of every peer, in the order in which it happened, to the files of its peers.

Peers whose names expand to the same file share a sink. A slow file pauses the peers that write to it; a failing one
does not (see `plumbing.sink`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import Deferred, gatherResults

from routed.plumbing.sink import Sink, Watch
from routed.service.records import Counter, PeerText, TimeFormat, log_event, new_rows

if TYPE_CHECKING:
    from routed.plumbing.names import NameTemplate
    from routed.rib._rows import Rows
    from routed.service.settings import RenderSettings

#: Makes the sink of a file name.
OpenSink = Callable[[str, Watch], Sink]


class Pausable(Protocol):
    """A producer of records: a peer."""

    def pause(self) -> None:
        """Stop reading; somebody else may have asked for that too."""

    def resume(self) -> None:
        """Take that back."""


class _Channel:
    """A sink and the peers that write to it."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.writers: set[Pausable] = set()
        self.users = 0
        self.is_full = False
        self._waiting: list[Deferred[None]] = []

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


class Stream:
    """One peer's part in the message log, from its `log_init` to its `log_close`."""

    def __init__(self, log: MessageLog, text: PeerText, channel: _Channel) -> None:
        self.text = text
        self._log, self._channel = log, channel
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
            assert self._channel.sink is not None
            self._channel.sink.write(render(self._log.sequence.take()), 1)

    def write(self, rows: Rows | None) -> None:
        """Write the rows of a run."""
        if rows is None or not rows.count:
            return
        assert self._channel.sink is not None
        self._log.sequence.next, count = rows.sequence, rows.count
        self._channel.sink.write(rows.take(), count)

    def drained(self) -> Deferred[None] | None:
        """Return what fires when a slow file takes rows again; None when it does now.

        Whoever makes many rows, a sweep for instance, waits for that; else the file's queue would lose some.
        """
        return self._channel.drained()

    def open(self) -> None:
        """Write the record that opens the stream."""
        self._event(b"log_init")

    def close(self) -> None:
        """Write, once, the record that closes the stream; rows of routes that are swept later may follow."""
        if not self._is_closed:
            self._is_closed = True
            self._event(b"log_close")

    def release(self) -> None:
        """Let the file go when nobody else writes to it."""
        if not self._is_released:
            self._is_released = True
            self._log.release(self._channel)

    def pauses(self, writer: Pausable) -> None:
        """Pause a producer whenever the file is slow."""
        self._channel.writers.add(writer)
        if self._channel.is_full:
            writer.pause()

    def forget(self, writer: Pausable) -> None:
        """Do not pause a producer any more."""
        self._channel.writers.discard(writer)

    def _event(self, event_type: bytes) -> None:
        assert self._channel.sink is not None
        now = self._log.times.exact(self._log.wall_clock())
        self._channel.sink.write(log_event(self._log.sequence.take(), now, self.text, event_type), 1)


class MessageLog:
    """All streams of a daemon."""

    def __init__(
        self,
        name: NameTemplate,
        open_sink: OpenSink,
        render: RenderSettings,
        sequence: Counter,
        wall_clock: Callable[[], float] = time.time,
        *,
        marker: Callable[[bytes], bytes] | None = None,
        skips_unchanged: bool = False,
    ) -> None:
        self.sequence, self.wall_clock = sequence, wall_clock
        self.times: Final = TimeFormat(render)
        self._name, self._open_sink, self._render = name, open_sink, render
        self._rows = new_rows(render)
        self._rows.clock, self._rows.marker = self.times.second, marker
        self._rows.skips_unchanged = skips_unchanged
        self._channels: dict[str, _Channel] = {}
        self._closing: set[Deferred[None]] = set()

    def stream(self, text: PeerText) -> Stream:
        """Begin a peer's stream."""
        name = self._name.expand_for_peer(str(text.address), text.port)
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel()
            channel.sink = self._open_sink(name, Watch(on_full=channel.on_full, on_drained=channel.on_drained))
        channel.users += 1
        return Stream(self, text, channel)

    def begin_rows(self, text: PeerText) -> Rows:
        """Return the shared buffer, ready for the rows of one run of one peer."""
        self._rows.sequence = self.sequence.next
        self._rows.log(
            self.times.exact(self.wall_clock()), text.keys(peer_id=self._render.peer_id), text.tag, text.tagger
        )
        return self._rows

    def begin_monitored_rows(self, arrived: float) -> Rows:
        """Return the shared buffer, ready for rows of peers that a router monitors."""
        self._rows.sequence = self.sequence.next
        arrival = b', "timestamp_arrival": "%s"' % self.times.exact(arrived)
        self._rows.log_monitored(self.times.exact(self.wall_clock()), arrival)
        return self._rows

    def release(self, channel: _Channel) -> None:
        """Close the file of a name that nobody uses any more, unless the name is everybody's."""
        channel.users -= 1
        if channel.users or not self._name.variables:
            return
        self._channels = {name: other for name, other in self._channels.items() if other is not channel}
        self._close(channel)

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        for channel in self._channels.values():
            if channel.sink is not None:
                channel.sink.reopen()

    def close(self) -> Deferred[None]:
        """Close all files; fires when all that was written is in them."""
        for channel in self._channels.values():
            self._close(channel)
        self._channels = {}
        return gatherResults(list(self._closing)).addCallback(lambda _: None)

    def _close(self, channel: _Channel) -> None:
        assert channel.sink is not None
        closing = channel.sink.close()
        self._closing.add(closing)

        def closed(_: None) -> None:
            self._closing.discard(closing)

        closing.addCallback(closed)
