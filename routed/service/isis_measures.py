"""What there is to measure of IS-IS: adjacencies, database, routes; docs/metrics.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.plumbing.metrics import Kind, Metric, Reading
from routed.rib.families import FAMILIES
from routed.wire.family import Afi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.plumbing.metrics import Registry
    from routed.service.isis import Isis

UP: Final = Metric("routed_isis_adjacency_up", Kind.GAUGE, "Whether the IS-IS adjacency of a circuit is up")
UPTIME: Final = Metric("routed_isis_adjacency_uptime_seconds", Kind.GAUGE, "How long an IS-IS adjacency has been up")
SUPERSEDED: Final = Metric(
    "routed_isis_own_lsp_superseded_total", Kind.COUNTER, "Times that somebody else had a newer LSP of our own"
)
LSPS: Final = Metric("routed_isis_lsps", Kind.GAUGE, "LSPs of the IS-IS database, those included that are over")
NODES: Final = Metric("routed_isis_nodes", Kind.GAUGE, "Systems and pseudonodes of the IS-IS database")
ROUTES: Final = Metric("routed_isis_routes", Kind.GAUGE, "IS-IS routes by address family")
SECONDS: Final = Metric("routed_isis_calculation_seconds", Kind.GAUGE, "What the last calculation of paths took")
MEMORY: Final = Metric("routed_isis_memory_bytes", Kind.GAUGE, "Memory of the stores of IS-IS routes")


def measure_isis(metrics: Registry, isis: Isis, seconds: Callable[[], float]) -> None:
    """Register everything that there is to measure."""
    metrics.add("isis", isis.counters)
    for link in isis.circuits:
        metrics.add("isis_circuit", link.counters, {"circuit": str(link)})
        metrics.add("isis_flooding", link.flooding.counters, {"circuit": str(link)})

    def up() -> Iterator[Reading]:
        for link, circuit in isis.circuits.items():
            yield Reading((("circuit", str(link)),), int(circuit.neighbor is not None))

    def uptime() -> Iterator[Reading]:
        for link, circuit in isis.circuits.items():
            if circuit.neighbor is not None and circuit.since is not None:
                yield Reading((("circuit", str(link)),), seconds() - circuit.since)

    def routes() -> Iterator[Reading]:
        for family in isis.igp.table.families():
            table = isis.igp.table.family_table(family)
            name = "ipv4" if FAMILIES[family].afi == Afi.IPV4 else "ipv6"
            yield Reading((("family", name),), 0 if table is None else len(table))

    metrics.measure(SUPERSEDED, lambda: [Reading((), isis.own.superseded)])
    metrics.measure(UP, up)
    metrics.measure(UPTIME, uptime)
    metrics.measure(LSPS, lambda: [Reading((), len(isis.lsdb))])
    metrics.measure(NODES, lambda: [Reading((), 0 if isis.igp.paths is None else len(isis.igp.paths.nodes))])
    metrics.measure(ROUTES, routes)
    metrics.measure(SECONDS, lambda: [Reading((), isis.seconds)])
    metrics.measure(MEMORY, lambda: [Reading((), sum(isis.igp.rib.memory.values()))])
