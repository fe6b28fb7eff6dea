"""A route as the collector must write it, from which every speaker makes its own words.

The values are those on the wire when the UPDATE reaches the collector. What a speaker adds by itself (its own AS in
front, a LOCAL_PREF inside an AS) is part of them, so a list of routes is at once what to announce and what to expect.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from routed.wire.family import IPV4_UNICAST, Family

Row = dict[str, Any]

#: Written for a path identifier that the speaker picks: the comparison only demands that there is one.
PICKED: Final = 0

#: Keys of a row that say when and by whom, not what.
CIRCUMSTANCES: Final = frozenset({"seq", "timestamp", "peer_ip_src", "peer_tcp_port", "event_type", "log_type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One NLRI and its attributes, communities in the collector's notation."""

    prefix: str
    next_hop: str
    family: Family = IPV4_UNICAST
    as_path: str = ""
    origin: str = "i"
    local_pref: int | None = None
    med: int | None = None
    communities: str = ""
    extended_communities: str = ""
    large_communities: str = ""
    path_id: int | None = None
    rd: str = ""
    labels: tuple[int, ...] = ()

    def row(self) -> Row:
        """Return the keys of a log or dump row that describe the route.

        Source: message log and dump formats, section 4.2.
        """
        facts: dict[str, object] = {
            "afi": int(self.family.afi),
            "safi": int(self.family.safi),
            "ip_prefix": self.prefix,
            "as_path_id": self.path_id,
            "bgp_nexthop": self.next_hop,
            "as_path": self.as_path,
            "comms": self.communities or None,
            "ecomms": self.extended_communities or None,
            "lcomms": self.large_communities or None,
            "origin": self.origin,
            "local_pref": self.local_pref,
            "med": self.med,
            "rd": f"{int('.' in self.rd)}:{self.rd}" if self.rd else None,
            "rd_origin": "bgp" if self.rd else None,
            "mpls_label": str(self.labels[-1]) if self.labels else None,
        }
        return {key: value for key, value in facts.items() if value is not None}


def described(rows: Iterable[Mapping[str, Any]], *, ids_are_picked: bool) -> list[Row]:
    """Return what rows say of routes, in an order of their own so that two lists can be compared as sets."""
    facts = [{key: value for key, value in row.items() if key not in CIRCUMSTANCES} for row in rows]
    for fact in facts:
        if ids_are_picked and "as_path_id" in fact:
            fact["as_path_id"] = PICKED
    return sorted(facts, key=repr)
