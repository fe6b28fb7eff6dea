"""What PDUs travel in: frames of an interface, or GRE packets that we write ourselves.

Both let the link see PDUs alone. What else a link carries is counted and left to others: spanning tree and ES-IS on
Ethernet, other protocols in a tunnel. Keepalives of a tunnel go back to where they came from.
"""

import errno
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol

from routed.octets import WireError
from routed.plumbing.packet_socket import PacketSocket
from routed.plumbing.raw_ip import RawIp
from routed.wire.isis.codepoints import DISCRIMINATOR
from routed.wire.isis.gre import OSI_PROTOCOL, decode_gre, decode_keepalive, decode_llc, encode_gre, encode_llc

#: Where systems on an Ethernet listen: all of level 1, all of level 2, all (ISO/IEC 10589 section 8.4.8, RFC 5309).
ALL_LEVEL_1: Final = bytes.fromhex("0180c2000014")
ALL_LEVEL_2: Final = bytes.fromhex("0180c2000015")
ALL_SYSTEMS: Final = bytes.fromhex("09002b000005")
_LLC_OCTETS: Final = 3
_GRE_OCTETS: Final = 8
#: What one IP packet can carry besides its own header and that of GRE: fragments take care of the path's MTU.
_MOST_IN_GRE: Final = 65_535 - 60 - _GRE_OCTETS
_GRE: Final = 47
#: What a socket says when its interface is down or gone.
_LOST: Final = frozenset({errno.ENETDOWN, errno.ENODEV, errno.ENXIO})


class Carrier(Protocol):
    """A way to one neighbour."""

    foreign: int  # packets that were not of IS-IS

    @property
    def largest_pdu(self) -> int:
        """Octets of the largest PDU that fits, once attached."""

    def open(self) -> None:
        """Open the socket, which takes privileges; OSError when there are none."""

    def attach(self) -> None:
        """Begin to hear; OSError when that is not possible now."""

    def fileno(self) -> int:
        """Return the descriptor that a reactor can watch, -1 when there is none."""

    def receive(self) -> bytes | None:
        """Return a PDU, with whatever fills its frame, None when there is none now; OSError."""

    def send(self, pdu: bytes) -> None:
        """Send a PDU; OSError."""

    def is_lost(self, error: OSError) -> bool:
        """Tell whether nothing can be heard any more before it is attached again."""

    def close(self) -> None:
        """Close the socket."""


class OnInterface:
    """Frames of an interface: with an LLC header on Ethernet, as they are in a GRE device."""

    def __init__(self, interface: str) -> None:
        self.foreign = 0
        groups = (ALL_LEVEL_1, ALL_LEVEL_2, ALL_SYSTEMS)
        self._frames = PacketSocket(interface, groups, ALL_SYSTEMS, OSI_PROTOCOL)
        self.open, self.attach, self.close = self._frames.open, self._frames.attach, self._frames.close
        self.fileno = self._frames.fileno

    def __str__(self) -> str:
        return self._frames.interface

    @property
    def largest_pdu(self) -> int:
        """Octets of the largest PDU that fits."""
        return self._frames.mtu - (_LLC_OCTETS if self._frames.is_ethernet else 0)

    def receive(self) -> bytes | None:
        """Return a PDU, None when there is none now."""
        while (frame := self._frames.receive()) is not None:
            if (pdu := _pdu_of(frame, decode_llc if self._frames.is_ethernet else bytes)) is not None:
                return pdu
            self.foreign += 1
        return None

    def send(self, pdu: bytes) -> None:
        """Send a PDU."""
        self._frames.send(encode_llc(pdu) if self._frames.is_ethernet else pdu)

    def is_lost(self, error: OSError) -> bool:
        """Tell whether the interface is down or gone."""
        return error.errno in _LOST


class InGre:
    """GRE packets to and from another host (RFC 2784, RFC 2890), without a tunnel device."""

    def __init__(
        self, local: IPv4Address | IPv6Address, remote: IPv4Address | IPv6Address, key: int | None = None
    ) -> None:
        self.foreign = 0
        self._key, self._ends = key, (local.packed, remote.packed)
        self._packets = RawIp(local, remote, _GRE)
        self.open, self.attach, self.close = self._packets.open, self._packets.attach, self._packets.close
        self.fileno = self._packets.fileno

    def __str__(self) -> str:
        return str(self._packets) if self._key is None else f"{self._packets},{self._key}"

    @property
    def largest_pdu(self) -> int:
        """Octets of the largest PDU that fits."""
        return _MOST_IN_GRE

    def receive(self) -> bytes | None:
        """Return a PDU, None when there is none now."""
        while (packet := self._packets.receive()) is not None:
            if (pdu := _pdu_of(packet, partial(decode_gre, key=self._key))) is not None:
                return pdu
            if not self._is_answered(packet):
                self.foreign += 1
        return None

    def send(self, pdu: bytes) -> None:
        """Send a PDU."""
        self._packets.send(encode_gre(pdu, self._key))

    def _is_answered(self, packet: bytes) -> bool:
        """Send a keepalive of the other end back to it, once for each."""
        try:
            answer = decode_keepalive(packet, self._key, *self._ends)
        except WireError:
            return False
        self._packets.send(answer)
        return True

    def is_lost(self, error: OSError) -> bool:  # noqa: ARG002 (other carriers look at it)
        """Bear with everything: ways to other hosts come and go, and the hold time ends the adjacency."""
        return False


def _pdu_of(octets: bytes, decode: Callable[[bytes], bytes]) -> bytes | None:
    """Return what is in a frame or packet, None when it is not of IS-IS."""
    try:
        pdu = decode(octets)
    except WireError:
        return None
    return pdu if pdu[:1] == bytes((DISCRIMINATOR,)) else None
