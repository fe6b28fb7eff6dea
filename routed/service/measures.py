"""What there is to measure in a daemon: its peers, tables and stores, and the process itself; docs/metrics.md.

Nothing here costs anything until somebody asks.
"""

from __future__ import annotations

import resource
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.plumbing.metrics import MAX_READINGS, Kind, Metric, Reading
from routed.rib.families import FAMILIES
from routed.service.peer_records import RESTARTING, STATES
from routed.session.bgp_passive import State
from routed.wire.bmp.peer import NO_DISTINGUISHER
from routed.wire.rd import format_rd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ipaddress import IPv4Address, IPv6Address

    from routed.plumbing.metrics import Labels, Registry
    from routed.rib._rib import PeerRib, Rib
    from routed.rib._table import Table
    from routed.service.clock import DaemonReactor
    from routed.service.monitored import MonitoredRouter, View
    from routed.service.neighbor import Neighbor
    from routed.service.peers import Peer
    from routed.service.visible import NeighborSource, RouterSource, Tables


def _gauge(name: str, meaning: str) -> Metric:
    return Metric(f"routed_{name}", Kind.GAUGE, meaning)


def _counter(name: str, meaning: str) -> Metric:
    return Metric(f"routed_{name}_total", Kind.COUNTER, meaning)


#: BGP.
PEERS: Final = _gauge("bgp_peers", "BGP peers by state; restarting ones are lost, and their routes kept")
PEER_UP: Final = _gauge("bgp_peer_up", "Whether the session of a BGP peer is established")
PEER_UPTIME: Final = _gauge("bgp_peer_uptime_seconds", "How long the session of a BGP peer has been established")
PEER_ROUTES: Final = _gauge("bgp_peer_routes", "Routes of a BGP peer by address family")
PEER_STALE: Final = _gauge("bgp_peer_stale_routes", "Routes of a BGP peer that are kept for its return, likewise")
PEER_MESSAGES: Final = _counter("bgp_peer_messages_received", "Messages of a BGP peer in its session, by type")
PEER_REFUSED: Final = _counter("bgp_peer_updates_refused", "UPDATEs of a BGP peer that RFC 7606 has us refuse")
PEER_PASSED_OVER: Final = _counter(
    "bgp_peer_updates_passed_over", "UPDATEs of a BGP peer with routes of families that are not stored"
)
#: What the UPDATEs of a peer came to, by family and the field of `Counts`.
PEER_COUNTERS: Final = {
    "announced": _counter("bgp_peer_routes_announced", "Routes that a BGP peer announced in its session"),
    "unchanged": _counter("bgp_peer_routes_unchanged", "Routes that a BGP peer announced as they were"),
    "withdrawn": _counter("bgp_peer_routes_withdrawn", "Routes that a BGP peer withdrew"),
    "unknown": _counter("bgp_peer_routes_unknown", "Routes that a BGP peer withdrew without having announced them"),
    "dropped": _counter("bgp_peer_routes_dropped", "Routes of a BGP peer for which there was no room"),
}

