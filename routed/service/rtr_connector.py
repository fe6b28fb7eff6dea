"""Sessions with RPKI caches: one of several, in order of preference, and what its answers make of the payloads.

The first cache that answers counts. While it does not, the next ones are asked as well, each after the one before it
has failed; when a cache that is preferred has answered, those behind it are let go. What a cache has said stays until
another one has said everything, or until it expires: a cache that dies costs nothing, and one that comes back goes on
where it was.

An answer counts whole, at its end. Payloads are merged in a thread, and the cache is not read meanwhile.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar, Final

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import ensureDeferred

from routed.model.event import SessionDown
from routed.model.rtr_event import AspaReceived, ErrorReported, PrefixRun, ResponseBegun, ResponseEnded
from routed.plumbing.log import Level
from routed.plumbing.sink import log_bug
from routed.rib._vrps import PayloadError, Payloads
from routed.service.dial import Dialler
from routed.service.pump import SessionProtocol
from routed.service.socket_options import open_outgoing
from routed.service.tls import explain_tls
from routed.service.validation import PayloadSet
from routed.session.rtr_client import DEFAULT_INTERVALS, Resumption, RtrClient
from routed.wire.rtr.codepoints import VERSIONS, ErrorCode, PduType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from twisted.internet.interfaces import IDelayedCall, IProtocol
    from twisted.python.failure import Failure

    from routed.model.event import Event
    from routed.plumbing.log import Log
    from routed.plumbing.sink import InThread
    from routed.plumbing.values import Address, Endpoint
    from routed.service.clock import DaemonReactor
    from routed.service.dial import Cancellable, Dial
    from routed.service.tls_client import TlsClient
    from routed.service.validation import Validation
    from routed.wire.rtr.pdu import Intervals

#: Seconds from a failure to the next attempt: twice as many after each, back to the first when a session has lasted.
FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
#: How long a session has to last before it counts as one that did. Units: seconds.
LASTING: Final = 60.0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RtrSettings:
    """Which caches there are, the preferred one first, and how they are spoken to.

    `version` is pinned, or None for the newest that a cache speaks.
    """

    probes_silent: ClassVar[bool] = True

    caches: tuple[Endpoint, ...]
    version: int | None = None
    ip_precedence: int = 0
    receive_buffer: int | None = None


@dataclass(slots=True)
class RtrCounters:
    """What sessions with caches came to."""

    connections: int = 0
    failures: int = 0
    full_answers: int = 0
    changes: int = 0
    payload_pdus: int = 0
    expired: int = 0


@dataclass(slots=True, eq=False)
class Cache:
    """One cache, over all of its sessions."""

    endpoint: Endpoint
    versions: tuple[int, ...]
    next_versions: tuple[int, ...]  # of the next session
    delay: float = FIRST_DELAY
    has_failed: bool = False  # since it last answered
    is_synced: bool = False
    attempt: Cancellable | None = None
    is_resolving: bool = False
    connection: Connection | None = None
    alarm: IDelayedCall | None = None
    resumption: Resumption | None = None
    intervals: Intervals = DEFAULT_INTERVALS
    addresses: list[Address] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is under way."""
        return self.attempt is None and self.connection is None and self.alarm is None and not self.is_resolving


