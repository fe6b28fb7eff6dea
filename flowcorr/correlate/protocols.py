"""IP protocols that have a name in records and maps; all others are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final[Mapping[int, str]] = {
    1: "icmp",
    2: "igmp",
    3: "ggp",
    4: "ipencap",
    6: "tcp",
    8: "egp",
    9: "igp",
    17: "udp",
    18: "mux",
    41: "ipv6",
    43: "ipv6-route",
    44: "ipv6-frag",
    46: "rsvp",
    47: "gre",
    50: "esp",
    51: "ah",
    55: "mobile",
    56: "tlsp",
    58: "ipv6-icmp",
    59: "ipv6-nonxt",
    60: "ipv6-opts",
    80: "iso-ip",
    83: "vines",
    88: "eigrp",
    89: "ospf",
    91: "larp",
    93: "ax.25",
    94: "ipip",
    98: "encap",
    102: "pnni",
    103: "pim",
    108: "IPcomp",
    111: "ipx-in-ip",
    112: "vrrp",
    115: "l2tp",
    124: "isis",
    132: "sctp",
    133: "fc",
    143: "ethernet",
    255: "others",
}

_NUMBERS: Final = {name.lower(): number for number, name in NAMES.items()}


def protocol_number(text: str) -> int | None:
    """Read a protocol, by name or number; None when it is none."""
    if text.isdecimal():
        return int(text) if int(text) <= 0xFF else None
    return _NUMBERS.get(text.lower())
