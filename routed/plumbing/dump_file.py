"""The file of a table dump: written under a temporary name and put in its place when it is whole.

As in `sink_file`, the reactor's thread owns the queue and a thread does the blocking work of one batch at a time. Here
the producer is a walk over a table that can wait, so it awaits room instead of being called back, and a refusal or a
bug ends the dump: the old file stays, the error is the answer to `commit()`.
"""

from pathlib import Path

from twisted.internet.defer import Deferred, ensureDeferred, succeed

from routed.plumbing.avro_container import begin_replacement
from routed.plumbing.buffer import Buffer, Written
from routed.plumbing.metrics import SinkCounters
from routed.plumbing.output_file import Replacement, open_replacement, point_latest
from routed.plumbing.queue import BufferQueue
from routed.plumbing.sink import DEFAULT_OPTIONS, TEXT, FileOptions, Framing, InThread, SinkError, log_bug, reason_of


class DumpFile:
    """Write one dump under a temporary name and put it in its place when it is whole."""

    def __init__(
        self,
        path: str,
        *,
        in_thread: InThread,
        latest: str | None = None,
        options: FileOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.counters = SinkCounters()
        self.error: SinkError | None = None  # from then on rows are dropped, and commit() raises it
        self._path, self._latest = Path(path), Path(latest) if latest else None
        self._in_thread, self._options = in_thread, options
        self._queue = BufferQueue()
        self._replacement: Replacement | None = None
        self._running = False
        self._waiting: list[tuple[int, Deferred[None]]] = []  # who waits for the queue to be no longer than that

    @property
    def name(self) -> str:
        """Return the name under which the dump appears."""
        return str(self._path)

    def lane(self, _text: object) -> "DumpFile":
        """Return the file itself: rows of all peers follow each other."""
        return self

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Queue a buffer of whole rows; the caller awaits `ready()` before the next one."""
        if self.error is not None:
            self.counters.rows_lost += rows
            return
        container = self._options.container
        if container is None:
            self._queue.put(octets, rows, framing.ends)
        else:
            self._queue.put(container.block(octets, rows, framing), rows)
        self._wake()

    def ready(self) -> Deferred[None]:
        """Return what fires when the queue has room, or when the dump has failed."""
        return self._fallen_to(self._options.bounds.full)

    async def commit(self) -> None:
        """Write what is queued and put the file in its place, then point the latest link at it.

        Raises: SinkError, with the old file untouched (the new one in place if only the link failed).
        """
        self._wake()  # an empty dump is a file too
        await self._fallen_to(0)
        if self.error is not None:
            await self.abort()
            raise self.error
        assert self._replacement is not None
        replacement, self._replacement = self._replacement, None
        try:
            await self._in_thread(replacement.commit)
            if (link := self._latest) is not None:
                await self._in_thread(lambda: point_latest(link, self._path))
        except Exception as error:
            raise self._fail(error) from error

    async def abort(self) -> None:
        """Give the dump up: nothing of it remains, the old file does."""
        self.counters.rows_lost += self._queue.clear()
        if self.error is None:
            self.error = SinkError(f"{self._path}: given up")
        await self._fallen_to(0)
        if self._replacement is not None:
            replacement, self._replacement = self._replacement, None
            try:
                await self._in_thread(replacement.abort)
            except Exception as error:  # noqa: BLE001 (what the dump leaves behind is overwritten by the next one)
                self._fail(error)

    def _wake(self) -> None:
        if not self._running and self.error is None:
            self._running = True
            ensureDeferred(self._run()).addErrback(log_bug, f"the dump {self._path}")

    async def _run(self) -> None:
        try:
            if self._replacement is None:
                self._replacement = await self._in_thread(self._open)
            while batch := self._queue.batch():
                self._account(await self._append(batch))
                self._release()
        except Exception as error:  # noqa: BLE001 (after any a part of the dump may be missing)
            self._fail(error)
        finally:
            self._running = False
            self._release()

    def _open(self) -> Replacement:
        replacement = open_replacement(self._path, self._options.owner)
        container = self._options.container
        return replacement if container is None else begin_replacement(replacement, container)

    def _append(self, buffers: list[Buffer]) -> Deferred[Written]:
        assert self._replacement is not None
        append = self._replacement.output.append
        return self._in_thread(lambda: append(buffers))

    def _account(self, written: Written) -> None:
        if self.error is not None:
            return  # aborted meanwhile: the queue is gone
        octets = self._queue.octets
        self.counters.rows_written += self._queue.discard(written.buffers) - written.rows_dropped
        self.counters.rows_lost += written.rows_dropped
        self.counters.octets_written += octets - self._queue.octets
        if written.error is not None:
            raise written.error

    def _fail(self, error: Exception) -> SinkError:
        self.counters.failures += 1
        self.counters.rows_lost += self._queue.clear()
        name = None
        if isinstance(error, OSError):
            name = error.filename
        else:
            log_bug(error, f"the dump {self._path}")
        self.error = SinkError(f"{name or self._path}: {reason_of(error)}")
        self.error.__cause__ = error
        return self.error

    def _fallen_to(self, octets: int) -> Deferred[None]:
        if self._is_down_to(octets):
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append((octets, waiting))
        return waiting

    def _is_down_to(self, octets: int) -> bool:
        return self._queue.octets <= octets if octets else not self._running

    def _release(self) -> None:
        due = [waiting for octets, waiting in self._waiting if self._is_down_to(octets)]
        self._waiting = [entry for entry in self._waiting if entry[1] not in due]
        for waiting in due:
            waiting.callback(None)
