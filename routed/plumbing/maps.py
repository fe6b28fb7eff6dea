"""Map files: rows of `key=value` pairs, and the life of a file that is read again while the daemon runs.

A row is a list of pairs divided by blanks; single quotes protect blanks inside a value. A row that begins with `!` or
`#` is a comment. A row that cannot be understood is left out with a warning that names its line, and the others count.
Nothing is logged here: loaders return the lines to log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Level, LogLine
from routed.plumbing.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

T = TypeVar("T")

#: A map is configuration, written by people and their tools; this many octets are 2 million rows.
MAX_OCTETS: Final = 256 * 1024 * 1024


#: Characters of a word that a complaint quotes.
MAX_QUOTED: Final = 40
#: A row in which no blank is protected, and none is but blanks and tabs.
_PLAIN: Final = re.compile(r"[ \t!-&(-{}~]*")


class RowError(ValueError):
    """A row is left out; the text says why."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """The content of a file, and what to log about its rows."""

    content: T
    lines: tuple[LogLine, ...] = ()


class Row(NamedTuple):
    """The pairs of one row."""

    where: str
    pairs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a map is read."""

    max_rows: int = 384
    max_row_length: int = 288


class MapError(StartError):
    """Maps cannot be used; each argument says why one cannot."""


class MapFile(Generic[T]):
    """A file of the configuration and what it says.

    At the start, rows that cannot be understood are left out. What replaces the content of a daemon that runs is read
    strictly: then such a row makes the file one that cannot be used.
    """

    def __init__(
        self, path: Path, parse: Callable[[str, str], Loaded[T]], *, announce: bool = True, strict: bool = False
    ) -> None:
        self._path, self._parse, self._announce, self._strict = path, parse, announce, strict
        self._content: T | None = None

    @property
    def content(self) -> T:
        """Return what the file says."""
        assert self._content is not None, f"{self._path} has not been loaded"
        return self._content

    def load(self) -> tuple[LogLine, ...]:
        """Read the file; return what is to be logged.

        Raises: MapError when it cannot be used.
        """
        try:
            loaded = self._read()
        except OSError as error:
            raise MapError(self._failure(error), *self._stays()) from error
        if self._strict and (bad := [line.text for line in loaded.lines if line.is_bad]):
            raise MapError(*bad, *self._stays())
        self._content = loaded.content
        return self._report(loaded)

    def _read(self) -> Loaded[T]:
        octets = self._path.read_bytes()
        if len(octets) > MAX_OCTETS:
            raise OSError(0, f"larger than {MAX_OCTETS} octets")
        return self._parse(octets.decode("utf-8-sig", errors="surrogateescape"), str(self._path))

    def _stays(self) -> list[str]:
        return [f"[{self._path}] Rolling back old map."] if self._strict else []

    def _failure(self, error: OSError) -> str:
        missing = isinstance(error, FileNotFoundError)
        return f"[{self._path}] file not found." if missing else f"[{self._path}] cannot be read: {error.strerror}."

    def _report(self, loaded: Loaded[T]) -> tuple[LogLine, ...]:
        if not self._announce:
            return loaded.lines
        entries = f" with {len(loaded.content)} entries" if hasattr(loaded.content, "__len__") else ""
        return (
            LogLine(Level.INFO, f"[{self._path}] (re)loading map."),
            *loaded.lines,
            LogLine(Level.INFO, f"[{self._path}] map successfully (re)loaded{entries}."),
        )


def parse_rows(text: str, name: str, keys: Collection[str], limits: Limits) -> Loaded[tuple[Row, ...]]:
    """Parse a map whose rows may have the keys given."""
    lines: list[LogLine] = []
    rows = tuple(iterate_rows(text, name, keys, limits, lines))
    return Loaded(rows, tuple(lines))


def iterate_rows(text: str, name: str, keys: Collection[str], limits: Limits, lines: list[LogLine]) -> Iterator[Row]:
    """Parse a map row by row; what is to be logged is added to `lines`."""
    count = 0
    for where, line in numbered_rows(text, name, "!#"):
        if count == limits.max_rows:
            warning = (
                f"[{name}] file cut to the first {limits.max_rows} entries. Number of entries can be raised "
                "via the 'maps_entries' configuration directive."
            )
            lines.append(LogLine(Level.WARN, warning))
            break
        try:
            row = Row(where, _parse_pairs(line, keys, limits))
        except RowError as error:
            lines.append(left_out(f"{where} {error}"))
            continue
        count += 1
        yield row


def left_out(text: str) -> LogLine:
    """Return what to log about a row that is left out."""
    return LogLine(Level.WARN, text, is_bad=True)


def numbered_rows(text: str, name: str, comments: str) -> Iterator[tuple[str, str]]:
    """Go through the rows that hold something, each with its place; `comments` are the characters that begin one."""
    number = at = 0
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        row = text[at:end].strip()
        at, number = end + 1, number + 1
        if row and row[0] not in comments:
            yield f"[{name}:{number}]", row


def _parse_pairs(line: str, keys: Collection[str], limits: Limits) -> dict[str, str]:
    if len(line) > limits.max_row_length:
        raise RowError(f"line too long (max {limits.max_row_length} chars). Ignored. 'maps_row_len' allows for more.")
    pairs: dict[str, str] = {}
    for word in _split(line):
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise RowError(f"malformed line. Ignored. '{_shortened(word)}' is no key=value.")
        if key not in keys:
            meant = nearest(key.lower(), sorted(keys))
            advice = f" Did you mean {meant}?" if meant else ""
            raise RowError(f"Line ignored because of unknown key '{_shortened(key)}'.{advice}")
        if key in pairs:
            raise RowError(f"Multiple '{key}' clauses part of the same statement. Line ignored.")
        pairs[key] = value
    return pairs


def _shortened(word: str) -> str:
    return word if len(word) <= MAX_QUOTED else f"{word[:MAX_QUOTED]}..."


def _split(line: str) -> list[str]:
    """Split at blanks outside single quotes and take the quotes away."""
    if _PLAIN.fullmatch(line):
        return line.split()
    pieces = line.split("'")
    is_text = line.isascii() or not any("\ud800" <= char <= "\udfff" for char in line)
    if len(pieces) % 2 == 0 or "|" in line or not is_text:
        why = "a ' is not closed" if len(pieces) % 2 == 0 else "| means nothing here" if is_text else "it is not UTF-8"
        raise RowError(f"malformed line. Ignored: {why}.")
    words = [""]
    for number, piece in enumerate(pieces):
        if number % 2:
            words[-1] += piece
            continue
        first, *others = _blank_separated(piece)
        words[-1] += first
        words += others
    return [word for word in words if word]


def _blank_separated(text: str) -> list[str]:
    return text.replace("\t", " ").replace("\r", " ").split(" ")
