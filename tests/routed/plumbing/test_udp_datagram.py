"""UDP datagrams of captured packets."""

import struct
from ipaddress import ip_address

import pytest

from routed.plumbing.ip_packet import Skipped
from routed.plumbing.pcap import Packet
from routed.plumbing.udp_datagram import UdpDatagram, read_datagram
from tests.routed.plumbing.captures import COLLECTOR, ROUTER, ethernet, ipv4, ipv6, tcp

SIX = {"source": ("2001:db8::1", 40000), "destination": ("2001:db8::9", 2055)}


def udp(payload: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", 40000, 2055, 8 + len(payload) if length is None else length, 0) + payload


def read(octets: bytes) -> UdpDatagram | Skipped:
    return read_datagram(Packet(5.0, 1, octets, len(octets)))


def test_datagrams_of_both_families() -> None:
    four = read(ethernet(ipv4(udp(b"abc"), protocol=17)) + bytes(6))
    assert four == UdpDatagram(ip_address(ROUTER[0]).packed, 40000, ip_address(COLLECTOR[0]).packed, 2055, b"abc", 5.0)
    six = read(ethernet(ipv6(udp(b"abc"), protocol=17, **SIX)))
    assert isinstance(six, UdpDatagram)
    assert (six.source, six.payload) == (ip_address("2001:db8::1").packed, b"abc")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (ethernet(ipv4(tcp(b"abc"))), Skipped.OTHER),
        (ethernet(ipv4(udp(b"abc"), protocol=17, fragment=0x2000)), Skipped.FRAGMENT),
        (ethernet(ipv4(udp(b"abc"), protocol=17))[:-1], Skipped.SHORT),
        (ethernet(ipv4(udp(b"abc", length=7), protocol=17)), Skipped.SHORT),
        (ethernet(ipv4(b"abc", protocol=17)), Skipped.SHORT),
    ],
)
def test_what_is_no_whole_datagram_is_skipped(octets: bytes, why: Skipped) -> None:
    assert read(octets) is why
