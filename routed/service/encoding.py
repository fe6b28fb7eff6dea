"""How the records of a message log or of dumps become octets: JSON here, Avro in `avro_records`.

Rows of routes are written in bulk by compiled code into a buffer that the encoding makes; all other records are given
as their JSON, which each encoding makes its own of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from routed.plumbing.sink import TEXT, Framing
from routed.service.records import new_rows

if TYPE_CHECKING:
    from routed.rib._rows import Rows
    from routed.service.settings import RenderSettings


class Encoding(Protocol):
    """A format of records."""

    def new_rows(self) -> Rows:
        """Make a buffer for rows."""

    def take(self, rows: Rows) -> tuple[bytes, Framing]:
        """Take the rows out of such a buffer, and how they are told apart."""

    def event(self, line: bytes) -> tuple[bytes, Framing]:
        """Encode any other record, given as its JSON."""


class JsonEncoding:
    """A line of JSON for each record."""

    def __init__(self, render: RenderSettings) -> None:
        self._render = render

    def new_rows(self) -> Rows:
        """Make a buffer for rows."""
        return new_rows(self._render)

    def take(self, rows: Rows) -> tuple[bytes, Framing]:
        """Take the rows out of a buffer."""
        return rows.take(), TEXT

    def event(self, line: bytes) -> tuple[bytes, Framing]:
        """Return the record as it is."""
        return line, TEXT
