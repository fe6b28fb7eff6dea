"""One connection to an AMQP 0-9-1 broker with one channel on it, ready to publish: `pika` over Twisted's endpoints.

What can go wrong is told by the key of the configuration that it is about, as far as the broker says enough.

Source: AMQP 0-9-1 specification, sections 1.4 to 1.7 (connection, channel, exchange); RabbitMQ's publisher confirms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import pika
from OpenSSL import SSL
from pika.adapters.twisted_connection import TwistedChannel, TwistedProtocolConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker, ProbableAuthenticationError
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.protocol import connectionDone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
    from twisted.python.failure import Failure

    from routed.plumbing.amqp_settings import AmqpSettings, AmqpTls

#: Seconds that a broker has to accept a connection, and again to get it ready.
PATIENCE: Final = 15.0
#: Seconds that a broker has to say goodbye.
CLOSE_PATIENCE: Final = 2.0
#: Octets of a frame that the library takes at most; a longer message has more than one.
LARGEST_FRAME: Final = 131_072
#: Reply codes of brokers, and the keys they are about.
_BLAMED: Final[Mapping[int, tuple[str, ...]]] = {
    402: ("vhost",),
    403: ("user", "passwd"),
    404: ("exchange",),
    406: ("exchange_type", "persistent_msg"),
    501: ("frame_max",),
    530: ("vhost",),
}
_REFUSED: Final = 403
_PERSISTENT: Final = 2
_TRANSIENT: Final = 1


class AmqpError(Exception):
    """There is no usable connection; the text says which key that is about."""


class Publisher(Protocol):
    """A channel that takes messages."""

    lost: Deferred[str]  # fires once, with the reason, when it takes no more

    def publish(self, routing_key: str, body: bytes, content_type: str, schema: str) -> Deferred[Any]:
        """Publish a message; fires when the broker has confirmed it, fails when it will not."""

    def pauses(self, producer: Any) -> None:
        """Ask a producer to pause whenever the broker reads slowly."""

    def alarms(self, raised: Callable[[str], None], over: Callable[[], None]) -> None:
        """Tell when the broker is short of something, memory or disk, and takes nothing, and when that is over."""

    def close(self) -> Deferred[None]:
        """Close the connection; fires when it is closed, and never fails."""


#: Opens the way to a broker, host and port; fails with AmqpError.
Connect = Callable[[str, int], Deferred[Publisher]]


class _Protocol(TwistedProtocolConnection):  # type: ignore[misc]  # pika has no types
    """pika's protocol; keeps what the broker said last, which pika forgets when the connection has ended."""

    farewell: BaseException | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 (Twisted's)
        """Look why, before pika takes the end of the connection for the reason."""
        self.farewell = self._impl._error or reason.value  # noqa: SLF001 (it is nowhere else)
        super().connectionLost(reason)


class AmqpChannel:
    """A channel in confirm mode on a connection of its own."""

    def __init__(
        self, connection: _Protocol, channel: TwistedChannel, settings: AmqpSettings, reactor: IReactorTime
    ) -> None:
        self.lost: Deferred[str] = Deferred()
        self._reactor = reactor
        self._connection, self._channel, self._settings = connection, channel, settings
        self._properties: dict[tuple[str, str], pika.BasicProperties] = {}
        channel.on_closed.addBoth(self._on_lost)
        assert connection.closed is not None
        self._closed: Deferred[Any] = connection.closed
        self._closed.addBoth(self._on_lost)

    def publish(self, routing_key: str, body: bytes, content_type: str, schema: str) -> Deferred[Any]:
        """Publish a message; fires when the broker has confirmed it, fails when it will not."""
        properties = self._properties.get((content_type, schema))
        if properties is None:
            properties = self._properties[content_type, schema] = pika.BasicProperties(
                content_type=content_type,
                delivery_mode=_PERSISTENT if self._settings.persistent else _TRANSIENT,
                type=schema or None,
            )
        confirmed: Deferred[Any] = self._channel.basic_publish(self._settings.exchange, routing_key, body, properties)
        return confirmed

    def pauses(self, producer: Any) -> None:
        """Ask a producer to pause whenever the broker reads slowly."""
        assert self._connection.transport is not None
        self._connection.transport.registerProducer(producer, True)  # noqa: FBT003 (Twisted's)

    def alarms(self, raised: Callable[[str], None], over: Callable[[], None]) -> None:
        """Tell when the broker is short of something, memory or disk, and takes nothing, and when that is over."""
        connection = self._connection._impl  # noqa: SLF001 (the adapter does not pass it on)
        connection.add_on_connection_blocked_callback(lambda _, frame: raised(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda *_: over())

    def close(self) -> Deferred[None]:
        """Close the connection; fires when it is closed, and never fails."""
        over: Deferred[None] = Deferred()
        self.lost.addBoth(lambda _: over.callback(None))
        if self.lost.called:
            return over
        transport = self._connection.transport
        assert transport is not None
        transport.unregisterProducer()  # or it would not close
        self._connection.close()
        return over.addTimeout(CLOSE_PATIENCE, self._reactor, lambda *_: transport.abortConnection())

    def _on_lost(self, reason: object) -> None:
        if not self.lost.called:
            error: object = self._connection.farewell or getattr(reason, "value", reason)
            self.lost.callback(describe(error, self._settings.keys))


def connector(reactor: IReactorTime, settings: AmqpSettings) -> Connect:
    """Return what connects to a broker as the settings say."""
    logging.getLogger("pika").setLevel(logging.CRITICAL + 1)  # what it would say is in the reasons of failures

    async def connect(host: str, port: int) -> Publisher:
        connection: _Protocol | None = None
        try:
            connection = await _connected(reactor, settings, host, port)
            assert connection.ready is not None
            await connection.ready.addTimeout(PATIENCE, reactor)
            channel = await _opened(connection, settings).addTimeout(PATIENCE, reactor)
            return AmqpChannel(connection, channel, settings, reactor)
        except Exception as error:
            if connection is not None and connection.transport is not None:
                connection.transport.abortConnection()
            cause = None if connection is None else connection.farewell
            raise AmqpError(describe(cause or error, settings.keys, f"{host}:{port}")) from error

    return lambda host, port: Deferred.fromCoroutine(connect(host, port))


async def _connected(reactor: IReactorTime, settings: AmqpSettings, host: str, port: int) -> _Protocol:
    parameters = pika.ConnectionParameters(
        virtual_host=settings.virtual_host,
        credentials=pika.PlainCredentials(settings.user, settings.password),
        frame_max=min(settings.frame_max, LARGEST_FRAME),
        heartbeat=settings.heartbeat,
        connection_attempts=1,
    )
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, host, port, timeout=PATIENCE)
    if settings.tls is not None:
        endpoint = wrapClientTLS(_tls_options(settings.tls, host), endpoint)
    protocol = _Protocol(parameters, custom_reactor=reactor)
    connection: _Protocol = await connectProtocol(endpoint, protocol)  # type: ignore[no-untyped-call]  # bare in Twisted
    connection.transport.setTcpKeepAlive(True)
    return connection


def _tls_options(tls: AmqpTls, host: str) -> Any:
    """Read the files anew for each connection, so that renewed ones count."""
    trust = ours = None
    if tls.authorities is not None:
        authorities = [ssl.Certificate.loadPEM(text) for text in _certificates(tls.authorities.read_bytes())]
        trust = ssl.trustRootFromCertificates(authorities)  # type: ignore[no-untyped-call]  # bare in Twisted
    if tls.certificate_chain is not None and tls.private_key is not None:
        identity = tls.private_key.read_bytes() + b"\n" + tls.certificate_chain.read_bytes()
        ours = ssl.PrivateCertificate.loadPEM(identity)  # type: ignore[no-untyped-call]  # bare in Twisted
    return ssl.optionsForClientTLS(host, trustRoot=trust, clientCertificate=ours)


def _certificates(text: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----"
    return [part + end for part in text.split(end)[:-1]]


def _opened(connection: _Protocol, settings: AmqpSettings) -> Deferred[Any]:
    """Open the channel, declare the exchange, ask for confirmations."""

    async def opened() -> TwistedChannel:
        channel: TwistedChannel = await connection.channel()
        await channel.exchange_declare(
            exchange=settings.exchange, exchange_type=settings.exchange_type, durable=settings.persistent
        )
        await channel.confirm_delivery()
        return channel

    return Deferred.fromCoroutine(opened())


def describe(error: object, keys: str, where: str = "") -> str:
    """Say what went wrong, and which keys to look at; `keys` begins their names."""
    blamed: tuple[str, ...] = ()
    text = str(error) or type(error).__name__
    if isinstance(error, ConnectionClosedByBroker | ChannelClosedByBroker):
        blamed, text = _BLAMED.get(error.reply_code, ()), error.reply_text
        if error.reply_code == _REFUSED and isinstance(error, ChannelClosedByBroker):
            blamed = ("exchange",)
    elif isinstance(error, ProbableAuthenticationError):
        blamed, text = _BLAMED[_REFUSED], "the broker closed the connection at the login"
    elif isinstance(error, SSL.Error):
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else ()
        blamed, text = ("tls",), "TLS: " + (", ".join(reason for *_, reason in reasons) or "no reason given")
    elif isinstance(error, DeferredTimeoutError):
        blamed, text = ("host",), f"no answer within {PATIENCE:.0f} s"
    elif isinstance(error, ConnectError | ConnectionLost | DNSLookupError):
        blamed = ("host",)
    elif isinstance(error, OSError):
        blamed, text = ("tls",), f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    elif isinstance(error, AMQPError):
        text = f"{type(error).__name__}: {text}"
    return ": ".join(part for part in (" or ".join(keys + key for key in blamed), where, text) if part)
