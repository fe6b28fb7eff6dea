"""One server that is asked again and again over ZeroMQ, in the reactor, by a client that nothing can block or fill.

A question is asked when the one before is answered, after a pause. A server that does not answer is asked anew over
another connection, so that no late answer is taken for that of the next question. How much of an answer may be
unfinished is bounded as it is for servers (`zeromq_warden.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import zmq
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from routed.plumbing.zeromq import AT_ONCE, MAX_FRAME, MAX_FRAMES, MORE_AT_ONCE, OPTIONS, source_of
from routed.plumbing.zeromq_warden import Warden

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

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


@implementer(IReadDescriptor)
class ZmqAsker:
    """Asks from its start to its stop.

    Args:
        question: returns what to ask.
        answered: takes the frames of an answer; returns whether to ask again at once. Raises ValueError for what is no
            answer.
        changed: is told, by a text that begins in lower case, when the server begins to answer or does no longer.
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
        self._context = zmq.Context(io_threads=1)
        self._socket: zmq.Socket[bytes] | None = None
        self._warden: Warden | None = None
        self._next: IDelayedCall | None = None
        self._look: IDelayedCall | None = None
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

    def fileno(self) -> int:
        """Return what tells that something may have changed."""
        return -1 if self._socket is None else int(self._socket.FD)

    def logPrefix(self) -> str:  # noqa: N802 (Twisted's name)
        """Name this reader."""
        return "zeromq asker"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        """Know that the reactor is over."""

    def doRead(self) -> None:  # noqa: N802 (Twisted's name)
        """Take the answer, if it has come."""
        assert self._socket is not None
        assert self._warden is not None
        try:
            frame = self._socket.recv(AT_ONCE, copy=False)
        except zmq.Again:
            return
        frames = [frame.bytes]
        while frame.more:  # a message comes as a whole
            frame = self._socket.recv(AT_ONCE, copy=False)
            frames.append(frame.bytes)
        self._warden.heard(source_of(frame))
        if self._is_waiting:
            self._take(frames)
        self._look_again()  # the descriptor does not tell again what it told already

    def _take(self, frames: list[bytes]) -> None:
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
        if self._socket is None:
            self._open()
        assert self._socket is not None
        self._is_waiting = True
        self._ask_in(PATIENCE)
        self._socket.send(b"", MORE_AT_ONCE)  # there is room: one question at a time, over a socket of its own
        self._socket.send(self._question(), AT_ONCE)
        self.counters.questions += 1
        self._look_again()  # sending takes up the sign that something came

    def _open(self) -> None:
        socket = self._socket = self._context.socket(zmq.DEALER)
        for option, value in OPTIONS.items():
            socket.setsockopt(option, value)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
        socket.setsockopt(zmq.IPV6, 1)
        if self._asked.user and self._asked.password:
            socket.plain_username, socket.plain_password = self._asked.user.encode(), self._asked.password.encode()
        place = self._asked.place
        host = f"[{place.host}]" if ":" in place.host else place.host
        self._warden = Warden(self._reactor, socket)
        socket.connect(f"tcp://{host}:{place.port}")
        self._warden.start(place.port)
        self._reactor.addReader(self)

    def _close(self) -> None:
        self._is_waiting = False
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._socket is None:
            return
        self._reactor.removeReader(self)
        assert self._warden is not None
        self._warden.stop()
        self._socket.close(linger=0)
        self._socket = self._warden = None

    def _look_again(self) -> None:
        if self._look is None and self._socket is not None:
            self._look = self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        self._look = None
        if self._socket is not None:
            self.doRead()

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._changed(text)
