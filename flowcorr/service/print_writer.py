"""Flushes as files: the blocking half of the `print` plugin.

A file appears whole: it is written beside its place and put there when it is complete. With `print_output_file_append`
rows go to the end of the file; so they do where a later flush of this run brings rows for a name that follows the time,
because the bin it belongs to had been written in part.

Departs: pmacct truncates the file of a bin at each flush that has rows for it, so that late rows erase those that were
there.

A FIFO gets a container for each flush. Where the beginning of one, or a header, finds no room, neither do rows.
"""

import fcntl
import os
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flowcorr.correlate.aggregate import Aggregate, KeyPlan
from flowcorr.correlate.aggregation import Finished
from flowcorr.service.entry_names import Names, Share
from flowcorr.service.formats import header, make_renderer, schema_of
from flowcorr.service.print_settings import PrintSettings
from flowcorr.service.render import Output, RowSettings
from routed.plumbing.avro_container import begin_container, block, new_sync, sync_of
from routed.plumbing.buffer import Buffer
from routed.plumbing.output_file import OutputFile, RegularFile, open_output, open_replacement, point_latest

#: Names that are remembered as written, the latest: as many as hours have minutes, for some days.
MOST_NAMES: Final = 8_192
#: Standard output, where rows go without a file.
STDOUT: Final = 1


@dataclass(slots=True)
class Part:
    """What of a flush goes to one name, and how far that has come."""

    name: str
    link: str | None = None
    shares: list[Share] = field(default_factory=list)
    done: int = 0  # shares that are written
    at: int = 0  # where the next one goes on
    rows: int = 0
    begun: bool = False


class PrintWriter:
    """Writes the flushes of one plugin."""

    def __init__(
        self, settings: PrintSettings, rows: RowSettings, aggregate: Aggregate, plan: KeyPlan, pid: int | None = None
    ) -> None:
        self.settings = settings
        self.renderer = make_renderer(aggregate, plan, rows)
        self.schemas = [schema_of(aggregate, plan, rows)] if rows.output.is_avro else []
        self._container = self.schemas[0] if rows.output is Output.AVRO else None
        self._header = header(aggregate, plan, rows) if rows.output.has_header else b""
        self.names = Names((settings.file, settings.latest), aggregate, plan, settings.values, settings.zone)
        self.pid = os.getpid() if pid is None else pid
        self.files: tuple[str, ...] = ()  # that the last flush went to, for triggers
        self._written: OrderedDict[str, None] = OrderedDict()
        self._stdout_begun = False
        self._stdout_sync = b""

    def job(self, finished: Finished, now: float) -> "PrintJob":
        """Prepare the writing of a flush; does not block."""
        return PrintJob(self, finished, now)

    def reopen(self) -> None:
        """Do nothing: no file stays open between flushes."""

    def close(self) -> None:
        """Do nothing: no file stays open between flushes."""

    def continues(self, name: str) -> bool:
        """Tell whether rows of a name are added to those that stand there already."""
        file = self.settings.file
        if file is None or self.settings.append:
            return True
        return file.follows_time and name in self._written

    def opening(self, name: str, *, is_new: bool) -> tuple[bytes, bytes]:
        """Return what stands in front of rows, and what the blocks of a container end with.

        Raises: OSError when a container has records of another schema.
        """
        if self._container is None:
            return (self._header if is_new else b""), b""
        if not is_new:
            return b"", sync_of(Path(name), self._container.text) if name else self._stdout_sync
        sync = new_sync()
        if not name:
            self._stdout_sync = sync
        return begin_container(self._container.text, sync), sync

    def remember(self, name: str) -> None:
        """Take note that a name has been written."""
        self._written[name] = None
        self._written.move_to_end(name)
        if len(self._written) > MOST_NAMES:
            self._written.popitem(last=False)

    @contextmanager
    def open(self, name: str) -> Iterator[tuple[OutputFile, bool]]:
        """Open what a name stands for, and tell whether it is new; it is whole when the block ends well.

        Raises: OSError.
        """
        if self.settings.file is None:
            with self._stdout() as output:
                is_new, self._stdout_begun = not self._stdout_begun, True
                yield output, is_new
        elif self.continues(name):
            path = Path(name)
            is_new = not (path.is_file() and path.stat().st_size)
            output = open_output(path, self.settings.owner)
            try:
                yield output, is_new
            finally:
                output.close()
        else:
            replacement = open_replacement(Path(name), self.settings.owner)
            try:
                yield replacement.output, True
            except BaseException:
                replacement.abort()
                raise
            replacement.commit()

    @contextmanager
    def _stdout(self) -> Iterator[OutputFile]:
        """Have standard output alone, where several daemons share one by means of a lock."""
        output = RegularFile(os.dup(STDOUT))
        try:
            if self.settings.lock_file is None:
                yield output
            else:
                with self.settings.lock_file.open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    yield output
        finally:
            output.close()


