"""A flow daemon put together: routing planes, look-ups, maps, plugins, and the intake that feeds them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import LoopingCall

from flowcorr.collect.intake import Intake
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher
from flowcorr.correlate._facts import Facts
from flowcorr.correlate._follow import Follower
from flowcorr.correlate._source import Source
from flowcorr.correlate.map_stages import NextHopStage, RdStage, SourceSideStage
from flowcorr.correlate.maps import tag_rules
from flowcorr.correlate.own_columns import OwnColumns
from flowcorr.correlate.views import Exporter, Views
from flowcorr.daemon.counters import make_counter_log
from flowcorr.daemon.flow_maps import FlowMaps
from flowcorr.daemon.inputs import Inputs
from flowcorr.daemon.plugins import make_plugin
from flowcorr.daemon.template_sharing import TemplateSharing
from flowcorr.service.bugs import Bugs
from flowcorr.service.flow_input import BATCH_ROWS, FlowInput
from flowcorr.service.following import Following
from flowcorr.service.input_statistics import register, status_lines
from flowcorr.service.pipeline import TAG_COLUMNS, Outlet, Pipeline
from flowcorr.service.plugins import stop_all
from flowcorr.service.reports import ExporterReports, address_of
from flowcorr.service.template_file import TemplateFile
from routed.daemon.plane import BrokerSinks, RoutingPlanes
from routed.plumbing.background import beside_others, give_back, uncollected, with_rests
from routed.plumbing.lifecycle import StartError, in_order
from routed.plumbing.sink import PoolThreads
from routed.rib._resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowcorr.correlate._tagger import Tagger
    from flowcorr.correlate.correlation import Correlation
    from flowcorr.correlate.maps import Pace, TagRules
    from flowcorr.daemon.settings import FlowSettings
    from flowcorr.service.counter_log import CounterLog
    from routed.plumbing.log import Log
    from routed.rib._rib import Rib

#: Between two looks at exporters that are silent and records that wait for templates. Units: seconds.
AGEING: Final = 10.0
MICROSECONDS: Final = 1_000_000
#: How often paths that no table has any more are let go, and how many are looked at each time. Units: seconds.
TIDYING: Final = 1.0
TIDY_PATHS: Final = 20_000


class FlowPlane:
    """A flow daemon as the settings want it.

    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: Any, settings: FlowSettings, log: Log, seed: int, on_end: Callable[[], None]) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        with uncollected():
            self._maps = FlowMaps(settings.files)
        log.write_all(self._maps.lines)
        self._routing = RoutingPlanes(reactor, settings.routing, log, seed=seed)
        self.metrics = self._routing.metrics
        self._texts = Texts()
        planes = [plane.name for plane in self._routing]
        asked = self._asked()
        self._layout = Layout(
            [
                *ALWAYS,
                BUILTIN["exporter_address"],
                *(column for plugin in settings.plugins for column in plugin.columns),
                *(BUILTIN[name] for name in BUILTIN.keys() & (asked | settings.correlation.reads(asked, planes))),
                *(BUILTIN[name] for name in self._maps.possible_columns),
            ]
        )
        for text in settings.correlation.unfilled(asked, planes):
            log.warning(text)
        threads = PoolThreads(reactor)
        self._sinks = BrokerSinks(reactor, settings.process, log, self.metrics)
        self._plugins = [
            make_plugin(one, self._layout, self._texts, reactor, threads, log, sinks=self._sinks)
            for one in settings.plugins
        ]
        intake = Intake(
            self._layout,
            self._texts,
            settings.intake,
            allow=self._allows,
            rates=self._rates,
            report=self._hear,
        )
        self._reports = ExporterReports(log, reactor.seconds)
        self._templates: TemplateFile | None = None
        if settings.templates is not None:
            self._templates = TemplateFile(reactor, settings.templates, intake, log.warning)
        self._counter_log: CounterLog | None = None
        if settings.counters is not None:
            self._counter_log = make_counter_log(settings.counters, reactor, threads, settings.process.owner, log)
            self.metrics.add("flowcorr_sflow_counters", self._counter_log.counters)
        self._views: list[Views] = []
        self._sources: list[Source] = []
        self._facts: list[Facts] = []
        self._resolvers: list[Resolver] = []
        self._enricher = self._make_enricher(settings.correlation, asked, planes)
        self._following = Following(reactor, self._resolvers)
        self._own = OwnColumns(settings.correlation.own(asked))
        self._bugs = Bugs(log, reactor.seconds)
        self.metrics.add("flowcorr", self._bugs.counters)
        self._pipeline = Pipeline(self._texts, self._bugs, self._prepare, [], [])
        self._flows = FlowInput(intake, Batch(self._layout, BATCH_ROWS), self._pipeline.run, self._bugs, reactor)
        self._taggers: list[Tagger] = []
        self._filters = {name: one.make(self._layout, self._texts) for name, one in settings.filters.items()}
        self._install_maps(self._compile_tags(self._maps))
        self._inputs = Inputs(reactor, settings.inputs, self._flows, log, allow=self._allows, on_end=on_end)
        register(self.metrics, intake, self._inputs.dropped)
        self._sharing = TemplateSharing(reactor, settings.sharing, self._flows, log, self.metrics)
        for plugin in self._plugins:
            self.metrics.add("flowcorr_plugin", plugin.counters, {"name": plugin.name})
        self._every: list[LoopingCall] = []

    def start(self) -> None:
        """Begin."""
        self._routing.start()
        self._following.start()
        if self._templates is not None:
            self._templates.startService()
        for plugin in self._plugins:
            plugin.start()
        for seconds, place, work in ((TIDYING, "tidying", self._tidy), (AGEING, "ageing", self._age)):
            call = LoopingCall(self._bugs.contain, place, work)
            call.clock = self._reactor
            call.start(seconds, now=False)
            self._every.append(call)
        self._sharing.start()
        self._inputs.start()

    async def stop(self) -> None:
        """Stop reading, let plugins write all that they have, and end all sessions."""
        await self._inputs.stop()
        self._sharing.stop()
        if self._templates is not None:
            self._templates.stopService()
        for call in self._every:
            call.stop()
        self._following.stop()
        await stop_all(self._plugins)
        self._sinks.close()
        if self._counter_log is not None:
            await self._counter_log.close()
        await self._routing.stop()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        self._routing.reopen()
        for plugin in self._plugins:
            plugin.reopen()
        if self._counter_log is not None:
            self._counter_log.reopen()

    def tell_statistics(self) -> None:
        """Say in the log what every exporter has sent."""
        inputs = self._settings.inputs
        where = f"{inputs.udp.address or '::'}:{inputs.udp.port}"
        for line in status_lines(self._flows.intake, where, time.time()):
            self._log.info(line)

    def serve_reload(self, reload: Any) -> None:
        """Let others than signals ask for a reload."""
        self._routing.serve_reload(reload)

    def prepare(self, settings: FlowSettings) -> Callable[[], None]:
        """Read the maps again, in any thread; return what takes them over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """
        with beside_others():
            return self._read_again(settings)

    def _read_again(self, settings: FlowSettings) -> Callable[[], None]:
        maps = FlowMaps(settings.files, with_rests, strict=True)
        unknown = sorted(name for name in maps.columns if name not in self._layout)
        if unknown:
            raise StartError(
                f"rows of maps compare {', '.join(unknown)}, which nothing read before: that takes a restart"
            )
        tags = self._compile_tags(maps, with_rests)
        return in_order(self._routing.prepare(settings.routing), partial(self._take_over, maps, tags))

    def _compile_tags(self, maps: FlowMaps, pace: Pace[Any] = iter) -> dict[str | None, TagRules]:
        """Compile the maps that tag flows, in any thread; of their rows nothing stays."""
        compiled = {}
        for name, tags in maps.take_tags().items():
            compiled[name] = tag_rules(tags, self._layout, self._texts, pace)
            give_back(tags.rows, pace)
        return compiled

    def _take_over(self, maps: FlowMaps, tags: dict[str | None, TagRules]) -> None:
        self._flows.finish()
        self._log.write_all(maps.lines)
        self._maps = maps
        self._enricher.interfaces = self._agents_read_interfaces()
        self._install_maps(tags)
        self._flows.intake.set_allow(self._allows)
        self._flows.intake.set_rates(self._rates)
        for views, source in zip(self._views, self._sources, strict=True):
            views.replace_agents(maps.agent_rows)
            source.forget_views()

    def _install_maps(self, tags: dict[str | None, TagRules]) -> None:
        """Put the stages of maps around the look-ups."""
        for one in self._taggers:
            one.close()
        maps, layout, texts = self._maps, self._layout, self._texts
        stages: list[Any] = []
        if maps.rds is not None:
            stages.append(RdStage(maps.rds, layout, texts))
        if maps.next_hops is not None and "bgp_next_hop" in layout:
            stages.append(NextHopStage(maps.next_hops, layout, texts))
        stages += [self._own, self._enricher]
        stages += [
            SourceSideStage(column, numbers, layout, texts)
            for column, numbers in maps.source_side.items()
            if column in layout
        ]
        stages += maps.changes.common(layout)
        self._taggers = []
        if None in tags:
            self._taggers.append(tags[None].tagger(texts))
            stages += self._taggers
        outlets = []
        for plugin in self._plugins:
            own = tags[plugin.name].tagger(texts) if plugin.name in tags else None
            if own is not None:
                self._taggers.append(own)
            own_stages = maps.changes.of_plugin(plugin.name, layout)
            outlets.append(
                Outlet(
                    plugin,
                    self._filters.get(plugin.name, ()),
                    stages=own_stages if own is None else [*own_stages, own],
                    changes=maps.changes.hiding(plugin.name, layout),
                    writes=maps.changes.writes(plugin.name, layout) | set(() if own is None else TAG_COLUMNS),
                )
            )
        self._pipeline.stages, self._pipeline.outlets = stages, outlets

    def _make_enricher(self, correlation: Correlation, asked: frozenset[str], planes: list[str]) -> Enricher:
        stores: dict[Rib, tuple[Resolver, Facts]] = {}  # planes may share them, and what is known of their paths
        for plane in self._routing:
            if plane.rib not in stores:
                resolver = Resolver(plane.rib)
                facts = Facts(
                    resolver,
                    self._texts,
                    correlation.texts(asked),
                    radius=correlation.radius,
                    outside=correlation.skips_confederations,
                    numeric=correlation.numeric,
                    amend=correlation.amend(),
                )
                stores[plane.rib] = resolver, facts
                self._resolvers.append(resolver)
                self._facts.append(facts)
            resolver, facts = stores[plane.rib]
            views = Views(
                resolver,
                plane.tables,
                self._exporter_of,
                self._maps.agent_rows,
                labelled_for_all=plane.name == "bgp",
                falls_back=correlation.falls_back,
            )
            follower = Follower(
                resolver,
                views.follow,
                defaults=correlation.follow_defaults,
                prefixes=correlation.follow_next_hops,
                external=correlation.follow_external,
            )
            self._views.append(views)
            source = Source(resolver, facts, views.choose, views.explain, payloads=plane.payloads, follower=follower)
            self._sources.append(source)
        return Enricher(
            self._layout,
            self._texts,
            self._sources,
            correlation.groups(planes),
            interfaces=self._agents_read_interfaces(),
        )

    def _agents_read_interfaces(self) -> bool:
        return any(row.reads_interfaces for row in self._maps.agent_rows)

    def _asked(self) -> frozenset[str]:
        """Return the names of the columns that plugins and maps ask for."""
        of_plugins = {column.name for plugin in self._settings.plugins for column in plugin.columns}
        of_filters = {name for filters in self._settings.filters.values() for name in filters.columns}
        names = of_plugins | of_filters | self._maps.columns
        if self._maps.source_side:
            names |= {"source_next_hop", "source_neighbour_as"}
        return frozenset(names)

    # what changes while flows come

    def _prepare(self) -> None:
        """Forget what was chosen for exporters and peers that have changed."""
        intake = self._flows.intake
        if intake.changed:
            intake.changed.clear()
            self._forget()
        for views, source in zip(self._views, self._sources, strict=True):
            if views.changed():
                source.forget_views()

    def _forget(self) -> None:
        for views, source in zip(self._views, self._sources, strict=True):
            views.forget()
            source.forget_views()

    def _tidy(self) -> None:
        for facts in self._facts:
            facts.sweep(TIDY_PATHS)

    def _age(self) -> None:
        self._flows.intake.age(int(time.time() * MICROSECONDS))

    def _hear(self, event: object) -> None:
        self._reports(event)
        if self._templates is not None:
            self._templates.hear(event)
        self._sharing.hear(event)
        if self._counter_log is not None:
            self._counter_log.hear(event)

    def _exporter_of(self, slot: int) -> Exporter:
        exporter = self._flows.intake.exporters[slot]
        return Exporter(address_of(exporter.address), address_of(exporter.compared_address))

    def _allows(self, address: bytes) -> bool:
        return self._maps.allow is None or self._maps.allow.permits(address_of(address))

    def _rates(self, address: bytes) -> Any:
        return self._maps.rates_of(address)
