"""A schema registry, asked over HTTP for the numbers of schemas: what Avro messages to Kafka begin with.

Asking never blocks and never gives up: a registry that is away or refuses is asked again, less and less often, and the
operator is told once for every new reason. Several addresses are tried in turn. Schemas are registered one after the
other, since a registry that refuses one of them will most likely refuse all.

Source: Confluent's Schema Registry API, "POST /subjects/(string: subject)/versions"; its wire format: magic octet 0,
number of the schema u32, record.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import orjson
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.web.client import Agent, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from routed.plumbing.sink import log_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTCP, IReactorTime
    from twisted.python.failure import Failure
    from twisted.web.iweb import IAgent, IResponse

    from routed.plumbing.registry_settings import RegistryUrl

#: Seconds that a registry has for an answer.
PATIENCE: Final = 10.0
#: The first wait after a failure; each further one is twice as long, up to the last. Units: seconds.
FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 60.0
#: Octets of an answer that are looked at: a number, or a message for people.
MAX_ANSWER: Final = 65_536

_CONTENT_TYPE: Final = b"application/vnd.schemaregistry.v1+json"
_OK: Final = 200
_MAGIC: Final = 0
_MAX_ID: Final = 2**32 - 1


class RegistryError(Exception):
    """The registry did not give a number; the text says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A schema and the name that it is registered under."""

    name: str
    schema: str


@implementer(IBodyProducer)
class _Body:
    """The body of a request."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self.length = octets, len(octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:  # noqa: N802 (Twisted's)
        """Write all of it at once: it is short."""
        consumer.write(self._octets)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's)
        """Do nothing: it is written."""

    def resumeProducing(self) -> None:  # noqa: N802 (Twisted's)
        """Do nothing: it is written."""

    def stopProducing(self) -> None:  # noqa: N802 (Twisted's)
        """Do nothing: it is written."""


class _Reader(Protocol):
    """Collects an answer, up to `MAX_ANSWER`."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's)
        """Take octets; those of an endless answer end it."""
        self.octets += data[: MAX_ANSWER + 1 - len(self.octets)]
        if len(self.octets) > MAX_ANSWER:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 (Twisted's)
        """Hand the answer over when it is whole."""
        if self.done.called:
            return
        if len(self.octets) > MAX_ANSWER:
            self.done.errback(RegistryError(f"an answer of more than {MAX_ANSWER} octets"))
        elif isinstance(reason.value, ResponseDone):
            self.done.callback(bytes(self.octets))
        else:
            self.done.errback(reason)

    def _abort(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class SchemaRegistry:
    """Registers schemas and knows their numbers.

    Args:
        urls: of the registry, tried in turn.
        subjects: what is to be registered, by the keys under which `frame_of` is asked.
        clock: for waits.
        agent: speaks HTTP.
    """

    def __init__(
        self, urls: Sequence[RegistryUrl], subjects: Mapping[str, Subject], *, clock: IReactorTime, agent: IAgent
    ) -> None:
        self._urls, self._clock, self._agent = cycle(urls), clock, agent
        self._missing = dict(subjects)
        self._frames: dict[str, bytes] = {}
        self._retry = FIRST_RETRY
        self._alarm: IDelayedCall | None = None
        self._asking: Deferred[None] | None = None
        self._on_known: Callable[[], None] | None = None
        self._on_trouble: Callable[[str], None] | None = None
        self._closing = False

    def start(self, on_known: Callable[[], None], on_trouble: Callable[[str], None]) -> None:
        """Begin to ask.

        Args:
            on_known: called once, when all numbers are known.
            on_trouble: told at every failure why.
        """
        self._on_known, self._on_trouble = on_known, on_trouble
        self._ask()

    @property
    def is_known(self) -> bool:
        """Tell whether all numbers are known."""
        return not self._missing

    def frame_of(self, key: str) -> bytes | None:
        """Return what records of a schema begin with; None for one that is not known, or not yet."""
        return self._frames.get(key)

    def close(self) -> None:
        """Ask no more."""
        self._closing = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self) -> None:
        self._alarm = None
        self._asking = Deferred.fromCoroutine(self._register())
        self._asking.addErrback(log_bug, "the schema registry")

    async def _register(self) -> None:
        url = next(self._urls)
        assert self._on_known is not None
        assert self._on_trouble is not None
        try:
            for key, subject in tuple(self._missing.items()):
                self._frames[key] = struct.pack("!BI", _MAGIC, await self._number(url, subject))
                del self._missing[key]
        except RegistryError as error:
            self._asking = None
            if not self._closing:
                self._on_trouble(f"{url}: {error}")
                self._alarm = self._clock.callLater(self._retry, self._ask)
                self._retry = min(2 * self._retry, LAST_RETRY)
        else:
            self._asking = None
            self._on_known()

    async def _number(self, url: RegistryUrl, subject: Subject) -> int:
        """Register a schema and return its number.

        Raises: RegistryError.
        """
        try:
            status, answer = await self._post(url, subject).addTimeout(PATIENCE, self._clock)
        except DeferredTimeoutError:
            raise RegistryError(f"no answer within {PATIENCE:.0f} s") from None
        except CancelledError:
            raise RegistryError("given up") from None
        except RegistryError:
            raise
        except Exception as error:
            raise RegistryError(_reason(error)) from error
        try:
            facts = orjson.loads(answer)
        except orjson.JSONDecodeError:
            facts = None
        facts = facts if isinstance(facts, dict) else {}
        if status != _OK:
            raise RegistryError(f"{subject.name}: status {status}: {facts.get('message', 'no reason given')}")
        number = facts.get("id")
        if not isinstance(number, int) or not 0 <= number <= _MAX_ID:
            raise RegistryError(f"{subject.name}: the answer has no number of a schema")
        return number

    def _post(self, url: RegistryUrl, subject: Subject) -> Deferred[tuple[int, bytes]]:
        async def post() -> tuple[int, bytes]:
            response: IResponse = await self._agent.request(b"POST", target, headers, _Body(body))
            reader = _Reader()
            response.deliverBody(reader)  # type: ignore[no-untyped-call]  # bare in Twisted
            return response.code, await reader.done

        target = f"{url.base.rstrip('/')}/subjects/{quote(subject.name, safe='')}/versions".encode("ascii")
        headers = Headers({b"Content-Type": [_CONTENT_TYPE], b"Accept": [_CONTENT_TYPE, b"application/json"]})
        if url.login is not None:
            headers.addRawHeader(b"Authorization", b"Basic " + b64encode(url.login.encode()))
        body = orjson.dumps({"schema": subject.schema})
        return Deferred.fromCoroutine(post())


def http_agent(reactor: IReactorTCP) -> IAgent:
    """Return what speaks HTTP and HTTPS, by the certificates that the system trusts."""
    agent: IAgent = Agent(reactor, connectTimeout=PATIENCE)  # type: ignore[no-untyped-call]  # bare in Twisted
    return agent


def _reason(error: Exception) -> str:
    reasons = getattr(error, "reasons", None)  # of Twisted's ResponseNeverReceived
    if reasons:
        return str(reasons[0].value)
    return str(error) or type(error).__name__
