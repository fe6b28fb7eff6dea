"""Frames of one protocol on one interface: a packet socket (packet(7)), which is opened with privileges.

Everything later needs none: the socket is attached to the interface again when that was gone and is back, even as
another one of the same name. Frames come and go without the header of the link layer.
"""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from typing import Final

_SIOCGIFMTU: Final = 0x8921
_SIOCGIFHWADDR: Final = 0x8927
_ETHERNET: Final = 1  # ARPHRD_ETHER
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_MULTICAST: Final = 0  # PACKET_MR_MULTICAST
#: Protocol of frames that have a length where others have an EtherType.
_IEEE_802_2: Final = 0x0004
_REQUEST: Final = struct.Struct("16si20x")
_MEMBERSHIP: Final = struct.Struct("iHH8s")
_RCVBUFFORCE: Final = 33
#: What waits to be read at most, with what the kernel counts for itself. Units: octets.
RECEIVE_BUFFER: Final = 8 << 20
#: Octets of a frame that are taken at most: more than any interface's MTU.
_MOST: Final = 65_536


class PacketSocket:
    """The frames of an interface.

    On Ethernet, and what looks like it, these are frames with an LLC header, sent to a group; elsewhere they are
    packets of a protocol.

    Args:
        groups: MAC addresses that are listened to.
        group: the one that is sent to.
        protocol: what an interface without MAC addresses calls the protocol.
    """

    def __init__(self, interface: str, groups: Iterable[bytes], group: bytes, protocol: int) -> None:
        self.interface = interface
        self.is_ethernet = False
        self.mtu = 0
        self._groups, self._group, self._protocol = tuple(groups), group, protocol
        self._socket: socket.socket | None = None

    def __str__(self) -> str:
        return self.interface

    def open(self) -> None:
        """Open the socket, which hears nothing yet.

        Raises: OSError, also where the process may not.
        """
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        widen(self._socket)

    def attach(self) -> None:
        """Begin to hear the interface as it is now.

        Raises: OSError when there is no such interface, or it is down.
        """
        sock = self._opened
        name = self.interface.encode()
        index = socket.if_nametoindex(self.interface)
        answer = fcntl.ioctl(sock, _SIOCGIFHWADDR, _REQUEST.pack(name, 0))
        (kind,) = struct.unpack_from("H", answer, 16)
        self.is_ethernet = kind == _ETHERNET
        sock.bind((self.interface, _IEEE_802_2 if self.is_ethernet else self._protocol))
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # bound, and deaf until it is up
            raise OSError(error, os.strerror(error))
        if self.is_ethernet:  # again, where it is the same interface as before: the system counts
            for group in self._groups:
                request = _MEMBERSHIP.pack(index, _MULTICAST, len(group), group)
                sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
        self.mtu = _REQUEST.unpack(fcntl.ioctl(sock, _SIOCGIFMTU, _REQUEST.pack(name, 0)))[1]

    def fileno(self) -> int:
        """Return the descriptor, -1 when there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return a frame that was for us or for a group, None when there is none now.

        Raises: OSError when the interface is gone or down.
        """
        while True:
            try:
                octets, origin = self._opened.recvfrom(_MOST)
            except BlockingIOError:
                return None
            if origin[2] in (socket.PACKET_HOST, socket.PACKET_BROADCAST, socket.PACKET_MULTICAST):
                return octets

    def send(self, octets: bytes) -> None:
        """Send a frame.

        Raises: OSError.
        """
        protocol = _IEEE_802_2 if self.is_ethernet else self._protocol
        address = self._group if self.is_ethernet else b""
        self._opened.sendto(octets, (self.interface, protocol, 0, 0, address))

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    @property
    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.EBADF, "not opened")
        return self._socket


def widen(sock: socket.socket) -> None:
    """Let a socket hold the burst in which a neighbour sends its whole database, as far as the system allows it."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
