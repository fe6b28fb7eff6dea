"""From configuration to settings: what each part of a flow daemon is told, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcorr.daemon.change_settings import change_settings
from flowcorr.daemon.correlation_settings import correlation_settings, map_paths
from flowcorr.daemon.filter_settings import FilterSettings, filter_settings
from flowcorr.daemon.flow_maps import FileSettings
from flowcorr.daemon.input_settings import InputSettings, input_settings, intake_settings
from flowcorr.daemon.plugin_settings import PluginSettings, plugin_settings
from flowcorr.daemon.sharing_settings import SharingSettings, sharing_settings
from flowcorr.service.counter_log import MOST_FILES
from flowcorr.service.custom_primitives import PrimitivesError, parse_custom_primitives
from flowcorr.service.ipfix_stream import MAX_CONNECTIONS
from flowcorr.service.memory_server import MOST_CLIENTS
from routed.daemon.plane import (
    RoutingSettings,
    exact_times,
    log_settings,
    map_limits,
    process_settings,
    routing_settings,
)
from routed.plumbing.names import NameTemplate
from routed.plumbing.output_file import Owner
from routed.plumbing.statements import Kind, Problem
from routed.plumbing.zeromq_settings import MOST_ZMQ_DESCRIPTORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from flowcorr.collect.settings import IntakeSettings
    from flowcorr.correlate.correlation import Correlation
    from flowcorr.wire.custom_primitive import CustomPrimitive
    from routed.plumbing.config import Configuration
    from routed.plumbing.log import LogSettings
    from routed.plumbing.process import ProcessSettings


#: Owner of files that are not written.
NOBODY = Owner()


@dataclass(frozen=True, slots=True)
class CounterSettings:
    """Where counter samples are logged. `exact` writes a time in seconds since 1970."""

    file: NameTemplate
    exact: Callable[[float], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """Everything that a flow daemon is told."""

    process: ProcessSettings
    log: LogSettings
    dry_run: str | None
    routing: RoutingSettings
    correlation: Correlation
    files: FileSettings
    intake: IntakeSettings
    inputs: InputSettings
    templates: Path | None  # where they are kept over a restart
    sharing: SharingSettings
    counters: CounterSettings | None
    plugins: tuple[PluginSettings, ...]
    filters: Mapping[str, FilterSettings]  # by name of the plugin

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time, and files that exporters decide about."""
        tables = sum(plugin.declared.kind == "memory" for plugin in self.plugins)
        return (
            self.routing.connections
            + (MAX_CONNECTIONS if self.inputs.tcp_port is not None else 0)
            + (MOST_ZMQ_DESCRIPTORS if self.sharing.serves is not None else 0)
            + (MOST_FILES if self.counters is not None else 0)
            + MOST_CLIENTS * tables
        )


def flow_settings(c: Configuration, daemon: str) -> FlowSettings:
    """Build the settings of a daemon, whose name begins those of its keys, from a usable configuration."""
    process, custom = process_settings(c), custom_primitives(c)
    plugins = plugin_settings(c, daemon, custom, process.owner).plugins
    inputs = input_settings(c, daemon)
    return FlowSettings(
        process=process,
        log=log_settings(c, daemon),
        dry_run=c.maybe("dry_run", str),
        routing=routing_settings(c, daemon),
        correlation=correlation_settings(c, daemon, [plugin.declared.name for plugin in plugins]),
        files=FileSettings(
            paths=map_paths(c),
            allow=c.path(f"{daemon}_allow_file"),
            pre_tags={
                plugin.declared.name: path
                for plugin in plugins
                if (path := c.for_plugin(plugin.declared.name).path("pre_tag_map")) is not None
            },
            limits=map_limits(c),
            recirculate=not c.of("pre_tag_map_dont_recirculate", bool),
            changes={plugin.declared.name: change_settings(c, daemon, plugin.declared.name) for plugin in plugins},
        ),
        intake=intake_settings(c, daemon, tuple(custom.values())),
        inputs=inputs,
        templates=c.path("nfacctd_templates_file") if daemon == "nfacctd" else None,
        sharing=sharing_settings(c, daemon, inputs),
        counters=_counters(c, daemon),
        plugins=plugins,
        filters={plugin.declared.name: filter_settings(c.for_plugin(plugin.declared.name)) for plugin in plugins},
    )


def _counters(c: Configuration, daemon: str) -> CounterSettings | None:
    name = c.maybe("sfacctd_counter_file", NameTemplate) if daemon == "sfacctd" else None
    return None if name is None else CounterSettings(name, exact_times(c))


def custom_primitives(c: Configuration) -> Mapping[str, CustomPrimitive]:
    """Read the primitives that the operator defines, which hold until a restart.

    Raises: OSError, PrimitivesError.
    """
    path = c.path("aggregate_primitives")
    if path is None:
        return {}
    return parse_custom_primitives(path.read_text(encoding="utf-8-sig", errors="replace"), str(path), map_limits(c))


def plugins_are_understood(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Refuse plugins and primitives of the operator that cannot be understood."""
    try:
        custom = custom_primitives(c)
    except PrimitivesError as error:
        yield from (Problem(Kind.BAD_VALUE, line) for line in error.lines)
    except OSError as error:
        text = f"{c.where('aggregate_primitives')} aggregate_primitives: [{error.filename}] {error.strerror}"
        yield Problem(Kind.BAD_VALUE, text)
    else:
        yield from plugin_settings(c, daemon, custom, NOBODY).problems
