"""From a captured packet to what its IP header carries.

Link layers: Ethernet with any number of VLAN tags, Linux cooked versions 1 and 2, BSD loopback, none. Then IPv4 with
options, or IPv6 with extension headers. Checksums are not looked at: captures on the host itself often precede them.
"""

import struct
from enum import Enum, auto
from typing import Final, NamedTuple

from routed.plumbing.pcap import Packet

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN_TAGS: Final = frozenset((0x8100, 0x88A8, 0x9100))
_IPV4_FRAGMENT: Final = 0x3FFF  # offset, and more fragments
_IPV6_FRAGMENT: Final = 44
_IPV6_AUTHENTICATION: Final = 51
#: Headers that have their length in the second octet: hop-by-hop, routing, destination options, mobility, HIP, Shim6.
_IPV6_EXTENSIONS: Final = frozenset((0, 43, 60, 135, 139, 140, _IPV6_FRAGMENT, _IPV6_AUTHENTICATION))

#: Octets in front of the EtherType, by LINKTYPE: Ethernet, Linux cooked version 1, version 2.
_ETHER_TYPE_AT: Final = {1: 12, 113: 14, 276: 0}
#: Octets in front of the IP header, for link types that do not name the protocol or whose IP version says enough.
_IP_AT: Final = {0: 4, 108: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0}
#: Octets between a Linux cooked version 2 EtherType and the packet.
_COOKED_V2_HEADER: Final = 20

_V4 = struct.Struct("!BxHxxHxB2x4s4s")  # version and header length, total length, fragment, protocol, addresses
_V6 = struct.Struct("!4xHBx16s16s")  # payload length, next header, addresses


class Skipped(Enum):
    """Why a packet has nothing for us."""

    OTHER = auto()  # not that protocol over IP
    LINK_TYPE = auto()
    FRAGMENT = auto()
    SHORT = auto()  # the headers are not there, or not captured


class Skip(Exception):  # noqa: N818 (a verdict)
    """There is no payload; `reason` says why."""

    def __init__(self, reason: Skipped) -> None:
        super().__init__(reason)
        self.reason = reason


class IpPayload(NamedTuple):
    """Where the payload of an IP packet lies in the captured octets; addresses are packed."""

    at: int
    end: int  # beyond the octets if the packet was not captured whole
    source: bytes
    destination: bytes


def find_payload(packet: Packet, protocol: int) -> IpPayload:
    """Find what a packet carries of a protocol.

    Raises: Skip, or struct.error where headers are cut.
    """
    return _read_ip(packet, _find_ip(packet.link_type, packet.octets), protocol)


def _find_ip(link_type: int, octets: bytes) -> int:
    """Return where the IP header begins."""
    if link_type in _IP_AT:
        return _IP_AT[link_type]
    if link_type not in _ETHER_TYPE_AT:
        raise Skip(Skipped.LINK_TYPE)
    at = _ETHER_TYPE_AT[link_type]
    (ether_type,) = struct.unpack_from("!H", octets, at)
    at = at + 2 if at else _COOKED_V2_HEADER
    while ether_type in _VLAN_TAGS:
        (ether_type,) = struct.unpack_from("!2xH", octets, at)
        at += 4
    if ether_type not in (_IPV4, _IPV6):
        raise Skip(Skipped.OTHER)
    return at


def _read_ip(packet: Packet, at: int, wanted: int) -> IpPayload:
    octets = packet.octets
    if at >= len(octets):
        raise Skip(Skipped.SHORT)
    version = octets[at] >> 4
    if version == 4:
        return _read_ipv4(packet, at, wanted)
    if version == 6:
        return _read_ipv6(packet, at, wanted)
    raise Skip(Skipped.OTHER)


def _read_ipv4(packet: Packet, at: int, wanted: int) -> IpPayload:
    first, total, fragment, protocol, source, destination = _V4.unpack_from(packet.octets, at)
    header = (first & 0x0F) * 4
    if header < 20:
        raise Skip(Skipped.SHORT)
    if protocol != wanted:
        raise Skip(Skipped.OTHER)
    if fragment & _IPV4_FRAGMENT:
        raise Skip(Skipped.FRAGMENT)
    end = at + total if total else packet.length  # 0: longer than a length can say, cut by the interface later
    return IpPayload(at + header, end, source, destination)


def _read_ipv6(packet: Packet, at: int, wanted: int) -> IpPayload:
    length, protocol, source, destination = _V6.unpack_from(packet.octets, at)
    end = at + 40 + length if length else packet.length  # as in IPv4
    at += 40
    while protocol in _IPV6_EXTENSIONS:
        following, units, fragment = struct.unpack_from("!BBH", packet.octets, at)
        if protocol == _IPV6_FRAGMENT:
            if fragment & 0xFFF9:  # offset, and more fragments
                raise Skip(Skipped.FRAGMENT)
            at += 8
        else:
            at += units * 4 + 8 if protocol == _IPV6_AUTHENTICATION else units * 8 + 8
        protocol = following
    if protocol != wanted:
        raise Skip(Skipped.OTHER)
    return IpPayload(at, end, source, destination)
