"""Records of a template, field by field: slow, plain, and knowing nothing of plans.

Only columns that one element fills by its value are here; the last field of an element counts.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

VARIABLE: Final = 65535

#: Column to the elements that fill it, the first that a template has.
NUMBERS: Final = {
    "bytes": (1, 85, 23, 352),
    "packets": (2, 86, 24),
    "src_port": (7, 180, 182),
    "dst_port": (11, 181, 183),
    "in_iface": (10, 252),
    "out_iface": (14, 253),
    "src_as": (16,),
    "dst_as": (17,),
    "proto": (4,),
    "tos": (5,),
    "tcpflags": (6,),
    "in_vlan": (58, 243),
    "out_vlan": (59, 254),
    "mpls_pw_id": (249,),
    "fwd_status": (89,),
    "ingress_vrf_id": (234,),
}
ADDRESSES: Final = {"src_host": (8, 44, 366), "dst_host": (12, 45)}
#: Octets of columns: what does not fit is cut off at the high end.
WIDTHS: Final = {
    "bytes": 8,
    "packets": 8,
    "src_port": 2,
    "dst_port": 2,
    "in_vlan": 2,
    "out_vlan": 2,
    "proto": 1,
    "tos": 1,
    "tcpflags": 1,
}


class Field(NamedTuple):
    element: int
    length: int  # of the template, VARIABLE for any
    values: Sequence[bytes]  # of each record


def encode(fields: Sequence[Field], record: int) -> bytes:
    """A record as an exporter sends it."""
    octets = b""
    for field in fields:
        value = field.values[record]
        if field.length == VARIABLE:
            octets += bytes([len(value)]) if len(value) < 255 else b"\xff" + len(value).to_bytes(2)
        octets += value
    return octets


def decode(fields: Sequence[Field], record: int) -> dict[str, int | str]:
    """The columns of a record, blank ones left out."""
    row: dict[str, int | str] = {}
    for name, elements in NUMBERS.items():
        value = _last(fields, elements, record, range(1, 9))
        number = int.from_bytes(value) & ((1 << 8 * WIDTHS.get(name, 4)) - 1)
        if number:
            row[name] = number
    for name, elements in ADDRESSES.items():
        value = _last(fields, elements, record, (4,))
        if len(value) == 4:
            row[name] = str(ip_address(value))
    return row


def _last(fields: Sequence[Field], elements: Sequence[int], record: int, lengths: Sequence[int]) -> bytes:
    for element in elements:
        found = [field for field in fields if field.element == element]
        if found and (found[-1].length == VARIABLE or found[-1].length in lengths):
            return found[-1].values[record]
    return b""