class RtrConnector:
    """Keeps the payloads of the best cache that can be had.

    Args:
        md5_keys: keys of TCP-MD5 by address, as they are now (RFC 2385).
        tls: None for plain TCP.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: RtrSettings,
        validation: Validation,
        *,
        in_thread: InThread,
        log: Log,
        md5_keys: Callable[[], Mapping[Address, bytes]] = dict,
        tls: TlsClient | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.counters = RtrCounters()
        self.validation, self.in_thread, self.reactor = validation, in_thread, reactor
        self.received = PayloadSet()
        self._settings, self._log, self._md5_keys, self._tls = settings, log, md5_keys, tls
        self._dial: Dial = Dialler(reactor, self._open_socket) if dial is None else dial
        versions = VERSIONS if settings.version is None else (settings.version,)
        self.caches = [Cache(endpoint, versions, versions) for endpoint in settings.caches]
        self._source: Cache | None = None  # whose payloads count
        self._expiry: IDelayedCall | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Begin to connect."""
        self._review()

    def stop(self) -> None:
        """End all sessions; what they said stays."""
        self._is_stopped = True
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        for cache in self.caches:
            self._let_go(cache)

    # -- which caches -----------------------------------------------------------------------------------------------

    def _review(self) -> None:
        """Connect to whoever should be, and let go who is not needed."""
        for place, cache in enumerate(self.caches):
            if cache.is_idle and not self._is_stopped:
                self._connect(cache)
            if cache.is_synced:
                for other in self.caches[place + 1 :]:
                    self._let_go(other)
                return
            if not cache.has_failed:
                return

    def _let_go(self, cache: Cache) -> None:
        cache.is_synced, cache.is_resolving = False, False
        if cache.alarm is not None:
            cache.alarm.cancel()
            cache.alarm = None
        if cache.attempt is not None:
            cache.attempt.cancel()
            cache.attempt = None
        if cache.connection is not None:
            cache.connection.stop()

    def _connect(self, cache: Cache) -> None:
        cache.is_resolving = True
        resolving = ensureDeferred(self._resolve(cache))
        resolving.addErrback(log_bug, f"the connection to {cache.endpoint}")

    async def _resolve(self, cache: Cache) -> None:
        """Find the addresses of a cache, then connect to the next one of them."""
        if not cache.addresses:
            try:
                cache.addresses = await self.in_thread(partial(addresses_of, cache.endpoint))
            except OSError as error:
                cache.addresses = []
                if cache.is_resolving:
                    cache.is_resolving = False
                    self._failed(cache, f"cannot be resolved: {error.strerror}")
                return
        if self._is_stopped or not cache.is_resolving:  # let go meanwhile
            return
        cache.is_resolving = False
        address = cache.addresses.pop(0)
        resume = cache.resumption if self._source is cache else None
        connection = Connection(self, cache, RtrClient(cache.next_versions, resume))
        wanted: IProtocol = connection.protocol
        if self._tls is not None:
            wanted = self._tls.wrap(cache.endpoint.host, wanted)
        cache.attempt = self._dial(address, cache.endpoint.port, wanted, partial(self._failed, cache))

    def _open_socket(self, address: Address) -> socket.socket:
        sock = open_outgoing(address, self._settings, self._md5_keys().get(address))
        if self._settings.receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._settings.receive_buffer)
        return sock

    def _failed(self, cache: Cache, reason: str) -> None:
        cache.attempt = None
        self.say(cache, Level.WARN, f"{reason}: next attempt in {cache.delay:.0f} s")
        self._retry(cache)

    def _retry(self, cache: Cache, delay: float | None = None) -> None:
        """Try again after a while, and whoever comes next meanwhile."""
        cache.is_synced = False
        if self._is_stopped:
            return
        if delay is None:
            self.counters.failures += 1
            cache.has_failed = True
            delay, cache.delay = cache.delay, min(2 * cache.delay, LAST_DELAY)

        def ring() -> None:
            cache.alarm = None
            self._review()

        cache.alarm = self.reactor.callLater(delay, ring)
        self._review()

    # -- what connections report ------------------------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        """Take note that a session begins."""
        cache = connection.cache
        cache.attempt, cache.connection = None, connection
        self.counters.connections += 1

    def gone(self, connection: Connection) -> None:
        """Decide when to connect again."""
        cache, session = connection.cache, connection.session
        if cache.connection is not connection:
            return
        cache.connection = None
        if not session.resumes:
            cache.resumption = None
        if connection.is_let_go:
            cache.is_synced = False
            self._review()
            return
        if connection.lasted >= LASTING:
            cache.delay = FIRST_DELAY
        older = older_versions(cache, session) if connection.tls_failure is None else ()
        cache.next_versions = older or cache.versions
        if older:
            self.say(cache, Level.INFO, f"version {session.version} is refused, trying {older[0]}")
        self._retry(cache, 0.0 if older else None)

    async def take(self, cache: Cache, received: PayloadSet, ended: ResponseEnded, *, is_full: bool) -> None:
        """Let an answer count."""
        is_new = self._source is not cache or not cache.is_synced
        self.received, self._source = received, cache
        cache.intervals, cache.has_failed, cache.is_synced = ended.intervals, False, True
        cache.resumption = Resumption(ended.version, ended.session_id, ended.serial)
        if is_full:
            self.counters.full_answers += 1
        else:
            self.counters.changes += 1
        self._expire_in(ended.intervals.expire)
        await self.validation.replace(received)
        ipv4, ipv6 = received.vrps.counts
        level = Level.INFO if is_new or is_full else Level.DEBUG
        self.say(
            cache,
            level,
            f"RTR version {ended.version}, session {ended.session_id}, serial {ended.serial}: "
            f"{ipv4} IPv4 and {ipv6} IPv6 payloads, {len(received.aspas)} ASPAs",
        )
        self._review()

    def has_of(self, cache: Cache, base: PayloadSet) -> bool:
        """Tell whether these are the payloads that count, and of this cache: they may have expired meanwhile."""
        return self._source is cache and self.received is base

    def _expire_in(self, seconds: float) -> None:
        if self._is_stopped:
            return
        if self._expiry is None or not self._expiry.active():
            self._expiry = self.reactor.callLater(seconds, self._expire)
        else:
            self._expiry.reset(seconds)

    def _expire(self) -> None:
        """Believe nothing any more of what no cache has confirmed for too long (RFC 8210 section 6)."""
        assert self._source is not None, "something was received"
        self.counters.expired += 1
        self.say(self._source, Level.WARN, "no cache has confirmed the payloads: expired, every origin is unknown now")
        self._source.resumption, self._source = None, None
        self.received = PayloadSet()
        ensureDeferred(self.validation.replace(self.received)).addErrback(log_bug, "the expiry of payloads")

    def say(self, cache: Cache, level: Level, text: str) -> None:
        """Write a log line about a cache."""
        self._log.write_limited(f"rtr {cache.endpoint} {text[:16]}", 12, level, f"[{cache.endpoint}] {text}")


