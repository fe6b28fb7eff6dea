"""Counter samples of sFlow: what an agent counted at one of its sources (sFlow version 5, section 5.4; RFC 3176).

Octets of version 5, behind the format and the length of the sample: sequence u32, source (type u8, index u24; both u32
in the expanded form), number of records u32, records (format u32, length u32, counters). Of versions 2 and 4: sequence,
source, interval u32, kind of counters u32, counters.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from routed.octets._cursor import Cursor
from routed.octets.errors import WireError

SOURCE: Final = "sFlow version 5 section 5.4"
V5: Final = 5
EXPANDED: Final = 4  # format of a sample whose source is two words
ACL_WRAPPER: Final = 1991 << 12 | 1
INDEX_BITS: Final = 0xFFFFFF
#: Records of one sample that are read: agents have a dozen kinds.
MOST_BLOCKS: Final = 256


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """One kind of counters: its name in records, the format of its octets, its members in the order they are written.

    `places` are those of the members among the octets, where that is another order.
    """

    name: str
    octets: str
    members: tuple[str, ...]
    places: tuple[int, ...] = ()


def _members(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in names.split())


_TRAFFIC: Final = "Octets UcastPkts MulticastPkts BroadcastPkts Discards Errors"
GENERIC: Final = BlockLayout(
    "sflow_cnt_generic",
    "!IIQIIQ6IQ6I",
    (
        *_members("if", "Index Type Speed Direction Status"),
        *_members("ifIn", f"{_TRAFFIC} UnknownProtos"),
        *_members("ifOut", _TRAFFIC),
        "ifPromiscuousMode",
    ),
)
ETHERNET: Final = BlockLayout(
    "sflow_cnt_ethernet",
    "!13I",
    _members(
        "dot3Stats",
        "AlignmentErrors FCSErrors SingleCollisionFrames MultipleCollisionFrames SQETestErrors DeferredTransmissions "
        "LateCollisions ExcessiveCollisions InternalMacTransmitErrors CarrierSenseErrors FrameTooLongs "
        "InternalMacReceiveErrors SymbolErrors",
    ),
)
VLAN: Final = BlockLayout(
    "sflow_cnt_vlan",
    "!IQ4I",
    ("octets", "ucastPkts", "multicastPkts", "broadcastPkts", "discards", "vlan"),
    (1, 2, 3, 4, 5, 0),
)
PROCESSOR: Final = BlockLayout(
    "sflow_cnt_processor",
    "!3IQQ",
    ("cpu5s", "cpu1m", "cpu5m", "totalMemory", "freeMemory"),
)

#: Kinds of counters by their format in version 5 (enterprise 0).
BLOCKS: Final[Mapping[int, BlockLayout]] = {1: GENERIC, 2: ETHERNET, 5: VLAN, 1001: PROCESSOR}
#: What the kinds of versions 2 and 4 consist of, as far as it is known here; others follow it.
OLD_BLOCKS: Final[Mapping[int, tuple[BlockLayout, ...]]] = {
    1: (GENERIC,),
    2: (GENERIC, ETHERNET),
    3: (GENERIC,),
    4: (GENERIC,),
    5: (GENERIC,),
    6: (GENERIC,),
    7: (VLAN,),
}


@dataclass(frozen=True, slots=True)
class CounterBlock:
    """Counters of one kind, by the name of each."""

    name: str
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Counters:
    """What a sample tells. `skipped`: records of kinds that are not known here."""

    sequence: int
    source_index: int
    blocks: tuple[CounterBlock, ...]
    skipped: int


def decode_counters(c: Cursor, version: int) -> Counters:
    """Decode a sample from its format on.

    Raises: WireError.
    """
    return _decode(c) if version == V5 else _decode_old(c)


def _decode(c: Cursor) -> Counters:
    kind, _length = c.u32(), c.u32()
    while kind == ACL_WRAPPER:
        c.take(12)
        kind, _length = c.u32(), c.u32()
    sequence = c.u32()
    index = (c.u32(), c.u32())[1] if kind == EXPANDED else c.u32() & INDEX_BITS
    count = c.u32()
    if count > MOST_BLOCKS:
        raise WireError(f"{count} records are more than {MOST_BLOCKS}", c.offset, SOURCE)
    blocks, skipped = [], 0
    for _ in range(count):
        layout, length = BLOCKS.get(c.u32()), c.u32()
        body = c.sub(length)
        c.take(min(-length % 4, c.remaining))
        if layout is None:
            skipped += 1
        else:
            blocks.append(_block(body, layout))
    return Counters(sequence, index, tuple(blocks), skipped)


def _decode_old(c: Cursor) -> Counters:
    c.u32()
    sequence, index = c.u32(), c.u32() & INDEX_BITS
    _interval, kind = c.u32(), c.u32()
    layouts = OLD_BLOCKS.get(kind, ())
    return Counters(sequence, index, tuple(_block(c, layout) for layout in layouts), skipped=not layouts)


def _block(c: Cursor, layout: BlockLayout) -> CounterBlock:
    values = struct.unpack(layout.octets, c.take(struct.calcsize(layout.octets)))
    return CounterBlock(layout.name, dict(_named(layout, values)))


def _named(layout: BlockLayout, values: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    places = layout.places or range(len(values))
    return ((name, values[place]) for name, place in zip(layout.members, places, strict=True))
