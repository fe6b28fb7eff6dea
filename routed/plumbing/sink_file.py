"""The append sink of message logs: a file or FIFO that rows go to for as long as the daemon lives.

The reactor's thread owns the queue and all state; a thread only ever opens, writes or closes the file, for one batch,
and hands the outcome back. So nothing here is locked, and buffers that arrive while a batch is being written form the
next batch: the busier the sink, the larger its batches and the smaller its cost.

Whatever goes wrong with a batch, be it the disk, a thread that cannot start or a bug, is a failure of this file that is
reported and tried again; it never leaves the sink in a state in which nothing is written or it cannot be closed.
"""

from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime

from routed.plumbing.avro_container import open_container
from routed.plumbing.buffer import Written
from routed.plumbing.metrics import SinkCounters
from routed.plumbing.output_file import OutputFile, open_output
from routed.plumbing.queue import BufferQueue
from routed.plumbing.sink import (
    DEFAULT_OPTIONS,
    NO_WATCH,
    TEXT,
    FileOptions,
    Framing,
    InThread,
    SinkState,
    Watch,
    log_bug,
    reason_of,
)

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 30.0


class FileSink:
    """Append rows to one file.

    Args:
        total: counts what all files of a kind come to.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: IReactorTime,
        in_thread: InThread,
        watch: Watch = NO_WATCH,
        options: FileOptions = DEFAULT_OPTIONS,
        total: SinkCounters | None = None,
    ) -> None:
        self.counters = SinkCounters()
        self._counters = (self.counters,) if total is None else (self.counters, total)
        self._path, self._owner, self._bounds = Path(path), options.owner, options.bounds
        self._container = options.container
        self._clock, self._in_thread, self._watch = clock, in_thread, watch
        self._queue = BufferQueue()
        self._file: OutputFile | None = None
        self._failing = self._dropping = self._full = self._closing = self._running = False
        self._retry_after = FIRST_RETRY
        self._nap: Deferred[None] | None = None
        self._closed: Deferred[None] = Deferred()
        self._wake()  # opens the file, so that a bad path shows at once

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Queue a buffer of whole rows; drop it when the bound is reached."""
        ends = framing.ends
        if self._container is not None:
            octets, ends = self._container.block(octets, rows, framing), b""
        if self._closing or self._queue.octets + len(octets) > self._bounds.limit:
            self._count(rows_lost=rows)
            return
        self._queue.put(octets, rows, ends)
        self._judge_pressure()
        self._wake()

    def reopen(self) -> None:
        """Send what follows to a newly opened file of the same name."""
        self._queue.mark()
        self._retry_after = FIRST_RETRY
        self._wake()
        self._end_nap()

    def close(self) -> Deferred[None]:
        """Write what is queued and close; a file that is failing gets one more chance."""
        if not self._closing:
            self._closing = True
            self._wake()
            self._end_nap()
        waiting: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: waiting.callback(None))
        return waiting

    def _wake(self) -> None:
        if not self._running:
            self._running = True
            ensureDeferred(self._run()).addErrback(log_bug, f"the sink of {self._path}")

    async def _run(self) -> None:
        """Write until there is nothing to write."""
        try:
            await self._write_out()
        finally:
            self._running = False
            if self._closing and not self._closed.called:
                self._closed.callback(None)

    async def _write_out(self) -> None:
        while self._queue or self._file is None or self._closing:
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001 (none may end the sink)
                if not await self._survive(error):
                    break
            else:
                if self._closing and not self._queue:
                    await self._shut()
                    break

    async def _step(self) -> None:
        """Open the file, or change it, or write one batch.

        Raises: OSError.
        """
        if self._queue.take_mark():
            await self._shut()
        if self._file is None:
            self._file = await self._in_thread(self._open)
            self._report(reason=self._file.warning)
        if batch := self._queue.batch():
            append = self._file.append
            self._account(await self._in_thread(lambda: append(batch)))

    def _open(self) -> OutputFile:
        if self._container is not None:
            return open_container(self._path, self._owner, self._container)
        return open_output(self._path, self._owner)

    def _account(self, written: Written) -> None:
        """Take over what a batch came to.

        Raises: OSError, the batch's own.
        """
        octets = self._queue.octets
        rows = self._queue.discard(written.buffers)
        self._count(
            rows_written=rows - written.rows_dropped,
            rows_lost=written.rows_dropped,
            octets_written=octets - self._queue.octets,
        )
        if written.error is not None:
            raise written.error
        self._retry_after = FIRST_RETRY
        self._report(failing=False)
        if bool(written.rows_dropped) is not self._dropping:
            self._dropping = not self._dropping
            self._report(reason="nobody reads it: rows are dropped" if self._dropping else "read again")
        self._judge_pressure()

    async def _survive(self, error: Exception) -> bool:
        """Report a refusal and wait before the next attempt; false when there is to be none."""
        self._fail(error)
        self._report(failing=True, reason=reason_of(error))
        self._judge_pressure()
        if self._closing and (lost := self._queue.clear()):
            self._count(rows_lost=lost)
            self._report(reason=f"closed with {lost} rows that could not be written")
        is_refused = isinstance(error, OSError) and self._file is not None and not self._file.torn
        if self._closing or is_refused:
            await self._shut()  # the next attempt starts with whatever then stands at the path
        if self._closing:
            return False
        self._nap = Deferred()
        alarm = self._clock.callLater(self._retry_after, self._end_nap)
        self._retry_after = min(LAST_RETRY, self._retry_after * 2)
        await self._nap
        if alarm.active():
            alarm.cancel()
        return True

    def _fail(self, error: Exception) -> None:
        self._count(failures=1)
        if not isinstance(error, OSError) and not self._failing:
            log_bug(error, f"the sink of {self._path}")

    def _count(self, **counts: int) -> None:
        for counters in self._counters:
            for name, count in counts.items():
                setattr(counters, name, getattr(counters, name) + count)

    def _end_nap(self) -> None:
        if self._nap is not None:
            nap, self._nap = self._nap, None
            nap.callback(None)

    async def _shut(self) -> None:
        """Close the file; what it says about that is reported and changes nothing."""
        if self._file is None:
            return
        output, self._file = self._file, None
        try:
            await self._in_thread(output.close)
        except Exception as error:  # noqa: BLE001 (none may keep the sink from closing)
            self._fail(error)
            self._report(reason=f"close: {reason_of(error)}")

    def _report(self, *, failing: bool | None = None, reason: str = "") -> None:
        """Tell the owner when the condition changes, or when there is something to say all the same."""
        if failing is None:
            failing = self._failing
            changed = bool(reason)
        else:
            changed = failing is not self._failing
        self._failing = failing
        if changed:
            lost, queued = self.counters.rows_lost, self._queue.rows
            self._watch.on_state(
                SinkState(name=str(self._path), failing=failing, reason=reason, rows_queued=queued, rows_lost=lost)
            )

    def _judge_pressure(self) -> None:
        """Ask the producer to wait for a slow file, never for a failing one."""
        octets = self._queue.octets
        if self._full and (self._failing or octets <= self._bounds.drained):
            self._full = False
            self._watch.on_drained()
        elif not self._full and not self._failing and octets > self._bounds.full:
            self._full = True
            self._watch.on_full()
