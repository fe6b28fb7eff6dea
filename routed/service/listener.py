"""What listeners of all protocols share: who is let in, who waits, and how sessions are stopped.

The order for a connection: allow file, PROXY header and TLS where they are expected, slots, batch. What a session is,
and what comes with a second one of the same peer, is up to the protocol.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol, TypeAlias

from twisted.application.service import Service
from twisted.internet import address as twisted_address
from twisted.internet import protocol
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocol, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from routed.plumbing.metrics import DaemonCounters
from routed.plumbing.values import parse_address
from routed.service.admission import Batch, Slots
from routed.service.handover import Accept
from routed.service.proxied import Proxied
from routed.service.reports import Line, Reporter
from routed.service.settings import ListenerSettings
from routed.service.tls import Handshakes, TlsIdentity

Address: TypeAlias = IPv4Address | IPv6Address

#: Connections accepted in one turn of the reactor; Twisted's own number grows with every burst.
ACCEPTS_PER_TURN: Final = 8
#: Sessions shut down in one turn.
STOPS_PER_TURN: Final = 32

_log = Logger()


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may connect, and how one speaker is told from another. All of it may change between two connections."""

    settings: ListenerSettings
    allows: Callable[[Address], bool] = lambda _address: True
    check_router_id: bool = True


class Stoppable(Protocol):
    """A session that ends when the daemon does."""

    def stop(self) -> None:
        """Say farewell, as far as the protocol has words for it."""


class Listener(Service):
    """Accepts connections from its start to its stop."""

    def __init__(
        self,
        clock: IReactorTime,
        listen: Callable[[protocol.Factory], IListeningPort],
        policy: Policy,
        *,
        reporter: Reporter,
        slots: Slots,
        counters: DaemonCounters,
        identity: TlsIdentity | None = None,
    ) -> None:
        settings = policy.settings
        self.counters = counters
        self._clock, self._listen, self._policy, self._reporter = clock, listen, policy, reporter
        self._slots = slots
        self._batch = Batch(settings.batch, settings.batch_interval)
        self._rooms: list[Handshakes | Proxied] = []  # where connections wait that do not know yet who they are
        self._enter: Accept = self._admit
        if identity is not None:
            handshakes = Handshakes(clock, identity, self._enter, self._refused)
            self._rooms.append(handshakes)
            self._enter = handshakes.expect
        if settings.proxy_header:  # in front of everything else, in clear
            proxied = Proxied(clock, self._enter, self._refused)
            self._rooms.append(proxied)
            self._enter = proxied.expect
        self._port: IListeningPort | None = None
        self._connections = 0  # transports of sessions, those of sessions that are over included
        self._idle: Deferred[None] | None = None
        self._throttling = False

    def startService(self) -> None:  # noqa: N802 (Twisted's name)
        """Begin to accept."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._port = self._listen(_Door(self))
        self._limit_accepts()

    def stopService(self) -> Deferred[None]:  # noqa: N802 (Twisted's name)
        """End every session; fires when all peers know or had the time to."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        return ensureDeferred(self._stop())

    def configure(self, policy: Policy) -> None:
        """Take over what may change between two connections: slots, batches and checks."""
        self._policy = policy
        self._slots.max_peers = policy.settings.max_peers
        self._batch.configure(policy.settings.batch, policy.settings.batch_interval)

    async def _stop(self) -> None:
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        for waiting in self._rooms:
            waiting.stop()
        for number, session in enumerate(self.sessions(), start=1):
            session.stop()
            if not number % STOPS_PER_TURN:
                await deferLater(self._clock, 0)
        if self._connections:
            self._idle = Deferred()
            await self._idle
        self.stopped()

    def accept(self, host: str, port: int) -> IProtocol | None:
        """Decide about a connection; return what drives it, or None to close it without a word."""
        return self._contained(self._let_in, host, port)

    def caught(self, bug: Failure, where: str) -> None:
        """Count an exception from our own code and log it with its traceback."""
        self.counters.bugs_total += 1
        _log.failure("bug in {where}", bug, where=where)

    def disconnected(self) -> None:
        """Take note of the end of a transport."""
        self._connections -= 1
        if not self._connections and self._idle is not None:
            self._idle.callback(None)

    # -- what a protocol decides ------------------------------------------------------------------------------------

    def sessions(self) -> Iterable[Stoppable]:
        """Return the sessions that are to be stopped."""
        raise NotImplementedError

    def stopped(self) -> None:
        """Take note that all sessions are over."""

    def enrol(self, address: Address, port: int) -> IProtocol | None:
        """Make the session of a connection for which there is a slot."""
        raise NotImplementedError

    def refuse(self) -> IProtocol | None:
        """Return what tells a connection that there is no slot for it, if the protocol can."""
        return None

    # -- admission --------------------------------------------------------------------------------------------------

    def _let_in(self, host: str, port: int) -> IProtocol | None:
        self._limit_accepts()
        self.counters.connections_accepted += 1
        address = parse_address(host)
        if not self._policy.allows(address):
            self.counters.connections_not_allowed += 1
            self._reporter.say(Line.NOT_ALLOWED, peer=address)
            return None
        return self._enter(host, port)

    def _admit(self, host: str, port: int) -> IProtocol | None:
        """Make the session of a connection; who waited for that in one of the rooms comes here from there."""
        return self._contained(self._begin, host, port)

    def _contained(self, step: Accept, host: str, port: int) -> IProtocol | None:
        try:
            return step(host, port)
        except Exception:  # noqa: BLE001 (as in the pump: our own bug costs this connection)
            self.caught(Failure(), f"acceptance of {host}")  # type: ignore[no-untyped-call]  # bare in Twisted
            return None

    def _begin(self, host: str, port: int) -> IProtocol | None:
        pump = self._decide(parse_address(host), port)
        self._connections += pump is not None
        return pump

    def _decide(self, address: Address, port: int) -> IProtocol | None:
        if not self._slots.any_free:
            self.counters.connections_without_slot += 1
            self._reporter.say(Line.NO_SLOT, max_peers=self._slots.max_peers)
            return self.refuse()
        return self.enrol(address, port) if self._admit_batch() else None

    def _admit_batch(self) -> bool:
        admitted = self._batch.admit(self._clock.seconds())
        if not admitted:
            self.counters.connections_throttled += 1
            if not self._throttling:
                self._reporter.say(Line.THROTTLING, slot=self._slots.in_use)
        self._throttling = not admitted
        return admitted

    def _refused(self, host: str, reason: str) -> None:
        self.counters.connections_unintroduced += 1
        self._reporter.say(Line.UNINTRODUCED, peer=host, reason=reason)

    def _limit_accepts(self) -> None:
        if self._port is not None:
            self._port.numberAccepts = ACCEPTS_PER_TURN  # type: ignore[attr-defined]  # of twisted.internet.tcp.Port


class _Door(protocol.ServerFactory):
    """Twisted's side of the listener."""

    noisy = False

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:  # type: ignore[override]  # noqa: N802
        """Ask the listener."""
        assert isinstance(addr, twisted_address.IPv4Address | twisted_address.IPv6Address), "only TCP is listened on"
        return self._listener.accept(addr.host, addr.port)
