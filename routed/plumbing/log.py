"""The log: `LEVEL ( process/module ): text`, to the terminal, a file, the system log, or the last two.

Lines in a file begin with the time and its offset from UTC. As JSON, a line is one object with `time`, `level`,
`process`, `area` and `message`, with `about` where the message begins with a peer, a router or a file in brackets, and
with the facts of the message (`event`, `peer`, …) where whoever logs has them.
Once `begin` was called, nobody who logs waits for a destination (see `log_output`). Texts may hold what a peer said, so
characters that could forge a line are escaped.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

import orjson

from routed.plumbing.log_output import Channel, File, Level, Line, SystemLog, Terminal
from routed.plumbing.names import format_offset
from routed.plumbing.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from routed.plumbing.output_file import Owner

__all__ = ["Level", "Log", "LogLine", "LogSettings", "escape"]

#: The facts of a line that has none.
NO_FACTS: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something to be logged, as a value: what loaders and checks return to whoever owns the log.

    `is_bad` ones are about a piece of a file that cannot be understood, and that is left out.
    """

    level: Level
    text: str
    is_bad: bool = field(default=False, compare=False)


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
    json: bool = False


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
        self._settings, self._debug = settings, settings.debug
        self._clock, self._monotonic = clock, monotonic
        self._terminal = self._channel(Terminal(sys.stderr if terminal is None else terminal))
        self._limit = RateLimit()
        self._file: Channel | None = None
        self._system: Channel | None = None
        if settings.facility is not None:
            self._system = self._channel(SystemLog(settings.ident, settings.facility))
        if settings.file is not None:
            file = File(settings.file, owner)
            self._file = self._channel(file)
            if file.complaint:
                self.warning(file.complaint)

    def begin(self) -> None:
        """From now on wait for no destination; to be called when the process forks no more."""
        for channel in self._channels():
            channel.begin()

    def configure(self, settings: LogSettings) -> None:
        """Take over what may change while the daemon runs: whether details are logged."""
        self._debug = settings.debug

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

    def write_limited(
        self, kind: str, at_most: int, level: Level, text: str, *, facts: Mapping[str, object] = NO_FACTS
    ) -> None:
        """Log at most so many lines of a kind a minute, and then how many there were more."""
        held_back = self._limit.admit(kind, at_most, self._monotonic())
        if held_back is not None:
            text += f" ({held_back} more like this were not logged)" if held_back else ""
            self.write(level, text, facts=facts)

    def write(
        self,
        level: Level,
        text: str,
        module: str = "core",
        *,
        process: str | None = None,
        facts: Mapping[str, object] = NO_FACTS,
    ) -> None:
        """Log a line; a plugin is a `process` of its own."""
        if level is Level.DEBUG and not self._debug:
            return
        if self._settings.json:
            line = Line(level, self._object(level, text, module, facts, process))
            for channel in self._channels():
                channel.write(line)
            return
        line = self._text(level, text, module, process)
        if self._system is not None:
            self._system.write(line)
        if self._file is not None:
            self._file.write(self._stamped(line))
        if self._file is None and self._system is None:
            self._terminal.write(self._stamped(line) if self._settings.stderr_timestamps else line)

    def part(self, module: str) -> Log:
        """Return a log whose lines come from a part of the process, such as `core/BGP`, by way of this one."""
        return _Part(self, module, self._limit, self._monotonic)

    def reopen(self) -> None:
        """Open the file again under its name, after somebody has moved it away."""
        for channel in self._channels():
            channel.reopen()

    def close(self, patience: float = 0.0) -> bool:
        """Write what waits, give the file back; later lines go to the terminal.

        Returns: whether everything was written within `patience`. Units: seconds.
        """
        channels, self._file, self._system = self._channels(), None, None
        ended = [channel.end(patience) for channel in channels]
        return all(ended)

    def _channels(self) -> list[Channel]:
        channels = [channel for channel in (self._system, self._file) if channel is not None]
        return channels or [self._terminal]

    def _channel(self, output: File | Terminal | SystemLog) -> Channel:
        return Channel(output, self._line_of_lost, self.error)

    def _line_of_lost(self, lost: int) -> Line:
        text = f"{lost} log lines were lost"
        if self._settings.json:
            return Line(Level.WARN, self._object(Level.WARN, text, "core", {"lost": lost}))
        line = self._text(Level.WARN, text, "core")
        return line if self._file is None else self._stamped(line)

    def _text(self, level: Level, text: str, module: str, process: str | None = None) -> Line:
        return Line(level, f"{level.name} ( {process or self._settings.process}/{module} ): {escape(text)}")

    def _stamped(self, line: Line) -> Line:
        now = self._now()
        return Line(line.level, f"{now:%Y-%m-%dT%H:%M:%S}{format_offset(now)} {line.text}")

    def _object(
        self, level: Level, text: str, module: str, facts: Mapping[str, object], process: str | None = None
    ) -> str:
        now = self._now()
        line = {
            "time": f"{now:%Y-%m-%dT%H:%M:%S.%f}{format_offset(now)}",
            "level": level.name.lower(),
            "process": process or self._settings.process,
            "area": module,
            "message": escape(text),
            **_about(text),
            **{name: _plain(value) for name, value in facts.items()},
        }
        return orjson.dumps(line).decode()

    def _now(self) -> datetime:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return now if self._settings.utc else now.astimezone()


class _Part(Log):
    """What a part of a process logs; where it goes is up to the log of the process, and so is the end of it."""

    def __init__(self, whole: Log, module: str, limit: RateLimit, monotonic: Callable[[], float]) -> None:
        self._whole, self._module = whole, module
        self._limit, self._monotonic = limit, monotonic

    def write(
        self,
        level: Level,
        text: str,
        module: str = "",
        *,
        process: str | None = None,
        facts: Mapping[str, object] = NO_FACTS,
    ) -> None:
        self._whole.write(level, text, module or self._module, process=process, facts=facts)


def _about(text: str) -> dict[str, object]:
    """Return what a message begins with in brackets, if it does: whom or what it is about."""
    about, bracket, _ = text[1:].partition("] ")
    return {"about": escape(about)} if text.startswith("[") and bracket else {}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int) else escape(str(value))


def escape(text: str) -> str:
    """Write characters that do not print by their code, so that no text can look like a line of its own."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape_character(char) for char in text)


def _escape_character(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"
