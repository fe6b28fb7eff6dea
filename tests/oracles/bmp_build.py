"""Octets of BMP messages from their parts; says nothing about whether the parts make sense."""

from ipaddress import ip_address

from tests.oracles.build import message as bgp_message

ROUTE_MONITORING, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION, ROUTE_MIRRORING = range(7)
V, L, A, O, F = 0x80, 0x40, 0x20, 0x10, 0x80  # noqa: E741 -- the letters of RFC 7854, RFC 8671 and RFC 9069


def frame(kind: int, body: bytes = b"", version: int = 3) -> bytes:
    """A whole message (RFC 7854 4.1)."""
    return bytes([version]) + (6 + len(body)).to_bytes(4, "big") + bytes([kind]) + body


def address16(text: str) -> bytes:
    """An address as BMP has it, IPv4 behind 12 zeros."""
    return ip_address(text).packed.rjust(16, b"\0")


def peer(
    kind: int = 0,
    flags: int = 0,
    *,
    rd: bytes = bytes(8),
    address: str = "192.0.2.1",
    asn: int = 65001,
    bgp_id: str = "10.0.0.1",
    time: tuple[int, int] = (1_700_000_000, 250_000),
) -> bytes:
    """A per-peer header (RFC 7854 4.2); the V flag is set by the address, except for a Loc-RIB."""
    flags |= V if ":" in address and kind != 3 else 0
    numbers = asn.to_bytes(4, "big") + ip_address(bgp_id).packed
    seconds, microseconds = time
    when = seconds.to_bytes(4, "big") + microseconds.to_bytes(4, "big")
    return bytes([kind, flags]) + rd + address16(address) + numbers + when


def tlv(kind: int, value: bytes, *, enterprise: int | None = None, index: int | None = None) -> bytes:
    """A TLV, indexed or not, of an enterprise or not (draft-ietf-grow-bmp-tlv 4)."""
    if enterprise is not None:
        kind, value = kind | 0x8000, enterprise.to_bytes(4, "big") + value
    front = kind.to_bytes(2, "big") + len(value).to_bytes(2, "big")
    return front + (b"" if index is None else index.to_bytes(2, "big")) + value


def open_message(asn: int = 65001, bgp_id: str = "10.0.0.1", capabilities: bytes = b"") -> bytes:
    """A BGP OPEN with at most one parameter."""
    parameters = bytes([2, len(capabilities)]) + capabilities if capabilities else b""
    fixed = b"\4" + asn.to_bytes(2, "big") + b"\0\xb4" + ip_address(bgp_id).packed
    return bgp_message(1, fixed + bytes([len(parameters)]) + parameters)


def ends(address: str = "192.0.2.2", local_port: int = 179, remote_port: int = 40000) -> bytes:
    """The ends of a session as Peer Up has them (RFC 7854 4.10)."""
    return address16(address) + local_port.to_bytes(2, "big") + remote_port.to_bytes(2, "big")


def statistic(kind: int, value: bytes) -> bytes:
    """One item of a Statistics Report (RFC 7854 4.8)."""
    return tlv(kind, value)
