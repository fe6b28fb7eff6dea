"""What there is of IS-IS as records: LSPs, names, neighbours and routes; docs/events.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS, AdjacencyState, Nlpid
from routed.wire.isis.names import format_area, format_lsp_id, format_node, format_system_id
from routed.wire.prefix import format_address, format_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from routed.rib.igp import IgpRoute
    from routed.rib.spf import Route
    from routed.service.isis import Circuit
    from routed.wire.isis.lsp import Lsp
    from routed.wire.prefix import Prefix

    Names = Mapping[bytes, str]
    Record = dict[str, Any]

STATES: Final = {AdjacencyState.UP: "up", AdjacencyState.INITIALIZING: "initializing", AdjacencyState.DOWN: "down"}
PROTOCOLS: Final = {int(Nlpid.IPV4): "ipv4", int(Nlpid.IPV6): "ipv6"}


def describe_lsp(lsp: Lsp, lifetime: int, names: Names) -> Record:
    """Describe an LSP with all that it says; one whose time is over says nothing any more."""
    header = describe_header(lsp, lifetime, names)
    if not lifetime:
        return header
    return {
        **header,
        "attached": bool(lsp.flags.attached),
        "overload": lsp.flags.overload,
        "partition": lsp.flags.partition,
        "areas": list(map(format_area, lsp.areas)),
        "protocols": [PROTOCOLS.get(each, each) for each in lsp.protocols],
        "addresses": list(map(format_address, lsp.addresses)),
        "router_id": format_address(lsp.router_id) if lsp.router_id else None,
        "topologies": [
            {"topology": each.id, "overload": each.overload, "attached": each.attached} for each in lsp.topologies
        ],
        "neighbors": [
            {
                "node": format_node(each.node),
                "hostname": names.get(each.node[:SYSTEM_ID_OCTETS]),
                "metric": each.metric,
                "topology": each.topology,
                "wide": each.wide,
            }
            for each in lsp.neighbors
        ],
        "prefixes": [
            {
                "ip_prefix": format_prefix(each.prefix),
                "metric": each.metric,
                "topology": each.topology,
                "wide": each.wide,
                "down": each.down,
                "external": each.external,
            }
            for each in lsp.prefixes
        ],
    }


def describe_header(lsp: Lsp, lifetime: int, names: Names) -> Record:
    """Describe which LSP it is."""
    return {
        "lsp_id": format_lsp_id(lsp.lsp_id),
        "hostname": names.get(lsp.lsp_id[:SYSTEM_ID_OCTETS]),
        "sequence": lsp.sequence,
        "checksum": lsp.checksum,
        "lifetime": lifetime,
    }


def describe_system(system_id: bytes, names: Names) -> Record:
    """Describe a system by id and name."""
    return {
        "system_id": format_system_id(system_id[:SYSTEM_ID_OCTETS]),
        "hostname": names.get(system_id[:SYSTEM_ID_OCTETS]),
    }


def describe_route(prefix: Prefix, route: Route, next_hop: bytes, names: Names) -> Record:
    """Describe the way to a prefix: whose it is, and the first systems on the way."""
    return {
        "ip_prefix": format_prefix(prefix),
        "metric": route.metric,
        "next_hop": format_address(next_hop) if any(next_hop) else None,
        "originators": _systems(route.originators, names),
        "first_hops": _systems(route.first_hops, names),
        "topology": route.topology,
        "down": route.down,
        "external": route.external,
    }


def describe_change(prefix: Prefix, route: IgpRoute) -> Record:
    """Describe a route of the table."""
    return {
        "ip_prefix": format_prefix(prefix),
        "metric": route.metric,
        "next_hop": format_address(route.next_hop) if any(route.next_hop) else None,
    }


def describe_circuit(circuit: Circuit, names: Names, now: float) -> Record:
    """Describe a circuit and the system at its other end."""
    link, neighbor = circuit.link, circuit.neighbor
    record: Record = {
        "circuit": str(link),
        "state": STATES[link.adjacency.state],
        "mtu": circuit.mtu,
        "uptime": None if neighbor is None or circuit.since is None else int(now - circuit.since),
        "reason": circuit.reason or None,
        "pdus_received": link.counters.pdus_received,
        "pdus_sent": link.counters.pdus_sent,
    }
    if neighbor is None:
        return record
    return {
        **record,
        **describe_system(neighbor.system_id, names),
        "areas": list(map(format_area, neighbor.areas)),
        "addresses": list(map(format_address, neighbor.addresses)),
        "protocols": [PROTOCOLS.get(each, each) for each in neighbor.protocols],
        "hold_time": neighbor.hold_time,
        "three_way": neighbor.is_three_way,
    }


def _systems(nodes: Iterable[bytes], names: Names) -> list[Record]:
    return [describe_system(node, names) for node in nodes]
