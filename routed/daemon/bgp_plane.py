"""The BGP plane of a daemon: listener, collector, message log and dumps, put together from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.daemon.map_files import Maps
from routed.daemon.outputs import Outputs
from routed.plumbing.metrics import Registry
from routed.rib._rib import Rib
from routed.service.bgp_listener import Audience, BgpListener
from routed.service.collector import Collector
from routed.service.listener import Policy
from routed.service.neighbors import NeighborsFile
from routed.service.reports import Line, Reporter
from routed.service.socket_options import Md5Keys, open_listener
from routed.service.tagging import Tagging
from routed.session.bgp_passive import BgpPassive
from routed.session.negotiation import LocalSpeaker

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort
    from twisted.internet.protocol import Factory

    from routed.daemon.settings import BgpSettings
    from routed.plumbing.log import Log
    from routed.service.clock import DaemonReactor


class BgpPlane:
    """BGP as the settings want it.

    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: BgpSettings, log: Log, *, seed: int) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        self._reporter = Reporter(log)
        self._maps = Maps(settings.listener, settings.maps, log)
        self.metrics = Registry()
        outputs = Outputs(reactor, settings, log, self.metrics)
        tagging = Tagging(
            self._maps.tags,
            label_as_map=settings.render.label_as_map,
            label_filter=None if settings.message_log is None else settings.message_log.label_filter,
        )
        self._message_log = outputs.message_log()
        self._collector = Collector(
            reactor,
            Rib(seed),
            settings.speaker,
            log=log,
            tagging=tagging,
            message_log=self._message_log,
            compare_ports=settings.listener.compare_ports,
            max_retained=settings.listener.max_peers,
        )
        self._listener = self._make_listener()
        self._dumper = outputs.dumper(self._collector)

    def start(self) -> None:
        """Begin to accept peers."""
        self._listener.startService()
        self._collector.start()
        if self._dumper is not None:
            self._dumper.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        swept = self._collector.stop()
        if self._dumper is not None:
            await self._dumper.stop()
        stopped = self._listener.stopService()
        self._listening.close()  # or a successor on the same port would lose connections to it
        await stopped
        await swept
        if self._message_log is not None:
            await self._message_log.close()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        if self._message_log is not None:
            self._message_log.reopen()

    def reload(self) -> None:
        """Read the maps again."""
        if not self._settings.maps.refresh:
            return
        self._log.write_all(self._maps.reload())
        self._md5.load(self._maps.md5_keys())
        self._collector.retag()

    def _make_listener(self) -> BgpListener:
        settings, speaker = self._settings.listener, self._settings.speaker
        local = LocalSpeaker(
            router_id=speaker.router_id.packed,
            asn=speaker.asn,
            hold_time=speaker.hold_time,
            add_path=speaker.add_path,
            graceful_restart=speaker.graceful_restart,
            role=speaker.role,
            host_name=speaker.hostname or "",
        )
        listening = open_listener(settings)
        for warning in listening.warnings:
            self._log.warning(warning)
        self._md5 = Md5Keys(listening.socket, lambda problem: self._reporter.say(Line.MD5, problem=problem))
        self._md5.load(self._maps.md5_keys())
        policy = Policy(settings=settings, allows=self._maps.allows, check_router_id=speaker.check_router_id)
        audience = Audience(subscriber=self._collector, reporter=self._reporter, neighbors=self._make_neighbors_file())
        self.metrics.add("daemon", audience.counters)
        self._reporter.say(
            Line.WAITING, interface=settings.interface or "all", ip=settings.address or "::", port=settings.port
        )
        self._reporter.say(Line.MAX_PEERS, max_peers=settings.max_peers)
        self._listening = sock = listening.socket

        def listen(factory: Factory) -> IListeningPort:
            port: IListeningPort = self._reactor.adoptStreamPort(  # type: ignore[no-untyped-call]  # bare in Twisted
                sock.fileno(), sock.family, factory
            )
            return port

        return BgpListener(self._reactor, listen, policy, audience, lambda admit: BgpPassive(local, admit))

    def _make_neighbors_file(self) -> NeighborsFile | None:
        path = self._settings.listener.neighbors_file
        if path is None:
            return None
        return NeighborsFile(
            path,
            later=lambda work: self._reactor.callLater(0, work),
            on_error=lambda problem: self._reporter.say(Line.NEIGHBORS_FILE, problem=problem),
            owner=self._settings.process.owner,
        )
