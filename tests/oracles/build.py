"""Octets of UPDATE messages from their parts; says nothing about whether the parts make sense."""

from collections.abc import Iterable

from tests.oracles import attributes as a
from tests.oracles.nlri import VPN_SAFI, Family

MARKER = b"\xff" * 16
UPDATE = 2


def message(kind: int, body: bytes) -> bytes:
    """A whole BGP message (RFC 4271 4.1)."""
    return MARKER + (19 + len(body)).to_bytes(2, "big") + bytes([kind]) + body


def update(attributes: Iterable[bytes] = (), nlri: bytes = b"", withdrawn: bytes = b"") -> bytes:
    """A whole UPDATE (RFC 4271 4.3)."""
    field = b"".join(attributes)
    return message(UPDATE, len(withdrawn).to_bytes(2, "big") + withdrawn + len(field).to_bytes(2, "big") + field + nlri)


def attribute(code: int, value: bytes, flags: int | None = None) -> bytes:
    """One attribute; without `flags` those that its RFC gives it, with a long length where one is needed."""
    if flags is None:
        flags = a.RULES[code].flags if code in a.RULES else a.OPTIONAL_TRANSITIVE
    if len(value) > 255:
        flags |= a.EXTENDED_LENGTH
    width = 2 if flags & a.EXTENDED_LENGTH else 1
    return bytes([flags, code]) + len(value).to_bytes(width, "big") + value


def segments(*parts: tuple[int, list[int]], width: int = 4) -> bytes:
    """The value of AS_PATH from (type, numbers)."""
    return b"".join(
        bytes([kind, len(numbers)]) + b"".join(number.to_bytes(width, "big") for number in numbers)
        for kind, numbers in parts
    )


def prefix(
    address: bytes, length: int, *, path_id: int | None = None, labels: bytes = b"", rd: bytes | None = None
) -> bytes:
    """One prefix of an NLRI field; `labels` is the stack as octets."""
    front = b"" if path_id is None else path_id.to_bytes(4, "big")
    inner = labels + (rd or b"")
    return front + bytes([8 * len(inner) + length]) + inner + address[: (length + 7) // 8]


def label_stack(*labels: int) -> bytes:
    """Labels, the last one marked as the bottom of the stack (RFC 3032 2.1)."""
    *upper, bottom = labels
    return b"".join((label << 4).to_bytes(3, "big") for label in upper) + (bottom << 4 | 1).to_bytes(3, "big")


def mp_reach(family: Family, next_hop: bytes, nlri: bytes, flags: int | None = None) -> bytes:
    """MP_REACH_NLRI (RFC 4760 3); the next hop of a VPN gets a route distinguisher of zero."""
    if family[1] == VPN_SAFI:
        next_hop = b"".join(bytes(8) + part for part in ([next_hop] if len(next_hop) < 32 else _halves(next_hop)))
    value = family[0].to_bytes(2, "big") + bytes([family[1], len(next_hop)]) + next_hop + b"\0" + nlri
    return attribute(a.MP_REACH, value, flags)


def mp_unreach(family: Family, nlri: bytes, flags: int | None = None) -> bytes:
    """MP_UNREACH_NLRI (RFC 4760 4)."""
    return attribute(a.MP_UNREACH, family[0].to_bytes(2, "big") + bytes([family[1]]) + nlri, flags)


def _halves(octets: bytes) -> tuple[bytes, bytes]:
    middle = len(octets) // 2
    return octets[:middle], octets[middle:]


ORIGIN_IGP = attribute(a.ORIGIN, b"\0")
PATH_65001 = attribute(a.AS_PATH, segments((2, [65001])))
NEXT_HOP_1 = attribute(a.NEXT_HOP, bytes([192, 0, 2, 1]))
MANDATORY = (ORIGIN_IGP, PATH_65001, NEXT_HOP_1)
NET_10 = prefix(bytes([10, 0, 0, 0]), 8)
