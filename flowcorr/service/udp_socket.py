"""The UDP socket that exporters send to."""

import errno
import socket
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from routed.plumbing.lifecycle import StartError
from routed.plumbing.shared_ports import Port, handed_over, why_not_had

#: Multicast groups of one socket.
MAX_GROUPS: Final = 20

#: Receive buffer that is asked for where nothing is configured: a tenth of a second of 500,000 flows a second. Units:
#: octets.
RECEIVE_BUFFER: Final = 4 << 20

_SO_RXQ_OVFL: Final = 40  # linux/socket.h; the socket module does not name it
_SO_RCVBUFFORCE: Final = 33
_NO_IPV6: Final = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpSettings:
    """Where exporters send to; no address: every one of both families; no receive buffer: what can be had of ours.

    `keys`: what the names of its keys begin with.
    """

    port: int
    address: IPv4Address | IPv6Address | None = None
    ipv6_only: bool = False
    interface: str | None = None
    receive_buffer: int | None = None
    groups: tuple[IPv4Address | IPv6Address, ...] = ()
    keys: str = "nfacctd_"


@dataclass(frozen=True, slots=True)
class UdpSocket:
    """A bound socket, the receive buffer that it has, and what could not be had of what was asked for."""

    socket: socket.socket
    receive_buffer: int
    warnings: tuple[str, ...]


def open_udp(settings: UdpSettings) -> UdpSocket:
    """Open and bind; without IPv6 on this system, IPv4 alone.

    Raises: StartError.
    """
    if (opened := handed_over(settings, UdpSocket)) is not None:
        return opened
    try:
        return _open(settings, settings.address or IPv6Address("::"))
    except OSError as error:
        if settings.address is not None or settings.ipv6_only or error.errno not in _NO_IPV6:
            raise StartError(_explain(settings, error)) from error
    try:
        return _open(settings, IPv4Address("0.0.0.0"))  # noqa: S104 (all addresses is the documented default)
    except OSError as error:
        raise StartError(_explain(settings, error)) from error


def port_of(settings: UdpSettings) -> Port:
    """Return the socket as a port that processes may share."""
    return Port(settings, partial(open_udp, settings))


def _explain(settings: UdpSettings, error: OSError) -> str:
    why = why_not_had(error, settings.keys)
    return f"cannot receive on ip={settings.address or '::'} port={settings.port}/udp: {why}"


def _open(settings: UdpSettings, address: IPv4Address | IPv6Address) -> UdpSocket:
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        # several daemons may share a port: the system spreads exporters over them
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, settings.ipv6_only)
        if settings.interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, settings.interface.encode() + b"\0")
        warnings = _set_receive_buffer(sock, settings.receive_buffer)
        sock.bind((str(address), settings.port))
        for group in settings.groups:
            _join(sock, group)
        sock.settimeout(0)  # the reactor waits
    except OSError:
        sock.close()
        raise
    return UdpSocket(sock, _receive_buffer(sock), warnings)


def _receive_buffer(sock: socket.socket) -> int:
    """Return the octets that the buffer may hold; the system reports them with its own overhead, twice as many."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def _set_receive_buffer(sock: socket.socket, octets: int | None) -> tuple[str, ...]:
    """Ask for a receive buffer, beyond the system's limit if we may; never take less than there was."""
    before = _receive_buffer(sock)
    is_ours = octets is None
    octets = octets or RECEIVE_BUFFER
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    if _receive_buffer(sock) < before:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, before)
    obtained = _receive_buffer(sock)
    if obtained < octets and not is_ours:
        return (f"receive buffer: obtained={obtained} target={octets} (see sysctl net.core.rmem_max)",)
    return ()


def _join(sock: socket.socket, group: IPv4Address | IPv6Address) -> None:
    if group.version == 4:
        any_interface = IPv4Address(0).packed
        # a dual-stack socket joins groups of IPv4 too
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group.packed + any_interface)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group.packed + bytes(4))
