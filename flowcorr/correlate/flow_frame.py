"""The frame of a flow by its shape: which octets are constants, and of which fields of the flow the others are.

The same frames that `_packet_program.Frames` writes, told instead of written.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import chain, product
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Load(IntEnum):
    """How the number of a field is read from its column."""

    NUMBER = 0  # an integer, in the order of this machine
    OCTETS = 1  # the first octet highest
    IPV4 = 2  # the same; 0 unless the address is IPv4
    IPV6 = 3  # the same; 0 without an address
    LABEL = 4  # the first 20 bits of an entry of a label stack (RFC 3032 section 2.1)
    BOTTOM = 5  # the same, with the bottom of the stack
    CLASS = 6  # version 6, traffic class, and the first bits of the flow label (RFC 8200 section 3)


class Field(NamedTuple):
    """Octets of a frame that are a number of a flow.

    `at`: octets from the start of the column; `never`: values that it has not in this shape.
    """

    column: str
    load: Load
    octets: int
    at: int = 0
    never: tuple[int, ...] = ()


#: A constant, or an octet of a field, counted from its highest.
Octet: TypeAlias = "int | tuple[Field, int]"


class Labels(IntEnum):
    """Which columns the entries of a label stack are of."""

    NONE = 0
    BOTTOM = 1
    TOP = 2
    BOTH = 3


ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58
#: Protocols that have shapes of their own, in the order of those; 0 stands for all others.
PROTOCOLS: Final = (0, TCP, UDP, ICMP, ICMPV6)


FAMILIES: Final = (4, 6)


class Shape(NamedTuple):
    """What decides about the places of a frame's fields. `family` and `protocol` are 0 for frames without IP."""

    has_vlan: bool
    labels: Labels
    family: int
    protocol: int


#: All shapes, in the order in which compiled code counts them.
SHAPES: Final = tuple(
    Shape(has_vlan, labels, family, protocol)
    for has_vlan, labels, (family, protocol) in product((False, True), Labels, ((0, 0), *product(FAMILIES, PROTOCOLS)))
)

#: What decides about the traits of a shape, by their place, but for the family, which every row tells.
TRAITS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("vlan",),
    1: ("mpls_label_top", "mpls_label_bottom"),
    3: ("proto",),
}

_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
_VLAN: Final = 0x8100
_MPLS: Final = 0x8847
_TTL: Final = 64
_PROTO: Final = Field("proto", Load.NUMBER, 1, never=PROTOCOLS[1:])
_TOS: Final = Field("tos", Load.NUMBER, 1)
_PORTS: Final = (Field("src_port", Load.NUMBER, 2), Field("dst_port", Load.NUMBER, 2))


def frame_of(shape: Shape) -> tuple[Octet, ...]:
    """Return the octets of the frame of a shape."""
    parts = [*_mac("dst_mac"), *_mac("src_mac")]
    if shape.has_vlan:
        parts += [_number(_VLAN, 2), _of(Field("vlan", Load.NUMBER, 2))]
    if shape.labels is not Labels.NONE:
        parts.append(_number(_MPLS, 2))
    elif shape.family:
        parts.append(_number(_ETHERTYPES[shape.family], 2))
    else:
        parts.append(_of(Field("etype", Load.NUMBER, 2)))
    parts += _label_stack(shape.labels)
    if shape.family:
        transport = _transport(shape.protocol)
        parts += (_ipv4 if shape.family == 4 else _ipv6)(shape.protocol, len(transport))
        parts.append(transport)
    return tuple(chain.from_iterable(parts))


def _of(one: Field) -> tuple[Octet, ...]:
    return tuple((one, at) for at in range(one.octets))


def _number(value: int, octets: int) -> tuple[Octet, ...]:
    return tuple(value.to_bytes(octets, "big"))


def _mac(column: str) -> Iterable[tuple[Octet, ...]]:
    """A MAC address: libpcap compares two octets and four."""
    return _of(Field(column, Load.OCTETS, 2)), _of(Field(column, Load.OCTETS, 4, at=2))


def _label_stack(labels: Labels) -> Iterable[tuple[Octet, ...]]:
    top, bottom = (f"mpls_label_{one}" for one in ("top", "bottom"))
    if labels is Labels.BOTH:
        yield _of(Field(top, Load.LABEL, 4))
    if labels is not Labels.NONE:
        yield _of(Field(top if labels is Labels.TOP else bottom, Load.BOTTOM, 4))


def _ipv4(protocol: int, behind: int) -> Iterable[tuple[Octet, ...]]:
    """RFC 791 section 3.1."""
    yield from ((0x45,), _of(_TOS), _number(20 + behind, 2), _number(0, 4), (_TTL,), _protocol(protocol), _number(0, 2))
    for column in ("src_host", "dst_host"):
        yield _of(Field(column, Load.IPV4, 4, at=12))


def _ipv6(protocol: int, behind: int) -> Iterable[tuple[Octet, ...]]:
    """RFC 8200 section 3."""
    yield from (_of(Field("tos", Load.CLASS, 2)), _number(0, 2), _number(behind, 2), _protocol(protocol), (_TTL,))
    for column, word in product(("src_host", "dst_host"), range(4)):
        yield _of(Field(column, Load.IPV6, 4, at=4 * word))


def _protocol(protocol: int) -> tuple[Octet, ...]:
    return (protocol,) if protocol else _of(_PROTO)


def _transport(protocol: int) -> tuple[Octet, ...]:
    """The beginning of TCP, of ICMP with the type and code that records carry as a port, and of what has ports."""
    source, destination = map(_of, _PORTS)
    if protocol in {ICMP, ICMPV6}:
        return (*destination, *_number(0, 6))
    if protocol != TCP:
        return (*source, *destination, *_number(0, 4))
    return (*source, *destination, *_number(0, 8), 0x50, *_of(Field("tcpflags", Load.NUMBER, 1)), *_number(0, 6))
