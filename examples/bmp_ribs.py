"""What a router knows: the routes of its peers, those that its import policy accepts, and the best of each prefix.

The policy refuses prefixes that are longer than the router has room for, and gives the others a LOCAL_PREF: routes of
the peer with the largest table, which is the transit, are the last resort; among the others the first peer wins.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TypeAlias

from announcements import RouteGroup, announce, withdraw
from bmp_messages import Speaker

from routed.octets import Cursor
from routed.wire import mrt
from routed.wire.bgp.header import decode_message
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Family

LONGEST_ACCEPTED = {IPV4_UNICAST: 20, IPV6_UNICAST: 48}
_TRANSIT_PREFERENCE, _PEER_PREFERENCE = 100, 200
_LOCAL_PREF = b"\x40\x05\x04"  # well-known, LOCAL_PREF, 4 octets

#: A prefix: its family and its NLRI octets.
Key: TypeAlias = tuple[Family, bytes]
#: Routes by prefix; None for one that is withdrawn.
Routes: TypeAlias = dict[Key, RouteGroup]
Changes: TypeAlias = Mapping[Key, RouteGroup | None]


@dataclass(slots=True, eq=False)
class Peer:
    """A peer and its routes before and after policy."""

    speaker: Speaker
    pre: Routes = field(default_factory=dict)
    post: Routes = field(default_factory=dict)
    preference: int = _PEER_PREFERENCE
    _accepted: dict[RouteGroup, RouteGroup] = field(default_factory=dict)

    def accept(self, changes: Changes) -> Changes:
        """Apply the policy to routes, new or withdrawn; return what changes behind it."""
        accepted = {
            key: None if group is None else self._preferred(group)
            for key, group in changes.items()
            if key[1][0] <= LONGEST_ACCEPTED[key[0]]
        }
        update(self.post, accepted)
        return accepted

    def _preferred(self, group: RouteGroup) -> RouteGroup:
        if group not in self._accepted:
            attributes = group.attributes + _LOCAL_PREF + self.preference.to_bytes(4, "big")
            self._accepted[group] = group._replace(attributes=attributes)
        return self._accepted[group]


class Ribs:
    """All RIBs of a router."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self.peers = tuple(peers)
        self.transit = max(self.peers, key=lambda peer: len(peer.pre))
        self.transit.preference = _TRANSIT_PREFERENCE
        self._preferred_first = (*(peer for peer in self.peers if peer is not self.transit), self.transit)
        self.loc: Routes = {}
        for peer in self.peers:
            peer.accept(peer.pre)
        for peer in reversed(self._preferred_first):
            self.loc.update(peer.post)

    @property
    def routes(self) -> int:
        """Routes in all of them."""
        return len(self.loc) + sum(len(peer.pre) + len(peer.post) for peer in self.peers)

    def take(self, peer: Peer, changes: Changes) -> tuple[Changes, Changes]:
        """Take what a peer sent; return what that changes behind its policy, and in the Loc-RIB."""
        update(peer.pre, changes)
        accepted = peer.accept(changes)
        return accepted, self._choose(accepted)

    def lose(self, peer: Peer) -> Changes:
        """Take note that a peer is down; return what changes in the Loc-RIB. Its routes before policy stay known."""
        gone, peer.post = peer.post, {}
        return self._choose(gone)

    def regain(self, peer: Peer) -> Changes:
        """Let a peer come again with the routes that it had; return what changes in the Loc-RIB."""
        return self._choose(peer.accept(peer.pre))

    def _choose(self, keys: Iterable[Key]) -> Changes:
        changes: dict[Key, RouteGroup | None] = {}
        for key in keys:
            best = next((peer.post[key] for peer in self._preferred_first if key in peer.post), None)
            if best != self.loc.get(key):
                changes[key] = best
        update(self.loc, changes)
        return changes


def update(routes: Routes, changes: Changes) -> None:
    """Carry changes out."""
    for key, group in changes.items():
        if group is None:
            routes.pop(key, None)
        else:
            routes[key] = group


def read_peers(path: Path, limit: int | None = None) -> list[Peer]:
    """Read the peers of a table and their routes, of as many prefixes as the limit says."""
    peers: list[Peer] = []
    for number, record in enumerate(mrt.read(path)):
        if isinstance(record, mrt.Damage) or (limit is not None and number > limit):
            break
        match mrt.decode_message(record):
            case mrt.PeerIndexTable() as index:
                peers = [Peer(_speaker(peer)) for peer in index.peers]
            case mrt.Rib(_, family, nlri, entries):
                for entry in entries:
                    peer = peers[entry.peer_index]
                    peer.pre[family, nlri] = RouteGroup(family, entry.attributes, peer.speaker.asn)
    return [peer for peer in peers if peer.pre]


def read_changes(message: bytes, peer: Peer) -> Changes:
    """Read what an UPDATE with its header does to IPv4 routes."""
    _, body = decode_message(Cursor(message))
    withdrawn, attributes, nlri = body.take(body.u16()), body.take(body.u16()), body.rest()
    group = RouteGroup(IPV4_UNICAST, attributes, peer.speaker.asn)
    gone: dict[Key, RouteGroup | None] = dict.fromkeys(_keys(withdrawn))
    return gone | dict.fromkeys(_keys(nlri), group)


def updates_for(changes: Changes) -> Iterator[bytes]:
    """Yield UPDATEs that carry changes out, withdrawals first; those with equal attributes together."""
    withdrawn: dict[Family, list[bytes]] = {}
    announced: dict[RouteGroup, list[bytes]] = {}
    for (family, nlri), group in changes.items():
        if group is None:
            withdrawn.setdefault(family, []).append(nlri)
        else:
            announced.setdefault(group, []).append(nlri)
    for family, prefixes in withdrawn.items():
        yield from withdraw(family, prefixes)
    for group, prefixes in announced.items():
        yield from announce(group, prefixes, group.peer_as)


def _speaker(peer: mrt.MrtPeer) -> Speaker:
    return Speaker(ip_address(peer.address), peer.asn, IPv4Address(peer.router_id))


def _keys(nlri: bytes) -> Iterator[Key]:
    c = Cursor(nlri)
    while c.remaining:
        length = c.u8()
        yield IPV4_UNICAST, bytes((length,)) + c.take((length + 7) // 8)
