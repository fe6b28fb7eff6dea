"""The BMP listener: gives every router that connects a session. One router may have several (RFC 7854 section 3.2)."""

import errno
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.internet import protocol
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.python.failure import Failure

from routed.model.event import Event, SessionDown
from routed.plumbing.metrics import DaemonCounters
from routed.service.admission import Slots
from routed.service.listener import Address, Listener, Policy
from routed.service.pump import SessionProtocol
from routed.service.replay import StreamLost
from routed.service.reports import Line, Reporter
from routed.service.routers import Router, RouterSubscriber
from routed.service.tls import TlsIdentity
from routed.session.bmp_station import BmpStation

#: Ends of a stream that are the router's doing, as `errno` says them.
_IN_ORDER: Final = 0


class BmpListener(Listener):
    """Accepts routers from its start to its stop."""

    def __init__(
        self,
        clock: IReactorTime,
        listen: Callable[[protocol.Factory], IListeningPort],
        policy: Policy,
        *,
        reporter: Reporter,
        subscriber: RouterSubscriber,
        identity: TlsIdentity | None = None,
    ) -> None:
        slots = Slots(policy.settings.max_peers)
        super().__init__(
            clock, listen, policy, reporter=reporter, slots=slots, counters=DaemonCounters(), identity=identity
        )
        self.routers: dict[int, Router] = {}
        self._subscriber = subscriber

    def sessions(self) -> Iterable[Router]:
        """Return the routers whose sessions are to end."""
        return [self.routers[slot] for slot in sorted(self.routers)]

    def enrol(self, address: Address, port: int) -> SessionProtocol | None:
        """Give a connection its slot and its session."""
        link = _Link(self)
        session = BmpStation()
        pump = SessionProtocol(session, self._clock, link)
        slot = self._slots.take()
        link.router = router = Router(
            slot=slot, address=address, port=port, connected_at=self._clock.seconds(), session=session, pump=pump
        )
        self.routers[slot] = router
        try:
            self._reporter.say(Line.USAGE, peer=address, in_use=self._slots.in_use, max_peers=self._slots.max_peers)
            self._subscriber.accepted(router)
        except Exception:
            self._strike(router)
            raise
        return pump

    def event(self, router: Router, event: Event) -> None:
        """Pass an event on."""
        self._subscriber.event(router, event)

    def close(self, router: Router, down: SessionDown) -> None:
        """Strike a router off."""
        if router.down is not None:
            return
        router.down = down
        self._strike(router)
        try:
            loss = router.pump.loss
            if loss is None:
                self._reporter.say(Line.TERMINATED, peer=router.name, reason=down.reason)
            elif isinstance(loss.value, ConnectionAborted):
                self._reporter.say(Line.TERMINATED, peer=router.name, reason="the connection was reset by us")
            elif isinstance(loss.value, StreamLost):
                self._reporter.say(Line.TERMINATED, peer=router.name, reason=loss.value.args[0])
            else:
                number = _IN_ORDER if isinstance(loss.value, ConnectionDone) else errno.ECONNRESET
                self._reporter.say(Line.RESET_BY_PEER, peer=router.name, errno=number)
        finally:
            self._subscriber.closed(router, down)

    def _strike(self, router: Router) -> None:
        del self.routers[router.slot]
        self._slots.give_back(router.slot)


class _Link:
    """The owner of a router's pump: leads from the connection to the listener's account of it."""

    router: Router

    def __init__(self, listener: BmpListener) -> None:
        self._listener = listener

    def deliver(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, SessionDown):
            self._listener.close(self.router, event)
        else:
            self._listener.event(self.router, event)

    def caught(self, bug: Failure) -> None:
        """Report a bug once per session: the first says what is wrong."""
        self.router.counters.bugs += 1
        if self.router.counters.bugs == 1:
            self._listener.caught(bug, f"the session of {self.router.name}")

    def stuck(self, now: float) -> Sequence[Event]:
        """End the session; a station writes nothing, so no router can refuse to read it."""
        return self.router.session.stop(now)

    def gone(self) -> None:
        """Count the connection out; a session that a bug kept from saying so is over too."""
        self._listener.disconnected()
        self._listener.close(self.router, SessionDown(reason="internal error"))
