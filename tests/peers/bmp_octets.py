"""BMP by hand: the octets of messages, independent of the code under test.

Nothing here checks what it builds, so that a test can build what no real router would send.

Source: RFC 7854 section 4, RFC 8671 section 4, RFC 9069 section 4.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Final

from tests.peers.raw_speaker import open_message, prefix, update, usual_attributes

ROUTE_MONITORING, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION, ROUTE_MIRRORING = range(7)
GLOBAL_INSTANCE, LOC_RIB = 0, 3
IPV6, POST_POLICY, ADJ_RIB_OUT = 0x80, 0x40, 0x10
#: The RIBs that a router can show of one neighbour, and its own, as (peer type, flags).
VIEWS: Final = ((GLOBAL_INSTANCE, 0), (GLOBAL_INSTANCE, POST_POLICY), (GLOBAL_INSTANCE, ADJ_RIB_OUT), (LOC_RIB, 0))
PEER: Final = "192.0.2.11"
ASN: Final = 65001


def message(kind: int, body: bytes = b"", *, version: int = 3, length: int | None = None) -> bytes:
    """Put a common header before the body; a given length is written even when it is a lie."""
    return struct.pack("!BIB", version, 6 + len(body) if length is None else length, kind) + body


def tlv(kind: int, value: bytes, *, length: int | None = None) -> bytes:
    """Encode an information TLV (RFC 7854 section 4.4), with a given length even when it is a lie."""
    return struct.pack("!HH", kind, len(value) if length is None else length) + value


def per_peer_header(
    peer: str = PEER, *, peer_type: int = GLOBAL_INSTANCE, flags: int = 0, asn: int = ASN, distinguisher: int = 0
) -> bytes:
    """Encode the header of all messages about a peer (RFC 7854 section 4.2); its BGP identifier is 192.0.2.<last>."""
    address = ip_address("0.0.0.0" if peer_type == LOC_RIB else peer)
    own_flags = flags | (IPV6 if address.version == 6 else 0)
    octets = struct.pack("!BBQ", peer_type, own_flags, distinguisher) + address.packed.rjust(16, b"\0")
    bgp_id = ip_address(f"192.0.2.{address.packed[-1]}").packed
    return octets + struct.pack("!I", asn) + bgp_id + struct.pack("!II", 1_700_000_000, 250_000)


def initiation(name: str = "router", *tlvs: bytes) -> bytes:
    """Encode an Initiation message (RFC 7854 section 4.3)."""
    return message(INITIATION, tlv(1, b"a router by hand") + tlv(2, name.encode()) + b"".join(tlvs))


def peer_up(header: bytes, *, opens: bytes | None = None, asn: int = ASN) -> bytes:
    """Encode a Peer Up (RFC 7854 section 4.10) of two usual OPENs, or of the octets that are given in their place."""
    both = open_message(65000, "192.0.2.1") + open_message(asn, PEER) if opens is None else opens
    addresses = ip_address("192.0.2.1").packed.rjust(16, b"\0") + struct.pack("!HH", 179, 40_000)
    return message(PEER_UP, header + addresses + both)


def peer_down(header: bytes) -> bytes:
    """Encode a Peer Down (RFC 7854 section 4.9): the remote system closed without a NOTIFICATION."""
    return message(PEER_DOWN, header + b"\x04")


def monitoring(header: bytes, pdu: bytes) -> bytes:
    """Encode a Route Monitoring message (RFC 7854 section 4.6)."""
    return message(ROUTE_MONITORING, header + pdu)


def announcement(header: bytes, *networks: str, asn: int = ASN) -> bytes:
    """Encode what a router says when routes appear in a RIB."""
    return monitoring(header, update(attributes=usual_attributes(asn), nlri=b"".join(map(prefix, networks))))


def withdrawal(header: bytes, *networks: str) -> bytes:
    """Encode what a router says when routes leave a RIB."""
    return monitoring(header, update(withdrawn=b"".join(map(prefix, networks))))


def statistics(header: bytes, *counters: bytes, count: int | None = None) -> bytes:
    """Encode a Statistics Report (RFC 7854 section 4.8), with a given number of counters even when it is a lie."""
    number = len(counters) if count is None else count
    return message(STATISTICS, header + struct.pack("!I", number) + b"".join(counters))


def termination(reason: int = 0) -> bytes:
    """Encode a Termination message (RFC 7854 section 4.5)."""
    return message(TERMINATION, tlv(1, struct.pack("!H", reason)))


def usual_session(*networks: str, name: str = "router") -> bytes:
    """Encode how a router begins: itself, one peer, and the routes of that peer."""
    header = per_peer_header()
    return initiation(name) + peer_up(header) + (announcement(header, *networks) if networks else b"")