#: BMP.
ROUTERS: Final = _gauge("bmp_routers", "Routers that speak BMP to us")
ROUTER_UPTIME: Final = _gauge("bmp_router_uptime_seconds", "How long a router has been connected")
ROUTER_PEERS: Final = _gauge("bmp_router_peers", "Peers that a router monitors and says to be up")
RIB_ROUTES: Final = _gauge("bmp_rib_routes", "Routes of a monitored peer by RIB and address family")
#: What messages about a RIB came to, by family and the field of `Counts`.
RIB_COUNTERS: Final = {
    "announced": _counter("bmp_rib_routes_announced", "Routes of a RIB that a router showed as announced"),
    "withdrawn": _counter("bmp_rib_routes_withdrawn", "Routes of a RIB that a router showed as withdrawn"),
}
ROUTER_COUNTERS: Final = {
    "messages": _counter("bmp_router_messages", "Messages of a router but for Route Monitoring"),
    "monitoring": _counter("bmp_router_monitoring_messages", "Route Monitoring messages of a router"),
    "discarded": _counter("bmp_router_messages_discarded", "Messages of a router that made no sense"),
    "mirrored": _counter("bmp_router_messages_mirrored", "Messages of its peers that a router mirrored"),
    "peers": _counter("bmp_router_peers_up", "Peers of a router that came up, each time"),
    "announced": _counter("bmp_router_routes_announced", "Routes that a router showed as announced"),
    "unchanged": _counter("bmp_router_routes_unchanged", "Routes that a router showed as they were"),
    "withdrawn": _counter("bmp_router_routes_withdrawn", "Routes that a router showed as withdrawn"),
    "unknown": _counter("bmp_router_routes_unknown", "Routes that a router showed as withdrawn and never announced"),
    "dropped": _counter("bmp_router_routes_dropped", "Routes of a router for which there was no room"),
    "orphans": _counter("bmp_router_orphans", "Route Monitoring messages about peers that are not up"),
    "malformed": _counter("bmp_router_malformed", "Route Monitoring messages that hold no UPDATE"),
    "passed_over": _counter(
        "bmp_router_passed_over", "UPDATEs of a router with routes of families that are not stored"
    ),
    "end_of_ribs": _counter("bmp_router_end_of_ribs", "End-of-RIB markers of a router"),
    "paused": _counter("bmp_router_pauses", "Times that a router was not read because too much waited"),
    "events_lost": _counter("bmp_router_events_lost", "Events that no dump shows, because too many came between two"),
    "peer_ups_lost": _counter(
        "bmp_router_peer_ups_lost", "Peer Ups that dumps do not repeat, because there are too many"
    ),
}

#: Stores.
PREFIXES: Final = _gauge("rib_prefixes", "Prefixes that any table has, by address family")
PATHS: Final = _gauge("rib_paths", "Distinct attribute sets of all tables")
MEMORY: Final = _gauge("rib_memory_bytes", "Memory of the stores")
TABLES: Final = _gauge("rib_tables", "Tables: one for each peer, RIB and address family")
ROUTES: Final = _gauge("rib_routes", "Routes of all tables")
END_OF_RIBS: Final = _counter("end_of_ribs", "End-of-RIB markers of all peers")

#: The process.
LONGEST_TURN: Final = _gauge("reactor_longest_turn_seconds", "Longest pause of the reactor since the start")
BUSIEST_TURN: Final = _gauge("reactor_busiest_turn_seconds", "Processor time of the busiest turn since the start")
LONG_TURNS: Final = _counter("reactor_long_turns", "Pauses of the reactor of more than 20 ms")
INFO: Final = _gauge("build_info", "Who is asked")
CPU: Final = Metric("process_cpu_seconds_total", Kind.COUNTER, "Processor time, that of the system included")
RESIDENT: Final = Metric("process_resident_memory_bytes", Kind.GAUGE, "Memory that the process holds")
DESCRIPTORS: Final = Metric("process_open_fds", Kind.GAUGE, "Open descriptors")
MAX_DESCRIPTORS: Final = Metric("process_max_fds", Kind.GAUGE, "Descriptors that may be open")

#: What names a family, by its index.
FAMILY_LABELS: Final = tuple((("afi", str(int(afi))), ("safi", str(int(safi)))) for afi, safi in FAMILIES)
#: RIBs whose labels are kept: they are written anew for every scrape, and more of them are not listed.
REMEMBERED_RIBS: Final = MAX_READINGS
OWN_DESCRIPTORS: Final = Path("/proc/self/fd")
OWN_MEMORY: Final = Path("/proc/self/statm")


def measure_bgp(
    registry: Registry, source: NeighborSource, connected: Callable[[], Iterable[Peer]], clock: Callable[[], float]
) -> None:
    """Measure BGP peers."""
    named = PeerNames(source, connected)
    registry.measure(PEERS, lambda: by_state(source, connected()))
    registry.measure(PEER_UP, lambda: (Reading(labels, is_up(peer)) for labels, peer, _ in named()))
    registry.measure(
        PEER_UPTIME,
        lambda: (
            Reading(labels, round(clock() - peer.up_at, 3))
            for labels, peer, _ in named()
            if peer is not None and peer.up_at is not None
        ),
    )
    registry.measure(PEER_ROUTES, lambda: (one for labels, _, of in named() for one in routes_of(labels, rib_of(of))))
    registry.measure(PEER_STALE, lambda: (one for labels, _, of in named() for one in stale_of(labels, rib_of(of))))
    registry.measure(
        PEER_MESSAGES,
        lambda: (
            Reading((*labels, ("type", kind.name.lower())), count)
            for labels, peer, _ in named()
            if peer is not None
            for kind, count in peer.session.received.items()
        ),
    )
    registry.measure(
        PEER_REFUSED,
        lambda: (Reading(labels, sum(of.refused.values())) for labels, _, of in named() if of is not None),
    )
    registry.measure(
        PEER_PASSED_OVER,
        lambda: (Reading(labels, of.counters.passed_over) for labels, _, of in named() if of is not None),
    )
    for field, metric in PEER_COUNTERS.items():
        registry.measure(
            metric,
            lambda field=field: (  # type: ignore[misc]  # mypy sees no default here
                one for labels, _, of in named() for one in counts_of(labels, rib_of(of), field)
            ),
        )


