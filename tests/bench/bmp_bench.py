"""The cases of BMP: one router shows its peers and their RIBs to the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bench import cases, report
from tests.bench.bmp_stream import POST_POLICY, PRE_POLICY, shown
from tests.bench.daemons import OURS_BMP, PMBMPD
from tests.bench.plan import RECORDED_ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.plan import Measuring

ALL: Final = (OURS_BMP, PMBMPD)
VIEWS = 4
MANY_PEERS, MANY_ROUTES = 50, 100_000
LOSS_PEERS = 25
#: What part of a load that would take it minutes and gigabytes the other daemon gets.
TENTH: Final = 0.1


class BmpBench:
    """All cases of BMP."""

    def __init__(self, measuring: Measuring) -> None:
        self._measuring, self._plan = measuring, measuring.plan

    def _load(
        self, name: str, streams: Sequence[bytes], routes: int, peers: int = 1, ribs: Sequence[int] = (PRE_POLICY,)
    ) -> cases.RouterLoad:
        """Return streams of so many routes each as what a router shows."""
        stream, messages = shown(streams, peers, ribs)
        total = routes * peers * len(ribs)
        return cases.RouterLoad(name=name, streams=[stream], peers=peers, routes=total, messages=messages)

    def _generated(self) -> cases.RouterLoad:
        streams, routes = self._measuring.full_views(1)
        return self._load("generated", streams, routes)

    def _many(self, part: float, peers: int) -> cases.RouterLoad:
        routes = int(MANY_ROUTES * self._plan.scale * part)
        streams = self._measuring.views(VIEWS, routes)
        return self._load("many", streams, routes, peers, (PRE_POLICY, POST_POLICY))

    def single(self) -> str:
        """One peer with a full table."""
        return report.monitoring_table(self._measuring.best(cases.ingest, ALL, self._generated()), OURS_BMP.name)

    def recorded(self) -> str:
        """The recorded table of a real exchange point, one message for each of its UPDATEs."""
        stream = self._measuring.recorded()
        if stream is None:
            return "No recording given.\n"
        load = self._load("recorded", [stream], RECORDED_ROUTES)
        return report.monitoring_table(self._measuring.best(cases.ingest, ALL, load), OURS_BMP.name)

    def many(self) -> str:
        """Fifty peers with two RIBs each, whose messages take turns; a tenth of the routes for comparison."""
        tenth = self._measuring.best(cases.ingest, ALL, self._many(TENTH, MANY_PEERS))
        full = self._measuring.best(cases.ingest, ALL[:1], self._many(1, MANY_PEERS))
        return report.monitoring_table(tenth | {f"{name}, ten times": one for name, one in full.items()}, OURS_BMP.name)

    def dump(self) -> str:
        """A dump of one full table to a file of JSON."""
        return report.rows_table(self._measuring.best(cases.table_dump, ALL, self._generated()), OURS_BMP.name)

    def log(self) -> str:
        """The message log while one full table loads."""
        return report.rows_table(self._measuring.best(cases.message_log, ALL, self._generated()), OURS_BMP.name)

    def loss(self) -> str:
        """A router that is lost with all its routes; a tenth of them for comparison."""
        tenth = self._measuring.best(cases.loss, ALL, self._many(TENTH, LOSS_PEERS))
        full = self._measuring.best(cases.loss, ALL[:1], self._many(1, LOSS_PEERS))
        return report.loss_table(tenth | {f"{name}, ten times": one for name, one in full.items()})


CASES: Final[dict[str, tuple[str, Callable[[BmpBench], str]]]] = {
    "bmp-single": ("A full table of one monitored peer", BmpBench.single),
    "bmp-recorded": ("A recorded table of one monitored peer", BmpBench.recorded),
    "bmp-many": ("50 monitored peers, before and after policy, their messages in turn", BmpBench.many),
    "bmp-dump": ("Dumping a monitored table", BmpBench.dump),
    "bmp-log": ("Logging every route of a monitored table", BmpBench.log),
    "bmp-loss": ("Losing a router", BmpBench.loss),
}
