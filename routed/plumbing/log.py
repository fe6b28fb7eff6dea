"""The log: `LEVEL ( process/module ): text`, to the terminal, a file, the system log, or the last two.

Lines in a file begin with the time and its offset from UTC. A line is written at once with one system call. What a FIFO
without a reader or a full disk does not take is not waited for but counted, and the count is the first thing that is
written when lines can be written again. The terminal and the system log are others' to drain: while whoever reads them
does not, a line to them waits. Texts may hold what a peer said, so characters that could forge a line are escaped.
"""

from __future__ import annotations

import os
import stat
import sys
import syslog
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, TextIO

from routed.plumbing.names import format_offset
from routed.plumbing.output_file import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from routed.plumbing.output_file import Owner


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

#: Length of the window in which lines of one kind are counted. Units: seconds.
WINDOW: Final = 60.0
#: Kinds of lines that are told apart at a time; what comes beyond shares one count. A kind may hold a peer's text.
MAX_KINDS: Final = 4_096


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something to be logged, as a value: what loaders and checks return to whoever owns the log."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Where lines go and what they look like."""

    process: str
    debug: bool
    file: Path | None
    facility: str | None
    ident: str
    stderr_timestamps: bool
    utc: bool


class RateLimit:
    """At most so many lines of a kind a minute; the rest is counted."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, kind: str, at_most: int, now: float) -> int | None:
        """Return how many lines were held back since the last one that was not, or `None` to hold back this one.

        Args:
            kind: what the line is about.
            at_most: lines of this kind in a window.
            now: monotonic seconds; a wall clock that is set back would silence lines until it has caught up.
        """
        if kind not in self._windows and len(self._windows) >= MAX_KINDS:
            self._windows = {old: window for old, window in self._windows.items() if now - window[0] < WINDOW}
            kind = kind if len(self._windows) < MAX_KINDS else ""
        start, count = self._windows.get(kind, (now, 0))
        held_back = 0
        if now - start >= WINDOW:
            start, count, held_back = now, 0, max(0, count - at_most)
        self._windows[kind] = (start, count + 1)
        return held_back if count < at_most else None


class Log:
    """The log of one process.

    Raises: OSError when the file cannot be opened at the start; at `reopen` the old one stays in use.
    """

    def __init__(
        self,
        settings: LogSettings,
        owner: Owner,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        terminal: TextIO | None = None,
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._clock, self._monotonic = clock, monotonic
        self._terminal = sys.stderr if terminal is None else terminal
        self._limit = RateLimit()
        self._lost, self._torn = 0, False
        self._complaint = ""
        self._descriptor = None if settings.file is None else self._open_file(settings.file)
        if settings.facility is not None:
            syslog.openlog(settings.ident, syslog.LOG_PID, FACILITIES[settings.facility])
        self._complain()

    def error(self, text: str) -> None:
        """Log our own mistake, or data that is lost."""
        self.write(Level.ERROR, text)

    def warning(self, text: str) -> None:
        """Log what an operator or the owner of a peer should look at."""
        self.write(Level.WARN, text)

    def notice(self, text: str) -> None:
        """Log statistics that were asked for."""
        self.write(Level.NOTICE, text)

    def info(self, text: str) -> None:
        """Log a change of state."""
        self.write(Level.INFO, text)

    def debug(self, text: str) -> None:
        """Log a detail, when debugging is on."""
        self.write(Level.DEBUG, text)

    def write_all(self, lines: Iterable[LogLine]) -> None:
        """Log lines that somebody returned."""
        for line in lines:
            self.write(line.level, line.text)

    def write_limited(self, kind: str, at_most: int, level: Level, text: str) -> None:
        """Log at most so many lines of a kind a minute, and then how many there were more."""
        held_back = self._limit.admit(kind, at_most, self._monotonic())
        if held_back is not None:
            self.write(level, text + (f" ({held_back} more like this were not logged)" if held_back else ""))

    def write(self, level: Level, text: str, module: str = "core") -> None:
        """Log a line."""
        if level is Level.DEBUG and not self._settings.debug:
            return
        line = f"{level.name} ( {self._settings.process}/{module} ): {escape(text)}"
        if self._settings.facility is not None:
            syslog.syslog(level.value, line)
        if self._descriptor is not None:
            self._write_file(f"{self._timestamp()} {line}\n")
        if self._descriptor is None and self._settings.facility is None:
            stamp = f"{self._timestamp()} " if self._settings.stderr_timestamps else ""
            self._write_terminal(f"{stamp}{line}\n")

    def reopen(self) -> None:
        """Open the file again under its name, after somebody has moved it away."""
        if self._settings.facility is not None:
            syslog.closelog()
            syslog.openlog(self._settings.ident, syslog.LOG_PID, FACILITIES[self._settings.facility])
        if self._settings.file is None or self._descriptor is None:
            return
        try:
            descriptor = self._open_file(self._settings.file)
        except OSError as error:
            self.error(f"[{self._settings.file}] cannot be opened again: {error.strerror}. Keeping the old file.")
            return
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._complain()

    def close(self) -> None:
        """Give the file back; later lines go to the terminal."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_file(self, path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
            return os.open(path, os.O_RDWR | os.O_NONBLOCK)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        self._complaint = self._owner.take(descriptor)
        return descriptor

    def _complain(self) -> None:
        if self._complaint:
            self.warning(f"[{self._settings.file}] {self._complaint}")

    def _write_terminal(self, line: str) -> None:
        try:
            self._terminal.write(line)
            self._terminal.flush()
        except OSError:
            self._lost += 1  # nobody reads any more, and there is nobody else to tell

    def _write_file(self, line: str) -> None:
        assert self._descriptor is not None
        if self._lost:
            told = f"WARN ( {self._settings.process}/core ): {self._lost} log lines were lost"
            line = f"{self._timestamp()} {told}\n{line}"
        octets = (b"\n" if self._torn else b"") + line.encode(errors="backslashreplace")
        try:
            taken = os.write(self._descriptor, octets)
        except OSError:
            self._lost += 1  # told by the next line that can be written
            return
        self._torn = taken < len(octets)
        self._lost = self._lost + 1 if self._torn else 0

    def _timestamp(self) -> str:
        now = datetime.fromtimestamp(self._clock(), UTC)
        local = now if self._settings.utc else now.astimezone()
        return f"{local:%Y-%m-%dT%H:%M:%S}{format_offset(local)}"


def escape(text: str) -> str:
    """Write characters that do not print by their code, so that no text can look like a line of its own."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape_character(char) for char in text)


def _escape_character(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"