def measure_bmp(registry: Registry, source: RouterSource, wall_clock: Callable[[], float]) -> None:
    """Measure routers and what they show."""
    routers = source.neighbors
    registry.measure(ROUTERS, lambda: [Reading((), len(routers()))])
    registry.measure(
        ROUTER_UPTIME,
        lambda: (Reading(router_labels(one), round(wall_clock() - one.connected_at, 3)) for one in routers()),
    )
    registry.measure(ROUTER_PEERS, lambda: (Reading(router_labels(one), len(one.peers)) for one in routers()))
    registry.measure(
        RIB_ROUTES, lambda: (one for labels, view in named_ribs(routers()) for one in routes_of(labels, view.rib))
    )
    for field, metric in RIB_COUNTERS.items():
        registry.measure(
            metric,
            lambda field=field: (  # type: ignore[misc]  # the same
                one for labels, view in named_ribs(routers()) for one in counts_of(labels, view.rib, field)
            ),
        )
    for field, metric in ROUTER_COUNTERS.items():
        registry.measure(
            metric,
            lambda field=field: (  # type: ignore[misc]  # the same
                Reading(router_labels(one), getattr(one.counters, field)) for one in routers()
            ),
        )


def measure_stores(registry: Registry, rib: Rib, tables: Tables) -> None:
    """Measure what is held for all peers together."""
    registry.measure(
        PREFIXES, lambda: (Reading(FAMILY_LABELS[at], len(rib.prefixes[at])) for at in range(len(FAMILIES)))
    )
    registry.measure(PATHS, lambda: [Reading((), len(rib.paths))])
    registry.measure(MEMORY, lambda: memory_of(rib, tables))
    registry.measure(TABLES, lambda: [Reading((), sum(len(one.rib.families()) for one in tables.all_tables()))])
    registry.measure(ROUTES, lambda: [Reading((), sum(len(one.rib) for one in tables.all_tables()))])
    registry.measure(END_OF_RIBS, lambda: [Reading((), tables.end_of_ribs)])


def measure_process(registry: Registry, reactor: DaemonReactor, daemon: str, version: str) -> None:
    """Measure the process: how responsive it is, and what it takes of the machine."""
    labels = (("daemon", daemon), ("python", sys.version.split()[0]), ("version", version))
    registry.measure(INFO, lambda: [Reading(labels, 1)])
    registry.measure(LONGEST_TURN, lambda: [Reading((), reactor.longest_turn)])
    registry.measure(BUSIEST_TURN, lambda: [Reading((), reactor.busiest_turn)])
    registry.measure(LONG_TURNS, lambda: [Reading((), reactor.long_turns)])
    registry.measure(CPU, lambda: [Reading((), cpu_seconds())])
    registry.measure(RESIDENT, lambda: [Reading((), resident())])
    registry.measure(DESCRIPTORS, lambda: [Reading((), sum(1 for _ in OWN_DESCRIPTORS.iterdir()))])
    registry.measure(MAX_DESCRIPTORS, lambda: [Reading((), resource.getrlimit(resource.RLIMIT_NOFILE)[0])])


