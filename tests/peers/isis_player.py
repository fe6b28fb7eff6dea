"""One side of a captured adjacency, sent again through GRE with checksum, key and sequence number.

    python -m tests.peers.isis_player isis.pcap 111111111111 10.9.0.2 10.9.0.1 7

In front of each packet go two that are not for this tunnel: one with a wrong checksum, one with another key. First of
all a keepalive has to come back.
"""

import select
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from routed.plumbing.pcap import read_packets
from routed.plumbing.raw_ip import RawIp
from routed.wire.isis.codepoints import PduType
from routed.wire.isis.header import cut_pdu
from tests.peers.frr_isis import PATIENCE

_GRE: Final = 47
_CHECKSUM_KEY_SEQUENCE: Final = bytes.fromhex("b00000fe")
#: Cisco HDLC, with an octet that fills the header of OSI.
_HDLC_OCTETS: Final = 5
#: Where the system stands that has sent a PDU.
_SOURCE_AT: Final = {PduType.P2P_HELLO: 9, PduType.LSP_2: 12, PduType.CSNP_2: 10, PduType.PSNP_2: 10}


def pdus_of(capture: Path, system_id: bytes) -> Iterator[bytes]:
    """Yield what a system has sent on level 2."""
    for packet in read_packets(capture):
        kind, pdu = cut_pdu(packet.octets[_HDLC_OCTETS:])
        at = _SOURCE_AT.get(kind)
        if at is not None and pdu[at : at + len(system_id)] == system_id:
            yield pdu


def encode(pdu: bytes, key: int, sequence: int) -> bytes:
    """Return a packet of GRE with all that it may have in front."""
    behind = key.to_bytes(4, "big") + sequence.to_bytes(4, "big") + pdu
    blank = _CHECKSUM_KEY_SEQUENCE + bytes(4) + behind
    padded = blank + bytes(len(blank) % 2)
    words = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return _CHECKSUM_KEY_SEQUENCE + (0xFFFF ^ words).to_bytes(2, "big") + bytes(2) + behind


def keepalive(packets: RawIp, local: bytes, remote: bytes, key: int) -> bytes:
    """Send what a router of Cisco sends to look after its tunnel; return what has to come back."""
    answer = bytes.fromhex("20000000") + key.to_bytes(4, "big")
    inner = bytes.fromhex("4500001c00000000ff2f0000") + remote + local + answer
    packets.send(bytes.fromhex("20000800") + key.to_bytes(4, "big") + inner)
    return answer


def main() -> None:
    """Send all of it once."""
    capture, system_id, local, remote, key = sys.argv[1:]
    packets = RawIp(ip_address(local), ip_address(remote), _GRE)
    packets.open()
    packets.attach()
    answer = keepalive(packets, ip_address(local).packed, ip_address(remote).packed, int(key))
    while packets.receive() != answer:  # but hellos of the other end
        if not select.select([packets.fileno()], [], [], PATIENCE)[0]:
            sys.exit("the keepalive did not come back")
    farewell = bytes(2)  # a hold time that ends the adjacency, which nobody must hear
    for sequence, pdu in enumerate(pdus_of(Path(capture), bytes.fromhex(system_id))):
        wrong = pdu[:15] + farewell + pdu[17:]
        packets.send(encode(pdu, int(key), sequence)[:-1] + b"\xee")
        packets.send(encode(wrong, int(key) + 1, sequence))
        packets.send(encode(pdu, int(key), sequence))


if __name__ == "__main__":
    main()
