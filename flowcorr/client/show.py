"""Rows as a table for people, with the largest numbers' columns to the right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Rows beyond which a table is of no use to a person, and takes long to be laid out.
MOST_ROWS: Final = 2_000
COUNTERS: Final = ("packets", "flows", "bytes")


def show(rows: Iterable[bytes], entries: int, console: Console | None = None) -> None:
    """Print rows of JSON as one table."""
    table = Table(box=SIMPLE_HEAD)
    names: list[str] = []
    for row in rows:
        record = json.loads(row)
        if not names:
            names = [name for name in record if name not in COUNTERS]
            names += [name for name in COUNTERS if name in record]
            for name in names:
                is_number = isinstance(record[name], int)
                table.add_column(name, justify="right" if is_number else "left", overflow="fold")
        table.add_row(*(_cell(name, record.get(name, "")) for name in names))
    console = console or Console()
    if names:
        console.print(table)
    console.print(f"{entries} entries")


def _cell(name: str, value: object) -> str:
    return f"{value:,}" if name in COUNTERS and isinstance(value, int) else str(value)
