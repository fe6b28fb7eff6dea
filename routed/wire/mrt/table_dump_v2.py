"""TABLE_DUMP_V2: RIB snapshots as a list of peers and, for each prefix, the routes that they have.

A table has a record for each of half a million prefixes, so a RIB record comes apart into tuples and octets; NLRI and
attributes are decoded only where somebody looks.

Sources: RFC 6396 section 4.3, RFC 8050 section 4 (path identifiers).
"""

from collections.abc import Mapping
from struct import Struct
from typing import Final, NamedTuple

from routed.octets import CodePoint, Cursor, WireError, Writer
from routed.wire.bgp.nlri import Nlri, decode_nlri, encode_nlri
from routed.wire.family import (
    ADDRESS_OCTETS,
    IPV4_MULTICAST,
    IPV4_UNICAST,
    IPV6_MULTICAST,
    IPV6_UNICAST,
    STORABLE,
    Afi,
    Family,
)
from routed.wire.mrt.record import MrtType, Record

_IPV6_PEER: Final = 0x01
_AS4_PEER: Final = 0x02


class TableDumpV2Subtype(CodePoint):
    """IANA TABLE_DUMP_V2 subtypes."""

    PEER_INDEX_TABLE = 1
    RIB_IPV4_UNICAST = 2
    RIB_IPV4_MULTICAST = 3
    RIB_IPV6_UNICAST = 4
    RIB_IPV6_MULTICAST = 5
    RIB_GENERIC = 6
    GEO_PEER_TABLE = 7
    RIB_IPV4_UNICAST_ADDPATH = 8
    RIB_IPV4_MULTICAST_ADDPATH = 9
    RIB_IPV6_UNICAST_ADDPATH = 10
    RIB_IPV6_MULTICAST_ADDPATH = 11
    RIB_GENERIC_ADDPATH = 12


class _Form(NamedTuple):
    """What the subtype of a RIB record says: its family (None: it is in the record), and ADD-PATH or not."""

    family: Family | None
    add_path: bool

    @property
    def max_bits(self) -> int:
        """Length of the longest prefix."""
        return 128 if self.family and self.family.afi == Afi.IPV6 else 32


_FORMS: Final[Mapping[int, _Form]] = {
    TableDumpV2Subtype.RIB_IPV4_UNICAST: _Form(IPV4_UNICAST, add_path=False),
    TableDumpV2Subtype.RIB_IPV4_MULTICAST: _Form(IPV4_MULTICAST, add_path=False),
    TableDumpV2Subtype.RIB_IPV6_UNICAST: _Form(IPV6_UNICAST, add_path=False),
    TableDumpV2Subtype.RIB_IPV6_MULTICAST: _Form(IPV6_MULTICAST, add_path=False),
    TableDumpV2Subtype.RIB_GENERIC: _Form(None, add_path=False),
    TableDumpV2Subtype.RIB_IPV4_UNICAST_ADDPATH: _Form(IPV4_UNICAST, add_path=True),
    TableDumpV2Subtype.RIB_IPV4_MULTICAST_ADDPATH: _Form(IPV4_MULTICAST, add_path=True),
    TableDumpV2Subtype.RIB_IPV6_UNICAST_ADDPATH: _Form(IPV6_UNICAST, add_path=True),
    TableDumpV2Subtype.RIB_IPV6_MULTICAST_ADDPATH: _Form(IPV6_MULTICAST, add_path=True),
    TableDumpV2Subtype.RIB_GENERIC_ADDPATH: _Form(None, add_path=True),
}
_SUBTYPES: Final = {form: subtype for subtype, form in _FORMS.items()}

_ENTRY: Final = Struct(">HIH")
_ADD_PATH_ENTRY: Final = Struct(">HIIH")

#: Entries of one record: their count has two octets.
_MAX_ENTRIES: Final = 0xFFFF


