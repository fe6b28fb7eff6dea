"""MRT records: the common header, and a file of them as a lazy sequence.

A file is read as far as it is whole. What ends it early, a cut or a length beyond reason, comes as one last `Damage`
value after the good records, because most archives in the wild are worth reading up to there.

Sources: RFC 6396 sections 2 to 4.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from routed.octets import CodePoint, Cursor, WireError, Writer

#: Octets that one record may claim. The largest in public archives, hundreds of peers with long attributes on one
#: prefix, stay below 1 MiB; a claim beyond this is damage, not data, and must not make us allocate.
MAX_RECORD_OCTETS: Final = 1 << 24

HEADER_OCTETS: Final = 12
_HEADER: Final = Struct(">IHHI")
_MICROSECONDS_OCTETS: Final = 4


class MrtType(CodePoint):
    """IANA MRT types; 5 to 9 are those of the format's origin, before RFC 6396."""

    BGP = 5
    RIP = 6
    IDRP = 7
    RIPNG = 8
    BGP4PLUS = 9
    OSPFV2 = 11
    TABLE_DUMP = 12
    TABLE_DUMP_V2 = 13
    BGP4MP = 16
    BGP4MP_ET = 17
    ISIS = 32
    ISIS_ET = 33
    OSPFV3 = 48
    OSPFV3_ET = 49


#: Types whose header goes on with microseconds (RFC 6396 section 3).
_EXTENDED: Final = frozenset({MrtType.BGP4MP_ET, MrtType.ISIS_ET, MrtType.OSPFV3_ET})


class Record(NamedTuple):
    """One record: when, what kind, and its message undecoded."""

    timestamp: int
    type: MrtType
    subtype: int
    octets: bytes
    microseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a file stops making sense, in octets from its (uncompressed) start, and why."""

    offset: int
    why: str


def decode_record(c: Cursor) -> Record:
    """Decode one record.

    Octets: timestamp u32, type u16, subtype u16, length u32, [microseconds u32, counted in the length], message.
    Raises: WireError when the octets end early.
    """
    timestamp, type_, subtype = c.u32(), MrtType(c.u16()), c.u16()
    message = c.sub(c.u32())
    microseconds = message.u32() if type_ in _EXTENDED else None
    return Record(timestamp, type_, subtype, message.rest(), microseconds)


def encode_record(w: Writer, record: Record) -> None:
    """Encode one record; the type says whether it has microseconds."""
    extended = record.type in _EXTENDED
    w.u32(record.timestamp)
    w.u16(record.type)
    w.u16(record.subtype)
    w.u32(len(record.octets) + (_MICROSECONDS_OCTETS if extended else 0))
    if extended:
        w.u32(record.microseconds or 0)
    w.octets(record.octets)


def walk_records(read: Callable[[int], bytes]) -> Iterator[Record | Damage]:
    """Read records one by one.

    `read(n)` gives n octets, or fewer at the end; it raises WireError for a source that cannot be read further.

    Returns: every whole record, then one Damage if the file does not end where a record does.
    """
    offset = 0
    try:
        while header := read(HEADER_OCTETS):
            record = _read_rest(header, read)
            yield record
            offset += HEADER_OCTETS + len(record.octets) + (_MICROSECONDS_OCTETS if record.type in _EXTENDED else 0)
    except WireError as error:
        yield Damage(offset, error.what)


def _read_rest(header: bytes, read: Callable[[int], bytes]) -> Record:
    if len(header) < HEADER_OCTETS:
        raise WireError(f"{len(header)} of {HEADER_OCTETS} octets of a record header", 0)
    timestamp, type_, subtype, length = _HEADER.unpack(header)
    if length > MAX_RECORD_OCTETS:
        raise WireError(f"record of {length} octets is beyond {MAX_RECORD_OCTETS}", 0)
    message = read(length)
    if len(message) < length:
        raise WireError(f"{len(message)} of {length} octets of a record", 0)
    kind = _TYPES.get(type_) or MrtType(type_)
    if kind in _EXTENDED:
        return decode_record(Cursor(header + message))
    return Record(timestamp, kind, subtype, message)


#: Looked up for every record of a table: making an enumeration member costs far more.
_TYPES: Final = {int(kind): kind for kind in MrtType}
