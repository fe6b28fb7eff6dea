"""The configuration language: `key[name]: value`, one statement a line.

A line is a comment when its first character that is not blank is `!` or `#`; nothing else is, so `x: y ! z` has the
value `y ! z`. Keys lose their blanks and their capitals, values lose the blanks at both ends. There is no
continuation, no quoting, no inclusion. A line that is none of this is an error, and every one of them is reported.
Text is UTF-8, with or without the mark that some editors begin it with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

#: Longest line, in octets, and most lines of a configuration file: both far above what a person writes.
MAX_LINE_OCTETS: Final = 10_240
MAX_LINES: Final = 8_192
#: What stands for the number of a process, from 1, where several run with one configuration.
PROCESS_NUMBER: Final = "$proc_number"
#: Where the name of such a process was written that the operator did not choose.
OF_COUNT: Final = "[proc_count]"


class Kind(Enum):
    """What is wrong with a configuration."""

    SYNTAX = auto()
    BAD_VALUE = auto()
    CONFLICT = auto()
    UNKNOWN_KEY = auto()
    MISSING_FILE = auto()
    ADVICE = auto()


#: What keeps a daemon from starting.
FATAL: Final = frozenset({Kind.SYNTAX, Kind.BAD_VALUE, Kind.CONFLICT})
#: What a dry run answers with a failing exit status: a start survives an unknown key, a check should not. A file that
#: is not there ends a start too, if it is needed.
FAILS_CHECK: Final = FATAL | {Kind.UNKNOWN_KEY, Kind.MISSING_FILE}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the operator should know about the configuration, ready for the log."""

    kind: Kind
    text: str

    @property
    def is_fatal(self) -> bool:
        """Tell whether the daemon must not start."""
        return self.kind in FATAL


@dataclass(frozen=True, slots=True)
class Statement:
    """One `key[scope]: value`, with the place it was written at."""

    key: str
    value: str
    where: str
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Statements:
    """What a text says, in its order, and which of its lines say nothing that can be understood.

    `file` is where it was read, a path from the root as the operator has it; empty where there was no file.
    """

    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...] = ()
    file: str = ""


def for_process(statements: Statements, number: int) -> Statements:
    """Put the number of a process in where a value, or the name of a plugin, has the variable for it."""

    def put(text: str) -> str:
        return text.replace(PROCESS_NUMBER, str(number))

    return Statements(
        tuple(
            replace(one, value=put(one.value), scope=None if one.scope is None else put(one.scope))
            for one in statements.statements
        ),
        statements.problems,
        statements.file,
    )


class StatementError(ValueError):
    """A line is no statement."""


def read_statements(path: Path) -> Statements:
    """Read a configuration file.

    Raises: OSError when the file cannot be read.
    """
    statements = parse_statements(path.read_text(encoding="utf-8-sig", errors="surrogateescape"), str(path))
    return replace(statements, file=str(path.absolute()))


def parse_statements(text: str, name: str) -> Statements:
    """Parse a configuration text; `name` is what places in it are called."""
    statements: list[Statement] = []
    problems: list[Problem] = []
    if (at := text.find("\0")) >= 0:
        where = f"[{name}:{text.count(chr(10), 0, at) + 1}]"
        return Statements((), (Problem(Kind.SYNTAX, f"{where} a NUL octet: this is no text in UTF-8"),))
    lines = text.split("\n")
    for number, line in enumerate(lines[:MAX_LINES], start=1):
        where = f"[{name}:{number}]"
        try:
            statement = parse_statement(line.strip(), where)
        except StatementError as error:
            problems.append(Problem(Kind.SYNTAX, f"{where} syntax error: {error}"))
        else:
            statements += [statement] if statement is not None else []
    if any(line.strip() for line in lines[MAX_LINES:]):
        problems.append(Problem(Kind.SYNTAX, f"[{name}:{MAX_LINES + 1}] more than {MAX_LINES} lines"))
    return Statements(tuple(statements), tuple(problems))


def parse_statement(line: str, where: str) -> Statement | None:
    """Parse one trimmed line; a blank or commented one is `None`.

    Raises: StatementError.
    """
    if not line or line[0] in "!#":
        return None
    if len(line.encode(errors="surrogateescape")) > MAX_LINE_OCTETS:
        raise StatementError(f"the line is longer than {MAX_LINE_OCTETS} octets")
    head, colon, value = line.partition(":")
    if not colon:
        raise StatementError("the line has no ':' between key and value")
    key, scope = _parse_head("".join(head.split()))
    return Statement(key.lower(), value.strip(), where, scope)


def _parse_head(head: str) -> tuple[str, str | None]:
    key, bracket, rest = head.partition("[")
    if not bracket and "]" not in head:
        if not head:
            raise StatementError("the key is empty")
        return head, None
    scope, closing, behind = rest.partition("]")
    if not bracket or not closing or "[" in scope or behind or "]" in key:
        raise StatementError("brackets around the plugin name are not balanced")
    if not key:
        raise StatementError("the key is empty")
    if not scope:
        raise StatementError("the plugin name is empty")
    return key, scope
