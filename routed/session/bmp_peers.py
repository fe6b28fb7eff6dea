"""Which peers of a router are up, and what their OPENs say about how their UPDATEs are to be read.

A peer is known by its type, distinguisher and address (RFC 7854 section 4.2), so two peers with one address in two
VRFs are two. All RIBs of a peer share one Peer Up, those of its Adj-RIB-Out too (RFC 8671 section 5); its Loc-RIB is a
peer of its own (RFC 9069 section 4). There are routers that announce a peer with another type than its routes have:
where no peer has the type, distinguisher and address count alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError
from routed.wire.bgp.capability import AddPath, Capability, FourOctetAs, decode_capability
from routed.wire.bgp.codepoints import SendReceive
from routed.wire.bgp.open import OpenMessage
from routed.wire.bmp.peer import PeerHeader
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.family import Family

#: Peers of one router at a time; each costs a few kilobytes.
MAX_PEERS: Final = 32_768


class PeerKey(NamedTuple):
    """What tells one peer of a router from another."""

    peer_type: int
    distinguisher: bytes
    address: IPv4Address | IPv6Address


class Reading(NamedTuple):
    """How UPDATEs of one RIB are to be read."""

    as4: bool
    guesses_as4: bool  # the router does not say clearly: each UPDATE is to be looked at
    add_path: frozenset[Family]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoredPeer:
    """A peer that is up."""

    key: PeerKey
    asn: int  # of its OPEN
    local_as: int
    bgp_id: IPv4Address
    as4: bool  # both OPENs have the capability
    add_path_in: frozenset[Family] = frozenset()
    add_path_out: frozenset[Family] = frozenset()

    def reading(self, header: PeerHeader) -> Reading:
        """Return how the UPDATEs of one of its RIBs are to be read.

        Departs: RFC 7854 section 4.2 has AS paths of four octets wherever the A flag is not set; there are routers
        that pass on what a peer without RFC 6793 sent them, and routers that set the flag without need.
        """
        if header.is_loc:
            add_path = self.add_path_in | self.add_path_out
        else:
            add_path = self.add_path_out if header.is_out else self.add_path_in
        as4 = not header.is_legacy_as_path
        return Reading(as4=as4, guesses_as4=as4 != self.as4, add_path=add_path)


class TooManyPeersError(Exception):
    """A router reports more peers than it may."""


class BmpPeers:
    """The peers of one router."""

    def __init__(self, most: int = MAX_PEERS) -> None:
        self._most = most
        self._up: dict[PeerKey, MonitoredPeer] = {}
        self._types: dict[tuple[bytes, IPv4Address | IPv6Address], list[int]] = {}  # of peers with the same address

    def __len__(self) -> int:
        return len(self._up)

    def __iter__(self) -> Iterator[MonitoredPeer]:
        return iter(self._up.values())

    def up(self, message: PeerUp) -> tuple[MonitoredPeer, MonitoredPeer | None]:
        """Take a Peer Up; return the peer, and what it was before if it was up already: the last OPENs count.

        Raises: TooManyPeersError.
        """
        peer = monitored(message)
        before = self._up.get(peer.key)
        if before is None:
            self._admit(peer.key)
        self._up[peer.key] = peer
        return peer, before

    def admit(self, header: PeerHeader) -> MonitoredPeer:
        """Take a peer whose UPDATEs say themselves how they are to be read, so that no Peer Up is needed.

        Raises: TooManyPeersError.
        """
        key = key_of(header)
        self._admit(key)
        peer = self._up[key] = MonitoredPeer(
            key=key, asn=header.asn, local_as=0, bgp_id=header.bgp_id, as4=not header.is_legacy_as_path
        )
        return peer

    def down(self, header: PeerHeader) -> MonitoredPeer | None:
        """Take a Peer Down; return the peer that was up."""
        peer = self.find(header)
        if peer is not None:
            del self._up[peer.key]
            types = self._types[peer.key[1:]]
            types.remove(peer.key.peer_type)
            if not types:
                del self._types[peer.key[1:]]
        return peer

    def find(self, header: PeerHeader) -> MonitoredPeer | None:
        """Return the peer that a message is about, if it is up."""
        key = key_of(header)
        peer = self._up.get(key)
        if peer is not None:
            return peer
        types = self._types.get(key[1:])
        return None if types is None else self._up[key._replace(peer_type=types[-1])]

    def _admit(self, key: PeerKey) -> None:
        if len(self._up) >= self._most:
            raise TooManyPeersError(f"more than {self._most} peers")
        self._types.setdefault(key[1:], []).append(key.peer_type)


def key_of(header: PeerHeader) -> PeerKey:
    """Return whom a per-peer header names."""
    return PeerKey(int(header.peer_type), header.distinguisher, header.address)


def monitored(message: PeerUp) -> MonitoredPeer:
    """Read the facts of a Peer Up."""
    router, peer = message.sent_open, message.received_open
    return MonitoredPeer(
        key=key_of(message.peer),
        asn=peer.asn,
        local_as=router.asn,
        bgp_id=message.peer.bgp_id,
        as4=bool(router.having(FourOctetAs) and peer.having(FourOctetAs)),
        add_path_in=_offers(router, SendReceive.RECEIVE) & _offers(peer, SendReceive.SEND),
        add_path_out=_offers(router, SendReceive.SEND) & _offers(peer, SendReceive.RECEIVE),
    )


def stateless_reading(octets: bytes, header: PeerHeader) -> Reading:
    """Return what stateless parsing says of the RIB that a per-peer header names.

    Octets: BGP capabilities as in the OPEN that the router sent. It has received path identifiers that it receives,
    has sent those that it sends, and a Loc-RIB may have either. AS numbers are as `MonitoredPeer.reading` has them.
    Raises: WireError.
    """
    c = Cursor(octets)
    capabilities: list[Capability] = []
    while c.remaining:
        capabilities.append(decode_capability(c))
    agreed_as4 = any(isinstance(capability, FourOctetAs) for capability in capabilities)
    as4 = not header.is_legacy_as_path
    if header.is_loc:
        directions = set(SendReceive)
    else:
        directions = {SendReceive.SEND if header.is_out else SendReceive.RECEIVE, SendReceive.BOTH}
    return Reading(as4=as4, guesses_as4=as4 != agreed_as4, add_path=_families(capabilities, directions))


def read_stateless(octets: bytes, header: PeerHeader) -> Reading | None:
    """Return what stateless parsing says, None when it is malformed."""
    try:
        return stateless_reading(octets, header)
    except WireError:
        return None


def _offers(message: OpenMessage, direction: SendReceive) -> frozenset[Family]:
    """Return the families whose path identifiers a speaker sends or receives (RFC 7911 section 4)."""
    return _families(message.capabilities, {direction, SendReceive.BOTH})


def _families(capabilities: Iterable[Capability], directions: set[SendReceive]) -> frozenset[Family]:
    return frozenset(
        offer.family
        for capability in capabilities
        if isinstance(capability, AddPath)
        for offer in capability.offers
        if offer.send_receive in directions
    )