class MrtPeer(NamedTuple):
    """A peer whose routes a table holds; entries refer to it by its place in the list."""

    router_id: bytes
    address: bytes
    asn: int


class PeerIndexTable(NamedTuple):
    """The first record of a table: who collected it, and from whom."""

    collector_id: bytes
    view: str
    peers: tuple[MrtPeer, ...]


class RibEntry(NamedTuple):
    """One route to a prefix; `attributes` are octets for `decode_rib_attributes`."""

    peer_index: int
    originated_time: int
    attributes: bytes
    path_id: int | None = None


class Rib(NamedTuple):
    """The routes to one prefix; `nlri` as UPDATEs have it, without a path identifier."""

    sequence: int
    family: Family
    nlri: bytes
    entries: tuple[RibEntry, ...]

    @property
    def route(self) -> Nlri:
        """The NLRI decoded."""
        return decode_nlri(Cursor(self.nlri), self.family, add_path=False)[0]


def decode_table_dump_v2(record: Record) -> PeerIndexTable | Rib | Record:
    """Decode a record; a subtype or a family that we do not know gives the record back.

    Raises: WireError when a length overruns the record or the address, and for octets behind the last entry.
    """
    form = _FORMS.get(record.subtype)
    if form is not None:
        return _decode_rib(record, form) if form.family else _decode_generic(record, add_path=form.add_path)
    if record.subtype == TableDumpV2Subtype.PEER_INDEX_TABLE:
        return _decode_peer_index_table(record)
    return record


def encode_peer_index_table(table: PeerIndexTable, timestamp: int) -> Record:
    """Encode the list of peers, all AS numbers in four octets."""
    w = Writer()
    w.octets(table.collector_id)
    with w.length16():
        w.octets(table.view.encode(errors="surrogateescape"))
    w.u16(len(table.peers))
    for peer in table.peers:
        w.u8(_AS4_PEER | (_IPV6_PEER if len(peer.address) == ADDRESS_OCTETS[Afi.IPV6] else 0))
        w.octets(peer.router_id)
        w.octets(peer.address)
        w.u32(peer.asn)
    return Record(timestamp, MrtType.TABLE_DUMP_V2, TableDumpV2Subtype.PEER_INDEX_TABLE, bytes(w))


def encode_rib(rib: Rib, timestamp: int) -> Record:
    """Encode the routes to one prefix; either all entries have a path identifier or none has.

    In the generic form the path identifier is part of the NLRI, so that a record there holds one path (RFC 8050 4.3).
    """
    add_path = rib.entries[0].path_id is not None
    w = Writer()
    w.u32(rib.sequence)
    form = _Form(rib.family, add_path)
    if form in _SUBTYPES:
        subtype = _SUBTYPES[form]
    else:
        subtype, form = _SUBTYPES[_Form(None, add_path)], _Form(None, add_path=False)
        w.u16(rib.family.afi)
        w.u8(rib.family.safi)
        if add_path:
            (only,) = rib.entries
            w.u32(only.path_id or 0)
    w.octets(rib.nlri)
    w.octets(_encode_entries(rib.entries, add_path=form.add_path))
    return Record(timestamp, MrtType.TABLE_DUMP_V2, subtype, bytes(w))


def max_entries(family: Family, *, add_path: bool) -> int:
    """Return how many entries one record of a family can hold."""
    return 1 if add_path and _Form(family, add_path) not in _SUBTYPES else _MAX_ENTRIES


def encode_nlri_octets(route: Nlri, family: Family) -> bytes:
    """Return the NLRI octets that a RIB record wants for a route: no path identifier."""
    w = Writer()
    encode_nlri(w, (route._replace(path_id=None),), family)
    return bytes(w)


