"""One circuit at work: the socket, the adjacency on it, and what the neighbour and we know of each other's databases.

A link is looked after until it is stopped. When the interface is not there, or goes away, the adjacency is down, and
the link tries again to attach to it; that takes no privileges.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.model.event import Event
from routed.model.isis_event import AdjacencyDown, AdjacencyUp, CsnpReceived, LspReceived, PsnpReceived
from routed.rib.lsdb import Taken
from routed.service.clock import DaemonReactor
from routed.service.isis_carrier import Carrier
from routed.session.isis_adjacency import CircuitSettings, IsisAdjacency
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp
from routed.wire.isis.lsp import Lsp

#: Seconds between two attempts to attach to what is not there.
RETRY: Final = 1.0
#: What is taken in one turn, at most: some milliseconds of decoding. Full LSPs take the longest, 0.4 us an octet.
PDUS_PER_TURN: Final = 32
OCTETS_PER_TURN: Final = 10_000


class Owner(Protocol):
    """Who hears of everything, in the order in which it happens."""

    def attached(self, link: "IsisLink", mtu: int) -> None:
        """Take note that the link hears its interface; hellos are padded to `mtu` octets."""

    def detached(self, link: "IsisLink", reason: str) -> None:
        """Take note that it does not, or not any more; the same reason may come again and again."""

    def deliver(self, link: "IsisLink", event: Event) -> None:
        """Take an event of the adjacency."""

    def taken(self, link: "IsisLink", lsp: Lsp, taken: Taken | None) -> None:
        """Take note of what became of an LSP, None for a broken one or our own."""

    def originated(self, lsp: Lsp) -> None:
        """Take note of a new LSP of our own, and wake the other links: it is for all of them."""

    def caught(self, bug: Failure, where: str) -> None:
        """Take note of an exception from our own code."""


@dataclass(slots=True)
class LinkCounters:
    """What went over a link."""

    pdus_received: int = 0
    pdus_sent: int = 0
    failures: int = 0  # of sending, and errors that the network reported


@implementer(IReadDescriptor)
class IsisLink:
    """A circuit, from its start to its stop.

    Args:
        jitter: returns a number from 0 to 1.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: CircuitSettings,
        carrier: Carrier,
        *,
        flooding: Flooding,
        own: OwnLsp,
        owner: Owner,
        jitter: Callable[[], float] = float,
    ) -> None:
        self.counters = LinkCounters()
        self.carrier, self.flooding = carrier, flooding
        self.adjacency = IsisAdjacency(settings, jitter)
        self.is_attached = False
        self._mtu = settings.mtu
        self._reactor, self._settings, self._own, self._owner = reactor, settings, own, owner
        self._jitter = jitter
        self._loss: str | None = None  # why the interface is not to be had, learned in the middle of a step
        self._alarm: IDelayedCall | None = None
        self._retry: IDelayedCall | None = None

    def __str__(self) -> str:
        return str(self.carrier)

    @property
    def circuit_id(self) -> int:
        """The number of the circuit, which is its own in this daemon."""
        return self._settings.circuit_id

    def start(self) -> None:
        """Begin; the carrier is open."""
        self._attach()

    def stop(self) -> None:
        """Take leave of the neighbour and close the socket."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self.is_attached:
            with self._contained():
                self._take(self.adjacency.stop)
            self._detach()
        self.carrier.close()

    def wake(self) -> None:
        """Look at what is due: something has changed for all circuits."""
        if self.is_attached:
            with self._contained():
                self._take(self.adjacency.timeout)

    def settle(self, settings: CircuitSettings, now: float) -> None:
        """Go on with other keys and hellos; how long a PDU may be stays as it is while the interface is there."""
        self._settings = settings
        self.adjacency.settle(replace(settings, mtu=self._mtu), now)
        self.flooding.settle(settings.domain_keys[0] if settings.domain_keys else None)

    # -- the interface ----------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        self._retry = None
        try:
            self.carrier.attach()
        except OSError as error:
            self._owner.detached(self, error.strerror or str(error))
            self._retry = self._reactor.callLater(RETRY, self._attach)
            return
        self._mtu = min(self._settings.mtu, self.carrier.largest_pdu)
        self.adjacency = IsisAdjacency(replace(self._settings, mtu=self._mtu), self._jitter)
        self.is_attached = True
        self._owner.attached(self, self._mtu)
        self._reactor.addReader(self)  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        with self._contained():
            self._take(self.adjacency.start)

    def _detach(self) -> None:
        self.is_attached = False
        self._reactor.removeReader(self)  # type: ignore[no-untyped-call]  # the same
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _lose(self, reason: str) -> None:
        """Be without the interface, and look for it."""
        if not self.is_attached:
            return
        self._loss = None
        self._detach()
        now = self._reactor.seconds()
        for event in self.adjacency.link_lost(reason, now):
            self._owner.deliver(self, event)
            self._act(event, now)
        self._owner.detached(self, reason)
        self._retry = self._reactor.callLater(RETRY, self._attach)

    # -- the reactor ------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self.carrier.fileno()

    def logPrefix(self) -> str:
        """Return what Twisted logs for this descriptor."""
        return f"IS-IS on {self}"

    def doRead(self) -> None:
        """Take some PDUs; the reactor calls again while there are more."""
        octets = 0
        with self._contained():
            for _ in range(PDUS_PER_TURN):
                if not self.is_attached or octets >= OCTETS_PER_TURN or (pdu := self._receive()) is None:
                    break
                octets += len(pdu)
                self.counters.pdus_received += 1
                self._take(partial(self.adjacency.receive, pdu))
            self._settle()

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 (Twisted's interface)
        """Fetch the error that the socket has, because of which the reactor does not watch it any more."""
        if self.is_attached:
            self.doRead()
        if self.is_attached:
            self._reactor.addReader(self)  # type: ignore[no-untyped-call]  # the same

    def _receive(self) -> bytes | None:
        try:
            return self.carrier.receive()
        except OSError as error:
            self._failed(error)
            return None

    def _send(self, pdus: Iterable[bytes]) -> None:
        """Send as long as the link is there; what is lost is sent again by the rules of the protocol."""
        for pdu in pdus:
            if not self.is_attached:
                return
            try:
                self.carrier.send(pdu)
            except OSError as error:
                self._failed(error)
            else:
                self.counters.pdus_sent += 1

    def _failed(self, error: OSError) -> None:
        self.counters.failures += 1
        if self.carrier.is_lost(error):
            self._loss = error.strerror  # for when the step that is under way is over

    def _settle(self) -> None:
        if self._loss is not None:
            self._lose(self._loss)

    # -- the protocol -----------------------------------------------------------------------------------------------

    def _take(self, step: Callable[[float], Iterable[Event]]) -> None:
        """Take a step of the adjacency, then whatever else is due."""
        now = self._reactor.seconds()
        events = step(now)
        self._send(self.adjacency.take_outbox())  # first: an LSP counts for the neighbour once it is adjacent
        for event in events:
            self._owner.deliver(self, event)
            self._act(event, now)
        if (issued := self._own.timeout(now)) is not None:
            self._owner.originated(issued)
        self._send(self.flooding.tick(now))
        self._send(self._own.take_outbox(self.circuit_id, now))
        self._arm()
        self._settle()

    def _act(self, event: Event, now: float) -> None:
        """Let an event count."""
        match event:
            case AdjacencyUp(system_id=system_id):
                self._own.up(self.circuit_id, system_id, now)
                self._send(self.flooding.up(system_id, self._mtu))
            case AdjacencyDown():
                self.flooding.down()
                self._own.down(self.circuit_id, now)
            case LspReceived(lsp=lsp):
                taken, pdus = self.flooding.lsp(lsp, now)
                self._owner.taken(self, lsp, taken)
                self._send(pdus)
            case CsnpReceived(csnp=csnp):
                self._send(self.flooding.csnp(csnp, now))
            case PsnpReceived(psnp=psnp):
                self._send(self.flooding.psnp(psnp, now))

    def _arm(self) -> None:
        """Set the alarm to what is due first."""
        dues = (self.adjacency.deadline(), self.flooding.deadline(), self._own.deadline(self.circuit_id))
        due = min((due for due in dues if due is not None), default=None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due is not None and self.is_attached:
            self._alarm = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """Let a bug of our own cost this adjacency, and nothing else."""
        try:
            yield
        except Exception:  # noqa: BLE001 (the one place of a link that contains our own bugs)
            self._owner.caught(Failure(), str(self))  # type: ignore[no-untyped-call]  # Twisted leaves it bare
            self._lose("a bug of our own")
