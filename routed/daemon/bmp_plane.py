"""The BMP plane of a daemon: listener or capture, collector, message log and dumps, put together from settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twisted.internet.defer import maybeDeferred

from routed.daemon.map_files import Maps
from routed.daemon.outputs import Outputs
from routed.plumbing.metrics import Registry
from routed.rib._rib import Rib
from routed.service.bmp_collector import BmpCollector
from routed.service.bmp_listener import BmpListener
from routed.service.listener import Policy
from routed.service.replay import Replay
from routed.service.reports import Line, Reporter
from routed.service.socket_options import Md5Keys, open_listener
from routed.service.tagging import Tagging
from routed.service.tls import TlsError, TlsIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IListeningPort
    from twisted.internet.protocol import Factory

    from routed.daemon.settings import BmpSettings
    from routed.plumbing.log import Log
    from routed.plumbing.pcap import CaptureError
    from routed.service.clock import DaemonReactor


class BmpPlane:
    """BMP as the settings want it.

    Args:
        seed: of the hashes of the stores.
        on_end: called when a capture has been played and nothing is left to do.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: BmpSettings,
        log: Log,
        *,
        seed: int,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._reactor, self._settings, self._log, self._on_end = reactor, settings, log, on_end
        self._reporter = Reporter(log, "BMP")
        self._maps = Maps(settings.listener, settings.maps, log)
        self._identity = None if settings.tls is None else TlsIdentity(settings.tls)
        self.metrics = Registry()
        self._replay: Replay | None = None
        outputs = Outputs(reactor, settings, log, self.metrics, self._now)
        tagging = Tagging(
            self._maps.tags,
            label_as_map=settings.render.label_as_map,
            label_filter=None if settings.message_log is None else settings.message_log.label_filter,
        )
        self._message_log = outputs.message_log()
        self._collector = BmpCollector(
            reactor,
            Rib(seed),
            settings.station,
            log=log,
            reporter=self._reporter,
            tagging=tagging,
            message_log=self._message_log,
            wall_clock=self._now,
        )
        self._listener = self._make_replay() if settings.replay is not None else self._make_listener()
        self._dumper = outputs.dumper(self._collector, "BMP")

    def start(self) -> None:
        """Begin to accept routers, or to play the capture."""
        if self._replay is None:
            self._listener.startService()
        else:
            self._replay.startService()
        self._collector.start()
        if self._dumper is not None:
            self._dumper.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        if self._replay is not None:
            self._replay.stopService()
        swept = self._collector.stop()
        if self._dumper is not None:
            await self._dumper.stop()
        stopped = maybeDeferred(self._listener.stopService)
        if self._replay is None:
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
        """Read maps and certificates again."""
        if not self._settings.maps.refresh:
            return
        self._log.write_all(self._maps.reload())
        if self._replay is None:
            self._md5.load(self._maps.md5_keys())
        if self._identity is not None:
            try:
                self._identity.reload()
            except TlsError as error:
                self._log.warning(f"{error}: the certificate that was read before stays")
        self._collector.retag()

    def _now(self) -> float:
        """Return the time that records show: that of a capture while it is played."""
        return time.time() if self._replay is None else self._replay.now()

    def _make_listener(self) -> BmpListener:
        settings = self._settings.listener
        listening = open_listener(settings)
        for warning in listening.warnings:
            self._log.warning(warning)
        self._md5 = Md5Keys(listening.socket, lambda problem: self._reporter.say(Line.MD5, problem=problem))
        self._md5.load(self._maps.md5_keys())
        self._listening = sock = listening.socket

        def listen(factory: Factory) -> IListeningPort:
            port: IListeningPort = self._reactor.adoptStreamPort(  # type: ignore[no-untyped-call]  # bare in Twisted
                sock.fileno(), sock.family, factory
            )
            return port

        listener = self._new_listener(listen)
        self._reporter.say(Line.MAX_PEERS, max_peers=settings.max_peers)
        self._reporter.say(
            Line.WAITING, interface=settings.interface or "all", ip=settings.address or "::", port=settings.port
        )
        return listener

    def _make_replay(self) -> BmpListener:
        """Make what plays a capture into the sessions of a listener that does not listen."""
        settings = self._settings.replay
        assert settings is not None

        def listen(_: Factory) -> IListeningPort:
            raise AssertionError("a capture is played instead")

        listener = self._new_listener(listen)
        self._replay = Replay(
            self._reactor,
            settings.file,
            listener.accept,
            delay=settings.delay,
            times=settings.times,
            filter=settings.filter,
            on_end=self._played,
        )
        self._log.info(f"[{settings.file}] is played instead of listening")
        return listener

    def _new_listener(self, listen: Callable[[Factory], IListeningPort]) -> BmpListener:
        policy = Policy(settings=self._settings.listener, allows=self._maps.allows)
        listener = BmpListener(
            self._reactor,
            listen,
            policy,
            reporter=self._reporter,
            subscriber=self._collector,
            identity=self._identity,
        )
        self.metrics.add("daemon", listener.counters)
        return listener

    def _played(self, error: CaptureError | None) -> None:
        settings = self._settings.replay
        assert settings is not None
        if error is not None:
            self._log.error(str(error))
        self._log.info(f"[{settings.file}] has been played")
        if not settings.stays:
            self._collector.idle().addCallback(lambda _: self._on_end())