class PeerNames:
    """The BGP peers with the labels that name them: the address, and the port where that tells several apart."""

    def __init__(self, source: NeighborSource, connected: Callable[[], Iterable[Peer]]) -> None:
        self._source, self._connected = source, connected

    def __call__(self) -> Iterator[tuple[Labels, Peer | None, Neighbor | None]]:
        """Iterate over connections, then over those who are away; none of them twice."""
        seen: set[Labels] = set()
        for peer in self._connected():
            neighbor = self._source.neighbor_of(peer)
            if neighbor is None:
                continue
            labels = neighbor_labels(neighbor)
            seen.add(labels)
            yield labels, peer, neighbor
        for neighbor in self._source.neighbors():
            labels = neighbor_labels(neighbor)
            if labels not in seen:
                yield labels, None, neighbor


def by_state(source: NeighborSource, peers: Iterable[Peer]) -> Iterator[Reading]:
    """Count BGP peers."""
    counts = dict.fromkeys((*STATES.values(), RESTARTING), 0)
    for peer in peers:
        counts[STATES[peer.session.state]] += 1
    counts[RESTARTING] = sum(neighbor.peer is None for neighbor in source.neighbors())
    yield from (Reading((("state", state),), count) for state, count in counts.items())


def is_up(peer: Peer | None) -> int:
    """Tell whether a session is established."""
    return int(peer is not None and peer.session.state is State.ESTABLISHED)


def rib_of(neighbor: Neighbor | None) -> PeerRib | None:
    """Return the tables of a BGP peer, if it has any."""
    return None if neighbor is None or neighbor.table is None else neighbor.table.rib


def tables_in(rib: PeerRib | None) -> Iterator[tuple[int, Table]]:
    """Iterate over the tables of a RIB and their families."""
    if rib is not None:
        for family in rib.families():
            table = rib.family_table(family)
            assert table is not None
            yield family, table


def routes_of(labels: Labels, rib: PeerRib | None) -> Iterator[Reading]:
    """Say how many routes of each family there are."""
    return (Reading((*labels, *FAMILY_LABELS[family]), len(table)) for family, table in tables_in(rib))


def stale_of(labels: Labels, rib: PeerRib | None) -> Iterator[Reading]:
    """Say how many of them are stale."""
    return (Reading((*labels, *FAMILY_LABELS[family]), table.stale) for family, table in tables_in(rib))


def counts_of(labels: Labels, rib: PeerRib | None, field: str) -> Iterator[Reading]:
    """Say what UPDATEs came to in each family."""
    if rib is not None:
        for family in rib.counted():
            yield Reading((*labels, *FAMILY_LABELS[family]), getattr(rib.counts(family), field))


def named_ribs(routers: Iterable[MonitoredRouter]) -> Iterator[tuple[Labels, View]]:
    """Iterate over the RIBs that routers show, with the labels that name them."""
    for router in routers:
        of_router = router_labels(router)
        for view in router.all_views():
            h = view.header
            of_rib = rib_labels(h.address, int(h.peer_type), h.distinguisher, h.rib_type, h.is_filtered)
            yield (*of_router, *of_rib), view


@lru_cache(maxsize=REMEMBERED_RIBS)
def rib_labels(
    address: IPv4Address | IPv6Address, peer_type: int, distinguisher: bytes, rib_type: str, is_filtered: bool
) -> Labels:
    """Return what names a RIB of a router."""
    return (
        ("peer", str(address)),
        ("peer_type", str(peer_type)),
        ("rd", "" if distinguisher == NO_DISTINGUISHER else format_rd(distinguisher)),
        ("rib", rib_type),
        ("filtered", str(int(is_filtered))),
    )


def memory_of(rib: Rib, tables: Tables) -> Iterator[Reading]:
    """Say how much memory each kind of store takes."""
    for store, octets in rib.memory.items():
        yield Reading((("store", store),), octets)
    yield Reading(
        (("store", "tables"),), sum(table.memory for one in tables.all_tables() for _, table in tables_in(one.rib))
    )


def neighbor_labels(neighbor: Neighbor) -> Labels:
    """Return what names a BGP peer."""
    address, port = neighbor.identity
    return (("peer", f"[{address}]:{port}" if port else str(address)),)


def router_labels(router: MonitoredRouter) -> Labels:
    """Return what names a router: its port too, because one address may have several sessions."""
    return ("router", str(router.text.address)), ("router_port", str(router.text.port))


def cpu_seconds() -> float:
    """Return the processor time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> int:
    """Return the octets that the process holds in memory."""
    return int(OWN_MEMORY.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
