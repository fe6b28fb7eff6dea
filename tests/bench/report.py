"""Figures as Markdown: a table for each case, ours first, ratios to the others beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.bench.cases import Ingest, Loss, Pauses, Rows


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; the first column is text, the rest are figures."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def per_second(figure: float) -> str:
    """Format a rate."""
    return f"{figure / 1e6:.2f} M" if figure >= 1e5 else f"{figure:,.0f}"


def octets_per_route(first: Ingest | None, further: Ingest | None) -> tuple[str, str]:
    """Format memory for the first table and for each one beyond, from a load of one peer and one of several."""
    if first is None:
        return "", ""
    if further is None:
        return f"{first.octets / first.routes:.0f}", ""
    beyond = (further.octets - first.octets) / (further.routes - first.routes)
    return f"{first.octets / first.routes:.0f}", f"{beyond:.0f}"


def ingest_table(figures: Mapping[str, Ingest], base: Mapping[str, Ingest], ours: str) -> str:
    """Compare daemons on one load; `base` are their figures with one peer, when this load has several."""
    rows = []
    for name, one in figures.items():
        memory = octets_per_route(base[name], one) if base else octets_per_route(one, None)
        ratios = ("", "")
        if ours in figures and name != ours:
            mine = figures[ours]
            ratios = f"{mine.speed / one.speed:.1f}", f"{mine.user_speed / one.user_speed:.1f}"
        speeds = per_second(one.speed), per_second(one.user_speed)
        rows.append((name, *speeds, f"{one.wall:.2f}", *memory, *ratios))
    head = (
        "daemon",
        "routes/CPU s",
        "without the kernel",
        "wall s",
        "octets/route",
        "further tables",
        "ours is faster by",
        "without the kernel",
    )
    return table(head, rows)


def rows_table(figures: Mapping[str, Rows], ours: str) -> str:
    """Compare daemons on writing rows."""
    rows = []
    for name, one in figures.items():
        ratio = f"{figures[ours].rows / figures[ours].cpu / (one.rows / one.cpu):.1f}" if ours in figures else ""
        shown = ratio if name != ours else ""
        rows.append((name, f"{one.rows:,}", per_second(one.rows / one.cpu), per_second(one.rows / one.wall), shown))
    return table(("daemon", "rows", "rows/CPU s", "rows/s", "ours is faster by"), rows)


def pauses_table(figures: Mapping[str, Pauses]) -> str:
    """Show how long a load took and how long anybody had to wait meanwhile."""
    rows = []
    for name, one in figures.items():
        logged = "" if one.logged_ms is None else f"{one.logged_ms:.0f}"
        probed = one.probed
        waits = (str(probed.probes), f"{probed.percentile_99_ms:.0f}", f"{probed.worst_ms:.0f}")
        rows.append((name, f"{one.wall:.2f}", logged, *waits))
    head = ("daemon", "wall s until loaded", "longest pause, ms", "probes", "99th percentile, ms", "worst probe, ms")
    return table(head, rows)


def churn_table(figures: Mapping[str, Sequence[int]]) -> str:
    """Show memory after the second and the last cycle."""
    rows = [
        (name, *(f"{after[at] / 2**20:.1f}" for at in (0, 1, -1)), str(len(after))) for name, after in figures.items()
    ]
    return table(("daemon", "MB after cycle 1", "after cycle 2", "after the last", "cycles"), rows)


def monitoring_table(figures: Mapping[str, Ingest], ours: str) -> str:
    """Compare daemons on what one router shows."""
    rows = []
    for name, one in figures.items():
        ratio = f"{figures[ours].speed / one.speed:.1f}" if ours in figures and not name.startswith(ours) else ""
        rates = per_second(one.speed), per_second(one.messages / one.cpu), f"{one.wall:.2f}"
        rows.append((name, f"{one.routes:,}", f"{one.messages:,}", *rates, f"{one.octets / one.routes:.1f}", ratio))
    head = (
        "daemon",
        "routes",
        "messages",
        "routes/CPU s",
        "messages/CPU s",
        "wall s",
        "octets/route",
        "ours is faster by",
    )
    return table(head, rows)


def loss_table(figures: Mapping[str, Loss]) -> str:
    """Show how long it took until a lost router's routes were gone, and what that left."""
    rows = []
    for name, one in figures.items():
        megabytes = (f"{octets / 2**20:.0f}" for octets in (one.before, one.loaded, one.after))
        pauses = ("" if pause is None else f"{pause:.0f}" for pause in (one.pause_ms, one.busy_ms))
        rows.append((name, f"{one.routes:,}", f"{one.cpu:.2f}", f"{one.wall:.2f}", *megabytes, *pauses))
    head = (
        "daemon",
        "routes",
        "CPU s until gone",
        "wall s",
        "MB before",
        "MB loaded",
        "MB after",
        "longest pause, ms",
        "busiest turn, ms",
    )
    return table(head, rows)
