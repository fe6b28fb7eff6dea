"""MRT, the file format of routing archives (RFC 6396, RFC 8050): read and written."""

from routed.wire.mrt.archive import read
from routed.wire.mrt.bgp4mp import BgpMessage, BgpState, Endpoints, StateChange, encode_bgp4mp
from routed.wire.mrt.message import Message, decode_message
from routed.wire.mrt.record import Damage, MrtType, Record, encode_record, walk_records
from routed.wire.mrt.rib_attributes import abbreviate_mp_reach, decode_rib_attributes, expand_mp_reach
from routed.wire.mrt.table_dump import TableDumpEntry
from routed.wire.mrt.table_dump_v2 import MrtPeer, PeerIndexTable, Rib, RibEntry
from routed.wire.mrt.table_dump_writer import TableDumpWriter

__all__ = [
    "BgpMessage",
    "BgpState",
    "Damage",
    "Endpoints",
    "Message",
    "MrtPeer",
    "MrtType",
    "PeerIndexTable",
    "Record",
    "Rib",
    "RibEntry",
    "StateChange",
    "TableDumpEntry",
    "TableDumpWriter",
    "abbreviate_mp_reach",
    "decode_message",
    "decode_rib_attributes",
    "encode_bgp4mp",
    "encode_record",
    "expand_mp_reach",
    "read",
    "walk_records",
]
