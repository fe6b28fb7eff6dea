"""BGP by hand: octets and one blocking session, independent of the code under test.

Nothing here checks what it builds, so that a test can build what no real speaker would send.

Source: RFC 4271 section 4 (messages), RFC 5492 (capabilities), RFC 4760 (multiprotocol).
"""

from __future__ import annotations

import socket
import struct
import time
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, Self

from tests.peers.collector import PATIENCE

HEADER_LENGTH: Final = 19
OPEN, UPDATE, NOTIFICATION, KEEPALIVE_TYPE, ROUTE_REFRESH = 1, 2, 3, 4, 5
WELL_KNOWN, OPTIONAL, OPTIONAL_TRANSITIVE, EXTENDED_LENGTH = 0x40, 0x80, 0xC0, 0x10
AS_TRANS: Final = 23456
IPV4_UNICAST, IPV6_UNICAST, VPN_IPV4 = (1, 1), (2, 1), (1, 128)


class Message(NamedTuple):
    """A BGP message as it came: its type and what follows the header."""

    kind: int
    body: bytes


class Notification(NamedTuple):
    """The code points of a NOTIFICATION (RFC 4271 section 4.5)."""

    code: int
    subcode: int


def message(kind: int, body: bytes = b"", *, length: int | None = None, marker: bytes = b"\xff" * 16) -> bytes:
    """Put a header before the body; a given length is written even when it is a lie."""
    return marker + struct.pack("!HB", HEADER_LENGTH + len(body) if length is None else length, kind) + body


KEEPALIVE: Final = message(KEEPALIVE_TYPE)


def capability(code: int, value: bytes = b"") -> bytes:
    """Encode one capability (RFC 5492 section 4)."""
    return struct.pack("!BB", code, len(value)) + value


def usual_capabilities(asn: int, families: tuple[tuple[int, int], ...] = (IPV4_UNICAST, IPV6_UNICAST)) -> bytes:
    """Encode what every router offers: its families, route refresh and 4-octet AS numbers."""
    multiprotocol = b"".join(capability(1, struct.pack("!HBB", afi, 0, safi)) for afi, safi in families)
    return multiprotocol + capability(2) + capability(65, struct.pack("!I", asn))


def add_path_capability(*families: tuple[int, int], send_receive: int = 2) -> bytes:
    """Encode the ADD-PATH capability; 2 offers to send path identifiers (RFC 7911 section 4)."""
    return capability(69, b"".join(struct.pack("!HBB", afi, safi, send_receive) for afi, safi in families))


def open_message(asn: int, router_id: str, *, hold_time: int = 90, capabilities: bytes | None = None) -> bytes:
    """Encode an OPEN with the usual or the given capabilities in one optional parameter."""
    offered = usual_capabilities(asn) if capabilities is None else capabilities
    parameters = struct.pack("!BB", 2, len(offered)) + offered if offered else b""
    two_octet_as = asn if asn < 1 << 16 else AS_TRANS
    fixed = struct.pack("!BHH", 4, two_octet_as, hold_time) + socket.inet_aton(router_id)
    return message(OPEN, fixed + bytes((len(parameters),)) + parameters)


def attribute(flags: int, code: int, value: bytes) -> bytes:
    """Encode a path attribute, with the extended length where the value needs it."""
    if len(value) > 0xFF or flags & EXTENDED_LENGTH:
        return struct.pack("!BBH", flags | EXTENDED_LENGTH, code, len(value)) + value
    return struct.pack("!BBB", flags, code, len(value)) + value


def origin(value: int = 0) -> bytes:
    """Encode ORIGIN, IGP unless told otherwise."""
    return attribute(WELL_KNOWN, 1, bytes((value,)))


def as_path(*asns: int) -> bytes:
    """Encode AS_PATH as 4-octet sequences of at most 255 hops."""
    segments = [asns[at : at + 255] for at in range(0, len(asns), 255)]
    return attribute(WELL_KNOWN, 2, b"".join(struct.pack(f"!BB{len(hops)}I", 2, len(hops), *hops) for hops in segments))


def next_hop(address: str = "192.0.2.1") -> bytes:
    """Encode NEXT_HOP."""
    return attribute(WELL_KNOWN, 3, socket.inet_aton(address))


def usual_attributes(*asns: int, address: str = "192.0.2.1") -> bytes:
    """Encode the three mandatory attributes."""
    return origin() + as_path(*(asns or (65001,))) + next_hop(address)


def prefix(text: str) -> bytes:
    """Encode one prefix as NLRI: its length in bits and the octets that hold them."""
    network = ip_network(text)
    return bytes((network.prefixlen,)) + network.network_address.packed[: (network.prefixlen + 7) // 8]


def mp_reach(afi: int, safi: int, gateway: str, nlri: bytes) -> bytes:
    """Encode MP_REACH_NLRI (RFC 4760 section 3)."""
    packed = ip_address(gateway).packed
    return attribute(OPTIONAL, 14, struct.pack("!HBB", afi, safi, len(packed)) + packed + b"\0" + nlri)


def update(*, withdrawn: bytes = b"", attributes: bytes = b"", nlri: bytes = b"") -> bytes:
    """Encode an UPDATE from its three fields."""
    lengths = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes
    return message(UPDATE, lengths + nlri)


class RawSession:
    """One TCP connection from a loopback address, blocking, with message boundaries on the way back."""

    def __init__(self, target: tuple[str, int], source: str, *, patience: float = PATIENCE) -> None:
        self.source = source
        self._patience = patience
        self._inbox = bytearray()
        self.tcp = socket.create_connection(target, timeout=patience, source_address=(source, 0))
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection in order."""
        self.tcp.close()

    def abort(self) -> None:
        """End the connection with a RST: linger for no time at all."""
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tcp.close()

    def send(self, octets: bytes) -> None:
        """Send all of the octets."""
        self.tcp.sendall(octets)

    def establish(self, asn: int, *, hold_time: int = 90, capabilities: bytes | None = None) -> Message:
        """Exchange OPEN and KEEPALIVE; return the daemon's OPEN."""
        self.send(open_message(asn, self.source, hold_time=hold_time, capabilities=capabilities))
        answer = self.receive()
        if answer is None or answer.kind != OPEN:
            raise AssertionError(f"{self.source} expected an OPEN and got {answer}")
        self.send(KEEPALIVE)
        confirmation = self.receive()
        if confirmation is None or confirmation.kind != KEEPALIVE_TYPE:
            raise AssertionError(f"{self.source} expected a KEEPALIVE and got {confirmation}")
        return answer

    def receive(self) -> Message | None:
        """Return the next message, or None at the end of the stream, however it ended.

        Raises: TimeoutError when the daemon says nothing for as long as patience allows.
        """
        due = time.monotonic() + self._patience
        while True:
            if len(self._inbox) >= HEADER_LENGTH:
                length = int.from_bytes(self._inbox[16:18], "big")
                if len(self._inbox) >= length:
                    octets = bytes(self._inbox[:length])
                    del self._inbox[:length]
                    return Message(octets[18], octets[HEADER_LENGTH:])
            self.tcp.settimeout(max(0.001, due - time.monotonic()))
            try:
                octets = self.tcp.recv(65536)
            except ConnectionError:
                return None
            if not octets:
                return None
            self._inbox += octets

    def verdict(self) -> Notification | None:
        """Read until the daemon ends the connection; return the NOTIFICATION it left with, if any.

        Raises: TimeoutError when the connection stays open.
        """
        notification = None
        while (answer := self.receive()) is not None:
            if answer.kind == NOTIFICATION:
                notification = Notification(answer.body[0], answer.body[1])
        return notification
