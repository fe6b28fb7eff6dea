"""Prefixes as UPDATEs carry them, the slow and obvious way.

Sources: RFC 4271 4.3, RFC 4760 5, RFC 7911 3 (path identifiers), RFC 8277 2 (labels), RFC 4364 4.3.4, RFC 4659 (VPN),
RFC 7606 5.3 (what is broken). Independent of the package under test.
"""

from typing import NamedTuple

Family = tuple[int, int]

#: Address octets of the families that are stored.
ADDRESS_OCTETS: dict[Family, int] = {(afi, safi): {1: 4, 2: 16}[afi] for afi in (1, 2) for safi in (1, 2, 4, 128)}
LABELLED_SAFIS = {4, 128}
VPN_SAFI = 128

#: A withdrawal has one of these where a label would be (RFC 8277 2.4); they have no bottom-of-stack bit.
COMPATIBILITY_LABELS = {0x800000, 0x000000}


class BrokenNlriError(Exception):
    """The field cannot be cut into prefixes (RFC 7606 5.3)."""


class Nlri(NamedTuple):
    """One prefix of an UPDATE; `key()` is what identifies its route in a peer's table."""

    family: Family
    rd: bytes | None
    path_id: int | None
    address: bytes
    length: int
    labels: tuple[int, ...]

    def key(self) -> tuple[Family, bytes | None, bytes, int, int | None]:
        return (self.family, self.rd, self.address, self.length, self.path_id)


def read_nlri(octets: bytes, family: Family, *, add_path: bool, withdrawn: bool) -> list[Nlri]:
    """Read an NLRI field to its end: n x ([path id u32], bits u8, [labels], [rd], prefix)."""
    prefixes = []
    while octets:
        path_id = None
        if add_path:
            if len(octets) < 4:
                raise BrokenNlriError("path identifier overruns the field")
            path_id, octets = int.from_bytes(octets[:4], "big"), octets[4:]
        if not octets:
            raise BrokenNlriError("path identifier without a prefix")
        bits, size = octets[0], (octets[0] + 7) // 8
        if 1 + size > len(octets):
            raise BrokenNlriError("prefix overruns the field")
        prefix, octets = octets[1 : 1 + size], octets[1 + size :]
        prefixes.append(_read_prefix(prefix, bits, family, path_id, withdrawn=withdrawn))
    return prefixes


def _read_prefix(octets: bytes, bits: int, family: Family, path_id: int | None, *, withdrawn: bool) -> Nlri:
    labels: tuple[int, ...] = ()
    if family[1] in LABELLED_SAFIS:
        labels = _read_labels(octets, bits, 64 if family[1] == VPN_SAFI else 0, withdrawn=withdrawn)
        octets, bits = octets[3 * len(labels) :], bits - 24 * len(labels)
    rd = None
    if family[1] == VPN_SAFI:
        if bits < 64:
            raise BrokenNlriError("route distinguisher overruns the prefix")
        rd, octets, bits = octets[:8], octets[8:], bits - 64
    width = ADDRESS_OCTETS[family]
    if bits > 8 * width:
        raise BrokenNlriError("prefix is longer than an address")
    return Nlri(family, rd, path_id, clear_host_bits(octets, bits, width), bits, labels)


def _read_labels(octets: bytes, bits: int, needed: int, *, withdrawn: bool) -> tuple[int, ...]:
    """Read a stack; in a withdrawal that cannot be one with `needed` bits behind it, one field of any value."""
    try:
        labels = _read_stack(octets, bits)
    except BrokenNlriError:
        labels = ()
    if labels and not (withdrawn and 24 * len(labels) + needed > bits):
        return labels
    if withdrawn and bits >= 24:
        return (int.from_bytes(octets[:3], "big") >> 4,)
    raise BrokenNlriError("label stack overruns the prefix")


def _read_stack(octets: bytes, bits: int) -> tuple[int, ...]:
    labels = []
    while bits >= 24:
        entry = int.from_bytes(octets[:3], "big")
        octets, bits = octets[3:], bits - 24
        labels.append(entry >> 4)
        if entry & 1 or entry in COMPATIBILITY_LABELS:
            return tuple(labels)
    raise BrokenNlriError("no bottom of the stack")


def clear_host_bits(octets: bytes, bits: int, width: int) -> bytes:
    """Pad to `width` octets and clear everything after the first `bits` bits."""
    total = 8 * width
    number = int.from_bytes(octets.ljust(width, b"\0"), "big")
    mask = ((1 << bits) - 1) << (total - bits)
    return (number & mask).to_bytes(width, "big")
