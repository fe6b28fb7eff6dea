"""The PROXY protocol: who a connection comes from, in front of what it carries, as a load balancer writes it.

Version 1 is a line of text, version 2 is binary. Source: "The PROXY protocol, versions 1 & 2" (HAProxy).

Departs: section 2 forbids to guess whether there is a header. A connection without one of the two signatures is taken
as it is, because the collector that we replace does so and a mixed fleet depends on it; no BMP message begins as a
signature does. So whoever may connect may also claim any address, and the allow file judges the TCP source.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from routed.octets import Cursor, WireError

V1_SIGNATURE: Final = b"PROXY "
V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"

#: Octets of the longest version 1 header, end of line included (section 2.1).
MAX_V1: Final = 107
#: Octets behind the fixed part of a version 2 header: addresses and TLVs. Balancers send a few hundred; certificates'
#: names are the largest.
MAX_V2_LENGTH: Final = 4096

_V2_FIXED: Final = len(V2_SIGNATURE) + 4  # version and command u8, family and transport u8, length u16
_V1_SOURCE: Final = "PROXY protocol 2.1"
_V2_SOURCE: Final = "PROXY protocol 2.2"

_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the two commands there are
_TCP4, _TCP6 = 0x11, 0x21
#: Octets of source and destination address, each with a port where there are ports, by family and transport.
_ADDRESS_OCTETS: Final = {0x00: 0, _TCP4: 12, 0x12: 12, _TCP6: 36, 0x22: 36, 0x31: 216, 0x32: 216}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the proxied connection comes from: a packed IPv4 or IPv6 address, and a port."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Preface:
    """What a connection begins with: the source if a header names one, and the first octets behind the header."""

    source: Source | None
    octets: bytes


class PrefaceReader:
    """Reads the first octets of a connection, cut anywhere. It holds no more than one header and one chunk."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def receive(self, octets: bytes) -> Preface | None:
        """Take the next octets; return the preface once it is whole, for the caller to use another reader then.

        Raises: WireError when a header is malformed or too long.
        """
        self._octets += octets
        held = self._octets
        if _may_begin(held, V1_SIGNATURE):
            return _decode_v1(held) if len(held) >= len(V1_SIGNATURE) else None
        if _may_begin(held, V2_SIGNATURE):
            return _decode_v2(held) if len(held) >= _V2_FIXED else None
        return Preface(None, bytes(held))


def _may_begin(octets: bytearray, signature: bytes) -> bool:
    """Say whether octets are those of a signature as far as both go."""
    return octets.startswith(signature) or signature.startswith(octets)


def _decode_v1(octets: bytearray) -> Preface | None:
    """Decode `PROXY` `TCP4|TCP6` source destination source-port destination-port, or `PROXY` `UNKNOWN` anything."""
    end = octets.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(octets) >= MAX_V1:
            raise WireError(f"no end of line in {MAX_V1} octets", MAX_V1, _V1_SOURCE)
        return None
    _, protocol, *words = bytes(octets[:end]).split(b" ")
    source = None if protocol == b"UNKNOWN" else _parse_v1_source(protocol, words)
    return Preface(source, bytes(octets[end + 2 :]))


def _parse_v1_source(protocol: bytes, words: list[bytes]) -> Source:
    try:
        source, destination, source_port, destination_port = words
        found = Source(_parse_address(protocol, source), _parse_port(source_port))
        _parse_address(protocol, destination)
        _parse_port(destination_port)
    except ValueError as error:
        raise WireError(f"{protocol!r} with {words!r} is no source", len(V1_SIGNATURE), _V1_SOURCE) from error
    return found


def _parse_address(protocol: bytes, word: bytes) -> bytes:
    if protocol == b"TCP4":
        return IPv4Address(word.decode("ascii")).packed
    if protocol == b"TCP6" and b"%" not in word:
        return IPv6Address(word.decode("ascii")).packed
    raise ValueError(word)


def _parse_port(word: bytes) -> int:
    port = int(word) if word.isdigit() else -1
    if not 0 <= port <= 0xFFFF or str(port).encode() != word:
        raise ValueError(word)
    return port


def _decode_v2(octets: bytearray) -> Preface | None:
    """Decode what follows the signature.

    Octets: version and command u8, family and transport u8, length u16, addresses and TLVs[length]; TLVs are skipped,
    a checksum among them too.
    """
    c = Cursor(octets[len(V2_SIGNATURE) : _V2_FIXED], len(V2_SIGNATURE))
    command, family, length = c.u8(), c.u8(), c.u16()
    if command not in (_LOCAL, _PROXY):
        raise WireError(f"version and command {command:#04x} are unknown", len(V2_SIGNATURE), _V2_SOURCE)
    if length > MAX_V2_LENGTH:
        raise WireError(f"length {length} is above {MAX_V2_LENGTH}", len(V2_SIGNATURE) + 2, _V2_SOURCE)
    end = _V2_FIXED + length
    if len(octets) < end:
        return None
    source = None if command == _LOCAL else _decode_v2_source(Cursor(octets[_V2_FIXED:end], _V2_FIXED), family)
    return Preface(source, bytes(octets[end:]))


def _decode_v2_source(c: Cursor, family: int) -> Source | None:
    """Decode the source address of a TCP connection; other known families have none that we could use."""
    place = len(V2_SIGNATURE) + 1
    if family not in _ADDRESS_OCTETS:
        raise WireError(f"family and transport {family:#04x} are unknown", place, _V2_SOURCE)
    if c.remaining < _ADDRESS_OCTETS[family]:
        raise WireError(f"length {c.remaining} is below {_ADDRESS_OCTETS[family]}", place + 1, _V2_SOURCE)
    if family not in (_TCP4, _TCP6):
        return None
    octets = 4 if family == _TCP4 else 16
    address, _ = c.take(octets), c.take(octets)
    return Source(address, c.u16())
