"""IP packets of UDP datagrams, beside those that Scapy makes."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from routed.plumbing.udp_in_name import udp_packet


@pytest.mark.parametrize("octets", [b"", b"\1", b"templates", bytes(1400)])
@pytest.mark.parametrize(("source", "destination"), [("192.0.2.1", "127.0.0.1"), ("2001:db8::1", "::1")])
def test_packets_are_those_of_scapy(octets: bytes, source: str, destination: str) -> None:
    packet = udp_packet(octets, (ip_address(source), 2055), (ip_address(destination), 10_000))
    if ":" in source:
        assert packet == bytes(IPv6(src=source, dst=destination) / UDP(sport=2055, dport=10_000) / octets)
        return
    wanted = IP(src=source, dst=destination, id=0, chksum=0) / UDP(sport=2055, dport=10_000) / octets
    assert packet == bytes(wanted)


def test_a_checksum_that_comes_to_nothing_is_sent_as_all_ones() -> None:
    """RFC 768: an all-zero checksum means that there is none."""
    seen = set()
    for number in range(1 << 16):
        packet = udp_packet(number.to_bytes(2), (ip_address("192.0.2.1"), 1), (ip_address("192.0.2.2"), 2))
        seen.add(packet[26:28])
        if packet[26:28] == b"\xff\xff":
            return
    raise AssertionError(f"{len(seen)} checksums, none of all ones")
