"""Capture files, read lazily: pcap and pcapng.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; the names of structures and fields are theirs.
"""

import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from routed.plumbing.lifecycle import StartError

#: Octets of one packet in a capture, as libpcap limits them (MAXIMUM_SNAPLEN).
MAX_CAPTURED: Final = 262_144
#: Octets of one pcapng block; one that holds a packet is little longer than the packet.
MAX_BLOCK: Final = 16 << 20
#: Interfaces that one section of a pcapng file may describe.
MAX_INTERFACES: Final = 65_536

_BUFFER_OCTETS: Final = 256 << 10

#: Magic numbers of pcap, as a little-endian file begins, and ticks per second.
_PCAP_TICKS: Final = {0xA1B2C3D4: 1e6, 0xA1B23C4D: 1e9}

_SECTION_HEADER, _INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_OPTION_END, _OPTION_TSRESOL, _OPTION_TSOFFSET = 0, 9, 14


class CaptureError(StartError):
    """A capture cannot be read, or not from here on; the text names the file."""


class Packet(NamedTuple):
    """What was captured of one packet: seconds since the epoch, LINKTYPE, octets."""

    time: float
    link_type: int
    octets: bytes
    length: int  # of the packet on its link; more than was captured if that was limited


class _Damage(Exception):  # noqa: N818 (never leaves this module)
    """The file is not what it should be from here on."""


