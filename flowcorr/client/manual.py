"""The manual page of `pmacct`, from its switches.

`python -m flowcorr.client.manual docs/man` brings the page up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowcorr.client.switches import SWITCHES
from routed.plumbing.manual import Item, Section, page

if TYPE_CHECKING:
    from collections.abc import Iterator

#: User commands.
SECTION: Final = 1

DESCRIPTION: Final = (
    "Asks the table of a memory plugin of nfacctd or sfacctd over its socket. On a terminal rows are a table for "
    "people; with `-O` or in a pipe they are the columns of pmacct."
)
VALUES: Final = (
    "Values are in the order of `-c`, with `,` between them and `;` between queries. `*` matches anything, an address "
    "may be a prefix such as `10.0.0.0/8`. `file:PATH` reads a query from each line; lines that begin with `!` are "
    "remarks."
)
STATUS: Final = (
    Item("0", "there is an answer, also one that nothing was found"),
    Item("1", "there is none, or the command line is not understood"),
)


def manual() -> str:
    """Write the page."""
    return page(
        "pmacct",
        SECTION,
        "ask the memory plugin of a flow daemon",
        [
            Section("SYNOPSIS", ("`pmacct` [switches]",)),
            Section("DESCRIPTION", (DESCRIPTION, VALUES)),
            Section("OPTIONS", (), tuple(Item(f"-{one.letter}", one.meaning, one.argument) for one in SWITCHES)),
            Section("EXIT STATUS", (), STATUS),
            Section("SEE ALSO", ("nfacctd(8), sfacctd(8)",)),
        ],
    )


def pages() -> Iterator[tuple[str, str]]:
    """Go through the pages, each with the name of its file."""
    yield f"pmacct.{SECTION}", manual()


def main() -> None:
    """Write the page into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
