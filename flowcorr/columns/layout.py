"""Where the columns of a row lie."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from flowcorr.columns.column import Column

ROW_ALIGNMENT = 8


class Layout:
    """The columns that a configuration asks for, each at its place in a row; made once, at start.

    Columns are aligned to their size, the widest first, so that compiled code may read them in place.

    Attributes:
        columns: name to column, in the order of their places.
        offsets: name to octets from the start of a row.
        stride: octets of a row.
        blank: a row of which nothing is known.
        dtype: the same for NumPy.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        """Lay columns out; the same one may come several times.

        Raises: ValueError for two columns of one name and different kinds.
        """
        named: dict[str, Column] = {}
        for column in columns:
            if named.setdefault(column.name, column) != column:
                raise ValueError(f"{column} and {named[column.name]} have one name")
        placed = sorted(named.values(), key=lambda column: (-column.kind.alignment, -column.kind.width, column.name))
        self.columns = {column.name: column for column in placed}
        self.offsets: dict[str, int] = {}
        at = 0
        for column in placed:
            self.offsets[column.name] = at
            at += column.kind.width
        self.stride = max(ROW_ALIGNMENT, -(-at // ROW_ALIGNMENT) * ROW_ALIGNMENT)
        self.blank = b"".join(column.kind.blank for column in placed).ljust(self.stride, b"\0")
        self.dtype: np.dtype[Any] = np.dtype(
            {
                "names": list(self.offsets),
                "formats": [column.kind.dtype for column in placed],
                "offsets": list(self.offsets.values()),
                "itemsize": self.stride,
            }
        )

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns.values())

    def offset(self, name: str) -> int:
        """Return where a column starts in a row, -1 when nobody asks for it: compiled code then leaves it out."""
        return self.offsets.get(name, -1)
