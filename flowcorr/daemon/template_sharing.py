"""All ways by which templates go to other collectors and come from them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flowcorr.service.template_port import TemplatePort
from flowcorr.service.template_receiver import TemplateReceiver
from flowcorr.service.udp_socket import open_udp

if TYPE_CHECKING:
    from flowcorr.daemon.sharing_settings import SharingSettings
    from flowcorr.service.flow_input import FlowInput
    from flowcorr.service.template_peers import TemplatePeers
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry


class TemplateSharing:
    """Shares what the settings say, from its start to its stop.

    Raises: StartError.
    """

    def __init__(self, reactor: Any, settings: SharingSettings, flows: FlowInput, log: Log, metrics: Registry) -> None:
        self._receiver: TemplateReceiver | None = None
        self._port: TemplatePort | None = None
        self._peers: TemplatePeers | None = None
        if settings.receiver is not None:
            self._receiver = TemplateReceiver(settings.receiver, log.warning, reactor.seconds)
            metrics.add("flowcorr_templates_receiver", self._receiver.counters)
        if settings.port is not None:
            opened = open_udp(settings.port)
            self._port = TemplatePort(reactor, opened.socket, flows)
            metrics.add("flowcorr_templates_port", self._port.counters)
            where = f"ip={settings.port.address or '::'} port={settings.port.port}/udp"
            log.info(f"waiting for NetFlow/IPFIX templates on {where}")
        if settings.serves is not None or settings.peers:
            from flowcorr.service.template_peers import TemplatePeers  # noqa: PLC0415 (a library that few need)

            epoch = secrets.token_hex(8)
            self._peers = TemplatePeers(reactor, settings.serves, settings.peers, flows, log, epoch)
            self._peers.measure(metrics)

    def hear(self, event: object) -> None:
        """Note an event of the intake."""
        if self._receiver is not None:
            self._receiver.hear(event)

    def start(self) -> None:
        """Begin."""
        if self._port is not None:
            self._port.startService()
        if self._peers is not None:
            self._peers.start()

    def stop(self) -> None:
        """Share nothing any more."""
        if self._peers is not None:
            self._peers.stop()
        if self._port is not None:
            self._port.stopService()
        if self._receiver is not None:
            self._receiver.close()
