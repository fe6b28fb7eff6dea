"""Capture files that are written at once: pcap (draft-ietf-opsawg-pcap)."""

import struct
from collections.abc import Iterable
from typing import Final

from routed.plumbing.pcap import MAX_CAPTURED

#: Cisco HDLC: address, control and EtherType in front of each packet.
LINKTYPE_C_HDLC: Final = 104
#: Magic number with ticks of a microsecond, version 2.4, two words of zeros, longest packet, link type.
_HEADER: Final = struct.Struct("<IHHIIII")
_MAGIC: Final = 0xA1B2C3D4
#: Seconds and microseconds, octets in the file and on the link.
_RECORD: Final = struct.Struct("<IIII")


def encode_pcap(link_type: int, packets: Iterable[bytes], seconds: int) -> bytes:
    """Return a capture of packets that were all seen at one time.

    Units: `seconds` since the epoch.
    """
    parts = [_HEADER.pack(_MAGIC, 2, 4, 0, 0, MAX_CAPTURED, link_type)]
    for packet in packets:
        parts += (_RECORD.pack(seconds, 0, len(packet), len(packet)), packet)
    return b"".join(parts)
