"""The inputs of a flow daemon: sockets, or a capture in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError

from flowcorr.service.ipfix_stream import IpfixStreams, ask_silent_ones
from flowcorr.service.replay_input import ReplayInput
from flowcorr.service.udp_input import UdpInput
from flowcorr.service.udp_socket import open_udp
from routed.plumbing.lifecycle import StartError
from routed.plumbing.pcap import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowcorr.collect.settings import Allow
    from flowcorr.daemon.input_settings import CaptureSettings, InputSettings
    from flowcorr.service.flow_input import FlowInput
    from routed.plumbing.log import Log


class Inputs:
    """Opens what the settings name, and reads from its start to its stop.

    Raises: StartError.
    """

    def __init__(
        self,
        reactor: Any,
        settings: InputSettings,
        flows: FlowInput,
        log: Log,
        *,
        allow: Allow,
        on_end: Callable[[], None],
    ) -> None:
        self._flows, self._log = flows, log
        self._on_end = on_end
        self._services: list[UdpInput | ReplayInput] = []
        self._port: Any = None
        if settings.capture is not None:
            self._services.append(self._replay(reactor, settings.capture))
            return
        opened = open_udp(settings.udp)
        for warning in opened.warnings:
            log.warning(warning)
        self._services.append(UdpInput(reactor, opened.socket, flows, receive_buffer=opened.receive_buffer))
        where = f"interface={settings.udp.interface or 'all'} ip={settings.udp.address or '::'}"
        log.info(f"waiting for {settings.what} data on {where} port={settings.udp.port}/udp")
        if settings.tcp_port is not None:
            self._streams = IpfixStreams(flows, allow, reactor)
            try:
                interface = str(settings.udp.address or "::")
                self._port = reactor.listenTCP(settings.tcp_port, self._streams, interface=interface)
            except CannotListenError as error:
                raise StartError(f"cannot listen on {where} port={settings.tcp_port}/tcp: {error}") from error
            ask_silent_ones(self._port.socket)
            log.info(f"waiting for IPFIX data on {where} port={settings.tcp_port}/tcp")

    def dropped(self) -> int:
        """Return the datagrams that the system dropped because they were not fetched in time."""
        return sum(service.dropped for service in self._services if isinstance(service, UdpInput))

    def start(self) -> None:
        """Begin to read."""
        for service in self._services:
            service.startService()

    async def stop(self) -> None:
        """Read what has come, then no more."""
        for service in self._services:
            service.stopService()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        self._flows.finish()

    def _replay(self, reactor: Any, capture: CaptureSettings) -> ReplayInput:
        def ended(error: CaptureError | None) -> None:
            if error is not None:
                self._log.error(str(error))
            self._flows.finish()
            if not capture.stays:
                self._on_end()

        try:
            return ReplayInput(
                reactor,
                capture.file,
                self._flows,
                delay=capture.delay,
                times=capture.times,
                filter=capture.filter,
                on_end=ended,
            )
        except CaptureError as error:
            raise StartError(str(error)) from error
        except OSError as error:
            raise StartError(f"[{capture.file}] {error.strerror}") from error
