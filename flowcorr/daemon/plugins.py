"""Plugins of a flow daemon: instances at work, made of what the configuration says of each."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from flowcorr.correlate.aggregation import MOST_ENTRIES, Aggregation
from flowcorr.correlate.live_table import LiveTable
from flowcorr.daemon.broker_plugins import BrokerPlugin, broker_writer
from flowcorr.service.memory_answer import Table
from flowcorr.service.memory_plugin import MemoryPlugin, MemorySettings
from flowcorr.service.plugins import FlowPlugin, Surroundings
from flowcorr.service.print_writer import PrintWriter
from flowcorr.service.trigger import Trigger
from routed.plumbing.build import build
from routed.plumbing.log import Level
from routed.plumbing.names import Variable
from routed.plumbing.schema_files import write_schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from flowcorr.columns._texts import Texts
    from flowcorr.columns.layout import Layout
    from flowcorr.daemon.plugin_settings import Declared, PluginSettings
    from flowcorr.service.broker_writer import BrokerWriter
    from routed.daemon.plane import BrokerSinks
    from routed.plumbing.log import Log
    from routed.plumbing.sink import InThread


def make_plugin(  # noqa: PLR0917 (what a daemon has)
    settings: PluginSettings,
    layout: Layout,
    texts: Texts,
    clock: IReactorTime,
    in_thread: InThread,
    log: Log,
    wall_clock: Callable[[], float] = time.time,
    sinks: BrokerSinks | None = None,
) -> FlowPlugin | MemoryPlugin:
    """Make an instance; it begins with `start`. With a broker it needs `sinks`, and a whole reactor for its clock."""
    now, name = wall_clock(), settings.declared.name
    around = Surroundings(
        clock=clock,
        in_thread=in_thread,
        log=_PluginLog(log, settings.declared),
        pid=os.getpid(),
        wall_clock=wall_clock,
    )
    if isinstance(settings.output, MemorySettings):
        live = _live_table(settings, settings.output, layout, texts)
        table = Table(live, settings.aggregate, settings.rows, now)
        return MemoryPlugin(name, table, settings.output, around)
    aggregation = Aggregation(layout, settings.aggregate, texts, settings.aggregation, now)
    rows = replace(settings.rows, writer_id=_writer_id(settings))
    writer: PrintWriter | BrokerWriter
    if isinstance(settings.output, BrokerPlugin):
        assert sinks is not None
        writer = broker_writer(clock, sinks, settings.output, rows, settings.aggregate, aggregation.plan)
    else:
        writer = PrintWriter(settings.output, rows, settings.aggregate, aggregation.plan)
    if writer.schemas and settings.output.schema_file is not None:
        write_schemas(settings.output.schema_file, writer.schemas, settings.output.owner, around.log.error)
    trigger = None
    if settings.trigger is not None:
        trigger = Trigger(settings.trigger, name, lambda: writer.files, settings.trigger_waits).run
    around = replace(around, after_flush=trigger)
    return FlowPlugin(name, aggregation, writer, around, most_waiting=settings.most_waiting)


def _live_table(settings: PluginSettings, memory: MemorySettings, layout: Layout, texts: Texts) -> LiveTable:
    """Make the table of a memory plugin, whose bound is one of octets where it is configured."""
    how = settings.aggregation
    return LiveTable(
        layout,
        settings.aggregate,
        texts,
        MOST_ENTRIES,
        most_octets=memory.most_octets,
        whole_seconds=how.whole_seconds,
        dscp=how.dscp,
    )


def _writer_id(settings: PluginSettings) -> str:
    """Return who writes records, now that the process is the one that will."""
    values = {
        Variable.PROCESS_NAME: settings.declared.name,
        Variable.WRITER_PID: str(os.getpid()),
        Variable.BUILD: build(),
    }
    return settings.writer_id.expand(values)


class _PluginLog:
    """The log with the name of a plugin in its lines."""

    def __init__(self, log: Log, declared: Declared) -> None:
        self._log, self._declared = log, declared

    def info(self, text: str) -> None:
        self._write(Level.INFO, text)

    def warning(self, text: str) -> None:
        self._write(Level.WARN, text)

    def error(self, text: str) -> None:
        self._write(Level.ERROR, text)

    def _write(self, level: Level, text: str) -> None:
        self._log.write(level, text, self._declared.kind, process=self._declared.name)
