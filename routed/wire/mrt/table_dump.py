"""TABLE_DUMP, the older form of RIB snapshots: one record a route, AS numbers of two octets.

Source: RFC 6396 section 4.2.
"""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.family import ADDRESS_OCTETS, IPV4_UNICAST, IPV6_UNICAST, Afi, Family
from routed.wire.mrt.record import MrtType, Record
from routed.wire.prefix import Prefix, cut_prefix

#: The subtype is the AFI of the route, and of the peer.
FAMILIES: Final = {int(Afi.IPV4): IPV4_UNICAST, int(Afi.IPV6): IPV6_UNICAST}

_STATUS: Final = 1  # unused; "SHOULD be set to 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDumpEntry:
    """One route of one peer; `attributes` are octets for `decode_rib_attributes`."""

    view: int
    sequence: int
    prefix: Prefix
    originated_time: int
    peer_address: bytes
    peer_as: int
    attributes: bytes

    @property
    def family(self) -> Family:
        """Family of the route."""
        return IPV4_UNICAST if len(self.prefix.address) == ADDRESS_OCTETS[Afi.IPV4] else IPV6_UNICAST


def decode_table_dump(record: Record) -> TableDumpEntry | Record:
    """Decode one entry; a subtype that is not an AFI we know gives the record back.

    Octets: view u16, sequence u16, address 4 or 16, length u8, status u8, originated u32, peer address 4 or 16,
        peer AS u16, length u16, attributes.
    Raises: WireError when a length overruns the record or the address.
    """
    if record.subtype not in FAMILIES:
        return record
    address_octets = ADDRESS_OCTETS[Afi(record.subtype)]
    c = Cursor(record.octets)
    view, sequence, address = c.u16(), c.u16(), c.take(address_octets)
    at, length = c.offset, c.u8()
    if length > 8 * address_octets:
        raise WireError(f"prefix length {length} is above {8 * address_octets}", at, "RFC 6396 4.2")
    c.u8()
    return TableDumpEntry(
        view=view,
        sequence=sequence,
        prefix=cut_prefix(address, length, address_octets),
        originated_time=c.u32(),
        peer_address=c.take(address_octets),
        peer_as=c.u16(),
        attributes=c.take(c.u16()),
    )


def encode_table_dump(entry: TableDumpEntry, timestamp: int) -> Record:
    """Encode one entry."""
    w = Writer()
    w.u16(entry.view)
    w.u16(entry.sequence)
    w.octets(entry.prefix.address)
    w.u8(entry.prefix.length)
    w.u8(_STATUS)
    w.u32(entry.originated_time)
    w.octets(entry.peer_address)
    w.u16(entry.peer_as)
    with w.length16():
        w.octets(entry.attributes)
    return Record(timestamp, MrtType.TABLE_DUMP, entry.family.afi, bytes(w))
