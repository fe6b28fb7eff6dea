"""Packets of one IP protocol between two addresses: a raw socket (raw(7)), which is opened with privileges.

Packets come and go without the IP header. The kernel joins and cuts fragments, so that the path may have any MTU.
"""

import errno
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from routed.plumbing.packet_socket import widen

#: Octets of a packet that are taken at most.
_MOST: Final = 65_536
#: Of ip(7) and ipv6(7), which Python has no names for: fragment rather than look for the MTU of the path.
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_NEVER: Final = 0


class RawIp:
    """What two hosts say to each other in a protocol."""

    def __init__(self, local: IPv4Address | IPv6Address, remote: IPv4Address | IPv6Address, protocol: int) -> None:
        assert local.version == remote.version, "both are of one family"
        self._local, self._remote, self._protocol = local, remote, protocol
        self._socket: socket.socket | None = None
        self._is_connected = False

    def __str__(self) -> str:
        return f"{self._local},{self._remote}"

    def open(self) -> None:
        """Open the socket, which hears nothing yet of the other host.

        Raises: OSError, also where the process may not.
        """
        is_ipv4 = self._local.version == 4
        family = socket.AF_INET if is_ipv4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, self._protocol)
        if is_ipv4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _NEVER)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _NEVER)
        widen(sock)
        self._socket = sock

    def attach(self) -> None:
        """Begin to hear the other host.

        Raises: OSError when our address is not there, or no route to the other one.
        """
        if self._is_connected:  # for good: it cannot be bound again, and need not be
            return
        self._opened.bind((str(self._local), 0))
        self._opened.connect((str(self._remote), 0))
        self._is_connected = True

    def fileno(self) -> int:
        """Return the descriptor, -1 when there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return what a packet carries, None when there is none now.

        Raises: OSError when an earlier packet of ours did not arrive.
        """
        while True:
            try:
                octets, origin = self._opened.recvfrom(_MOST)
            except BlockingIOError:
                return None
            if origin[0].partition("%")[0] == str(self._remote):  # others may have come before we were connected
                return octets[4 * (octets[0] & 0x0F) :] if self._local.version == 4 else octets

    def send(self, octets: bytes) -> None:
        """Send a packet.

        Raises: OSError.
        """
        self._opened.send(octets)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    @property
    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.EBADF, "not opened")
        return self._socket
