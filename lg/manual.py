"""The manual page of `pmbgp`, from its switches.

`python -m lg.manual docs/man` brings the page up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lg.switches import GROUPS, Switch
from routed.plumbing.manual import Item, Section, page

if TYPE_CHECKING:
    from collections.abc import Iterator

#: User commands.
SECTION: Final = 1

DESCRIPTION: Final = (
    "Asks the looking glass of a daemon, or of many at a time, over ZeroMQ. With the switches of pmacct's client alone "
    "it asks the questions and prints the answers of that client, each frame on a line; what else may be asked and "
    "printed is ours."
)
STATUS: Final = (
    Item("0", "there is an answer, also one that nothing was found"),
    Item("1", "there is none, from one of those that were asked"),
    Item("2", "the command line is not understood"),
)


def manual() -> str:
    """Write the page."""
    return page(
        "pmbgp",
        SECTION,
        "ask looking glasses of routing daemons",
        [
            Section("SYNOPSIS", ("`pmbgp` [switches]",)),
            Section("DESCRIPTION", (DESCRIPTION,)),
            Section("OPTIONS"),
            *(Section(title, (), tuple(map(_item, group)), is_sub=True) for title, group in GROUPS.items()),
            Section("EXIT STATUS", (), STATUS),
            Section("SEE ALSO", ("pmbgpd(8), pmbmpd(8)",)),
        ],
    )


def pages() -> Iterator[tuple[str, str]]:
    """Go through the pages, each with the name of its file."""
    yield f"pmbgp.{SECTION}", manual()


def main() -> None:
    """Write the page into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / name).write_text(text, encoding="utf-8")


def _item(switch: Switch) -> Item:
    letter = f"-{switch.letter}, " if switch.letter else ""
    return Item(f"{letter}--{switch.name}", switch.meaning, switch.argument)


if __name__ == "__main__":
    main()
