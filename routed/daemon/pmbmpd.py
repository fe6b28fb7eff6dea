"""`pmbmpd`: the BMP collector as a command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from routed.daemon.command import Command
from routed.daemon.settings import BmpSettings, pmbmpd_settings
from routed.daemon.switches import PMBMPD
from routed.plumbing.config import Daemons
from routed.service.socket_options import port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.daemon.life import Plane
    from routed.plumbing.log import Log
    from routed.plumbing.shared_ports import Port
    from routed.service.clock import DaemonReactor


def make_plane(
    reactor: DaemonReactor, settings: BmpSettings, log: Log, seed: int, on_end: Callable[[], None]
) -> Plane[BmpSettings]:
    """Make the BMP plane, which ends with the capture that it plays."""
    from routed.daemon.bmp_plane import BmpPlane  # noqa: PLC0415 (imports the reactor)

    return BmpPlane(reactor, settings, log, seed=seed, on_end=on_end)


def ports(settings: BmpSettings) -> Iterator[Port]:
    """Go through the ports that several processes share; a capture has none."""
    if settings.replay is None:
        yield port_of(settings.listener)


COMMAND: Final = Command(PMBMPD, Daemons.PMBMPD, pmbmpd_settings, make_plane, ports=ports)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