class Connection:
    """One connection to a cache: what its session reports becomes payloads."""

    def __init__(self, connector: RtrConnector, cache: Cache, session: RtrClient) -> None:
        self.cache, self.session = cache, session
        self.is_let_go = False
        self._connector = connector
        self._began: float | None = None
        self._is_full = False
        self._payloads = Payloads()
        self._base = NOTHING  # what the answer is about
        self._aspas: dict[int, frozenset[int]] = {}
        self.protocol = _Protocol(self, connector)

    def begin(self) -> None:
        """Take note that the connection is there."""
        self._began = self._connector.reactor.seconds()
        self._connector.connected(self)

    @property
    def lasted(self) -> float:
        """Seconds since the connection was made."""
        return 0.0 if self._began is None else self._connector.reactor.seconds() - self._began

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
                self._base = NOTHING if is_full else self._connector.received
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
                self._connector.say(self.cache, Level.WARN, f"Error Report: {text}")
            case SessionDown(reason=reason):
                if not self.is_let_go:
                    self._connector.say(self.cache, Level.WARN, f"session ended: {self.tls_failure or reason}")

    def caught(self, bug: Failure) -> None:
        """Take note of an exception from our own code."""
        log_bug(bug, f"the session with {self.cache.endpoint}")

    def stuck(self, now: float) -> Iterable[Event]:
        """End the session because the cache does not read."""
        return self.session.stop(now)

    def gone(self) -> None:
        """Take note that the connection no longer exists."""
        self._connector.gone(self)

    # -- payloads ---------------------------------------------------------------------------------------------------

    def _take_prefixes(self, octets: bytes, count: int) -> None:
        self._connector.counters.payload_pdus += count
        try:
            bad = self._payloads.add_pdus(octets)
        except PayloadError as error:
            self._refuse(ErrorCode.INTERNAL_ERROR, f"payloads: {error.kind}", b"")
            return
        if bad >= 0:
            pdu = octets[bad : bad + int.from_bytes(octets[bad + 4 : bad + 8], "big")]
            self._refuse(ErrorCode.CORRUPT_DATA, f"flags {pdu[8]}, lengths {pdu[9]} and {pdu[10]} of a prefix", pdu)

    def _take_aspa(self, event: AspaReceived) -> None:
        self._connector.counters.payload_pdus += 1
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
        connector, payloads, base, aspas = self._connector, self._payloads, self._base, self._aspas
        self._payloads, self._base, self._aspas = Payloads(), NOTHING, {}  # an idle session holds nothing
        if not self._is_full and not connector.has_of(self.cache, base):
            self.session.resumes = False
            self.protocol.end(self.session.stop)
            return
        try:
            vrps = await connector.in_thread(partial(payloads.applied_to, base.vrps, strict=True))
        except PayloadError as error:
            version = self.session.version
            pdu = b"" if error.payload is None else prefix_pdu(version, *error.payload, kind=error.kind)
            self._refuse(CODES[error.kind], f"payload {error.kind}", pdu)
            return
        if not self.is_let_go:
            await connector.take(self.cache, PayloadSet(vrps, aspas), ended, is_full=self._is_full)

    def _confess(self, bug: Failure) -> None:
        self.protocol.fail(bug)


class _Protocol(SessionProtocol):
    """The pump, which also says when it begins."""

    def __init__(self, connection: Connection, connector: RtrConnector) -> None:
        super().__init__(connection.session, connector.reactor, connection)
        self._connection = connection

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        """Start the session."""
        self._connection.begin()
        super().connectionMade()


def older_versions(cache: Cache, session: RtrClient) -> tuple[int, ...]:
    """Return the versions that a cache is to be offered next, none when there is no reason for older ones.

    Source: RFC 8210 section 7. A cache may also close the connection without a word.
    """
    if session.refused is not None:
        return tuple(version for version in cache.versions if version <= session.refused)
    if session.answers:
        return ()
    return tuple(version for version in cache.versions if version < session.version)


def addresses_of(endpoint: Endpoint) -> list[Address]:
    """Look a host up; its addresses in the order of the system.

    Raises: OSError.
    """
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def prefix_pdu(version: int, address: bytes, length: int, longest: int, asn: int, *, kind: str) -> bytes:
    """Write a prefix PDU again, so that an Error Report can quote it."""
    is_ipv4 = len(address) == 4
    which, octets = (PduType.IPV4_PREFIX, 20) if is_ipv4 else (PduType.IPV6_PREFIX, 32)
    header = bytes((version, which, 0, 0)) + octets.to_bytes(4, "big")
    return header + bytes((kind == "duplicate", length, longest, 0)) + address + asn.to_bytes(4, "big")
