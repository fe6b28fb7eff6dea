"""The BGP plane of a daemon: listener, collector, message log and dumps, put together from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.daemon.collecting import CollectingPlane
from routed.service.bgp_listener import Audience, BgpListener
from routed.service.collector import Collector
from routed.service.flow_tables import BgpFlowTables
from routed.service.listener import Policy
from routed.service.measures import measure_bgp
from routed.service.neighbors import neighbors_file
from routed.service.visible import BgpTables
from routed.session.bgp_passive import BgpPassive
from routed.session.negotiation import LocalSpeaker

if TYPE_CHECKING:
    from routed.daemon.foundation import Foundation
    from routed.daemon.map_files import Maps
    from routed.daemon.settings import BgpSettings
    from routed.plumbing.log import Log
    from routed.service.clock import DaemonReactor
    from routed.service.settings import SpeakerSettings


class BgpPlane(CollectingPlane["BgpSettings"]):
    """BGP as the settings want it.

    Args:
        seed: of the hashes of its own stores.
        foundation: what it shares with other planes; its own unless given.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: BgpSettings,
        log: Log,
        *,
        seed: int,
        foundation: Foundation | None = None,
    ) -> None:
        super().__init__(reactor, settings, log, "BGP", seed=seed, foundation=foundation)
        self._reactor, self._settings = reactor, settings
        self._bgp_collector = Collector(
            reactor,
            self.rib,
            settings.speaker,
            log=log,
            tagging=self._tagging,
            message_log=self._message_log,
            compare_ports=settings.listener.compare_ports,
            max_retained=settings.listener.max_peers,
        )
        neighbors = neighbors_file(settings.listener.neighbors_file, reactor, self._reporter, settings.process.owner)
        audience = Audience(subscriber=self._bgp_collector, reporter=self._reporter, neighbors=neighbors)
        self._local = local_speaker(settings.speaker)
        listener = BgpListener(
            reactor,
            self._door.listen,
            self.policy(settings),
            audience,
            lambda admit: BgpPassive(self._local, admit),
        )
        self.complete(self._bgp_collector, listener)
        tables = BgpTables(
            self._bgp_collector,
            peer_id=settings.render.peer_id,
            connected=lambda: listener.peers,
            clock=reactor.seconds,
        )
        measure_bgp(self.metrics, self._bgp_collector, lambda: listener.peers, reactor.seconds)
        self.show(tables)
        self.flow_tables = BgpFlowTables(self._bgp_collector, check_router_id=settings.speaker.check_router_id)

    def policy(self, settings: BgpSettings) -> Policy:
        """Return who may connect."""
        return Policy(
            settings=settings.listener, allows=self._maps.allows, check_router_id=settings.speaker.check_router_id
        )

    def _take_over(self, settings: BgpSettings, maps: Maps) -> None:
        self._local = local_speaker(settings.speaker)  # of sessions that begin from now on
        self._bgp_collector.configure(settings.speaker, max_retained=settings.listener.max_peers)
        super()._take_over(settings, maps)


def local_speaker(speaker: SpeakerSettings) -> LocalSpeaker:
    """Return how we present ourselves in OPENs."""
    return LocalSpeaker(
        router_id=speaker.router_id.packed,
        asn=speaker.asn,
        hold_time=speaker.hold_time,
        add_path=speaker.add_path,
        graceful_restart=speaker.graceful_restart,
        role=speaker.role,
        host_name=speaker.hostname or "",
    )
