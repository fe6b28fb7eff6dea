"""Command lines: every switch is the short form of one configuration key.

Switches are read after the file, so they win. `-f` names the file; `-h`, `-V` and, where there is something to list,
`-a` are answered and nothing else is done. `--help` and `--version` are what everybody tries first.
"""

from __future__ import annotations

import getopt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.plumbing.statements import Statement, Statements, for_process, read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Words for questions that have letters.
LONG: Final = {"help": "h", "version": "V"}


@dataclass(frozen=True, slots=True)
class Switch:
    """One letter of a command line: the key it sets, and to what when it takes no argument."""

    letter: str
    key: str
    meaning: str
    argument: str = ""
    value: str = "true"


@dataclass(frozen=True, slots=True)
class Program:
    """A command: its name, what it is, its switches; `order` gives them as getopt has them, `lists` what `-a` lists."""

    name: str
    summary: str
    order: str
    switches: tuple[Switch, ...]
    lists: str = ""

    @property
    def questions(self) -> tuple[tuple[str, str], ...]:
        """Return the switches that are answered and nothing else is done, and what they ask for."""
        listed = (("-a", f"list {self.lists}"),) if self.lists else ()
        return (("-h", "show this page"), ("-V", "show version and options of the build"), *listed)

    def usage(self) -> str:
        """Write the answer to `-h`."""
        rows = [(f"-{switch.letter}  {switch.argument}", switch.meaning) for switch in self.switches]
        rows = [
            *self.questions,
            ("-f  FILE", "configuration file"),
            *rows,
        ]
        width = max(len(left) for left, _ in rows)
        lines = [f"{self.name}: {self.summary}", f"usage: {self.name} [-f FILE] [switches]", ""]
        lines += [f"  {left:<{width}}  {right}" for left, right in rows]
        return "\n".join([*lines, "", f"All configuration keys: man {self.name}, or docs/configuration.md"])


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What was asked for: an answer to print, or a file and the statements of the switches.

    `number` is that of the process, where several run with one configuration; `defaults` come before the file.
    """

    file: Path | None = None
    statements: tuple[Statement, ...] = ()
    wants_help: bool = False
    wants_version: bool = False
    wants_list: bool = False
    number: int = 1
    defaults: tuple[Statement, ...] = ()

    def all_statements(self) -> Statements:
        """Read the file, if there is one, and put the switches behind it.

        Raises: OSError when the file cannot be read.
        """
        read = Statements(()) if self.file is None else read_statements(self.file)
        together = replace(read, statements=(*self.defaults, *read.statements, *self.statements))
        return for_process(together, self.number)


class UsageError(Exception):
    """The command line is not understood; the text says why."""


def parse_command_line(program: Program, arguments: Sequence[str]) -> CommandLine:
    """Read the arguments behind the command's name.

    Raises: UsageError.
    """
    try:
        options, operands = getopt.gnu_getopt(arguments, program.order, [*LONG])
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from None
    if operands:
        raise UsageError(f"unexpected argument {operands[0]}")
    names = [option.lstrip("-") for option, _ in options]
    letters = [LONG.get(name, name) for name in names]
    files = [value for option, value in options if option == "-f"]
    by_letter = {switch.letter: switch for switch in program.switches}
    return CommandLine(
        file=Path(files[-1]) if files else None,
        statements=tuple(_statements(options, by_letter)),
        wants_help="h" in letters,
        wants_version="V" in letters,
        wants_list="a" in letters,
    )


def _statements(options: list[tuple[str, str]], switches: Mapping[str, Switch]) -> list[Statement]:
    return [
        Statement(switch.key, value.strip() if switch.argument else switch.value, f"[command line: {option}]")
        for option, value in options
        if (switch := switches.get(option[1:])) is not None
    ]


#: Switches that every daemon has.
COMMON: tuple[Switch, ...] = (
    Switch("D", "daemonize", "run in the background"),
    Switch("d", "debug", "log debugging lines too"),
    Switch("S", "syslog", "log to this syslog facility", "FACILITY"),
    Switch("F", "pidfile", "write the process id here", "FILE"),
    Switch("T", "dry_run", "check the configuration, or bring everything up as well, and exit", "config|setup"),
)
