"""One connection to an RPKI cache: what its session reports becomes payloads.

An answer counts whole, at its end. Payloads are merged in a thread, and the cache is not read meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import ensureDeferred

from routed.model.event import SessionDown
from routed.model.rtr_event import AspaReceived, ErrorReported, PrefixRun, ResponseBegun, ResponseEnded
from routed.plumbing.log import Level
from routed.plumbing.sink import log_bug
from routed.rib._payloads import PayloadError, Payloads
from routed.rib.payload_set import PayloadSet
from routed.service.pump import SessionProtocol
from routed.service.tls import explain_tls
from routed.wire.rtr.codepoints import ErrorCode, PduType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.python.failure import Failure

    from routed.model.event import Event
    from routed.plumbing.sink import InThread
    from routed.service.clock import DaemonReactor
    from routed.service.rtr_cache import Cache
    from routed.session.rtr_client import RtrClient

#: ASPAs that are kept: more than there are ASes that have customers.
MAX_ASPAS: Final = 1 << 18

#: Where every answer of everything starts from.
NOTHING: Final = PayloadSet()

#: What the codes of RFC 8210 section 12 are for a payload that a cache may not send.
CODES: Final = {
    "duplicate": ErrorCode.DUPLICATE_ANNOUNCEMENT,
    "unknown": ErrorCode.WITHDRAWAL_OF_UNKNOWN_RECORD,
    "too many": ErrorCode.INTERNAL_ERROR,
}


class Keeper(Protocol):
    """Who has connections, and keeps what they receive."""

    reactor: DaemonReactor
    in_thread: InThread
    received: PayloadSet

    def connected(self, connection: Connection) -> None:
        """Take note that a session begins."""

    def gone(self, connection: Connection) -> None:
        """Take note that a connection no longer exists."""

    def counted(self, payloads: int) -> None:
        """Count payloads that were read."""

    async def take(self, cache: Cache, received: PayloadSet, ended: ResponseEnded, *, is_full: bool) -> None:
        """Let an answer count."""

    def has_of(self, cache: Cache, base: PayloadSet) -> bool:
        """Tell whether these are the payloads that count, and of this cache."""

    def say(self, cache: Cache, level: Level, text: str) -> None:
        """Write a log line about a cache."""


class Connection:
    """One connection to a cache: what its session reports becomes payloads."""

    def __init__(self, keeper: Keeper, cache: Cache, session: RtrClient) -> None:
        self.cache, self.session = cache, session
        self.is_let_go = False
        self._keeper = keeper
        self._began: float | None = None
        self._is_full = False
        self._payloads = Payloads()
        self._base = NOTHING  # what the answer is about
        self._aspas: dict[int, frozenset[int]] = {}
        self.protocol = _Protocol(self, keeper)

    def begin(self) -> None:
        """Take note that the connection is there."""
        self._began = self._keeper.reactor.seconds()
        self._keeper.connected(self)

    @property
    def lasted(self) -> float:
        """Seconds since the connection was made."""
        return 0.0 if self._began is None else self._keeper.reactor.seconds() - self._began

    @property
    def tls_failure(self) -> str | None:
        """Why TLS failed, if that is what ended the connection."""
        loss = self.protocol.loss
        if loss is None or not isinstance(loss.value, SSL.Error | VerificationError):
            return None
        return f"TLS: {explain_tls(loss.value)}" if isinstance(loss.value, SSL.Error) else f"TLS: {loss.value}"

    def stop(self) -> None:
        """End it: somebody else is preferred, or we stop."""
        self.is_let_go = True
        self.protocol.end(self.session.stop)

    # -- owner of the pump ------------------------------------------------------------------------------------------

    def deliver(self, event: Event) -> None:
        """Take an event of the session."""
        match event:
            case ResponseBegun(is_full=is_full):
                self._is_full = is_full
                self._payloads = Payloads()
                self._base = NOTHING if is_full else self._keeper.received
                self._aspas = dict(self._base.aspas)
            case PrefixRun(octets=octets, count=count):
                self._take_prefixes(octets, count)
            case AspaReceived():
                self._take_aspa(event)
            case ResponseEnded():
                self.protocol.pause()
                ending = ensureDeferred(self._finish(event))
                ending.addErrback(self._confess).addBoth(lambda _: self.protocol.resume())
            case ErrorReported(text=text):
                self._keeper.say(self.cache, Level.WARN, f"Error Report: {text}")
            case SessionDown(reason=reason):
                if not self.is_let_go:
                    self._keeper.say(self.cache, Level.WARN, f"session ended: {self.tls_failure or reason}")

    def caught(self, bug: Failure) -> None:
        """Take note of an exception from our own code."""
        log_bug(bug, f"the session with {self.cache.endpoint}")

    def stuck(self, now: float) -> Iterable[Event]:
        """End the session because the cache does not read."""
        return self.session.stop(now)

    def gone(self) -> None:
        """Take note that the connection no longer exists."""
        self._keeper.gone(self)

    # -- payloads ---------------------------------------------------------------------------------------------------

    def _take_prefixes(self, octets: bytes, count: int) -> None:
        self._keeper.counted(count)
        try:
            bad = self._payloads.add_pdus(octets)
        except PayloadError as error:
            self._refuse(ErrorCode.INTERNAL_ERROR, f"payloads: {error.kind}", b"")
            return
        if bad >= 0:
            pdu = octets[bad : bad + int.from_bytes(octets[bad + 4 : bad + 8], "big")]
            self._refuse(ErrorCode.CORRUPT_DATA, f"flags {pdu[8]}, lengths {pdu[9]} and {pdu[10]} of a prefix", pdu)

    def _take_aspa(self, event: AspaReceived) -> None:
        self._keeper.counted(1)
        if event.is_announced:
            if len(self._aspas) >= MAX_ASPAS and event.customer not in self._aspas:
                self._refuse(ErrorCode.INTERNAL_ERROR, f"more than {MAX_ASPAS} ASPAs", event.octets)
            else:
                self._aspas[event.customer] = frozenset(event.providers)
        elif self._aspas.pop(event.customer, None) is None:
            text = f"ASPA of AS {event.customer} is withdrawn and was not announced"
            self._refuse(ErrorCode.WITHDRAWAL_OF_UNKNOWN_RECORD, text, event.octets)

    def _refuse(self, code: ErrorCode, reason: str, pdu: bytes) -> None:
        self.protocol.end(lambda _: self.session.refuse(code, reason, pdu))

    async def _finish(self, ended: ResponseEnded) -> None:
        keeper, payloads, base, aspas = self._keeper, self._payloads, self._base, self._aspas
        self._payloads, self._base, self._aspas = Payloads(), NOTHING, {}  # an idle session holds nothing
        if not self._is_full and not keeper.has_of(self.cache, base):
            self.session.resumes = False
            self.protocol.end(self.session.stop)
            return
        try:
            vrps = await keeper.in_thread(partial(payloads.applied_to, base.vrps, strict=True))
        except PayloadError as error:
            version = self.session.version
            pdu = b"" if error.payload is None else prefix_pdu(version, *error.payload, kind=error.kind)
            self._refuse(CODES[error.kind], f"payload {error.kind}", pdu)
            return
        if not self.is_let_go:
            await keeper.take(self.cache, PayloadSet(vrps, aspas), ended, is_full=self._is_full)

    def _confess(self, bug: Failure) -> None:
        self.protocol.fail(bug)


class _Protocol(SessionProtocol):
    """The pump, which also says when it begins."""

    def __init__(self, connection: Connection, keeper: Keeper) -> None:
        super().__init__(connection.session, keeper.reactor, connection)
        self._connection = connection

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        """Start the session."""
        self._connection.begin()
        super().connectionMade()


def prefix_pdu(version: int, address: bytes, length: int, longest: int, asn: int, *, kind: str) -> bytes:
    """Write a prefix PDU again, so that an Error Report can quote it."""
    is_ipv4 = len(address) == 4
    which, octets = (PduType.IPV4_PREFIX, 20) if is_ipv4 else (PduType.IPV6_PREFIX, 32)
    header = bytes((version, which, 0, 0)) + octets.to_bytes(4, "big")
    return header + bytes((kind == "duplicate", length, longest, 0)) + address + asn.to_bytes(4, "big")
