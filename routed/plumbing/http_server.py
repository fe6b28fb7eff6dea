"""An HTTP server in the reactor, for answers that are made on request; every number that a client controls has an end.

- Connections: as many as are allowed; further ones are closed at once.
- Time: a client has `IDLE` seconds to begin a request, and `REQUEST_PATIENCE` from its first octet to its last, however
  it spreads them.
- Memory: a header has 16 KiB, a body `MAX_BODY`. An answer is written as it is taken: what waits in the connection is a
  part of it. Answers that are whole in memory count as long as they are, and beyond `MAX_HELD` octets of them further
  ones are refused.
- Work: each client has its rate.

Implements as much of RFC 9112 as `twisted.web` does.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel, HTTPFactory, Request

from routed.plumbing.http import JSON, MAX_BODY, Asked, HttpError, Reply, error_reply, parameters_of
from routed.plumbing.http_access import Rates, Tokens
from routed.plumbing.http_writer import Writer
from routed.plumbing.lifecycle import StartError
from routed.plumbing.sink import log_bug

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
    from twisted.internet.tcp import Server as TcpTransport
    from twisted.python.failure import Failure

    from routed.plumbing.http import Pages
    from routed.plumbing.http_settings import HttpSettings

#: Seconds from one request to the next, and from the first octet of a request to its last.
IDLE: Final = 60
REQUEST_PATIENCE: Final = 10
#: Seconds that a client has to take our last words.
LINGER: Final = 2.0
#: Octets of all answers that wait for their clients.
MAX_HELD: Final = 64 << 20

USUAL_HEADERS: Final = {"Server": "routed", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
TOO_LARGE: Final = HttpError(413, f"a body has at most {MAX_BODY} octets")


@dataclass(slots=True)
class HttpCounters:
    """What the HTTP server did."""

    connections: int = 0
    connections_refused: int = 0
    requests: int = 0
    errors: int = 0  # answers of 400 and above
    unauthorized: int = 0
    throttled: int = 0
    timeouts: int = 0
    answers_aborted: int = 0
    bugs: int = 0


class HttpServerError(StartError):
    """The socket cannot be had."""


class HttpServer(HTTPFactory):
    """Serves pages from the moment it is made to its stop.

    Args:
        hurry: lets the reactor serve a descriptor before others as soon as it reads it.
    Raises: HttpServerError, TokenError.
    """

    noisy = False

    def __init__(
        self, reactor: Any, settings: HttpSettings, pages: Pages, hurry: Callable[[Any], None] = lambda _: None
    ) -> None:
        super().__init__(timeout=IDLE, reactor=reactor)
        self.hurry = hurry
        self.counters = HttpCounters()
        self.pages = pages
        self.rates = Rates(settings.rate, reactor.seconds)
        self.tokens = None if settings.token_file is None else Tokens(settings.token_file)
        self.held = 0
        self.open: set[Channel] = set()
        self._settings = settings
        address, port = str(settings.address), settings.port
        try:
            self._port: IListeningPort = reactor.listenTCP(port, self, interface=address)
        except CannotListenError as error:
            raise HttpServerError(f"cannot serve HTTP on {address}:{port}/tcp: {error.socketError}") from error

    def stop(self) -> None:
        """Serve no more, and end what is under way."""
        self._port.stopListening()
        for channel in tuple(self.open):
            channel.abort()

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002 (Twisted's)
        """Take a connection, unless there are too many."""
        if len(self.open) >= self._settings.max_connections:
            self.counters.connections_refused += 1
            return None
        channel = Channel()
        channel.factory, channel.timeOut = self, IDLE
        channel.callLater = cast("Any", self.reactor.callLater)  # type: ignore[method-assign]  # as Twisted does
        self.open.add(channel)
        self.counters.connections += 1
        return channel

    def log(self, request: Request) -> None:
        """Write no access log: requests are counted."""

    def startFactory(self) -> None:
        """Do without the clock of an access log."""

    def stopFactory(self) -> None:
        """Do without the clock of an access log."""


class Channel(HTTPChannel):
    """One connection; its alarm does not care how many octets come, only when a request is whole."""

    factory: HttpServer
    transport: TcpTransport
    _is_idle = True
    _is_refused = False
    _linger: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Be served before others from now on."""
        self.transport.pauseProducing()
        self.factory.hurry(self.transport)
        self.transport.resumeProducing()
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take octets of a request."""
        if self._is_refused:
            return
        if self._is_idle:
            self._is_idle = False
            self.setTimeout(REQUEST_PATIENCE)
        LineReceiver.dataReceived(self, data)  # that of HTTPChannel sets the alarm anew with every octet

    def requestDone(self, request: Request) -> None:
        """Wait for the next request, unless it is there already."""
        super().requestDone(request)
        if not self._handlingRequest:
            self._is_idle = True
            self.setTimeout(IDLE)

    def timeoutConnection(self) -> None:
        """End a connection on which nothing happens, or too slowly."""
        self.factory.counters.timeouts += not self._is_idle
        self._end()

    def refuse(self, error: HttpError) -> None:
        """Answer before the request is whole, then read into the void for a while, so that the answer arrives."""
        self._is_refused = True
        self.factory.counters.errors += 1
        reply = error_reply(error)
        status = HTTPStatus(error.status)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {JSON}\r\nContent-Length: {reply.length}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + b"".join(reply.parts))
        self.transport.loseWriteConnection()
        self._end_later()

    def abort(self) -> None:
        """End the connection whatever is unsent."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the place back."""
        self.factory.open.discard(self)
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        super().connectionLost(reason)

    def _end(self) -> None:
        self.loseConnection()
        self._end_later()

    def _end_later(self) -> None:
        self.setTimeout(None)
        self._linger = self.callLater(LINGER, self.abort)


