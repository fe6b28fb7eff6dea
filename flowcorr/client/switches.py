"""The switches of `pmacct`, and the question that a command line asks.

One row each; the command line, `-h` and the manual page are read from this table.
"""

from __future__ import annotations

import getopt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from routed.plumbing.cli import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_PATH: Final = "/tmp/collect.pipe"  # noqa: S108 (pmacct's)
#: In front of the path of a file that has a query on each line.
FILE: Final = "file:"
_SEPARATORS: Final[Mapping[str, str]] = {"\\t": "\t", "\\s": " "}


class UsageError(Exception):
    """The command line is not understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch; without an argument it is there or not."""

    letter: str
    argument: str
    meaning: str


SWITCHES: Final = (
    Switch("s", "", "print the whole table"),
    Switch("M", "VALUES[;...]", "print the rows that match the values of -c, such as `10.0.0.1,80;10.0.0.0/8,*`"),
    Switch("N", "VALUES[;...]", "print counters of what matches the values of -c, a line for each query"),
    Switch("c", "PRIMITIVE[,...]", "primitives that the values of -M and -N are of, in their order"),
    Switch("n", "COUNTER", "with -N: `bytes` (unless told), `packets`, `flows` or `all`, with the entries"),
    Switch("S", "", "with -N: one sum of all queries"),
    Switch("T", "COUNTER[,N]", "with -s and -M: the largest first, by `bytes`, `packets` or `flows`, and N of them"),
    Switch("a", "", "with -s and -M: columns of all primitives, also of those that the table does not have"),
    Switch("r", "", "with -M and -N: set what matched to zero after reading"),
    Switch("e", "", "erase the table"),
    Switch("i", "", "print the seconds since it was erased, or `never`"),
    Switch("t", "", "print what the table holds, how much it may hold and what found no room"),
    Switch("C", "", "refused: there is no classifier"),
    Switch("U", "", "print the custom primitives of the table"),
    Switch("l", "", "accepted: every answer is of one moment without a lock"),
    Switch("p", "PATH", f"socket of the plugin, {DEFAULT_PATH} unless told; several -p: their tables as one, as JSON"),
    Switch("O", "FORMAT", "`formatted`, `csv`, `json`, `event_formatted`, `event_csv`; else a table on a terminal"),
    Switch("E", "CHARACTER", "between columns of CSV; `\\t` and `\\s` too"),
    Switch("I", "", "times as seconds since 1970"),
    Switch("u", "", "protocols as numbers"),
    Switch("0", "", "times in UTC"),
    Switch("V", "", "print the version"),
    Switch("h", "", "print this"),
)
#: What can be asked for, one at a time, by its switch.
_ASKED: Final[Mapping[str, str]] = {
    "s": "list",
    "M": "list",
    "N": "count",
    "e": "erase",
    "i": "age",
    "t": "status",
    "U": "custom",
}
_FLAGS: Final[Mapping[str, str]] = {
    "a": "all_columns",
    "r": "reset",
    "S": "sum",
    "I": "epoch",
    "u": "numeric",
    "0": "utc",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for: a question for the plugins at `paths`, or words for the person (`say`)."""

    paths: tuple[str, ...]
    question: Mapping[str, Any]
    say: str = ""
    is_plain: bool = False  # a format was named

    @property
    def lists(self) -> bool:
        """Tell whether rows are asked for."""
        return self.question.get("do") == "list"


def parse(argv: Sequence[str]) -> Asked:
    """Understand a command line.

    Raises: UsageError.
    """
    letters = "".join(one.letter + ":" * bool(one.argument) for one in SWITCHES)
    try:
        pairs, rest = getopt.getopt(list(argv), letters, [*LONG])
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from error
    if rest:
        raise UsageError(f"'{rest[0]}' belongs to no switch")
    given = {LONG.get(name[2:], name[1:]): value for name, value in pairs}
    for say in ("h", "V"):
        if say in given:
            return Asked((DEFAULT_PATH,), {}, say=say)
    if "C" in given:
        raise UsageError("-C: there is no classifier")
    asked = [letter for letter in _ASKED if letter in given]
    if len(asked) != 1:
        raise UsageError(f"one of {', '.join('-' + letter for letter in _ASKED)} is to be asked for")
    paths = tuple(dict.fromkeys(value for name, value in pairs if name == "-p")) or (DEFAULT_PATH,)
    question = dict(_question(given, asked[0]))
    if len(paths) > 1 and question["do"] == "list" and question.get("output", "json") != "json":
        raise UsageError(f"-O {question['output']}: several tables are one as json, or as a table on a terminal")
    return Asked(paths, question, is_plain="O" in given)


def _question(given: Mapping[str, str], asked: str) -> Iterator[tuple[str, Any]]:
    """Go through the members of the question."""
    yield "do", _ASKED[asked]
    yield from ((name, True) for letter, name in _FLAGS.items() if letter in given)
    if asked in {"M", "N"}:
        if "c" not in given:
            raise UsageError(f"-{asked} needs -c, the primitives that its values are of")
        yield "primitives", [name.strip() for name in given["c"].split(",")]
        yield "values", [row.split(",") for row in _queries(given[asked])]
    elif "r" in given:
        raise UsageError("-r needs -M or -N")
    if "O" in given:
        yield "output", given["O"]
    if "E" in given:
        yield "separator", _SEPARATORS.get(given["E"], given["E"])
    if "n" in given:
        yield "counter", given["n"]
    if "T" in given:
        counter, comma, most = given["T"].partition(",")
        yield "top", counter
        if comma:
            yield "most", _positive(most)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"-T: '{text}' is no number of rows")
    return int(text)


def _queries(text: str) -> list[str]:
    """Return queries, those of a file too; lines that begin with `!` are remarks."""
    if text.startswith(FILE):
        path = Path(text.removeprefix(FILE))
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        return [line.strip() for line in lines if line.strip() and not line.startswith("!")]
    return [query for query in text.split(";") if query]


def usage() -> str:
    """Return the help, a switch on a line."""
    names = [f"-{one.letter} {one.argument}".rstrip() for one in SWITCHES]
    width = max(map(len, names)) + 2
    lines = (f"  {name:{width}}{one.meaning}" for name, one in zip(names, SWITCHES, strict=True))
    return "usage: pmacct [switches]\n\n" + "\n".join(lines) + "\n"
