"""A ZeroMQ server in the reactor: multipart messages of clients come in, answers go out, nothing ever blocks.

A ROUTER socket, as REQ and DEALER clients expect it. A client that does not read costs what a few answers are long, and
loses the rest. With a user and a password, clients must give them (PLAIN); with a server key, the connection is
encrypted (CURVE, ours) and only clients whose public keys are known get in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import zmq
import zmq.auth
from twisted.logger import Logger
from twisted.python.failure import Failure
from zmq.auth.thread import ThreadAuthenticator

from routed.plumbing.lifecycle import StartError
from routed.plumbing.values import Endpoint
from routed.plumbing.zeromq_keys import OneKey, own_keys
from routed.plumbing.zeromq_socket import MAX_FRAMES, ReactorSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IDelayedCall

    from routed.plumbing.zeromq_settings import ZmqSettings

#: Answers that wait for one client in the library, which learns with a delay that they were taken.
QUEUED: Final = 16
#: Answers that wait here for a place there, their octets, how long, and how often there is a look. Units: seconds.
MAX_LATE: Final = 256
MAX_LATE_OCTETS: Final = 32 << 20
LATE_PATIENCE: Final = 1.0
LATE_INTERVAL: Final = 0.005
#: Requests that wait for us from one client.
REQUESTS: Final = 16

_log = Logger()


class ZmqError(StartError):
    """The socket cannot be had."""


@dataclass(slots=True)
class ZmqCounters:
    """What a server did."""

    requests: int = 0
    requests_refused: int = 0
    answers: int = 0
    answers_lost: int = 0
    bugs: int = 0


class ReplyTo:
    """The way back to the client of one request."""

    __slots__ = ("_envelope", "_server")

    def __init__(self, server: ZmqServer, envelope: list[bytes]) -> None:
        self._server, self._envelope = server, envelope

    def send(self, frames: Sequence[bytes]) -> None:
        """Answer, if the client still reads."""
        self._server.send([*self._envelope, *frames])


class ZmqServer:
    """Answers requests from its start to its stop; `answer` gets the frames of each and the way back.

    Args:
        hurry: lets the reactor serve a descriptor before others.
        what: is served, for people.
    """

    def __init__(
        self,
        reactor: Any,
        settings: ZmqSettings,
        answer: Callable[[list[bytes], ReplyTo], None],
        hurry: Callable[[Any], None] = lambda _: None,
        what: str = "the looking glass",
    ) -> None:
        self.counters = ZmqCounters()
        self._reactor, self._answer, self._hurry, self._what = reactor, answer, hurry, what
        self._context = zmq.Context(io_threads=1)
        self._authenticator: ThreadAuthenticator | None = None
        self._port = settings.port
        self._socket = self._open(settings)
        self.warden = self._socket.warden
        self._late: list[tuple[list[bytes], float]] = []  # answers for which there was no place, and until when
        self._late_octets = 0
        self._late_alarm: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to answer."""
        self._socket.start(self._port, self._hurry)

    def stop(self) -> None:
        """Answer no more."""
        if self._late_alarm is not None:
            self._late_alarm.cancel()
            self._late_alarm = None
        self._late.clear()
        self._socket.close()
        self._end_context()

    def send(self, frames: list[bytes]) -> None:
        """Send a message to a client, or lose it when too many wait for it."""
        if self._socket.is_closed:
            return
        if not self._try(frames):
            self._late_octets += sum(map(len, frames))
            if len(self._late) < MAX_LATE and self._late_octets <= MAX_LATE_OCTETS:
                self._late.append((frames, self._reactor.seconds() + LATE_PATIENCE))
                self._try_again_later()
            else:
                self._late_octets -= sum(map(len, frames))
                self.counters.answers_lost += 1

    def _try(self, frames: list[bytes]) -> bool:
        """Send a message; whether that is settled, for better or worse."""
        try:
            self._socket.send(frames)
            self.counters.answers += 1
        except zmq.Again:  # too many wait for this client
            return False
        except zmq.ZMQError:  # it is gone
            self.counters.answers_lost += 1
        return True

    def _try_again_later(self) -> None:
        if self._late_alarm is None and self._late:
            self._late_alarm = self._reactor.callLater(LATE_INTERVAL, self._try_again)

    def _try_again(self) -> None:
        self._late_alarm = None
        late, self._late = self._late, []
        for frames, due in late:
            is_settled = self._try(frames)
            if not is_settled and self._reactor.seconds() < due:
                self._late.append((frames, due))
                continue
            self._late_octets -= sum(map(len, frames))
            self.counters.answers_lost += not is_settled
        self._try_again_later()

    def _take(self, frames: list[bytes]) -> None:
        self.counters.requests += 1
        end = frames.index(b"", 1) + 1 if b"" in frames[1:MAX_FRAMES] else 0
        if not end or len(frames) > MAX_FRAMES:
            self.counters.requests_refused += 1
            return
        try:
            self._answer(frames[end:], ReplyTo(self, frames[:end]))
        except Exception:  # noqa: BLE001 (our own bug costs this request)
            self.counters.bugs += 1
            failure = Failure()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
            _log.failure("bug in {where}", failure, where=f"a request to {self._what}")

    def _open(self, settings: ZmqSettings) -> ReactorSocket:
        socket = ReactorSocket(self._reactor, self._context, zmq.ROUTER, self._take, waiting=REQUESTS)
        socket.raw.setsockopt(zmq.SNDHWM, QUEUED)
        socket.raw.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.raw.setsockopt(zmq.IPV6, settings.address.version == 6)
        place = Endpoint(str(settings.address), settings.port)
        try:
            self._authenticate(socket.raw, settings)
            socket.raw.bind(f"tcp://{place}")
        except (zmq.ZMQError, OSError, ValueError) as error:
            socket.close()
            self._end_context()
            raise ZmqError(f"cannot serve {self._what} on {place}/tcp: {error}") from error
        return socket

    def _end_context(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.destroy(linger=0)

    def _authenticate(self, socket: zmq.Socket[bytes], settings: ZmqSettings) -> None:
        """Let only those in who know what they must."""
        user, password, is_curve = settings.user, settings.password, settings.server_key_file is not None
        if not is_curve and not (user and password):
            return
        authenticator = self._authenticator = ThreadAuthenticator(self._context, log=_QUIET)
        authenticator.start()
        if is_curve:
            assert settings.server_key_file is not None
            public, secret = own_keys(settings.server_key_file)
            socket.curve_publickey, socket.curve_secretkey = public, secret
            socket.curve_server = True
            if settings.one_key_for_all:
                authenticator.configure_curve_callback(domain="*", credentials_provider=OneKey(public))
                return
            location = zmq.auth.CURVE_ALLOW_ANY if settings.client_keys is None else str(settings.client_keys)
            authenticator.configure_curve(domain="*", location=location)
        elif user and password:
            authenticator.configure_plain(domain="*", passwords={user: password})
            socket.plain_server = True


_QUIET: Final = logging.getLogger("zmq.auth")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