class _File:
    """Reads whole portions, and knows where it stands."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.offset = 0

    def take(self, count: int) -> bytes:
        """Return so many octets, or none at the end of the file."""
        octets = self._read(count)
        self.offset += len(octets)
        if len(octets) < count and octets:
            raise _Damage("cut")
        return octets

    def need(self, count: int) -> bytes:
        """Return so many octets."""
        octets = self.take(count)
        if len(octets) < count:
            raise _Damage("cut")
        return octets


def read_packets(path: Path) -> Generator[Packet, None, None]:
    """Read the packets of a capture, in its order.

    Raises: CaptureError when the file cannot be opened or is no capture, and behind the last packet of one that is cut
    or damaged.
    """
    try:
        with path.open("rb", _BUFFER_OCTETS) as stream:
            file = _File(stream.read)
            try:
                yield from _read(file)
            except _Damage as damage:
                raise CaptureError(f"[{path}] {damage} at octet {file.offset}") from damage
    except OSError as error:
        raise CaptureError(f"[{path}] cannot be read: {error.strerror}") from error


def _read(file: _File) -> Iterator[Packet]:
    magic = file.take(4)
    for order in "<", ">":
        number = int.from_bytes(magic, "little" if order == "<" else "big")
        if number in _PCAP_TICKS:
            return _read_pcap(file, order, _PCAP_TICKS[number])
    if int.from_bytes(magic, "big") == _SECTION_HEADER:
        return _read_pcapng(file)
    raise _Damage("not a capture: no magic number of pcap or pcapng")


def _read_pcap(file: _File, order: str, ticks: float) -> Iterator[Packet]:
    """Read the rest of the header, then records: seconds u32, fraction u32, captured length u32, length u32, octets."""
    (link_type,) = struct.unpack(f"{order}16xI", file.need(20))
    link_type &= 0xFFFF  # above are the frame check sequence's bits
    header = struct.Struct(f"{order}4I")
    while octets := file.take(header.size):
        seconds, fraction, captured, length = header.unpack(octets)
        _limit("captured length", captured, MAX_CAPTURED)
        yield Packet(seconds + fraction / ticks, link_type, file.need(captured), length)


@dataclass(frozen=True, slots=True)
class _Interface:
    """What a pcapng file says of an interface."""

    link_type: int
    max_captured: int
    ticks: float = 1e6  # per second
    offset: int = 0  # seconds

    def packet(self, high: int, low: int, octets: bytes, length: int) -> Packet:
        return Packet(self.offset + (high << 32 | low) / self.ticks, self.link_type, octets, length)


@dataclass(slots=True)
class _Section:
    """What holds up to the next section header."""

    order: str
    interfaces: list[_Interface] = field(default_factory=list)

    def interface(self, number: int) -> _Interface:
        if number >= len(self.interfaces):
            raise _Damage(f"interface {number} is not described")
        return self.interfaces[number]


def _read_pcapng(file: _File) -> Iterator[Packet]:
    """Read blocks: type u32, total length u32, body, total length u32; unknown ones are skipped."""
    section = _begin_section(file)
    while octets := file.take(4):
        (kind,) = struct.unpack(f"{section.order}I", octets)
        if kind == _SECTION_HEADER:
            section = _begin_section(file)
            continue
        body = _read_body(file, section.order, file.need(4))
        try:
            packet = _read_block(section, kind, body)
        except struct.error as error:
            raise _Damage(f"block of type {kind} is too short") from error
        if packet is not None:
            yield packet


def _begin_section(file: _File) -> _Section:
    """Read a section header behind its type, which is the same in both byte orders; its length is not."""
    length, magic = file.need(4), file.need(4)
    for order in "<", ">":
        if struct.unpack(f"{order}I", magic) == (_BYTE_ORDER_MAGIC,):
            _read_body(file, order, length, already=4)
            return _Section(order)
    raise _Damage("section header without byte-order magic")


def _read_body(file: _File, order: str, length_octets: bytes, already: int = 0) -> bytes:
    """Read a block behind its first length, `already` octets of its body excepted."""
    (length,) = struct.unpack(f"{order}I", length_octets)
    if length < 12 + already or length % 4:
        raise _Damage(f"block length {length}")
    _limit("block length", length, MAX_BLOCK)
    body = file.need(length - 12 - already)
    if file.need(4) != length_octets:
        raise _Damage(f"block length {length} is not repeated behind the block")
    return body


def _read_block(section: _Section, kind: int, body: bytes) -> Packet | None:
    order = section.order
    if kind == _INTERFACE:
        _limit("interfaces", len(section.interfaces) + 1, MAX_INTERFACES)
        section.interfaces.append(_read_interface(order, body))
    elif kind == _ENHANCED_PACKET:
        number, high, low, captured, length = struct.unpack_from(f"{order}5I", body)
        return section.interface(number).packet(high, low, _cut(body, 20, captured), length)
    elif kind == _SIMPLE_PACKET:
        (length,) = struct.unpack_from(f"{order}I", body)
        interface = section.interface(0)
        captured = min(length, interface.max_captured or length)
        return interface.packet(0, 0, _cut(body, 4, captured), length)
    elif kind == _OBSOLETE_PACKET:
        number, high, low, captured, length = struct.unpack_from(f"{order}H2x4I", body)
        return section.interface(number).packet(high, low, _cut(body, 20, captured), length)
    return None


def _cut(body: bytes, start: int, captured: int) -> bytes:
    _limit("captured length", captured, min(MAX_CAPTURED, len(body) - start))
    return body[start : start + captured]


def _read_interface(order: str, body: bytes) -> _Interface:
    """Read LinkType u16, reserved u16, SnapLen u32, options."""
    link_type, max_captured = struct.unpack_from(f"{order}H2xI", body)
    options = dict(_read_options(order, body[8:]))
    resolution = options.get(_OPTION_TSRESOL, b"\6")[:1]
    exponent = resolution[0] & 0x7F if resolution else 6
    ticks = 2.0**exponent if resolution[:1] >= b"\x80" else 10.0**exponent
    offset = options.get(_OPTION_TSOFFSET, bytes(8))
    return _Interface(link_type, max_captured, ticks, struct.unpack_from(f"{order}q", offset)[0])


def _read_options(order: str, octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Read options: code u16, length u16, value, padded to four octets."""
    at = 0
    while at + 4 <= len(octets):
        code, length = struct.unpack_from(f"{order}2H", octets, at)
        if code == _OPTION_END:
            return
        yield code, octets[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)


def _limit(what: str, value: int, limit: int) -> None:
    if value > limit:
        raise _Damage(f"{what} {value} is above {limit}")