class Exchange(Request):
    """One request and its answer."""

    channel: Channel
    content: BytesIO

    def __init__(self, channel: Channel, queued: object = None) -> None:  # noqa: ARG002 (Twisted's)
        super().__init__(channel)
        self.is_gone = False
        self._server = channel.factory
        self._writer: Writer | None = None

    def gotLength(self, length: int | None) -> None:
        """Know how long the body is going to be, if the client says."""
        self.content = BytesIO()
        if length is not None and length > MAX_BODY:
            self.channel.refuse(TOO_LARGE)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body."""
        if self.content.tell() + len(data) > MAX_BODY:
            self.channel.refuse(TOO_LARGE)
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Answer the request, which is whole now."""
        self.method, self.uri, self.clientproto = command, path, version
        self.process()

    def process(self) -> None:
        """Answer the request, whatever it is and whatever happens."""
        self._server.counters.requests += 1
        ensureDeferred(self._answer()).addErrback(self._confess)

    def connectionLost(self, reason: Failure) -> None:
        """Know that there is nobody to answer any more."""
        self.is_gone = True
        if self._writer is not None:
            self._writer.stopProducing()
        super().connectionLost(reason)

    async def _answer(self) -> None:
        try:
            reply = await self._reply()
        except HttpError as error:
            reply = error_reply(error)
        self._send(reply)

    async def _reply(self) -> Reply:
        """Ask whoever has the page.

        Raises: HttpError.
        """
        server = self._server
        method, (path, _, query) = self.method.decode("latin-1"), self.uri.decode("latin-1").partition("?")
        wait = server.rates.wait(self.channel.getPeer().host)
        if wait:
            server.counters.throttled += 1
            raise HttpError(429, "too many requests", **{"Retry-After": str(ceil(wait))})
        page = server.pages.get(path)
        if page is None:
            raise HttpError(404, f"there is no such page; there are {', '.join(server.pages)}")
        if not page.is_open and server.tokens is not None and not server.tokens.admit(self._said(b"authorization")):
            server.counters.unauthorized += 1
            raise HttpError(401, "a bearer token is needed", **{"WWW-Authenticate": "Bearer"})
        if ("GET" if method == "HEAD" else method) not in page.methods:
            allowed = ", ".join(sorted(page.methods | ({"HEAD"} & {"HEAD" if "GET" in page.methods else ""})))
            raise HttpError(405, f"{path} takes {allowed}", Allow=allowed)
        content_type = (self._said(b"content-type") or "").partition(";")[0].strip().lower()
        return await page.answer(
            Asked(
                method=method,
                path=path,
                parameters=parameters_of(query),
                body=self.content.getvalue(),
                content_type=content_type,
            )
        )

    def _said(self, name: bytes) -> str | None:
        """Return what a header of the request says, whatever octets that are."""
        said = self.getHeader(name)
        return None if said is None else said.decode("latin-1")

    def _send(self, reply: Reply) -> None:
        server, length = self._server, reply.length or 0
        if self.is_gone:
            return
        if server.held + length > MAX_HELD:
            reply = error_reply(HttpError(503, "too many answers wait for their clients", **{"Retry-After": "1"}))
            length = 0
        server.counters.errors += reply.status >= 400
        self.setResponseCode(reply.status, HTTPStatus(reply.status).phrase.encode())
        for name, value in {**USUAL_HEADERS, "Content-Type": reply.content_type, **reply.headers}.items():
            self.setHeader(name, value)
        if reply.length is not None:
            self.setHeader("Content-Length", str(reply.length))
        if self.method == b"HEAD":
            self.finish()
            return
        server.held += length
        self._writer = Writer(server.reactor, self, reply.parts, lambda reason: self._written(length, reason))
        self._writer.begin()

    def _written(self, length: int, reason: str) -> None:
        """Take note that an answer is over; one that is not whole costs the connection, or it would look whole."""
        self._server.held -= length
        self._server.counters.bugs += reason == "bug"
        self._server.counters.answers_aborted += bool(reason)
        if reason:
            self.channel.abort()

    def _confess(self, bug: Failure) -> None:
        self._server.counters.bugs += 1
        log_bug(bug, "an HTTP request")
        if not self.is_gone and not self.startedWriting:
            self._send(error_reply(HttpError(500, "no answer because of a bug, which is in the log")))
        elif not self.is_gone:
            self.channel.abort()


Channel.requestFactory = cast("Any", Exchange)
