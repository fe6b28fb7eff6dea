"""A plugin at work: it aggregates what it is given, and writes what is finished.

A flush is written in a thread while records go on being summed; then the texts of its keys are let go in slices. A
destination that fails is tried again, later and later, while finished flushes wait. There is an end to that: when more
flushes or entries wait than may, the oldest is given up, counted and logged.

Departs: pmacct forks a writer for each flush, and loses a flush when there are too many of them or when its destination
fails once.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from numpy import uint8
from numpy.typing import NDArray
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from flowcorr.columns._batch import Batch
from flowcorr.correlate.aggregation import Aggregation, Finished
from flowcorr.service.writer import Job, Writer
from routed.plumbing.metrics import counter, gauge
from routed.plumbing.sink import InThread, log_bug, reason_of

#: The longest wait for a flush, so that a step of the wall clock is noticed. Units: seconds.
LONGEST_WAIT: Final = 1.0
#: Waits before a destination that failed is tried again. Units: seconds.
FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 30.0
#: Entries released in one turn of the reactor: a few milliseconds.
RELEASED: Final = 20_000
#: How long the end of the daemon waits for what is still to be written. Units: seconds.
STOP_PATIENCE: Final = 30.0


@dataclass(slots=True)
class PluginCounters:
    """What a plugin came to."""

    flushes: int = counter("flushes that were written, empty ones included")
    flushes_early: int = counter("flushes because the table was full")
    rows_written: int = counter("rows written")
    rows_left_out: int = counter("rows that did not pass the checks of `*_preprocess`")
    rows_lost: int = counter("rows that could not be written")
    failures: int = counter("attempts that the destination refused")
    entries: int = gauge("entries in memory, those that wait to be written included")
    flushes_waiting: int = gauge("flushes that wait to be written")
    misdated: int = counter(
        "records counted when they came, because there were too many bins to have one of their time"
    )


class PluginLog(Protocol):
    """Where lines of plugins go, each with the name of its plugin."""

    def info(self, text: str) -> None:
        """Log what happens."""

    def warning(self, text: str) -> None:
        """Log what an operator should look at."""

    def error(self, text: str) -> None:
        """Log lost data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plugin runs in."""

    clock: IReactorTime
    in_thread: InThread
    log: PluginLog
    pid: int
    wall_clock: Callable[[], float] = time.time
    after_flush: Callable[[], str] | None = None  # blocks; says what went wrong, or nothing


class FlowPlugin:
    """One instance of a plugin."""

    def __init__(
        self, name: str, aggregation: Aggregation, writer: Writer, around: Surroundings, *, most_waiting: int = 10
    ) -> None:
        self.name = name
        self.counters = PluginCounters()
        self._aggregation, self._writer, self._around = aggregation, writer, around
        self._most_waiting = most_waiting
        self._waiting: deque[Finished] = deque()
        self._giving_up = self._stopping = False
        self._alarm: IDelayedCall | None = None
        self._nap: Deferred[None] | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to look at the clock."""
        self._wait()

    def take(self, batch: Batch, mask: NDArray[uint8] | None) -> None:
        """Take the records of a batch, but for those whose mask is 0."""
        now = self._around.wall_clock()
        if now >= self._aggregation.deadline():
            self._flush(now)  # before records of the next bin come in
        self._aggregation.add(batch, mask, now)
        if self._aggregation.deadline() == 0:
            self._flush(now)
        self.counters.entries = self._aggregation.entries
        self.counters.misdated = self._aggregation.misdated

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        self._writer.reopen()

    async def stop(self) -> None:
        """Write everything; what cannot be written is given up."""
        self._stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for finished in self._aggregation.take_all():
            self._enqueue(finished)
        self._end_nap()
        if self._running is not None:
            over: Deferred[None] = Deferred()
            self._running.addBoth(lambda _: over.callback(None))
            await over.addTimeout(STOP_PATIENCE, self._around.clock, self._leave)
        await self._around.in_thread(self._writer.close)

    def _leave(self, _: object, seconds: float) -> None:
        rows = sum(map(len, self._waiting))
        self.counters.rows_lost += rows
        self._around.log.error(f"nothing more could be written within {seconds:.0f} s: {rows} rows lost")

    def _wait(self) -> None:
        delay = min(LONGEST_WAIT, max(0.0, self._aggregation.deadline() - self._around.wall_clock()))
        self._alarm = self._around.clock.callLater(delay, self._look)

    def _look(self) -> None:
        self._flush(self._around.wall_clock())
        self._wait()

    def _flush(self, now: float) -> None:
        for finished in self._aggregation.take_finished(now):
            self._enqueue(finished)

    def _enqueue(self, finished: Finished) -> None:
        if finished.is_early:
            self.counters.flushes_early += 1
            self._around.log.info("Finished cache entries. Purging.")
        self._waiting.append(finished)
        entries = sum(map(len, self._waiting)) - len(self._waiting[0])
        if len(self._waiting) > self._most_waiting + 1 or entries > self._aggregation.most_entries:
            self._giving_up = True
            self._end_nap()
        self.counters.flushes_waiting = len(self._waiting)
        if self._running is None:
            running = ensureDeferred(self._run()).addErrback(log_bug, f"the plugin {self.name}")
            if not running.called:
                self._running = running.addBoth(self._done)

    def _done(self, _: object) -> None:
        self._running = None

    async def _run(self) -> None:
        """Write until nothing waits."""
        while self._waiting:
            finished = self._waiting[0]
            await self._write(finished)
            self._waiting.popleft()
            self._giving_up = False
            self.counters.flushes_waiting = len(self._waiting)
            while not finished.release(RELEASED):
                await self._turn()
            self.counters.entries = self._aggregation.entries

    async def _write(self, finished: Finished) -> None:
        """Write one flush, or give it up."""
        log, pid, began = self._around.log, self._around.pid, time.monotonic()
        log.info(f"*** Purging cache - START (PID: {pid}) ***")
        job = self._writer.job(finished, self._around.wall_clock())
        is_written = await self._try(job, len(finished))
        self.counters.rows_written += job.rows
        self.counters.rows_left_out += job.rows_left_out
        self.counters.rows_lost += job.rows_lost
        if is_written:
            self.counters.flushes += 1
            seconds = round(time.monotonic() - began)
            log.info(f"*** Purging cache - END (PID: {pid}, QN: {job.rows}/{len(finished)}, ET: {seconds}) ***")
            if job.rows_lost:
                log.warning(f"nobody reads the output: {job.rows_lost} rows lost")
            if not finished.is_early:
                await self._trigger()

    async def _trigger(self) -> None:
        """Run what the operator wants to be run after a flush."""
        if self._around.after_flush is not None:
            complaint = await self._around.in_thread(self._around.after_flush)
            if complaint:
                self._around.log.warning(complaint)

    async def _try(self, job: Job, rows: int) -> bool:
        """Try until it is written; tell whether it is."""
        retry_after = FIRST_RETRY
        while True:
            try:
                await self._around.in_thread(job.run)
            except Exception as error:  # noqa: BLE001 (none may end the plugin)
                self.counters.failures += 1
                if not isinstance(error, OSError):
                    log_bug(error, f"the plugin {self.name}")
                reason = _reason(error)
                if self._stopping or self._giving_up or not isinstance(error, OSError):
                    lost = rows - job.rows - job.rows_left_out - job.rows_lost
                    self.counters.rows_lost += lost
                    self._around.log.error(f"{reason}: given up, {lost} rows lost")
                    return False
                if retry_after == FIRST_RETRY:
                    self._around.log.error(f"{reason}: retrying")
            else:
                if retry_after > FIRST_RETRY:
                    self._around.log.info("written again")
                return True
            await self._sleep(retry_after)
            retry_after = min(LAST_RETRY, 2 * retry_after)

    async def _sleep(self, seconds: float) -> None:
        self._nap = Deferred()
        alarm = self._around.clock.callLater(seconds, self._end_nap)
        await self._nap
        if alarm.active():
            alarm.cancel()

    def _end_nap(self) -> None:
        if self._nap is not None:
            nap, self._nap = self._nap, None
            nap.callback(None)

    def _turn(self) -> Deferred[None]:
        """Let the reactor do something else."""
        turn: Deferred[None] = Deferred()
        self._around.clock.callLater(0, turn.callback, None)
        return turn


class Stoppable(Protocol):
    """What has something to write at the end."""

    async def stop(self) -> None:
        """Write everything; what cannot be written is given up."""


async def stop_all(plugins: Iterable[Stoppable]) -> None:
    """Stop plugins at the same time: one whose destination hangs leaves the others theirs."""
    await gatherResults([ensureDeferred(plugin.stop()) for plugin in plugins], consumeErrors=True)


def _reason(error: Exception) -> str:
    name = error.filename if isinstance(error, OSError) else None
    return f"{name}: {reason_of(error)}" if name else reason_of(error)
