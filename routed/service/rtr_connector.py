"""Sessions with RPKI caches: one of several, in order of preference.

The first cache that answers counts. While it does not, the next ones are asked as well, each after the one before it
has failed; when a cache that is preferred has answered, those behind it are let go. What a cache has said stays until
another one has said everything, or until it expires: a cache that dies costs nothing, and one that comes back goes on
where it was.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import ensureDeferred

from routed.plumbing.log import Level
from routed.plumbing.sink import log_bug
from routed.rib.payload_set import PayloadSet
from routed.service.dial import Dialler
from routed.service.peer_maps import key_of
from routed.service.rtr_cache import FIRST_DELAY, LAST_DELAY, LASTING, Cache, addresses_of, older_versions
from routed.service.rtr_connection import Connection
from routed.service.socket_options import open_outgoing
from routed.session.rtr_client import Resumption, RtrClient
from routed.wire.rtr.codepoints import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.interfaces import IDelayedCall, IProtocol

    from routed.model.rtr_event import ResponseEnded
    from routed.plumbing.log import Log
    from routed.plumbing.sink import InThread
    from routed.plumbing.values import Address, Endpoint
    from routed.service.clock import DaemonReactor
    from routed.service.dial import Dial
    from routed.service.peer_maps import KeyOwner
    from routed.service.tls_client import TlsClient
    from routed.service.validation import Validation


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


class RtrConnector:
    """Keeps the payloads of the best cache that can be had.

    Args:
        md5_keys: keys of TCP-MD5 by whom they are for, as they are now (RFC 2385).
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
        md5_keys: Callable[[], Mapping[KeyOwner, bytes]] = dict,
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
        sock = open_outgoing(address, self._settings, key_of(self._md5_keys(), address))
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

    def counted(self, payloads: int) -> None:
        """Count payloads that were read."""
        self.counters.payload_pdus += payloads

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
