"""From a record to what it says, whatever its type."""

from collections.abc import Callable, Mapping
from typing import Final

from routed.wire.mrt.bgp4mp import BgpMessage, StateChange, decode_bgp4mp
from routed.wire.mrt.record import MrtType, Record
from routed.wire.mrt.table_dump import TableDumpEntry, decode_table_dump
from routed.wire.mrt.table_dump_v2 import PeerIndexTable, Rib, decode_table_dump_v2

#: What a record can say; one that we do not read says itself.
Message = PeerIndexTable | Rib | TableDumpEntry | BgpMessage | StateChange | Record

DECODERS: Final[Mapping[MrtType, Callable[[Record], Message]]] = {
    MrtType.TABLE_DUMP: decode_table_dump,
    MrtType.TABLE_DUMP_V2: decode_table_dump_v2,
    MrtType.BGP4MP: decode_bgp4mp,
    MrtType.BGP4MP_ET: decode_bgp4mp,
}


def decode_message(record: Record) -> Message:
    """Decode the message of a record.

    Raises: WireError when the message breaks its format; `offset` counts from the start of the message.
    """
    decode = DECODERS.get(record.type)
    return record if decode is None else decode(record)
