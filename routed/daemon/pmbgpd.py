"""`pmbgpd`: the passive BGP collector as a command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from routed.daemon.command import Command
from routed.daemon.settings import BgpSettings, pmbgpd_settings
from routed.daemon.switches import PMBGPD
from routed.plumbing.config import Daemons
from routed.service.socket_options import port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.daemon.life import Plane
    from routed.plumbing.log import Log
    from routed.plumbing.shared_ports import Port
    from routed.service.clock import DaemonReactor


def make_plane(
    reactor: DaemonReactor, settings: BgpSettings, log: Log, seed: int, _on_end: Callable[[], None]
) -> Plane[BgpSettings]:
    """Make the plane that collects sessions or passes them on; neither has an end of its own."""
    if settings.maps.xconnect_map is not None:
        from routed.daemon.xconnect_plane import XconnectPlane  # noqa: PLC0415 (imports the reactor)

        return XconnectPlane(reactor, settings, log)
    from routed.daemon.bgp_plane import BgpPlane  # noqa: PLC0415 (the same)

    return BgpPlane(reactor, settings, log, seed=seed)


def ports(settings: BgpSettings) -> Iterator[Port]:
    """Go through the ports that several processes share."""
    yield port_of(settings.listener)


COMMAND: Final = Command(PMBGPD, Daemons.PMBGPD, pmbgpd_settings, make_plane, ports=ports)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
