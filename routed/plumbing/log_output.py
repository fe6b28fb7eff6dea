"""Where log lines go: a file, the terminal, the system log; and the thread that waits for each of them.

A destination takes a line or not, and may block while it does: terminals, pipes, disks and the system log are others'
to drain. So a `Channel` gives each destination a thread of its own as soon as `begin` is called, and a bounded queue in
front of it: whoever logs never waits. Before that, at the start of a daemon, lines are written at once. Lines that are
not taken, and those for which there is no room in the queue, are counted, and the count is the first thing that is
written when lines can be written again.
"""

from __future__ import annotations

import os
import stat
import syslog
import threading
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TextIO

from routed.plumbing.output_file import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from routed.plumbing.output_file import Owner

#: Lines that may wait for a destination which takes none: the last minutes of a busy daemon. Units: octets.
MAX_WAITING: Final = 4 << 20


class Level(Enum):
    """How much a line matters; the values are the priorities of the system log (RFC 5424 section 6.2.1)."""

    ERROR = syslog.LOG_ERR
    WARN = syslog.LOG_WARNING
    NOTICE = syslog.LOG_NOTICE
    INFO = syslog.LOG_INFO
    DEBUG = syslog.LOG_DEBUG


#: Facilities by their name in the configuration.
FACILITIES: Final[Mapping[str, int]] = {
    "auth": syslog.LOG_AUTH,
    "mail": syslog.LOG_MAIL,
    "daemon": syslog.LOG_DAEMON,
    "kern": syslog.LOG_KERN,
    "user": syslog.LOG_USER,
    **{f"local{number}": syslog.LOG_LOCAL0 + 8 * number for number in range(8)},
}


class Line(NamedTuple):
    """A whole line, without its end."""

    level: Level
    text: str


class Output(Protocol):
    """A destination of lines."""

    def write(self, line: Line) -> bool:
        """Write a line; tell whether it was taken."""

    def reopen(self) -> str:
        """Begin anew under the same name; return what the operator should know about that."""

    def close(self) -> None:
        """Give it back."""


class File:
    """A file or FIFO that lines are appended to, each with one system call.

    Raises: OSError when it cannot be opened at the start; at `reopen` the old one stays in use.
    """

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path, self._owner = path, owner
        self._torn = False
        self.complaint = ""
        self._descriptor = self._open()

    def write(self, line: Line) -> bool:
        """Write a line, unless a FIFO without a reader or a full disk refuses; half a line counts as none."""
        octets = (b"\n" if self._torn else b"") + f"{line.text}\n".encode(errors="backslashreplace")
        try:
            taken = os.write(self._descriptor, octets)
        except OSError:
            return False
        self._torn = taken < len(octets)
        return not self._torn

    def reopen(self) -> str:
        """Open the file again, after somebody has moved it away."""
        try:
            descriptor = self._open()
        except OSError as error:
            return f"[{self._path}] cannot be opened again: {error.strerror}. Keeping the old file."
        os.close(self._descriptor)
        self._descriptor, self._torn = descriptor, False
        return self.complaint

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and stat.S_ISFIFO(self._path.stat().st_mode):
            return os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        complaint = self._owner.take(descriptor)
        self.complaint = f"[{self._path}] {complaint}" if complaint else ""
        return descriptor


class Terminal:
    """Standard error, whatever that is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: Line) -> bool:
        """Write a line; when nobody reads any more there is nobody else to tell."""
        try:
            self._stream.write(f"{line.text}\n")
            self._stream.flush()
        except OSError:
            return False
        return True

    def reopen(self) -> str:
        """Have no name to be opened under again."""
        return ""

    def close(self) -> None:
        """Stay: it is not ours."""


class SystemLog:
    """The system log (RFC 5424), through the C library."""

    def __init__(self, ident: str, facility: str) -> None:
        self._ident, self._facility = ident, FACILITIES[facility]
        syslog.openlog(ident, syslog.LOG_PID, self._facility)

    def write(self, line: Line) -> bool:
        """Hand a line over; the C library does not say what became of it."""
        syslog.syslog(line.level.value, line.text)
        return True

    def reopen(self) -> str:
        """Connect again."""
        syslog.closelog()
        syslog.openlog(self._ident, syslog.LOG_PID, self._facility)
        return ""

    def close(self) -> None:
        """Disconnect."""
        syslog.closelog()


class Channel:
    """One destination, and what waits for it.

    Args:
        lost: writes the line that tells how many were lost.
        complain: is told, in whichever thread, what the operator should know after a `reopen`.
    """

    def __init__(
        self,
        output: Output,
        lost: Callable[[int], Line],
        complain: Callable[[str], None],
        *,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._output, self._line_of_lost, self._complain = output, lost, complain
        self._max_waiting = max_waiting
        self._queue: deque[Line | None] = deque()  # None: reopen
        self._octets = self._lost = 0
        self._changed = threading.Condition()
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """From now on let a thread wait for the destination."""
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, line: Line) -> None:
        """Write a line, or leave it to the thread if there is one."""
        if self._thread is None:
            self._deliver(line)
            return
        with self._changed:
            if self._octets + len(line.text) > self._max_waiting:
                self._lost += 1
                return
            self._octets += len(line.text)
            self._queue.append(line)
            self._changed.notify()

    def reopen(self) -> None:
        """Let the lines that follow go to a fresh file; those before still reach the old one."""
        if self._thread is None:
            self._reopen()
            return
        with self._changed:
            self._queue.append(None)
            self._changed.notify()

    def end(self, patience: float) -> bool:
        """Write what waits and give the destination back; tell whether that could be done. Units: seconds."""
        if self._thread is not None:
            with self._changed:
                self._is_ending = True
                self._changed.notify()
            self._thread.join(patience)
            if self._thread.is_alive():
                return False
            self._thread = None
        self._output.close()
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_ending)
                if not self._queue:
                    return
                line = self._queue.popleft()
                self._octets -= 0 if line is None else len(line.text)
            if line is None:
                self._reopen()
            else:
                self._deliver(line)

    def _deliver(self, line: Line) -> None:
        if (lost := self._lost) and self._output.write(self._line_of_lost(lost)):
            self._count(-lost)
        if not self._output.write(line):
            self._count(1)

    def _count(self, lost: int) -> None:
        with self._changed:
            self._lost += lost

    def _reopen(self) -> None:
        if complaint := self._output.reopen():
            self._complain(complaint)
