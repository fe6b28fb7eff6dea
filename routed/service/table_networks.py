"""What the routes of an MRT table say of each prefix: the rows of a networks file.

A prefix has a path from each peer, and may have several AS numbers with them; `Choice` says which path its row has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.octets import Cursor, WireError
from routed.wire.bgp.as_path import As4Path, AsPath, SegmentType, decode_segments, merge_as4_path
from routed.wire.bgp.attribute import find
from routed.wire.bgp.attribute_spec import AttributeType
from routed.wire.bgp.reach import MpReachNlri
from routed.wire.bgp.scalar import NextHop
from routed.wire.family import ADDRESS_OCTETS, IPV4_UNICAST, IPV6_UNICAST, Afi, Family
from routed.wire.mrt.message import decode_message
from routed.wire.mrt.record import Damage, MrtType, Record
from routed.wire.mrt.rib_attributes import TABLE_DUMP_CONTEXT, TABLE_DUMP_V2_CONTEXT, decode_rib_attributes, values_of
from routed.wire.mrt.table_dump import TableDumpEntry
from routed.wire.mrt.table_dump_v2 import MrtPeer, PeerIndexTable, Rib
from routed.wire.prefix import Prefix, cut_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from routed.wire.bgp.context import DecodeContext

#: Attributes that are remembered: most routes of a peer share theirs with others of the same origin.
REMEMBERED: Final = 1 << 17
_FAMILIES: Final = (IPV4_UNICAST, IPV6_UNICAST)
_TABLES: Final = (MrtType.TABLE_DUMP_V2, MrtType.TABLE_DUMP)
#: The peer of routes in a file without a list of peers.
NOBODY: Final = MrtPeer(b"", b"", 0)
#: Attributes that say something; what else a path has is not looked at.
_TOLD: Final = frozenset(
    {AttributeType.AS_PATH, AttributeType.NEXT_HOP, AttributeType.MP_REACH_NLRI, AttributeType.AS4_PATH}
)
#: What most routes of IPv4 have of those, in the order of their types.
_USUAL: Final = [AttributeType.AS_PATH, AttributeType.NEXT_HOP]
_SEEN_OUTSIDE: Final = (SegmentType.AS_SEQUENCE, SegmentType.AS_SET)


class Choice(Enum):
    """Which path a row has where the peers of a prefix have several."""

    MOST = "most"  # of the AS numbers and next hop that most paths have; of as many, the shortest path
    SHORTEST = "shortest"  # the shortest AS path; of equal ones the first
    FIRST = "first"  # the first in the file
    LAST = "last"


class Said(NamedTuple):
    """What a path says: the AS numbers at both ends, the next hop (none: no octets), and how long it is."""

    origin_as: int
    neighbour_as: int
    next_hop: bytes
    length: int


class Network(NamedTuple):
    """A prefix and what is said of it."""

    prefix: Prefix
    said: Said


@dataclass(slots=True)
class Counts:
    """What a table came to."""

    prefixes: int = 0
    paths: int = 0
    without_as: int = 0  # paths without an AS number: what the collector's neighbour announces itself over IBGP
    undecodable: int = 0  # records and attributes that break their format
    peers: list[MrtPeer] = field(default_factory=list)
    damage: Damage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which routes count. An empty collection: all."""

    peers: Collection[bytes] = ()
    peer_as: Collection[int] = ()
    families: Collection[Family] = _FAMILIES
    choice: Choice = Choice.MOST
    compares: tuple[str, ...] = ("origin_as",)  # members of `Said` by which `MOST` counts

    def has(self, peer: MrtPeer) -> bool:
        """Tell whether the routes of a peer count."""
        return (not self.peers or peer.address in self.peers) and (not self.peer_as or peer.asn in self.peer_as)


def networks_of(records: Iterable[Record | Damage], wanted: Wanted, counts: Counts) -> Iterator[Network]:
    """Go through the prefixes of a table in its order; a prefix that comes again later has another row."""
    for prefix, records_of_it in groupby(_Table(wanted, counts).walk(records), key=itemgetter(0)):
        said = list(chain.from_iterable(some for _, some in records_of_it))
        if said:
            counts.prefixes += 1
            yield Network(prefix, choose(said, wanted))


def peers_of(records: Iterable[Record | Damage]) -> tuple[MrtPeer, ...]:
    """Return the peers of a TABLE_DUMP_V2, which stand at its beginning; of other files none.

    Raises: WireError when the list breaks its format.
    """
    first = next(iter(records), None)
    message = decode_message(first) if isinstance(first, Record) else None
    return message.peers if isinstance(message, PeerIndexTable) else ()


