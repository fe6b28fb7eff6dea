"""From an MRT table to the UPDATEs that a router would send: routes with equal attributes travel together.

The attribute octets of the table go out as they are, but for MP_REACH_NLRI, which a table cuts down to its next hop,
and for the AS path, to which a router adds its own AS unless the table was taken from a router of that AS.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from routed.octets import Cursor, Writer
from routed.wire import mrt
from routed.wire.bgp.as_path import AsPath, sequence
from routed.wire.bgp.attribute import attribute, decode_attributes, encode_attributes
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.end_of_rib import encode_end_of_rib
from routed.wire.bgp.header import HEADER_OCTETS, MAX_MESSAGE, decode_message, encode_message
from routed.wire.bgp.reach import MpUnreachNlri
from routed.wire.bgp.update import Update, encode_update
from routed.wire.family import IPV4_UNICAST, Family
from routed.wire.mrt.rib_attributes import TABLE_DUMP_V2_CONTEXT

#: Octets of an UPDATE for attributes and NLRI: what is left beside the header and two lengths, less what MP_REACH_NLRI
#: or MP_UNREACH_NLRI need around their NLRI.
_ROOM = MAX_MESSAGE - HEADER_OCTETS - 4 - 8


class RouteGroup(NamedTuple):
    """What routes must have in common to share an UPDATE."""

    family: Family
    attributes: bytes
    peer_as: int


@dataclass(slots=True)
class Table:
    """Routes by group, each as its NLRI octets."""

    groups: dict[RouteGroup, list[bytes]] = field(default_factory=dict)
    routes: int = 0

    def add(self, group: RouteGroup, nlri: bytes) -> None:
        """Add one route."""
        self.groups.setdefault(group, []).append(nlri)
        self.routes += 1

    @property
    def families(self) -> list[Family]:
        """Families that occur, IPv4 unicast always."""
        return sorted({IPV4_UNICAST, *(group.family for group in self.groups)})


def read_table(path: Path, places: Iterable[int] = (), limit: int | None = None) -> Table:
    """Read the routes of the peers at these places of the index, or each prefix's first route if none is given."""
    wanted, table = frozenset(places), Table()
    peers: tuple[mrt.MrtPeer, ...] = ()
    for record in mrt.read(path):
        if isinstance(record, mrt.Damage) or table.routes == limit:
            break
        match mrt.decode_message(record):
            case mrt.PeerIndexTable() as index:
                peers = index.peers
            case mrt.Rib(_, family, nlri, entries):
                for entry in (entry for entry in entries if not wanted or entry.peer_index in wanted):
                    table.add(RouteGroup(family, entry.attributes, peers[entry.peer_index].asn), nlri)
                    break  # a router has one best path
    return table


def read_updates(path: Path, asn: int) -> list[bytes]:
    """Read the UPDATEs that peers of an AS sent in four-octet sessions, as whole messages."""
    return [
        message.octets
        for record in mrt.read(path)
        if isinstance(record, mrt.Record)
        and isinstance(message := mrt.decode_message(record), mrt.BgpMessage)
        and message.as4
        and message.endpoints.peer_as == asn
        and decode_message(Cursor(message.octets))[0] is MessageType.UPDATE
    ]


def announce(group: RouteGroup, routes: Iterable[bytes], asn: int) -> Iterator[bytes]:
    """Yield UPDATEs for routes that share attributes."""
    attributes = group.attributes if group.peer_as == asn else _with_first_as(group, asn)
    for part in _parts(routes, _ROOM - len(attributes)):
        nlri, w = b"".join(part), Writer()
        w.u16(0)
        with w.length16():
            plain = group.family == IPV4_UNICAST
            w.octets(attributes if plain else mrt.expand_mp_reach(attributes, group.family, nlri))
        if plain:
            w.octets(nlri)
        yield encode_message(MessageType.UPDATE, bytes(w))


def withdraw(family: Family, routes: Iterable[bytes]) -> Iterator[bytes]:
    """Yield UPDATEs that withdraw routes."""
    for part in _parts(routes, _ROOM):
        nlri, w = b"".join(part), Writer()
        if family == IPV4_UNICAST:
            with w.length16():
                w.octets(nlri)
            w.u16(0)
        else:
            unreach = attribute(MpUnreachNlri(family, opaque=nlri))
            encode_update(w, Update(attributes=(unreach,)), TABLE_DUMP_V2_CONTEXT)
        yield encode_message(MessageType.UPDATE, bytes(w))


def end_of_rib(family: Family) -> bytes:
    """Return the UPDATE that says all routes of a family have been sent."""
    w = Writer()
    encode_end_of_rib(w, family)
    return encode_message(MessageType.UPDATE, bytes(w))


def _with_first_as(group: RouteGroup, asn: int) -> bytes:
    whole = mrt.expand_mp_reach(group.attributes, group.family)
    w = Writer()
    encode_attributes(
        w,
        (
            replace(each, value=AsPath((*sequence(asn), *each.value.segments)))
            if isinstance(each.value, AsPath)
            else each
            for each in decode_attributes(Cursor(whole), TABLE_DUMP_V2_CONTEXT).attributes
        ),
        TABLE_DUMP_V2_CONTEXT,
    )
    return bytes(w)


def _parts(routes: Iterable[bytes], room: int) -> Iterator[list[bytes]]:
    """Cut routes into portions of at most `room` octets."""
    part: list[bytes] = []
    octets = 0
    for nlri in routes:
        if part and octets + len(nlri) > room:
            yield part
            part, octets = [], 0
        part.append(nlri)
        octets += len(nlri)
    if part:
        yield part
