"""What a flow takes from the route of each end, slowly: the longest of all prefixes that cover an address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

Row = dict[str, Any]


class SlowTable:
    """The routes of one router, as rows of the message log say them; the last row about a prefix counts."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._routes = {ip_network(row["ip_prefix"]): row for row in rows}

    def look(self, address: str) -> tuple[int, Row]:
        """Return the length of the most specific prefix and its route; 0 and nothing when there is none."""
        ip = ip_address(address)
        covering = [network for network in self._routes if network.version == ip.version and ip in network]
        if not covering:
            return 0, {}
        best = max(covering, key=lambda network: network.prefixlen)
        return best.prefixlen, self._routes[best]

    def status(self, address: str, payloads: Sequence[Row], own_as: int) -> str:
        """Return what origin validation makes of the route of an address (RFC 6811).

        An invalid one is U or V where the next one around it that is not invalid is unknown or valid.
        """
        ip = ip_address(address)
        covering = [network for network in self._routes if network.version == ip.version and ip in network]
        found = [
            _status(network, (_numbers(self._routes[network].get("as_path", "")))[-1] or own_as, payloads)
            for network in sorted(covering, key=lambda network: -network.prefixlen)
        ]
        if not found or found[0] != "i":
            return found[0] if found else "u"
        return next((status.upper() for status in found if status != "i"), "i")


def _status(network: IPv4Network | IPv6Network, origin: int, payloads: Sequence[Row]) -> str:
    covering = [one for one in payloads if _covers(ip_network(one["prefix"]), network)]
    if any(one["asn"] == f"AS{origin}" and network.prefixlen <= one["maxLength"] for one in covering):
        return "v"
    return "i" if covering else "u"


def _covers(outer: IPv4Network | IPv6Network, network: IPv4Network | IPv6Network) -> bool:
    return outer.version == network.version and network.subnet_of(outer)  # type: ignore[arg-type]


def row_of(flow: Mapping[str, Any], exporter: str, table: SlowTable | None) -> Row:
    """Return what is printed of a flow, its counters left out."""
    (src_length, src), (dst_length, dst) = (
        (0, {}) if table is None else table.look(flow[end]) for end in ("src", "dst")
    )
    src_path, dst_path = (_numbers(route.get("as_path", "")) for route in (src, dst))
    return {
        "event_type": "purge",
        "ip_src": flow["src"],
        "ip_dst": flow["dst"],
        "peer_ip_src": exporter,
        "peer_ip_dst": dst.get("bgp_nexthop", ""),
        "as_src": src_path[-1],
        "as_dst": dst_path[-1],
        "peer_as_src": src_path[0],
        "peer_as_dst": dst_path[0],
        "net_src": _network(flow["src"], src_length),
        "net_dst": _network(flow["dst"], dst_length),
        "mask_src": src_length,
        "mask_dst": dst_length,
        "as_path": _joined(dst, "as_path"),
        "comms": _joined(dst, "comms"),
        "ecomms": _joined(dst, "ecomms"),
        "lcomms": _joined(dst, "lcomms"),
        "local_pref": dst.get("local_pref", 0),
        "med": dst.get("med", 0),
        "as_path_src": _joined(src, "as_path"),
        "comms_src": _joined(src, "comms"),
        "ecomms_src": _joined(src, "ecomms"),
        "lcomms_src": _joined(src, "lcomms"),
        "local_pref_src": src.get("local_pref", 0),
        "med_src": src.get("med", 0),
    }


def _numbers(as_path: str) -> list[int]:
    return [int(number) for number in as_path.split()] or [0]


def _joined(route: Row, name: str) -> str:
    return str(route.get(name, "")).replace(" ", "_")


def _network(address: str, length: int) -> str:
    return str(ip_network(f"{address}/{length}", strict=False).network_address)
