"""The routing plane of a daemon: listener, collector, message log and dumps, put together from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.plumbing.dump_file import DumpFile
from routed.plumbing.maps import MapFile
from routed.plumbing.metrics import Registry
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import FileOptions, PoolThreads, Sink, SinkState, Watch
from routed.plumbing.sink_file import FileSink
from routed.rib._rib import Rib
from routed.service.bgp_listener import Audience, BgpListener
from routed.service.collector import Collector
from routed.service.dump import Dumper
from routed.service.listener import Policy
from routed.service.message_log import MessageLog
from routed.service.neighbors import NeighborsFile
from routed.service.peer_maps import parse_allow_list, parse_md5_keys
from routed.service.records import Counter
from routed.service.reports import Line, Reporter
from routed.service.socket_options import Md5Keys, open_listener
from routed.service.tag_map import parse_tag_map
from routed.service.tagging import Tagging
from routed.session.bgp_passive import BgpPassive
from routed.session.negotiation import LocalSpeaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from twisted.internet.interfaces import IListeningPort
    from twisted.internet.protocol import Factory

    from routed.daemon.settings import Settings
    from routed.plumbing.log import Log, LogLine
    from routed.service.clock import DaemonReactor
    from routed.service.peer_maps import AllowList
    from routed.service.tag_map import TagMap


class RoutingPlane:
    """BGP as the settings want it.

    Raises: MapError, ListenError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: Settings, log: Log, *, seed: int) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        self._reporter = Reporter(log)
        self._in_thread = PoolThreads(reactor)
        self._maps = Maps(settings, log)
        self._file_options = FileOptions(owner=settings.process.owner)
        self.metrics = Registry()
        sequence = Counter()
        tagging = Tagging(
            self._maps.tags,
            label_as_map=settings.render.label_as_map,
            label_filter=None if settings.message_log is None else settings.message_log.label_filter,
        )
        self._message_log = self._make_message_log(sequence)
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
        self._dumper = self._make_dumper(sequence)

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

    def _make_message_log(self, sequence: Counter) -> MessageLog | None:
        settings = self._settings.message_log
        if settings is None:
            return None
        size = settings.queue_size
        options = FileOptions(
            owner=self._file_options.owner, bounds=Bounds(limit=size, full=size // 2, drained=size // 8)
        )

        def open_sink(name: str, watch: Watch) -> Sink:
            watch = Watch(on_state=self._report_sink, on_full=watch.on_full, on_drained=watch.on_drained)
            return FileSink(name, clock=self._reactor, in_thread=self._in_thread, watch=watch, options=options)

        return MessageLog(settings.file, open_sink, self._settings.render, sequence)

    def _report_sink(self, state: SinkState) -> None:
        if state.failing:
            text = f"[{state.name}] {state.reason}: retrying, {state.rows_queued} rows wait, {state.rows_lost} lost"
            self._log.error(text)
        elif state.reason:
            self._log.warning(f"[{state.name}] {state.reason}, {state.rows_lost} rows lost")
        else:
            self._log.info(f"[{state.name}] written again, {state.rows_lost} rows lost")

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
            owner=self._file_options.owner,
        )

    def _make_dumper(self, sequence: Counter) -> Dumper | None:
        settings = self._settings.dump
        if settings is None:
            return None

        def open_dump(name: str, latest: str | None) -> DumpFile:
            return DumpFile(name, in_thread=self._in_thread, latest=latest, options=self._file_options)

        dumper = Dumper(
            self._reactor,
            settings,
            self._settings.render,
            source=self._collector,
            open_dump=open_dump,
            in_thread=self._in_thread,
            sequence=sequence,
            log=self._log,
        )
        self.metrics.add("dump", dumper.counters)
        return dumper


class Maps:
    """The map files of the plane.

    Raises: MapError when one cannot be read.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        listener, maps = settings.listener, settings.maps
        self._allow: MapFile[AllowList] | None = None
        self._md5: MapFile[dict[IPv4Address | IPv6Address, bytes]] | None = None
        self._tags: MapFile[TagMap] | None = None
        if listener.allow_file is not None:
            self._allow = MapFile(listener.allow_file, parse_allow_list, announce=False)
        if listener.md5_file is not None:
            self._md5 = MapFile(listener.md5_file, parse_md5_keys)
        if maps.tag_map is not None:
            self._tags = MapFile(
                maps.tag_map, lambda text, name: parse_tag_map(text, name, maps.limits, recirculate=maps.recirculate)
            )
        for file in self._files():
            log.write_all(file.load())

    def reload(self) -> list[LogLine]:
        """Read all files again; what to log about them. A file that cannot be read keeps its content."""
        return [line for file in self._files() for line in file.reload()]

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Tell whether a peer may connect."""
        return self._allow is None or self._allow.content.permits(address)

    def md5_keys(self) -> dict[IPv4Address | IPv6Address, bytes]:
        """Return the TCP-MD5 keys by address."""
        return {} if self._md5 is None else self._md5.content

    @property
    def tags(self) -> Callable[[], TagMap] | None:
        """Return where the tag map is to be asked for, None when there is none."""
        tags = self._tags
        return None if tags is None else lambda: tags.content

    def _files(self) -> list[MapFile[AllowList] | MapFile[dict[IPv4Address | IPv6Address, bytes]] | MapFile[TagMap]]:
        return [file for file in (self._allow, self._md5, self._tags) if file is not None]
