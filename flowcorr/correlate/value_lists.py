"""Files that list the ports, protocols or ToS values that matter: all others become one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from flowcorr.correlate.protocols import protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from flowcorr.columns._batch import Batch
    from flowcorr.columns.layout import Layout

#: Two bits below a DSCP are for ECN (RFC 3168 section 5).
ECN_BITS: Final = 2


class BadValueError(ValueError):
    """A row is none of the values; the text says what is valid."""


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(most)) or int(text) > most:
        raise BadValueError(f"'{text}' is not from 0 to {most}")
    return int(text)


def _protocol(text: str) -> int:
    value = protocol_number(text.lower())
    if value is None:
        raise BadValueError(f"'{text}' is no IP protocol: neither a name nor a number from 0 to 255")
    return value


class ValueKind(NamedTuple):
    """What one of the files is about: columns, the value of what is not listed, how rows are read, the highest one."""

    columns: tuple[str, ...]
    unlisted: int
    parse: Callable[[str], int]
    most: int


#: By the key that names the file.
KINDS: Final[Mapping[str, ValueKind]] = {
    "ports_file": ValueKind(("src_port", "dst_port"), 0, lambda text: _number(text, 0xFFFF), 0xFFFF),
    "protos_file": ValueKind(("proto",), 0xFF, _protocol, 0xFF),
    "tos_file": ValueKind(("tos",), 0xFF, lambda text: _number(text, 0xFF), 0xFF),
}


@dataclass(frozen=True, slots=True)
class ValueList:
    """The values of a file."""

    values: frozenset[int]

    def __len__(self) -> int:
        return len(self.values)


class ValueStage:
    """Makes one value of all that a file does not list."""

    def __init__(self, kind: ValueKind, listed: Collection[int], layout: Layout, *, dscp: bool = False) -> None:
        self.columns = tuple(name for name in kind.columns if name in layout)
        shift = ECN_BITS if dscp and kind.columns == ("tos",) else 0
        values = np.arange(kind.most + 1)
        table = np.where(np.isin(values >> shift, list(listed)), values, kind.unlisted)
        self._table: NDArray[np.unsignedinteger] = table.astype(np.uint16 if kind.most > 0xFF else np.uint8)

    def __call__(self, batch: Batch) -> None:
        """Write."""
        rows = batch.rows
        for name in self.columns:
            rows[name] = self._table[rows[name]]


class FixedStage:
    """Gives all flows the same values."""

    def __init__(self, values: Mapping[str, int], layout: Layout) -> None:
        self._values = {name: value for name, value in values.items() if name in layout}

    def __call__(self, batch: Batch) -> None:
        """Write them."""
        for name, value in self._values.items():
            batch.rows[name] = value
