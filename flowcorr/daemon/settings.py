"""From configuration to settings: what each part of a flow daemon is told, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flowcorr.daemon.correlation_settings import correlation_settings, map_paths
from flowcorr.daemon.flow_maps import FileSettings
from flowcorr.daemon.input_settings import InputSettings, input_settings, intake_settings
from flowcorr.daemon.plugins import PluginPlan, plugin_plans
from flowcorr.service.custom_primitives import parse_custom_primitives
from routed.daemon.plane import RoutingSettings, log_settings, process_settings, routing_settings
from routed.plumbing.maps import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowcorr.collect.settings import IntakeSettings
    from flowcorr.correlate.correlation import Correlation
    from flowcorr.wire.custom_primitive import CustomPrimitive
    from routed.plumbing.config import Configuration
    from routed.plumbing.log import LogSettings
    from routed.plumbing.process import ProcessSettings


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
    plugins: tuple[PluginPlan, ...]

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time."""
        return self.routing.connections


def flow_settings(c: Configuration, daemon: str) -> FlowSettings:
    """Build the settings of a daemon, whose name begins those of its keys, from a usable configuration."""
    limits = Limits(c.of("maps_entries", int), c.of("maps_row_len", int))
    custom = custom_primitives(c, limits)
    plans = plugin_plans(c, daemon, custom)
    return FlowSettings(
        process=process_settings(c),
        log=log_settings(c, daemon),
        dry_run=c.maybe("dry_run", str),
        routing=routing_settings(c),
        correlation=correlation_settings(c, daemon),
        files=FileSettings(
            paths=map_paths(c),
            allow=_path(c, f"{daemon}_allow_file"),
            pre_tags={
                plan.name: path for plan in plans if (path := _path(c.for_plugin(plan.name), "pre_tag_map")) is not None
            },
            limits=limits,
        ),
        intake=intake_settings(c, daemon, tuple(custom.values())),
        inputs=input_settings(c, daemon),
        plugins=plans,
    )


def custom_primitives(c: Configuration, limits: Limits) -> Mapping[str, CustomPrimitive]:
    """Read the primitives that the operator defines, which hold until a restart."""
    path = _path(c, "aggregate_primitives")
    return {} if path is None else parse_custom_primitives(path.read_text(errors="replace"), str(path), limits)


def _path(c: Configuration, key: str) -> Path | None:
    text = c.maybe(key, str)
    return None if text is None else Path(text)
