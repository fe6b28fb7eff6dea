"""The cases of BGP: routers have sessions with the daemon and announce their tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tests.bench import cases, report
from tests.bench.daemons import BIRD, BIRD_IMPORT_TABLE, OURS, PMBGPD
from tests.bench.plan import RECORDED_ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.plan import Measuring

ALL: Final = (OURS, PMBGPD, BIRD, BIRD_IMPORT_TABLE)
PMACCT_LIKE: Final = (OURS, PMBGPD)
VIEWS = 4
CROWD_PEERS, CROWD_ROUTES, CROWD_VIEWS = 500, 10_000, 50
CHURN_PEERS, CHURN_ROUTES, CHURN_CYCLES = 4, 100_000, 12


class BgpBench:
    """All cases of BGP."""

    def __init__(self, measuring: Measuring) -> None:
        self._measuring, self._plan = measuring, measuring.plan
        self._single: dict[str, cases.Ingest] = {}
        self._dumped: dict[str, cases.Rows] | None = None

    def _generated(self, peers: int) -> cases.Load:
        streams, routes = self._measuring.full_views(peers)
        return cases.Load(name="generated", streams=streams, peers=peers, routes=peers * routes)

    def single(self) -> str:
        """One peer with a full table."""
        self._single = self._measuring.best(cases.ingest, ALL, self._generated(1))
        return report.ingest_table(self._single, {}, OURS.name)

    def several(self) -> str:
        """Four peers with a full table each, their own attribute sets in it."""
        if not self._single:
            self.single()
        figures = self._measuring.best(cases.ingest, ALL, self._generated(VIEWS))
        return report.ingest_table(figures, self._single, OURS.name)

    def recorded(self) -> str:
        """The recorded table of a real exchange point."""
        stream = self._measuring.recorded()
        if stream is None:
            return "No recording given.\n"
        load = cases.Load(name="recorded", streams=[stream], peers=1, routes=RECORDED_ROUTES)
        return report.ingest_table(self._measuring.best(cases.ingest, ALL, load), {}, OURS.name)

    def dump(self) -> str:
        """A dump of one full table to a file of JSON."""
        self._dumped = self._measuring.best(cases.table_dump, PMACCT_LIKE, self._generated(1))
        return report.rows_table(self._dumped, OURS.name)

    def avro(self) -> str:
        """The same to a file of Avro; Debian's pmbgpd knows only JSON, so that is what it writes here."""
        load, best = self._generated(1), self._measuring.best
        figures = best(cases.table_dump, PMACCT_LIKE, load) if self._dumped is None else self._dumped
        figures = {f"{name}, JSON": one for name, one in figures.items()}
        avro = best(partial(cases.table_dump, output="avro"), (OURS,), load)
        return report.rows_table({**avro, **figures}, OURS.name)

    def log(self) -> str:
        """The message log while one full table loads."""
        return report.rows_table(self._measuring.best(cases.message_log, PMACCT_LIKE, self._generated(1)), OURS.name)

    def crowd(self) -> str:
        """Hundreds of peers that come up together, with a probe that keeps asking."""
        routes = int(CROWD_ROUTES * self._plan.scale)
        streams = self._measuring.views(CROWD_VIEWS, routes)
        load = cases.Load(name="crowd", streams=streams, peers=CROWD_PEERS, routes=CROWD_PEERS * routes)
        kinds = self._plan.among((OURS, BIRD))
        return report.pauses_table({kind.name: cases.pauses(self._measuring.ground, kind, load) for kind in kinds})

    def churn(self) -> str:
        """Peers that come with tables and go again, many times."""
        routes = int(CHURN_ROUTES * self._plan.scale)
        streams = self._measuring.views(CHURN_PEERS, routes)
        load = cases.Load(name="churn", streams=streams, peers=CHURN_PEERS, routes=CHURN_PEERS * routes)
        kinds, ground = self._plan.among((OURS, PMBGPD, BIRD)), self._measuring.ground
        return report.churn_table({kind.name: cases.churn(ground, kind, load, CHURN_CYCLES) for kind in kinds})

    def kafka(self) -> str:
        """A dump of one full table to a broker."""
        try:
            from tests.bench import kafka_bench  # noqa: PLC0415 (a library that no other case needs)
        except ImportError as error:
            return f"Not measured: {error}.\n"
        return kafka_bench.compare(self._measuring, self._measuring.folder / "kafka")


CASES: Final[dict[str, tuple[str, Callable[[BgpBench], str]]]] = {
    "single": ("Taking in a full table from one peer", BgpBench.single),
    "several": ("Taking in full tables from four peers", BgpBench.several),
    "recorded": ("Taking in a recorded table", BgpBench.recorded),
    "dump": ("Dumping a table", BgpBench.dump),
    "avro": ("Dumping a table in Avro", BgpBench.avro),
    "kafka": ("Dumping a table to Kafka", BgpBench.kafka),
    "log": ("Logging every route of a table", BgpBench.log),
    "crowd": ("500 peers together", BgpBench.crowd),
    "churn": ("Memory after churn", BgpBench.churn),
}
