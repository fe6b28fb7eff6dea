"""Primitives that the operator defines: where their values are found and how they are shown."""

from dataclasses import dataclass
from enum import Enum

from flowcorr.columns.builtin import custom_column
from flowcorr.columns.column import Column, Kind


class Semantics(Enum):
    """How octets become text."""

    U_INT = "u_int"
    HEX = "hex"
    STR = "str"
    IP = "ip"
    MAC = "mac"
    RAW = "raw"


#: Octets of an integer to the kind of its column: entries of label stacks have three (RFC 3032 section 2.1).
INTEGERS = {
    1: Kind.U8,
    2: Kind.U16,
    3: Kind.U32,
    4: Kind.U32,
    5: Kind.U64,
    6: Kind.U64,
    7: Kind.U64,
    8: Kind.U64,
}


@dataclass(frozen=True, slots=True)
class ElementField:
    """An information element; where a template has it several times (RFC 7011 section 8), `instance` is an index."""

    element: int
    enterprise: int = 0
    instance: int = 0


@dataclass(frozen=True, slots=True)
class PacketPointer:
    """A place in a sampled packet: `offset` octets behind the start of a layer whose protocol may be asked for."""

    layer: str
    protocol: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPrimitive:
    """A primitive of the `aggregate_primitives` file, in an information element, a sampled packet or both.

    `length` is None for a variable one; a value of another length than `length` is left out, but for `raw`.

    The column of `str` and `raw` is a text that holds the octets as they come, without what follows a NUL in `str`.
    """

    name: str
    field: ElementField | None
    pointers: tuple[PacketPointer, ...]
    length: int | None
    semantics: Semantics
    where: str

    @property
    def column(self) -> Column:
        """Return the column that holds its values."""
        return custom_column(self.name, self.kind)

    @property
    def kind(self) -> Kind:
        """Return the kind of that column."""
        if self.semantics is Semantics.IP:
            return Kind.ADDRESS
        if self.semantics is Semantics.MAC:
            return Kind.MAC
        if self.semantics in {Semantics.STR, Semantics.RAW}:
            return Kind.TEXT
        assert self.length is not None, "a number has a length"
        return INTEGERS[self.length]
