"""Route distinguishers in text, as maps and records have them: `type:administrator:number` (RFC 4364 section 4.2)."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: By type as written: octets of the type, of an administrator as written, and how many the number has.
_TYPES: Final[Mapping[str, tuple[bytes, Callable[[str], bytes], int]]] = {
    "0": (b"\0\0", lambda text: int(text).to_bytes(2, "big"), 4),
    "1": (b"\0\1", lambda text: IPv4Address(text).packed, 2),
    "2": (b"\0\2", lambda text: int(text).to_bytes(4, "big"), 2),
    # the VRF id of an exporter whose route distinguisher is not known: a type that RFC 4364 leaves alone
    "vrfid": (b"\x08\0", lambda _: bytes(2), 4),
}


def parse_rd(text: str) -> bytes | None:
    """Read a route distinguisher as eight octets; None when it is none."""
    kind, _, rest = text.partition(":")
    administrator, colon, number = rest.rpartition(":")
    if kind not in _TYPES or bool(colon) == (kind == "vrfid"):
        return None
    octets, administrator_octets, width = _TYPES[kind]
    try:
        return octets + administrator_octets(administrator) + int(number).to_bytes(width, "big")
    except (ValueError, OverflowError):
        return None
