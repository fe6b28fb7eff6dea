"""One server that is asked again and again over ZeroMQ, in the reactor, by a client that nothing can block or fill.

A question is asked when the one before is answered, after a pause. A server that does not answer is asked anew over
another connection, so that no late answer is taken for that of the next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import zmq

from routed.plumbing.lifecycle import StartError
from routed.plumbing.zeromq_keys import own_keys
from routed.plumbing.zeromq_socket import MAX_FRAMES, ReactorSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from routed.plumbing.zeromq_settings import Asked

#: Seconds from an answer to the next question, the same when the server has more to say, and until an answer is late.
PAUSE: Final = 1.0
SHORT_PAUSE: Final = 0.01
PATIENCE: Final = 10.0
#: Milliseconds between two attempts to connect.
RECONNECT_MS: Final = 200


@dataclass(slots=True)
class AskerCounters:
    """What came of questions to one server."""

    questions: int = 0
    answers: int = 0
    late: int = 0  # no answer in time
    refused: int = 0  # answers that were none


class ZmqAsker:
    """Asks from its start to its stop.

    Args:
        question: returns what to ask.
        answered: takes the frames of an answer; returns whether to ask again at once. Raises ValueError for what is no
            answer.
        changed: is told, by a text that begins in lower case, when the server begins to answer or does no longer.

    Raises: StartError for a key file that is none.
    """

    def __init__(
        self,
        reactor: Any,
        asked: Asked,
        question: Callable[[], bytes],
        answered: Callable[[list[bytes]], bool],
        changed: Callable[[str], None],
    ) -> None:
        self.counters = AskerCounters()
        self._reactor, self._asked = reactor, asked
        self._question, self._answered, self._changed = question, answered, changed
        self._keys: tuple[bytes, bytes] | None = None
        if asked.key_file is not None:
            try:
                self._keys = own_keys(asked.key_file)
            except (OSError, ValueError) as error:
                raise StartError(f"cannot ask {asked.place}: {error}") from error
        self._context = zmq.Context(io_threads=1)
        self._socket: ReactorSocket | None = None
        self._next: IDelayedCall | None = None
        self._is_waiting = False
        self._said: str | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._ask()

    def stop(self) -> None:
        """Ask no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._close()
        self._context.destroy(linger=0)

    def _take(self, frames: list[bytes]) -> None:
        if not self._is_waiting:
            return
        self._is_waiting = False
        try:
            if frames[0] or len(frames) > MAX_FRAMES:
                raise ValueError("no answer")  # noqa: TRY301 (the same as one that is none for who asked)
            wants_more = self._answered(frames[1:])
        except ValueError as error:
            self.counters.refused += 1
            self._say(f"what it answers cannot be understood: {error}")
            wants_more = False
        else:
            self.counters.answers += 1
            self._say("answers")
        self._ask_in(SHORT_PAUSE if wants_more else PAUSE)

    def _ask_in(self, seconds: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = self._reactor.callLater(seconds, self._ask)

    def _ask(self) -> None:
        self._next = None
        if self._is_waiting:
            self.counters.late += 1
            self._say(f"no answer within {PATIENCE:g} s")
            self._close()
        socket = self._socket = self._socket or self._open()
        self._is_waiting = True
        self._ask_in(PATIENCE)
        socket.send([b"", self._question()])  # there is room: one question at a time, over a socket of its own
        self.counters.questions += 1

    def _open(self) -> ReactorSocket:
        socket, asked = ReactorSocket(self._reactor, self._context, zmq.DEALER, self._take, waiting=1), self._asked
        socket.raw.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.raw.setsockopt(zmq.IPV6, 1)
        if self._keys is not None:
            socket.raw.curve_publickey, socket.raw.curve_secretkey = self._keys
            socket.raw.curve_serverkey = self._keys[0]
        elif asked.user and asked.password:
            socket.raw.plain_username, socket.raw.plain_password = asked.user.encode(), asked.password.encode()
        socket.raw.connect(f"tcp://{asked.place}")
        socket.start(asked.place.port)
        return socket

    def _close(self) -> None:
        self._is_waiting = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._changed(text)
