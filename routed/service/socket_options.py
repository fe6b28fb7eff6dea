"""Sockets for BGP, made by hand: what routers need goes beyond what an endpoint string can say.

Implements TCP-MD5 keys (RFC 2385), the generalized TTL security mechanism (RFC 5082) and the kernel's share of the
send hold timer (RFC 9687). Accepted sockets inherit their options from the listening one. Linux only.
"""

import ctypes
import errno
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Protocol

from routed.plumbing.lifecycle import StartError
from routed.plumbing.shared_ports import Port, handed_over, why_not_had
from routed.service.peer_maps import KeyOwner
from routed.service.send_hold import MIN_SEND_HOLD_TIME
from routed.service.settings import ListenerSettings

#: Connections that may wait to be accepted: all peers of a large collector at once.
BACKLOG: Final = 4096
#: When TCP asks a peer that says nothing whether it is there, and how often then. Units: seconds.
KEEPALIVE_IDLE: Final = 60
KEEPALIVE_INTERVAL: Final = 15

# Numbers of the Linux ABI that the socket module does not name (linux/in.h, linux/in6.h, linux/tcp.h).
_IP_MINTTL: Final = 21
_IPV6_MINHOPCOUNT: Final = 73
_TCP_MD5SIG: Final = 14
_TCP_MD5SIG_EXT: Final = 32
_MD5_FLAG_PREFIX: Final = 1

#: The time to live of a packet that no router has passed on (RFC 5082 section 3).
_MAX_TTL: Final = 255
#: The longest TCP-MD5 key (TCP_MD5SIG_MAXKEYLEN).
MAX_MD5_KEY: Final = 80

_NO_IPV6: Final = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL}


class ListenError(StartError):
    """The listening socket cannot be had; the text says which and why."""


class Outgoing(Protocol):
    """What is asked of the settings of connections that we open."""

    @property
    def ip_precedence(self) -> int:
        """Return the upper three bits of the type of service (RFC 791 section 3.1)."""

    @property
    def probes_silent(self) -> bool:
        """Tell whether TCP finds out whether somebody who says nothing is still there."""


class _Md5Signature(ctypes.Structure):
    """`struct tcp_md5sig` (linux/tcp.h)."""

    _fields_ = (
        ("address", ctypes.c_uint8 * 128),  # struct sockaddr_storage
        ("flags", ctypes.c_uint8),
        ("prefix_length", ctypes.c_uint8),
        ("key_length", ctypes.c_uint16),
        ("interface", ctypes.c_int),
        ("key", ctypes.c_uint8 * MAX_MD5_KEY),
    )


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket, and what could not be had of what the operator asked for."""

    socket: socket.socket
    warnings: tuple[str, ...]


def open_listener(settings: ListenerSettings) -> Listening:
    """Open, bind and listen: both families if IPv6 exists and no address is given.

    Raises: ListenError.
    """
    if (opened := handed_over(settings, Listening)) is not None:
        return opened
    try:
        return _listen(settings, settings.address or IPv6Address("::"))
    except OSError as error:
        if settings.address is not None or settings.ipv6_only or error.errno not in _NO_IPV6:
            raise ListenError(_explain(settings, error)) from error
    try:
        return _listen(settings, IPv4Address("0.0.0.0"))  # noqa: S104 (all addresses is the documented default)
    except OSError as error:
        raise ListenError(_explain(settings, error)) from error


def port_of(settings: ListenerSettings) -> Port:
    """Return the listener as a port that processes may share."""
    return Port(settings, partial(open_listener, settings))


def _explain(settings: ListenerSettings, error: OSError) -> str:
    why = why_not_had(error, settings.keys)
    return f"cannot listen on ip={settings.address or '::'} port={settings.port}/tcp: {why}"


def _listen(settings: ListenerSettings, address: IPv4Address | IPv6Address) -> Listening:
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        warnings = apply_options(sock, settings)
        sock.bind((str(address), settings.port))
        sock.listen(BACKLOG)
        sock.settimeout(0)  # the reactor waits
    except OSError:
        sock.close()
        raise
    return Listening(sock, warnings)


def apply_options(sock: socket.socket, settings: ListenerSettings) -> tuple[str, ...]:
    """Set every option before bind(); return what the system refused and the daemon can live without.

    Raises: OSError for options whose absence would open the port to somebody else.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _keep_alive(sock, probes_silent=settings.probes_silent)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, settings.ipv6_only)
    if settings.interface is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, settings.interface.encode() + b"\0")
    if settings.gtsm_hops:
        require_ttl(sock, settings.gtsm_hops)
    warnings = (_set_precedence(sock, settings.ip_precedence), _set_receive_buffer(sock, settings))
    return tuple(filter(None, warnings))


