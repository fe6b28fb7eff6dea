"""BGP UPDATE streams as a router shows them in BMP: Route Monitoring messages of monitored peers (RFC 7854).

A router shows peers 10.255.0.1, 10.255.0.2 and so on. Where there are several, or both RIBs of a peer, their messages
take turns one by one, as those of a router whose peers all talk do.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from tests.oracles.bmp_build import INITIATION, PEER_UP, ROUTE_MONITORING, L, ends, frame, peer, tlv
from tests.peers.raw_speaker import HEADER_LENGTH, open_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_PEER: Final = IPv4Address("10.255.0.1")
FIRST_AS: Final = 64_500
ROUTER_AS: Final = 64_499
#: Flags of the RIBs of a peer.
PRE_POLICY, POST_POLICY = 0, L


def messages_of(stream: bytes) -> Iterator[bytes]:
    """Cut a stream of BGP messages."""
    at = 0
    while at + HEADER_LENGTH <= len(stream):
        end = at + int.from_bytes(stream[at + 16 : at + 18], "big")
        yield stream[at:end]
        at = end


def opening(peers: int) -> bytes:
    """Return an Initiation and the Peer Up of each peer."""
    octets = frame(INITIATION, tlv(2, b"bench"))
    for number in range(peers):
        address = str(FIRST_PEER + number)
        sent, received = (open_message(asn, address, hold_time=180) for asn in (ROUTER_AS, FIRST_AS + number))
        octets += frame(PEER_UP, _header(number, PRE_POLICY) + ends() + sent + received)
    return octets


def shown(streams: Sequence[bytes], peers: int, ribs: Sequence[int] = (PRE_POLICY,)) -> tuple[bytes, int]:
    """Return Route Monitoring messages and their number; peer i shows stream i, counted round, in each of its RIBs."""
    views = [list(messages_of(stream)) for stream in streams]
    columns = [
        (_header(number, flags), view)
        for number, view in zip(range(peers), islice(cycle(views), peers), strict=True)
        for flags in ribs
    ]
    octets, count = bytearray(), 0
    for turn in range(max(map(len, views))):
        for header, view in columns:
            if turn < len(view):
                octets += frame(ROUTE_MONITORING, header + view[turn])
                count += 1
    return bytes(octets), count


def _header(number: int, flags: int) -> bytes:
    address = str(FIRST_PEER + number)
    return peer(flags=flags, address=address, asn=FIRST_AS + number, bgp_id=address)
