"""A connection to one looking glass, over ZeroMQ.

A ZeroMQ socket tells nothing: it connects again and again, in silence, whether nobody listens, the password is wrong
or something else than ZeroMQ is there. Its monitor does tell, so both are listened to, and when there is no answer the
error says what is known of the reason.

A connection is asked one thing at a time. After a failure it is opened anew, so that no late answer is taken for that
of the next question.
"""

from __future__ import annotations

import socket as sockets
from enum import Enum
from typing import TYPE_CHECKING, Final

import zmq
import zmq.auth
from zmq.utils.monitor import parse_monitor_message

from lg.errors import AccessError, LookingGlassError, NoAnswerError
from lg.server import MAX_CREDENTIAL, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How long a connection and its handshake may take. Units: seconds.
CONNECT_PATIENCE: Final = 5.0
#: Longest record that is read; a record of ours with all that an UPDATE can carry stays below. Units: octets.
MAX_FRAME: Final = 4 << 20
#: What libzmq calls a server that wants another mechanism.
MECHANISM_MISMATCH: Final = 0x11000002

_CLOSED_EARLY: Final = "closes the connection while it is greeted: it may want other credentials, or not talk ZeroMQ"


class _State(Enum):
    CONNECTING = "no connection within {connect:g} s: nothing listens there, or packets are dropped on the way"
    GREETING = "accepts connections, but does not talk ZeroMQ"
    READY = "no answer within {answer:g} s"


class Connection:
    """The way to one looking glass and back; `now` is in monotonic seconds."""

    def __init__(self, server: Server, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.server = server
        self._context = context
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._state = _State.CONNECTING
        self._hint = ""  # why there is no connection, as far as it is known
        self._asked_at, self._patience = 0.0, 0.0

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What tells that there is something to look at."""
        return [socket for socket in (self._socket, self._monitor) if socket is not None]

    @property
    def deadline(self) -> float:
        """When there is no more patience."""
        whole = self._asked_at + self._patience
        return whole if self._state is _State.READY else min(whole, self._asked_at + CONNECT_PATIENCE)

    def ask(self, frames: Sequence[bytes], now: float, patience: float) -> None:
        """Send a question.

        Raises: LookingGlassError.
        """
        if self._socket is not None:
            try:
                self._watch()
            except LookingGlassError:
                self.close()  # since the last answer; that is no matter
        if self._socket is None:
            self._open()
        assert self._socket is not None
        self._asked_at, self._patience = now, patience
        self._socket.send_multipart(frames, zmq.NOBLOCK)

    def look(self, now: float) -> list[bytes] | None:
        """Return the answer, if it is there.

        Raises: LookingGlassError when there will be none.
        """
        assert self._socket is not None
        failure = None
        try:
            self._watch()
        except LookingGlassError as error:
            failure = error
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)  # what was answered before an end counts
        except zmq.Again:
            pass
        if failure is None and now >= self.deadline:
            text = self._hint or self._state.value
            failure = NoAnswerError(
                text.format(connect=min(CONNECT_PATIENCE, self._patience), answer=self._patience),
            )
        if failure is not None:
            self.close()
            raise failure
        return None

    def close(self) -> None:
        """Forget the connection; the next question opens another."""
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(linger=0)
        self._socket = self._monitor = None
        self._state, self._hint = _State.CONNECTING, ""

    def _open(self) -> None:
        host, is_ipv6 = _resolve(self.server)
        socket = self._context.socket(zmq.REQ)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
            socket.setsockopt(zmq.IPV6, is_ipv6)
            _identify(socket, self.server)
            self._monitor = socket.get_monitor_socket()
            socket.connect(f"tcp://{host}:{self.server.port}")
        except (zmq.ZMQError, OSError, ValueError) as error:
            socket.close(linger=0)
            self._monitor = None
            raise NoAnswerError(f"cannot connect: {error}") from None
        self._socket = socket

    def _watch(self) -> None:
        """Take notice of what became of the connection.

        Raises: LookingGlassError.
        """
        assert self._monitor is not None
        while True:
            try:
                told = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            self._learn(told["event"], told["value"])

    def _learn(self, event: int, value: int) -> None:
        if event == zmq.EVENT_CONNECTED:
            self._state = _State.GREETING
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._state, self._hint = _State.READY, ""
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise AccessError(f"does not accept the user and password, or the key ({value})")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == MECHANISM_MISMATCH:
            raise AccessError("wants other credentials: a user and password, a server key, or none of them")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._hint = _CLOSED_EARLY
        elif event == zmq.EVENT_DISCONNECTED and self._state is _State.READY:
            raise NoAnswerError(f"the connection ended without an answer, or a record is above {MAX_FRAME} octets")
        elif event == zmq.EVENT_DISCONNECTED:
            self._state, self._hint = _State.CONNECTING, self._hint or _State.GREETING.value


def _identify(socket: zmq.Socket[bytes], server: Server) -> None:
    """Tell a socket what the server wants to know of us.

    Raises: ValueError, OSError.
    """
    if server.server_key is not None:
        socket.curve_serverkey, _ = zmq.auth.load_certificate(server.server_key)
        if server.client_key is None:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            return
        public, secret = zmq.auth.load_certificate(server.client_key)
        if secret is None:
            raise ValueError(f"[{server.client_key}] has no secret key")
        socket.curve_publickey, socket.curve_secretkey = public, secret
        return
    for name, text in (("user", server.user), ("password", server.password)):
        if len(text.encode()) > MAX_CREDENTIAL:
            raise ValueError(f"a {name} of more than {MAX_CREDENTIAL} octets")
    if server.user:
        socket.plain_username = server.user.encode()
    if server.password:
        socket.plain_password = server.password.encode()


def _resolve(server: Server) -> tuple[str, bool]:
    """Return the address of a host as ZeroMQ wants it, and whether it is one of IPv6; of both, IPv4 counts.

    Raises: NoAnswerError.
    """
    try:
        found = sockets.getaddrinfo(server.host, server.port, type=sockets.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswerError(f"no address: {error}") from None
    family, address = min((int(entry[0]), str(entry[4][0])) for entry in found)
    is_ipv6 = family == sockets.AF_INET6
    return (f"[{address}]" if is_ipv6 else address), is_ipv6