def choose(said: list[Said], wanted: Wanted) -> Said:
    """Choose among what the paths of a prefix say, in their order."""
    if len(said) == 1 or wanted.choice is Choice.FIRST:
        return said[0]
    if wanted.choice is Choice.LAST:
        return said[-1]
    if wanted.choice is Choice.MOST:
        votes = Counter(_value(one, wanted) for one in said)
        most = max(votes.values())
        said = [one for one in said if votes[_value(one, wanted)] == most]
    return min(said, key=lambda one: one.length)


def _value(said: Said, wanted: Wanted) -> tuple[object, ...]:
    return tuple(getattr(said, name) for name in wanted.compares)


class _Table:
    """Reads what the paths of each record say; what attributes say is remembered."""

    def __init__(self, wanted: Wanted, counts: Counts) -> None:
        self._wanted, self._counts = wanted, counts
        self._has_peer: list[bool] = []
        self._known: dict[tuple[Family, bool], dict[bytes, Said | None]] = {}  # by family and context

    def walk(self, records: Iterable[Record | Damage]) -> Iterator[tuple[Prefix, list[Said]]]:
        """Iterate over the records that are wanted."""
        counts, families = self._counts, self._wanted.families
        for record in records:
            if isinstance(record, Damage):
                counts.damage = record
                return
            if record.type not in _TABLES:
                continue
            try:
                message = decode_message(record)
            except WireError:
                counts.undecodable += 1
                continue
            if isinstance(message, Rib) and message.family in families:
                yield self._of_rib(message)
            elif isinstance(message, PeerIndexTable):
                counts.peers = list(message.peers)
                self._has_peer = [self._wanted.has(peer) for peer in message.peers]
            elif isinstance(message, TableDumpEntry) and message.family in families:
                is_wanted = self._wanted.has(MrtPeer(b"", message.peer_address, message.peer_as))
                paths = [message.attributes] if is_wanted else []
                yield message.prefix, self._say(paths, message.family, TABLE_DUMP_CONTEXT)

    def _of_rib(self, rib: Rib) -> tuple[Prefix, list[Said]]:
        prefix = cut_prefix(rib.nlri[1:], rib.nlri[0], ADDRESS_OCTETS[Afi(rib.family.afi)])
        has, count = self._has_peer, len(self._has_peer)
        paths = [
            entry.attributes
            for entry in rib.entries
            if (has[entry.peer_index] if entry.peer_index < count else self._wanted.has(NOBODY))
        ]
        return prefix, self._say(paths, rib.family, TABLE_DUMP_V2_CONTEXT)

    def _say(self, paths: list[bytes], family: Family, context: DecodeContext) -> list[Said]:
        """Return what paths say, those left out that say nothing."""
        counts = self._counts
        counts.paths += len(paths)
        known = self._known.setdefault((family, context.as4), {})
        found = []
        for attributes in paths:
            try:
                said = known[attributes]
            except KeyError:
                try:
                    said = said_by(attributes, family, context)
                except WireError:
                    counts.undecodable += 1
                    continue
                if len(known) >= REMEMBERED:
                    known.clear()
                known[attributes] = said
            if said is None:
                counts.without_as += 1
            else:
                found.append(said)
        return found


def said_by(attributes: bytes, family: Family, context: DecodeContext) -> Said | None:
    """Return what the attributes of a route say; None without an AS number.

    The origin of a path that ends in a set is the last number of it, and the neighbour the first number outside
    confederations (RFC 5065 section 5.3).

    Raises: WireError when the attributes break their format.
    """
    values = values_of(attributes, _TOLD)
    if context.as4 and [type_ for type_, _ in values] == _USUAL:
        return _said_by_usual(*(value for _, value in values))
    found = decode_rib_attributes(attributes, family, context).attributes
    path = find(found, AsPath) or AsPath()
    wide = find(found, As4Path)
    if wide is not None and not context.as4:
        path = merge_as4_path(path, wide)
    next_hop, reach = find(found, NextHop), find(found, MpReachNlri)
    octets = reach.next_hop if reach is not None else b"" if next_hop is None else next_hop.address
    return _said(path, octets[: ADDRESS_OCTETS[Afi.IPV6]])


def _said_by_usual(as_path: bytes, next_hop: bytes) -> Said | None:
    """Return what a path and a next hop say; a value that breaks its format counts as absent (RFC 7606)."""
    try:
        path = AsPath(decode_segments(Cursor(as_path), as4=True))
    except WireError:
        return None
    return _said(path, next_hop if len(next_hop) == ADDRESS_OCTETS[Afi.IPV4] else b"")


def _said(path: AsPath, next_hop: bytes) -> Said | None:
    outside = [segment.numbers for segment in path.segments if segment.type in _SEEN_OUTSIDE and segment.numbers]
    if not outside:
        return None
    return Said(outside[-1][-1], outside[0][0], next_hop, path.length)
