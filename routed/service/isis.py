"""IS-IS of a daemon: circuits, one database, and the routes that it leads to.

The view is that of the neighbours: shortest paths begin at every system that an adjacency is up with, at no distance,
so that with one adjacency routes cost what they cost that router. They are calculated in a thread, soon after something
has changed and then at most as often that it takes a tenth of one processor; what differs is written into the stores
in slices.

Everything that happens is told to followers: the log, the message log.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import partial
from random import random
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import ensureDeferred

from routed.model.isis_event import AdjacencyDown, AdjacencyUp, PduRefused
from routed.plumbing.lifecycle import StartError
from routed.plumbing.sink import log_bug
from routed.rib.igp import Igp, calculate
from routed.rib.lsdb import Lsdb, Taken
from routed.service.isis_carrier import InGre, OnInterface
from routed.service.isis_link import IsisLink
from routed.service.sweeper import Sweeper
from routed.service.tidier import Tidier
from routed.session.isis_adjacency import CircuitSettings
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.wire.isis.codepoints import Nlpid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from routed.model.event import Event
    from routed.plumbing.sink import InThread
    from routed.rib.igp import Calculated, Change
    from routed.service.clock import DaemonReactor
    from routed.service.isis_carrier import Carrier
    from routed.service.isis_settings import IsisSettings, Place
    from routed.wire.isis.lsp import Lsp

#: What we say that we speak.
PROTOCOLS: Final = (int(Nlpid.IPV4), int(Nlpid.IPV6))
#: From a change to the calculation: others of the same event come meanwhile (RFC 8405 begins with as much). Seconds.
FIRST_DELAY: Final = 0.05
#: From the end of a calculation to the next one at least, and in parts of what it took. Units: seconds.
NEXT_DELAY: Final = 0.5
REST: Final = 9.0
#: Changes of routes that followers are told of before something else may happen: a millisecond of writing.
TOLD_AT_ONCE: Final = 256
#: How often there is a look at what has become too old. Units: seconds.
AGEING: Final = 1.0


@dataclass(slots=True)
class IsisCounters:
    """What happened to the database and the routes."""

    lsps_changed: int = 0
    lsps_ended: int = 0
    lsps_refused: int = 0
    calculations: int = 0
    routes_changed: int = 0
    bugs: int = 0


@dataclass(slots=True, eq=False)
class Circuit:
    """A link, and what is known of the system at its other end."""

    link: IsisLink
    neighbor: AdjacencyUp | None = None
    since: float | None = None  # when the adjacency came up or went down
    reason: str = ""  # why it is down
    mtu: int = 0  # 0: the interface is not there


class Follower(Protocol):
    """Who hears of everything that happens, in its order."""

    def circuit_changed(self, circuit: Circuit, event: AdjacencyUp | AdjacencyDown) -> None:
        """Hear of an adjacency."""

    def circuit_lost(self, circuit: Circuit, reason: str) -> None:
        """Hear that an interface is not there; once for each reason."""

    def pdu_refused(self, circuit: Circuit, event: PduRefused) -> None:
        """Hear of a PDU that does not count."""

    def lsp_taken(self, lsp: Lsp, what: str) -> None:
        """Hear what became of an LSP: `new`, `changed`, `purged`, `expired`, `refused` or `originated`."""

    def routes_changed(self, changes: Sequence[Change]) -> None:
        """Hear of routes that came, changed and went."""


#: What becomes of LSPs, where it is worth telling.
WORTH_TELLING: Final = {
    Taken.NEW: "new",
    Taken.CHANGED: "changed",
    Taken.PURGED: "purged",
    Taken.REFUSED: "refused",
}


def carrier_of(place: Place) -> Carrier:
    """Return the way to a neighbour."""
    return OnInterface(place) if isinstance(place, str) else InGre(*place)


class Isis:
    """IS-IS of a daemon.

    Args:
        seed: of the hashes of the stores.
    Raises: StartError when a socket cannot be had.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: IsisSettings,
        in_thread: InThread,
        *,
        seed: int,
        make_carrier: Callable[[Place], Carrier] = carrier_of,
    ) -> None:
        self.counters = IsisCounters()
        self.lsdb, self.igp = Lsdb(), Igp(seed)
        self.followers: list[Follower] = []
        self.seconds = 0.0  # that the last calculation took, with its wait for a thread
        self._reactor, self._settings, self._in_thread = reactor, settings, in_thread
        self.own = OwnLsp(self._template(), settings.domain_key)
        self.circuits: dict[IsisLink, Circuit] = {}
        self._sweeper = Sweeper(reactor)
        self._tidier = Tidier(reactor, self.igp.rib, self._sweeper)
        self._ageing: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._next: IDelayedCall | None = None
        self._is_calculating = self._is_stopped = False
        self._view: tuple[bytes, ...] = ()  # of a network that is written down
        self._seen: tuple[int, tuple[bytes, ...]] = (self.lsdb.version, ())
        for number, place in enumerate(settings.circuits, 1):
            self._add(number, make_carrier(place))

    def _add(self, number: int, carrier: Carrier) -> None:
        try:
            carrier.open()
        except OSError as error:
            hint = ": it takes CAP_NET_RAW" if error.errno == errno.EPERM else ""
            raise StartError(f"IS-IS on {carrier}: {error.strerror}{hint}") from error
        flooding = Flooding(self.lsdb, self.own, number, self._settings.domain_key)
        settings = self._circuit_settings(number)
        link = IsisLink(self._reactor, settings, carrier, flooding=flooding, own=self.own, owner=self, jitter=random)
        self.circuits[link] = Circuit(link)

    def _template(self) -> Lsp:
        """Return what our LSP says whatever happens."""
        mine = self._settings
        return own_template(mine.system_id, (mine.area,), mine.addresses, PROTOCOLS, mine.hostname)

    def _circuit_settings(self, number: int) -> CircuitSettings:
        mine = self._settings
        return CircuitSettings(
            system_id=mine.system_id,
            areas=(mine.area,),
            addresses=mine.addresses,
            protocols=PROTOCOLS,
            mtu=mine.mtu,
            is_padded=mine.is_padded,
            hello_interval=mine.hello_interval,
            hello_multiplier=mine.hello_multiplier,
            circuit_id=number,
            hello_keys=mine.hello_keys,
            domain_keys=mine.domain_keys,
        )

    def start(self) -> None:
        """Look for neighbours."""
        for link in self.circuits:
            link.start()
        self._tidier.start()
        self._age()

    def settle(self, settings: IsisSettings) -> None:
        """Go on with other keys, other hellos and another name: neighbours hear of it at once.

        Who we are and where neighbours are stays as it is.
        """
        self._settings = settings
        now = self._reactor.seconds()
        self.own.settle(self._template(), settings.domain_key, now)
        for link in self.circuits:
            link.settle(self._circuit_settings(link.circuit_id), now)
        self._turn_soon()

    def stop(self) -> None:
        """Take leave of them."""
        self._is_stopped = True
        for link in self.circuits:
            link.stop()
        self._tidier.stop()
        for alarm in (self._ageing, self._soon, self._next):
            if alarm is not None and alarm.active():
                alarm.cancel()

    @property
    def roots(self) -> tuple[bytes, ...]:
        """Return the nodes that the view is from."""
        return self._view or tuple(sorted(system_id + b"\0" for system_id in self.own.neighbors))

    # -- what links tell -------------------------------------------------------------------------------------------

    def attached(self, link: IsisLink, mtu: int) -> None:
        """Take note that an interface is there."""
        self.circuits[link].mtu = mtu
        self.circuits[link].reason = ""

    def detached(self, link: IsisLink, reason: str) -> None:
        """Take note that it is not."""
        circuit = self.circuits[link]
        is_news = circuit.mtu or circuit.reason != reason
        circuit.mtu, circuit.reason = 0, reason
        if is_news:
            for follower in self.followers:
                follower.circuit_lost(circuit, reason)

    def deliver(self, link: IsisLink, event: Event) -> None:
        """Take note of what happened to an adjacency."""
        circuit = self.circuits[link]
        if isinstance(event, PduRefused):
            for follower in self.followers:
                follower.pdu_refused(circuit, event)
        elif isinstance(event, AdjacencyUp | AdjacencyDown):
            is_up = isinstance(event, AdjacencyUp)
            circuit.neighbor = event if isinstance(event, AdjacencyUp) else None
            circuit.reason = "" if is_up else event.reason if isinstance(event, AdjacencyDown) else ""
            circuit.since = self._reactor.seconds()
            for follower in self.followers:
                follower.circuit_changed(circuit, event)
            self._turn_soon()  # the link tells us before it tells our own LSP

    def hold(self, lsps: Sequence[Lsp], view: bytes) -> None:
        """Hold a network that is written down, and nothing else; `view` is the node that it is seen from."""
        now, there = self._reactor.seconds(), {lsp.lsp_id for lsp in lsps}
        for held in self.lsdb:
            if held.lsp.lsp_id not in there and held.gone_at is None:
                self.lsdb.purge(held.lsp.lsp_id, now)
                self._note(held.lsp, Taken.PURGED)
        for lsp in lsps:
            self._note(lsp, self.lsdb.take(lsp, now))
        self._view = (view,) if view else ()
        self._look()

    def taken(self, link: IsisLink, lsp: Lsp, taken: Taken | None) -> None:  # noqa: ARG002 (which link does not matter)
        """Take note of what became of an LSP."""
        self._note(lsp, taken)
        self._look()

    def _note(self, lsp: Lsp, taken: Taken | None) -> None:
        if taken not in WORTH_TELLING:
            return
        self.counters.lsps_changed += taken in {Taken.NEW, Taken.CHANGED}
        self.counters.lsps_ended += taken is Taken.PURGED
        self.counters.lsps_refused += taken is Taken.REFUSED
        for follower in self.followers:
            follower.lsp_taken(lsp, WORTH_TELLING[taken])

    def originated(self, lsp: Lsp) -> None:
        """Hold our own LSP, and have all links send it."""
        self.lsdb.take(lsp, self._reactor.seconds())
        for follower in self.followers:
            follower.lsp_taken(lsp, "originated")
        self._turn_soon()

    def caught(self, bug: Failure, where: str) -> None:
        """Take note of a bug of ours."""
        self.counters.bugs += 1
        log_bug(bug, where)

    def _turn_soon(self) -> None:
        """Let all circuits and the paths follow what has changed, once the link that tells it is done."""
        if self._soon is None and not self._is_stopped:
            self._soon = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._soon = None
        for link in self.circuits:
            link.wake()
        self._look()

    # -- the database and the routes -------------------------------------------------------------------------------

    def _age(self) -> None:
        for lsp in self.lsdb.age(self._reactor.seconds()):
            self.counters.lsps_ended += 1
            for follower in self.followers:
                follower.lsp_taken(lsp, "expired")
        self._look()
        self._ageing = self._reactor.callLater(AGEING, self._age)

    def _look(self) -> None:
        """Calculate soon if something has changed since."""
        if self._is_stopped or self._is_calculating or self._next is not None:
            return
        if (self.lsdb.version, self.roots) != self._seen:
            self._next = self._reactor.callLater(FIRST_DELAY, self._begin)

    def _begin(self) -> None:
        self._next = None
        self._is_calculating = True
        ensureDeferred(self._calculate()).addErrback(log_bug, "shortest paths").addBoth(self._rest)

    async def _calculate(self) -> None:
        begin = self._reactor.seconds()
        self._seen = self.lsdb.version, self.roots
        calculated = await self._in_thread(partial(calculate, self.lsdb.live(), self.roots, self.igp.routes))
        self.seconds = self._reactor.seconds() - begin
        await self._sweeper.walk(self._portions(calculated))
        if self._is_stopped:
            return
        self.igp.finish(calculated)
        self.counters.calculations += 1
        self.counters.routes_changed += len(calculated.changes)
        await self._sweeper.walk(self._tell(calculated.changes))

    def _portions(self, calculated: Calculated) -> Iterator[None]:
        for portion in calculated.portions:
            if self._is_stopped:
                return
            self.igp.apply(portion)
            yield None

    def _tell(self, changes: Sequence[Change]) -> Iterator[None]:
        for at in range(0, len(changes), TOLD_AT_ONCE):
            for follower in self.followers:
                follower.routes_changed(changes[at : at + TOLD_AT_ONCE])
            yield None

    def _rest(self, _: object) -> None:
        """Wait before the next calculation."""
        if self._is_stopped:
            return

        def rested() -> None:
            self._next = None
            self._look()

        self._is_calculating = False
        self._next = self._reactor.callLater(max(NEXT_DELAY, REST * self.seconds), rested)
