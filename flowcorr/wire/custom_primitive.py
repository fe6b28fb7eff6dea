"""Primitives that an operator defines: an element of NetFlow v9 and IPFIX, or octets of a sampled packet."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from flowcorr.columns.builtin import custom_column
from flowcorr.columns.column import Column, Kind
from flowcorr.wire.elements import Key


class Semantics(Enum):
    """What the octets of a custom primitive mean, and so how they are printed."""

    U_INT = "u_int"
    HEX = "hex"
    STR = "str"
    IP = "ip"
    MAC = "mac"
    RAW = "raw"


class Layer(Enum):
    """Where in a packet a pointer starts; values are those of the compiled decoder."""

    PACKET = 0
    MAC = 1
    VLAN = 2
    MPLS = 3
    L3 = 4
    L4 = 5
    PAYLOAD = 6


#: A pointer to a layer whatever its protocol.
ANY_PROTOCOL: Final = 0xFFFFFFFF
#: Length of a primitive that takes values of any length.
ANY_LENGTH: Final = 0
#: The longest value: octets of the text that one flow may bring in.
MAX_LENGTH: Final = 1024
#: Pointers of one primitive.
MAX_POINTERS: Final = 8

_INTEGERS: Final = {1: Kind.U8, 2: Kind.U16, 4: Kind.U32, 8: Kind.U64}


@dataclass(frozen=True, slots=True)
class PacketPointer:
    """Octets of a packet: so many behind the start of a layer, if the layer is of a protocol."""

    layer: Layer
    protocol: int = ANY_PROTOCOL
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPrimitive:
    """A primitive of `aggregate_primitives`.

    Attributes:
        name: lower case.
        key: the element, None for a primitive of packets alone.
        instance: which of several fields with that element in a template, from 1 on.
        pointers: tried one after another.
        length: octets, or ANY_LENGTH.
        semantics: what they mean.
    """

    name: str
    semantics: Semantics
    length: int
    key: Key | None = None
    instance: int = 1
    pointers: tuple[PacketPointer, ...] = ()

    @property
    def kind(self) -> Kind:
        """The kind of its column; integers of a length that none has are kept as text, and print empty."""
        if self.semantics in {Semantics.U_INT, Semantics.HEX}:
            return _INTEGERS.get(self.length, Kind.TEXT)
        if self.semantics is Semantics.IP:
            return Kind.ADDRESS
        return Kind.MAC if self.semantics is Semantics.MAC else Kind.TEXT

    @property
    def column(self) -> Column:
        """Where its value stands in a row."""
        return custom_column(self.name, self.kind)
