"""The configuration reference, written from the registry.

`python -m routed.daemon.reference > docs/configuration.md` brings the page up to date.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from routed.daemon.keys import KEYS
from routed.daemon.switches import PROGRAMS
from routed.plumbing.config import DEFAULT_CORE_NAME, Status, format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from routed.plumbing.cli import Program
    from routed.plumbing.config import Group, Key, Registry

INTRODUCTION: Final = f"""\
# Configuration

This page is written by `python -m routed.daemon.reference` from the registry of keys that the daemons read.

## The language

A configuration is a text file of lines `key: value`. The first `:` ends the key; capitals and blanks in a key do not
matter, blanks around a value neither. A line whose first character is `!` or `#` is a comment, and there is no other
kind. A key that is written twice has its last value, and switches of the command line come after the file.

`key[name]: value` is for the plugin or process of that name. Most keys of this page are global: they apply whatever
name is written, with a warning. Those marked *plugin* apply to a named plugin alone, or to the process when the name
is that of `core_proc_name` (`{DEFAULT_CORE_NAME}` unless set).

| what is wrong | at start | `-T config` |
|---|---|---|
| a line that is no statement | error, exit status 1 | exit status 1 |
| a value that is not valid, keys that exclude each other | error, exit status 1 | exit status 1 |
| a key that nobody knows, or for a plugin that nobody declares | warning with the nearest known one; the daemon \
starts | exit status 1 |
| a file that is not there, a folder in which nothing can be made | warning, and an error where it is needed \
| exit status 1 |
| a key that is not built yet | warning; the daemon starts | exit status 0 |

Every problem is reported, not just the first. `-T setup` brings up listeners and maps as well before it ends.

In the tables, *built* keys work; *not built yet* ones are known and checked and do nothing; *accepted, no effect* ones
tune what works by itself here; those of *flow daemons* are accepted in silence by the other daemons. **Ours** marks
keys that pmacct does not have. ↻ marks files that SIGUSR2 reads again, ⇄ keys whose value it changes in a daemon that
runs: see [operations.md](operations.md#reload).
"""


def reference(registry: Registry, programs: Iterable[Program]) -> str:
    """Write the whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            f"Groups of keys: {', '.join(_link(group.title) for group in registry.groups)}.\n",
            *(line for program in programs for line in _switches(program)),
            *(line for group in registry.groups for line in _group(group)),
        ]
    )


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write(reference(KEYS, PROGRAMS))


def _link(title: str) -> str:
    place = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{title}](#{place})"


def _switches(program: Program) -> Iterator[str]:
    yield f"## Switches of `{program.name}`\n"
    yield "| switch | key | meaning |\n|---|---|---|"
    yield "| `-f FILE` | | configuration file |"
    yield from (f"| `{letter}` | | {meaning} |" for letter, meaning in program.questions)
    for switch in program.switches:
        argument = f" {switch.argument}" if switch.argument else ""
        yield f"| `-{switch.letter}{_cell(argument)}` | `{switch.key}` | {switch.meaning} |"
    yield ""


def _group(group: Group) -> Iterator[str]:
    yield f"## {group.title}\n\n{group.introduction}\n"
    explained = [key for key in group.keys if key.meaning]
    if explained:
        yield "| key | value | default | state | meaning |\n|---|---|---|---|---|"
        yield from (_row(key) for key in explained)
        yield ""
    names = [f"`{key.name}`" for key in group.keys if not key.meaning]
    if names:
        yield ", ".join(names) + ".\n"


def _row(key: Key) -> str:
    name = (
        f"`{key.name}`" + (" **ours**" if key.ours else "") + (" ↻" if key.reload else "") + (" ⇄" if key.live else "")
    )
    also = f"; also written {', '.join(f'`{alias}`' for alias in key.aliases)}" if key.aliases else ""
    source = f" ({key.source})" if key.source else ""
    state = key.status.value + ("" if key.is_global or key.status is Status.FLOW else ", *plugin*")
    return f"| {name} | {_cell(key.parser.valid)} | {_default(key)} | {state} | {_cell(key.meaning)}{source}{also} |"


def _default(key: Key) -> str:
    return "none" if key.default is None else f"`{format_value(key, key.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