def open_outgoing(address: IPv4Address | IPv6Address, settings: Outgoing, key: bytes | None) -> socket.socket:
    """Make a socket for a connection to an address, signed with a TCP-MD5 key if there is one; it does not block.

    Raises: OSError.
    """
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)  # the reactor waits
        _keep_alive(sock, probes_silent=settings.probes_silent)
        _set_precedence(sock, settings.ip_precedence)
        if key is not None:
            sock.setsockopt(socket.IPPROTO_TCP, *md5_option(sock.family, address, key[:MAX_MD5_KEY]))
    except OSError:
        sock.close()
        raise
    return sock


def require_ttl(sock: socket.socket, hops: int) -> None:
    """Take packets only from at most that many hops away, and send so that the peer can do the same.

    One hop is a directly connected peer.
    Source: RFC 5082 section 3.
    """
    minimum = _MAX_TTL + 1 - hops
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _MAX_TTL)
    sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, minimum)  # counts for IPv4 peers of a dual-stack socket too
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _MAX_TTL)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, minimum)


def limit_send_hold(sock: socket.socket, seconds: float) -> None:
    """Let the kernel give a connection up whose peer takes nothing of what it was sent for that long (RFC 9687)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _keep_alive(sock: socket.socket, *, probes_silent: bool) -> None:
    """Let the kernel find out that nobody is there any more."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if probes_silent:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    limit_send_hold(sock, MIN_SEND_HOLD_TIME)


def _set_precedence(sock: socket.socket, precedence: int) -> str:
    """Set the IP precedence bits, in both headers of a dual-stack socket."""
    if not precedence:
        return ""
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, precedence << 5)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, precedence << 5)
    except OSError as error:
        return f"setsockopt() failed for IP_TOS: {error.strerror}"
    return ""


def _set_receive_buffer(sock: socket.socket, settings: ListenerSettings) -> str:
    """Ask for a receive buffer; the system may grant less than was asked for (and reports twice what it grants)."""
    octets = settings.receive_buffer
    if octets is None:
        return ""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    obtained = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    return "" if obtained >= octets else f"{settings.keys}pipe_size: requested={octets} obtained={obtained}"


def md5_option(family: int, owner: KeyOwner, key: bytes) -> tuple[int, bytes]:
    """Return a TCP option and its `struct tcp_md5sig`; an empty key deletes the one that is set.

    An IPv4 peer of an IPv6 socket is known to the kernel by its v4-mapped address, a prefix by its length in IPv4.
    """
    signature = _Md5Signature(key_length=len(key))
    if isinstance(owner, IPv4Network | IPv6Network):
        option, address = _TCP_MD5SIG_EXT, owner.network_address
        signature.flags, signature.prefix_length = _MD5_FLAG_PREFIX, owner.prefixlen
    else:
        option, address = _TCP_MD5SIG, owner
    packed = address.packed
    if family == socket.AF_INET6:
        packed = packed if address.version == 6 else bytes(10) + b"\xff\xff" + packed
        sockaddr = family.to_bytes(2, sys.byteorder) + bytes(6) + packed  # port, flow information, address
    else:
        sockaddr = family.to_bytes(2, sys.byteorder) + bytes(2) + packed  # port, address
    ctypes.memmove(signature.address, sockaddr, len(sockaddr))
    ctypes.memmove(signature.key, key, len(key))
    return option, bytes(signature)


class Md5Keys:
    """The TCP-MD5 keys of a listening socket; a reload takes the old ones away and sets the new ones.

    Keys of IPv6 peers mean nothing to a socket of IPv4.
    """

    def __init__(self, sock: socket.socket, on_error: Callable[[str], None]) -> None:
        self._socket, self._on_error = sock, on_error
        self._owners: set[KeyOwner] = set()

    def load(self, keys: Mapping[KeyOwner, bytes]) -> int:
        """Make these the keys, by their owner; return how many the kernel took."""
        if self._socket.family == socket.AF_INET:
            keys = {owner: key for owner, key in keys.items() if owner.version == 4}
        for owner in self._owners - keys.keys():
            with suppress(FileNotFoundError):  # the kernel may have forgotten it, which is what we want
                self._set(owner, b"")
        self._owners = {owner for owner, key in keys.items() if self._try(owner, key)}
        return len(self._owners)

    def _try(self, owner: KeyOwner, key: bytes) -> bool:
        try:
            self._set(owner, key)
        except OSError as error:
            self._on_error(f"setsockopt() failed for TCP_MD5SIG of {owner}: {error.strerror}")
            return False
        return True

    def _set(self, owner: KeyOwner, key: bytes) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, *md5_option(self._socket.family, owner, key[:MAX_MD5_KEY]))
