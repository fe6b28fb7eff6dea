"""The listener of a daemon that passes BGP sessions on: one pair of connections for each peer that a map knows.

The order for a connection is that of all listeners, then: no second session of one peer, unless its collector has held
the first up for long; a row of the map; the collector answers. Otherwise the peer gets Cease/Connection Rejected.

A slot is free again once both connections are gone. A peer that comes again ends the wait for what is left of its last
pair, so nobody holds more than one slot long.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from twisted.internet import protocol
from twisted.internet.interfaces import IListeningPort, IProtocol, IReactorTime

from routed.model.xconnect_event import End, XconnectDown
from routed.plumbing.metrics import DaemonCounters, Registry
from routed.service.admission import Slots
from routed.service.dial import Dial
from routed.service.listener import Address, Listener, Policy
from routed.service.neighbors import NeighborsFile
from routed.service.refusal import Refusals
from routed.service.reports import Line, Reporter
from routed.service.xconnect import Pair, Place
from routed.service.xconnect_map import Destination
from routed.wire.bgp.codepoints import CeaseSubcode
from routed.wire.bgp.notification import Notification, cease

#: Seconds that a collector may hold a peer up before a second connection of that peer counts as the end of the first:
#: who is not read for so long may have given up, and we cannot see that. A busy collector takes a second.
MAX_HELD_UP: Final = 30.0

_REJECTED: Final = cease(CeaseSubcode.CONNECTION_REJECTED)


@dataclass(slots=True)
class XconnectCounters:
    """What became of those who were let in."""

    connected: int = 0
    unmapped: int = 0
    unreachable: int = 0  # collectors, each time
    refused_existing: int = 0


@dataclass(frozen=True, slots=True)
class Routing:
    """Which collector is whose, and how it is connected to. The map may change between two connections."""

    find: Callable[[Address], Destination | None]
    dial: Dial


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears about pairs."""

    reporter: Reporter
    metrics: Registry
    neighbors: NeighborsFile | None = None
    counters: XconnectCounters = field(default_factory=XconnectCounters)


class XconnectListener(Listener):
    """Accepts peers from its start to its stop."""

    def __init__(
        self,
        clock: IReactorTime,
        listen: Callable[[protocol.Factory], IListeningPort],
        policy: Policy,
        routing: Routing,
        audience: Audience,
    ) -> None:
        slots = Slots(policy.settings.max_peers)
        super().__init__(clock, listen, policy, reporter=audience.reporter, slots=slots, counters=DaemonCounters())
        self.pairs: dict[tuple[Address, int], Pair] = {}  # by who the peer is
        self._leaving: dict[tuple[Address, int], Pair] = {}  # over, with a connection that is still closing
        self._routing, self._audience = routing, audience
        self._refusals = Refusals(clock, on_bug=lambda bug: self.caught(bug, "a refusal"), on_gone=self.disconnected)
        audience.metrics.add("daemon", self.counters)
        audience.metrics.add("xconnects", audience.counters)

    def sessions(self) -> Iterable[Pair]:
        """Return the pairs whose ends are to be told that we shut down, or to hurry."""
        return [*self.pairs.values(), *self._leaving.values()]

    def stopped(self) -> None:
        """Leave an empty neighbours file behind."""
        if self._audience.neighbors is not None:
            self._audience.neighbors.show(lambda: ())
            self._audience.neighbors.flush()

    def refuse(self) -> IProtocol | None:
        """Say no, as far as refusals can be afforded."""
        return self._refusals.refuse(_REJECTED)

    def enrol(self, address: Address, port: int) -> IProtocol | None:
        """Give a connection its slot, and its collector."""
        counters = self._audience.counters
        if (existing := self.pairs.get(self._identity(address, port))) is not None:
            if existing.peer.held_up < MAX_HELD_UP:
                counters.refused_existing += 1
                self._reporter.say(Line.XCONNECT_EXISTS, peer=address)
                return self.refuse()
            existing.lose_peer()
        destination = self._routing.find(address)
        if destination is None:
            counters.unmapped += 1
            self._reporter.say(Line.XCONNECT_MISSING, peer=address)
            return self.refuse()
        if (before := self._leaving.get(self._identity(address, port))) is not None:
            before.abort()
        place = Place(slot=self._slots.take(), address=address, port=port, destination=destination)
        pair = Pair(place, self._clock, self._routing.dial, self)
        self.pairs[self._identity(address, port)] = pair
        self._show_neighbors()
        return pair.peer

    def connected(self, pair: Pair) -> None:
        """Tell that a session is passed on from now on."""
        self._audience.counters.connected += 1
        for end, passed in pair.session.passed.items():
            self._audience.metrics.add("xconnect", passed, _labels(pair, end))
        self._reporter.say(
            Line.XCONNECT_USAGE, pair=pair.place, in_use=self._slots.in_use, max_peers=self._slots.max_peers
        )

    def closed(self, pair: Pair, down: XconnectDown) -> None:
        """Tell why a session is over; its peer may come again."""
        self._forget(pair)
        self._leaving[self._identity(pair.place.address, pair.place.port)] = pair
        if pair.session.was_connected:
            self._report_end(pair, down)
        elif down.by is End.COLLECTOR:
            self._audience.counters.unreachable += 1
            self._reporter.say(Line.XCONNECT_UNREACHABLE, pair=pair.place, reason=down.reason)

    def gone(self, pair: Pair) -> None:
        """Count a pair out; a session that a bug kept from saying so is over too."""
        self._forget(pair)
        identity = self._identity(pair.place.address, pair.place.port)
        if self._leaving.get(identity) is pair:
            del self._leaving[identity]
        self._slots.give_back(pair.place.slot)
        self.disconnected()

    def _report_end(self, pair: Pair, down: XconnectDown) -> None:
        if down.by is not None:
            self._report_cause(pair, down.by, down.passed_on)
        there, back = pair.session.passed[End.PEER], pair.session.passed[End.COLLECTOR]
        self._reporter.say(
            Line.XCONNECT_CLOSED,
            pair=pair.place,
            reason=down.reason,
            messages=there.messages,
            octets=there.octets,
            messages_back=back.messages,
            octets_back=back.octets,
        )

    def _report_cause(self, pair: Pair, by: End, passed_on: Notification | None) -> None:
        if passed_on is not None:
            text = passed_on.shutdown_text
            self._reporter.say(
                Line.XCONNECT_NOTIFICATION,
                pair=pair.place,
                end=by.value,
                code=int(passed_on.code),
                subcode=int(passed_on.subcode),
                shutdown="" if text is None else f" Shutdown Message: '{text}'",
            )
        elif (number := pair.half(by).errno) is not None:
            self._reporter.say(Line.XCONNECT_RESET, pair=pair.place, end=by.value, errno=number)

    def _forget(self, pair: Pair) -> None:
        identity = self._identity(pair.place.address, pair.place.port)
        if self.pairs.get(identity) is not pair:
            return
        del self.pairs[identity]
        for end in End:
            self._audience.metrics.remove("xconnect", _labels(pair, end))
        self._show_neighbors()

    def _identity(self, address: Address, port: int) -> tuple[Address, int]:
        return address, port if self._policy.settings.compare_ports else 0

    def _show_neighbors(self) -> None:
        if self._audience.neighbors is not None:
            self._audience.neighbors.show(lambda: (str(address) for address, _port in self.pairs))


def _labels(pair: Pair, end: End) -> Mapping[str, str]:
    place = pair.place
    return {"peer": str(place.address), "port": str(place.port), "collector": str(place.destination), "from": end.value}
