"""Templates from other collectors and for them, over ZeroMQ: each asks the others what has changed since it asked last.

Unlike templates passed on over UDP, these need no replicator and no privileges, they cross the families of IP, and a
collector that starts anew gets all that the others know.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from flowcorr.collect.template_exchange import ExchangeError, Listener, Teller
from routed.plumbing.zeromq import ReplyTo, ZmqServer
from routed.plumbing.zeromq_asker import ZmqAsker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcorr.service.flow_input import FlowInput
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.plumbing.zeromq_settings import Asked, ZmqSettings

#: How often everything is asked for once more: that shows which templates still come to the others. Units: seconds.
ANEW: Final = 3_600.0
_MICROSECONDS: Final = 1_000_000


@dataclass(slots=True)
class LearntCounters:
    """Templates that another collector told of."""

    taken: int = 0  # those included that were known
    refused: int = 0  # that were none, or whose exporter may not send or finds no room


class TemplatePeers:
    """Answers and asks, from its start to its stop; `epoch` is another text after each start.

    Raises: StartError.
    """

    def __init__(  # noqa: PLR0917 (what a service is made of)
        self,
        reactor: Any,
        serves: ZmqSettings | None,
        asked: Sequence[Asked],
        flows: FlowInput,
        log: Log,
        epoch: str,
    ) -> None:
        self._teller = Teller(flows.intake, epoch)
        self._server: ZmqServer | None = None
        if serves is not None:
            self._server = ZmqServer(reactor, serves, self._answer, what="templates")
            log.info(f"templates for others on {serves.address} port {serves.port}/tcp")
        self._peers = [_Peer(reactor, one, flows, log) for one in asked]

    def measure(self, registry: Registry) -> None:
        """Let a registry ask for all numbers."""
        if self._server is not None:
            registry.add("flowcorr_templates_server", self._server.counters)
            registry.add("flowcorr_templates_server_connections", self._server.warden.counters)
        for peer in self._peers:
            labels = {"peer": str(peer.place)}
            registry.add("flowcorr_templates_peer", peer.asker.counters, labels)
            registry.add("flowcorr_templates_from_peer", peer.counters, labels)

    def start(self) -> None:
        """Begin."""
        if self._server is not None:
            self._server.start()
        for peer in self._peers:
            peer.asker.start()

    def stop(self) -> None:
        """Answer and ask no more."""
        for peer in self._peers:
            peer.asker.stop()
        if self._server is not None:
            self._server.stop()

    def _answer(self, frames: list[bytes], reply: ReplyTo) -> None:
        try:
            reply.send(self._teller.answer(frames))
        except ExchangeError as error:
            reply.send([orjson.dumps({"text": str(error)})])


class _Peer:
    """Another collector, and what is known of its templates."""

    def __init__(self, reactor: Any, asked: Asked, flows: FlowInput, log: Log) -> None:
        self.place = asked.place
        self.counters = LearntCounters()
        self._flows, self._now = flows, reactor.seconds
        self._listener = Listener(flows.intake)
        self._anew = self._now() + ANEW
        self.asker = ZmqAsker(reactor, asked, self._question, self._take, partial(_tell, log, str(asked.place)))

    def _question(self) -> bytes:
        if self._now() >= self._anew:
            self._anew = self._now() + ANEW
            self._listener.begin_anew()
        return self._listener.question()

    def _take(self, frames: list[bytes]) -> bool:
        """Learn from an answer; whether there is more.

        Raises: ExchangeError.
        """
        try:
            return self._listener.take(frames, int(time.time() * _MICROSECONDS))
        finally:
            self.counters.taken, self.counters.refused = self._listener.taken, self._listener.refused
            self._flows.read_ready()


def _tell(log: Log, place: str, text: str) -> None:
    (log.info if text == "answers" else log.warning)(f"[{place}] templates: {text}")
