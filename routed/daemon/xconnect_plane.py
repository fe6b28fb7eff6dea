"""The plane of a daemon that passes BGP sessions on: a listener and its maps, put together from settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from routed.daemon.door import ListeningSocket
from routed.daemon.glass import Glass
from routed.daemon.map_files import Maps
from routed.plumbing.lifecycle import in_order
from routed.plumbing.metrics import Registry
from routed.service.dial import Dialler
from routed.service.listener import Policy
from routed.service.neighbors import neighbors_file
from routed.service.peer_maps import key_of
from routed.service.reports import Reporter
from routed.service.socket_options import open_outgoing
from routed.service.xconnect_listener import Audience, Routing, XconnectListener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from routed.daemon.settings import BgpSettings
    from routed.plumbing.log import Log
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload


class XconnectPlane:
    """Sessions passed on as the settings want it.

    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: BgpSettings, log: Log) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        self._reporter = Reporter(log)
        self._maps = Maps(settings.listener, settings.maps)
        log.write_all(self._maps.lines)
        self.metrics = Registry()
        self._door = ListeningSocket(reactor, settings.listener, self._maps, log=log, reporter=self._reporter)
        self._listener = self._make_listener()
        self._glass = Glass(reactor, settings.glass, log, self.metrics, "pmbgpd")
        self._glass.show_status()

    def start(self) -> None:
        """Begin to accept peers."""
        self._listener.startService()

    async def stop(self) -> None:
        """End all sessions at both ends."""
        self._glass.stop()
        stopped = self._listener.stopService()
        self._door.close()
        await stopped

    def reopen(self) -> None:
        """Have no files but the log."""

    def serve_reload(self, reload: Reload) -> None:
        """Let a looking glass ask for a reload."""
        self._glass.serve_reload(reload)

    def prepare(self, settings: BgpSettings) -> Callable[[], None]:
        """Read the maps again, in any thread; return what takes them over, in the reactor's.

        Raises: StartError when one cannot be used, and nothing has changed.
        """
        maps = Maps(settings.listener, settings.maps, strict=True)
        return in_order(self._glass.prepare(), partial(self._take_over, settings, maps))

    def _take_over(self, settings: BgpSettings, maps: Maps) -> None:
        """Let new sessions follow the maps; those that are being passed on stay as they are."""
        self._settings = settings
        self._log.write_all(maps.lines)
        self._maps.take(maps)
        self._door.reload()
        self._listener.configure(self._policy())

    def _policy(self) -> Policy:
        return Policy(settings=self._settings.listener, allows=self._maps.allows)

    def _make_listener(self) -> XconnectListener:
        routing = Routing(self._maps.destination, Dialler(self._reactor, self._open_outgoing))
        settings = self._settings
        neighbors = neighbors_file(
            settings.listener.neighbors_file, self._reactor, self._reporter, settings.process.owner
        )
        audience = Audience(self._reporter, self.metrics, neighbors)
        return XconnectListener(self._reactor, self._door.listen, self._policy(), routing, audience)

    def _open_outgoing(self, address: IPv4Address | IPv6Address) -> socket.socket:
        return open_outgoing(address, self._settings.listener, key_of(self._maps.md5_keys(), address))
