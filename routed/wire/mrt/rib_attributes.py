"""The attributes of a RIB entry: those of an UPDATE but for MP_REACH_NLRI, which is cut down to its next hop.

The record around an entry already says family and prefix, so a RIB entry's MP_REACH_NLRI holds only the length of the
next hop and the next hop. Some writers put the whole attribute there all the same; it starts with the high octet of its
AFI, which is 0, and no next hop is of length 0, so both are read.

Sources: RFC 6396 section 4.3.4.
"""

from collections.abc import Collection, Iterator
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.attribute import AttributeList, decode_attributes
from routed.wire.bgp.attribute_spec import EXTENDED_LENGTH, OPTIONAL, AttributeType
from routed.wire.bgp.context import DecodeContext
from routed.wire.family import STORABLE, Family

#: How a RIB entry is read: AS numbers have four octets whatever the session had (RFC 6396 section 4.3.4), and the entry
#: may come from any neighbour.
TABLE_DUMP_V2_CONTEXT: Final = DecodeContext(as4=True, families=STORABLE, external=False)

#: The same for the older TABLE_DUMP, whose AS numbers have two octets (RFC 6396 section 4.2).
TABLE_DUMP_CONTEXT: Final = DecodeContext(as4=False, families=STORABLE, external=False)

_MP_REACH_NLRI: Final = int(AttributeType.MP_REACH_NLRI)
_LONGEST_SHORT_LENGTH: Final = 0xFF
#: Octets in front of a value: flags, type and a length of one octet or two.
_HEADER: Final = 3
_EXTENDED_HEADER: Final = 4


def decode_rib_attributes(
    octets: bytes, family: Family, context: DecodeContext = TABLE_DUMP_V2_CONTEXT
) -> AttributeList:
    """Decode the attributes of a RIB entry; its MP_REACH_NLRI comes out without routes."""
    return decode_attributes(Cursor(expand_mp_reach(octets, family)), context)


def values_of(octets: bytes, types: Collection[int]) -> list[tuple[int, bytes]]:
    """Return the attributes of some types, in their order: type and value, which is not looked at.

    Raises: WireError when the attributes do not parse as a list.
    """
    found = []
    at, end = 0, len(octets)
    while at < end:
        header = _EXTENDED_HEADER if octets[at] & EXTENDED_LENGTH else _HEADER
        behind = at + header + int.from_bytes(octets[at + 2 : at + header])
        if behind > end or at + header > end:
            raise WireError("an attribute passes the end of the list", at, "RFC 4271 4.3")
        if octets[at + 1] in types:
            found.append((octets[at + 1], octets[at + header : behind]))
        at = behind
    return found


def expand_mp_reach(octets: bytes, family: Family, nlri: bytes = b"") -> bytes:
    """Return the attributes with a whole MP_REACH_NLRI that announces `nlri`, as an UPDATE wants it.

    Raises: WireError when the attributes do not parse as a list.
    """
    w = Writer()
    for flags, type_, value in _walk(octets):
        _put(w, flags, type_, _expanded(value, family, nlri) if type_ == _MP_REACH_NLRI else value)
    return bytes(w)


def abbreviate_mp_reach(octets: bytes) -> bytes:
    """Return the attributes of an UPDATE as a RIB entry wants them: MP_REACH_NLRI cut down to its next hop.

    Raises: WireError when the attributes do not parse as a list.
    """
    w = Writer()
    for flags, type_, value in _walk(octets):
        _put(w, flags, type_, _next_hop(value) if type_ == _MP_REACH_NLRI else value)
    return bytes(w)


def next_hop_attribute(next_hop: bytes) -> bytes:
    """Return the MP_REACH_NLRI of a RIB entry for a next hop that is not among its other attributes."""
    w = Writer()
    _put(w, OPTIONAL, _MP_REACH_NLRI, bytes((len(next_hop),)) + next_hop)
    return bytes(w)


def _walk(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    c = Cursor(octets)
    while c.remaining:
        flags, type_ = c.u8(), c.u8()
        yield flags, type_, c.take(c.u16() if flags & EXTENDED_LENGTH else c.u8())


def _put(w: Writer, flags: int, type_: int, value: bytes) -> None:
    extended = flags & EXTENDED_LENGTH or len(value) > _LONGEST_SHORT_LENGTH
    w.u8(flags | EXTENDED_LENGTH if extended else flags)
    w.u8(type_)
    with w.length16() if extended else w.length8():
        w.octets(value)


def _next_hop(value: bytes) -> bytes:
    """Return length and next hop of an MP_REACH_NLRI, be it whole or cut down."""
    c = Cursor(value)
    if value[:1] == b"\0":
        c.take(3)
    length = c.u8()
    return bytes((length,)) + c.take(length)


def _expanded(value: bytes, family: Family, nlri: bytes) -> bytes:
    w = Writer()
    w.u16(family.afi)
    w.u8(family.safi)
    w.octets(_next_hop(value))
    w.u8(0)
    w.octets(nlri)
    return bytes(w)