class PrintJob:
    """Writes one flush."""

    def __init__(self, writer: PrintWriter, finished: Finished, now: float) -> None:
        self.rows = self.rows_left_out = self.rows_lost = 0
        self._writer, self._finished, self._now = writer, finished, now
        self._parts: list[Part] | None = None
        self._files: list[str] = []
        self._began = time.monotonic()

    def run(self) -> None:
        """Write what is not written yet; blocks.

        Raises: OSError, after which it may be called again: a file that rows are added to goes on where it was.
        """
        if self._parts is None:
            self._parts = self._divide()
        left_out = self._writer.renderer.left_out
        try:
            while self._parts:
                self._write(self._parts[0])
                self._files.append(self._parts.pop(0).name)
        finally:
            self.rows_left_out += self._writer.renderer.left_out - left_out
        self._writer.files = tuple(name for name in self._files if name)

    def _divide(self) -> list[Part]:
        """Return what goes to which name, in the order of bins."""
        parts: dict[str, Part] = {}
        for bin_ in self._finished.bins:
            for share in self._writer.names.shares(bin_, self._now):
                name, link = share.names
                part = parts.setdefault(name or "", Part(name or ""))
                part.shares.append(share)
                part.link = link
        if not parts and self._writer.settings.empty_files and not self._finished.is_early:
            name, link = self._writer.names.of_nothing(self._finished.start or self._now)
            parts[name or ""] = Part(name or "", link)
        return list(parts.values())

    def _write(self, part: Part) -> None:
        continues = self._writer.continues(part.name)
        if not continues:
            part.done, part.at, part.rows, part.begun = 0, 0, 0, False
        with self._writer.open(part.name) as (output, is_new):
            head, sync = self._writer.opening(part.name, is_new=is_new)
            ahead = self._lead(output, (b"" if part.begun else self._opening()) + head)
            part.begun = True
            while part.done < len(part.shares):
                ahead = self._lead(output, ahead)
                self._write_some(output, part, sync, takes=not ahead)
            self._append(output, Buffer(self._closing(self.rows + part.rows), 0))
        self.rows += part.rows
        if part.name:
            self._writer.remember(part.name)
        if part.link is not None and part.name and not self._finished.is_early:
            point_latest(Path(part.link), Path(part.name))

    def _write_some(self, output: OutputFile, part: Part, sync: bytes, *, takes: bool) -> None:
        """Write one buffer of rows, as a block where blocks end with `sync`; lose them unless the output takes any."""
        share, renderer = part.shares[part.done], self._writer.renderer
        at = renderer.render(share.bin, part.at, int(self._now), order=share.order)
        rows = renderer.rows
        octets = renderer.take()
        buffer = _together(block(octets, rows, sync), rows) if sync else Buffer(octets, rows)
        lost = self._append(output, buffer) if takes else rows
        self.rows_lost += lost
        part.rows += rows - lost
        part.at = at
        if at == (len(share.bin) if share.order is None else len(share.order)):
            part.done, part.at = part.done + 1, 0

    def _lead(self, output: OutputFile, ahead: bytes) -> bytes:
        """Write what rows are no good without; return what found no room.

        Raises: OSError.
        """
        return ahead if self._append(output, _together(ahead, 1)) else b""

    @staticmethod
    def _append(output: OutputFile, buffer: Buffer) -> int:
        """Write octets; return how many of their rows found no room.

        Raises: OSError.
        """
        if not buffer.octets:
            return 0
        written = output.append([buffer])
        if written.error is not None:
            raise written.error
        return written.rows_dropped

    @property
    def _has_markers(self) -> bool:
        return self._writer.settings.markers and not self._writer.settings.output.is_avro

    def _opening(self) -> bytes:
        """Return the line that begins what a flush writes."""
        if not self._has_markers:
            return b""
        if self._writer.settings.output is Output.JSON:
            return b'{"event_type": "purge_init", "writer_id": "%s"}\n' % self._writer_id()
        return b"--START (%d)--\n" % self._writer.pid

    def _closing(self, purged: int) -> bytes:
        """Return the line that ends it."""
        if not self._has_markers:
            return b""
        if self._writer.settings.output is Output.JSON:
            seconds = round(time.monotonic() - self._began)
            return (
                b'{"event_type": "purge_close", "writer_id": "%s", "purged_entries": %d, "total_entries": %d, '
                b'"duration": %d}\n' % (self._writer_id(), purged, len(self._finished), seconds)
            )
        return b"--END (%d)--\n" % self._writer.pid

    def _writer_id(self) -> bytes:
        return f"{self._writer.settings.name}/{self._writer.pid}".encode()


def _together(octets: bytes, rows: int) -> Buffer:
    """Return rows that nobody can read a part of."""
    return Buffer(octets, rows, array("I", [len(octets)]).tobytes())