def _decode_peer_index_table(record: Record) -> PeerIndexTable:
    """Decode the list of peers.

    Octets: collector id 4, length u16, view name, count u16, count x (type u8, router id 4, address 4 or 16,
        AS number u16 or u32).
    """
    c = Cursor(record.octets)
    collector_id, view = c.take(4), c.take(c.u16()).decode(errors="surrogateescape")
    return PeerIndexTable(collector_id, view, tuple(_decode_peer(c) for _ in range(c.u16())))


def _decode_peer(c: Cursor) -> MrtPeer:
    type_ = c.u8()
    router_id = c.take(4)
    address = c.take(ADDRESS_OCTETS[Afi.IPV6 if type_ & _IPV6_PEER else Afi.IPV4])
    return MrtPeer(router_id, address, c.u32() if type_ & _AS4_PEER else c.u16())


def _decode_rib(record: Record, form: _Form) -> Rib:
    """Decode the routes to a prefix of a family that has a subtype.

    Octets: sequence u32, length in bits u8, prefix, entries.
    """
    assert form.family is not None
    c = Cursor(record.octets)
    sequence, at, length = c.u32(), c.offset, c.u8()
    if length > form.max_bits:
        raise WireError(f"prefix length {length} in {form.family}", at, "RFC 6396 4.3.2")
    nlri = bytes((length,)) + c.take((length + 7) // 8)
    return Rib(sequence, form.family, nlri, _decode_entries(c, add_path=form.add_path))


def _decode_generic(record: Record, *, add_path: bool) -> Rib | Record:
    """Decode the routes to a prefix of any family.

    Octets: sequence u32, AFI u16, SAFI u8, [path identifier u32], NLRI, entries.
    Departs: GoBGP and OpenBGPD put the path identifier into the entries, against RFC 8050 section 4.3 and as in the
        other subtypes. No flag tells, but only one reading ends where the record does: theirs is tried second.
    """
    c = Cursor(record.octets)
    sequence, family = c.u32(), Family(c.u16(), c.u8())
    if family not in STORABLE:
        return record
    base, rest = c.offset, c.rest()
    if not add_path:
        return _decode_generic_body(Cursor(rest, base), sequence, family, entry_has_path_id=False)
    try:
        body = Cursor(rest, base)
        path_id = body.u32()
        rib = _decode_generic_body(body, sequence, family, entry_has_path_id=False)
    except WireError:
        return _decode_generic_body(Cursor(rest, base), sequence, family, entry_has_path_id=True)
    return rib._replace(entries=tuple(entry._replace(path_id=path_id) for entry in rib.entries))


def _decode_generic_body(c: Cursor, sequence: int, family: Family, *, entry_has_path_id: bool) -> Rib:
    length = c.u8()
    nlri = bytes((length,)) + c.take((length + 7) // 8)
    rib = Rib(sequence, family, nlri, _decode_entries(c, add_path=entry_has_path_id))
    decode_nlri(Cursor(nlri), family, add_path=False)
    return rib


def _decode_entries(c: Cursor, *, add_path: bool) -> tuple[RibEntry, ...]:
    """Decode entries to the end of the record.

    Octets: count u16, count x (peer index u16, originated u32, [path identifier u32], length u16, attributes).
    """
    entries = []
    for _ in range(c.u16()):
        peer_index, originated_time = c.u16(), c.u32()
        path_id = c.u32() if add_path else None
        entries.append(RibEntry(peer_index, originated_time, c.take(c.u16()), path_id))
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind the last entry", c.offset, "RFC 6396 4.3.4")
    return tuple(entries)


def _encode_entries(entries: tuple[RibEntry, ...], *, add_path: bool) -> bytes:
    parts = [len(entries).to_bytes(2, "big")]
    for peer_index, originated_time, attributes, path_id in entries:
        if add_path:
            parts.append(_ADD_PATH_ENTRY.pack(peer_index, originated_time, path_id, len(attributes)))
        else:
            parts.append(_ENTRY.pack(peer_index, originated_time, len(attributes)))
        parts.append(attributes)
    return b"".join(parts)
