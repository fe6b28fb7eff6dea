"""A flow daemon as a command."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flowcorr.daemon.change_settings import changes_are_whole
from flowcorr.daemon.correlation_settings import correlation_is_whole
from flowcorr.daemon.filter_settings import filters_are_understood
from flowcorr.daemon.input_settings import input_is_built
from flowcorr.daemon.primitives_page import listing
from flowcorr.daemon.settings import FlowSettings, flow_settings, plugins_are_understood
from flowcorr.daemon.sharing_settings import sharing_is_whole
from flowcorr.daemon.unbuilt import keys_are_built
from flowcorr.service.udp_socket import port_of
from routed.daemon.plane import Command, routing_ports
from routed.plumbing.config import Daemons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowcorr.daemon.flow_plane import FlowPlane
    from routed.plumbing.cli import Program
    from routed.plumbing.log import Log
    from routed.plumbing.shared_ports import Port


def flow_command(program: Program) -> Command[FlowSettings]:
    """Make the command of a daemon whose name begins those of its keys."""
    daemon = program.name
    checks = (
        correlation_is_whole,
        changes_are_whole,
        input_is_built,
        sharing_is_whole,
        plugins_are_understood,
        filters_are_understood,
        keys_are_built,
    )
    return Command(
        program,
        Daemons.FLOW,
        partial(flow_settings, daemon=daemon),
        make_plane,
        tuple(partial(check, daemon=daemon) for check in checks),
        ports,
        partial(listing, daemon),
    )


def ports(settings: FlowSettings) -> Iterator[Port]:
    """Go through the ports that several processes share; a capture has none of exporters."""
    if settings.inputs.capture is None:
        yield port_of(settings.inputs.udp)
    yield from routing_ports(settings.routing)


def make_plane(reactor: Any, settings: FlowSettings, log: Log, seed: int, on_end: Callable[[], None]) -> FlowPlane:
    """Make the plane of a flow daemon, which ends with the capture that it plays."""
    from flowcorr.daemon.flow_plane import FlowPlane  # noqa: PLC0415 (imports the reactor)

    return FlowPlane(reactor, settings, log, seed, on_end)
