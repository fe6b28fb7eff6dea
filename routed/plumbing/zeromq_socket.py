"""A ZeroMQ socket in the reactor: whole messages come in and go out, nothing blocks, and no peer can fill it.

Its descriptor only tells that something may have changed, and whoever reads or sends takes up that sign. So after
either the socket is asked until it has nothing more to say, a few messages a turn. A peer that does not end its message
is ended itself (`zeromq_warden.py`).
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import zmq
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from routed.plumbing.zeromq_warden import Warden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

#: Of connections: seconds for the greeting, and after which TCP asks whether a silent peer is still there, and how
#: often. A queue of those that are not accepted yet. Units: milliseconds, seconds.
OPTIONS: Final = {
    zmq.HANDSHAKE_IVL: 10_000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 60,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.BACKLOG: 128,
}
#: Messages taken in one turn of the reactor.
PER_TURN: Final = 16
#: Longest frame that is read, in octets; a peer that sends more is disconnected.
MAX_FRAME: Final = 131_072
#: Frames of a message, those of its envelope included; more are for who takes it to refuse.
MAX_FRAMES: Final = 128
#: How frames are received and sent. The library's own loop over frames makes an enumeration's value of each of these.
_AT_ONCE: Final = int(zmq.NOBLOCK)
_MORE_AT_ONCE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
_SOURCE: Final = int(zmq.SRCFD)


@implementer(IReadDescriptor)
class ReactorSocket:
    """One socket, to be bound or connected by who makes it, and then started.

    Args:
        take: gets the frames of each message that comes; it may send, and close this.
        waiting: messages that wait for us from one peer.
    """

    def __init__(
        self, reactor: Any, context: zmq.Context[Any], kind: int, take: Callable[[list[bytes]], None], *, waiting: int
    ) -> None:
        self._reactor, self._take = reactor, take
        self.raw: zmq.Socket[bytes] = context.socket(kind)
        self.warden = Warden(reactor, self.raw)
        for option, value in OPTIONS.items():
            self.raw.setsockopt(option, value)
        self.raw.setsockopt(zmq.LINGER, 0)
        self.raw.setsockopt(zmq.RCVHWM, waiting)
        self.raw.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
        self._is_started = False
        self._is_reading = False  # until there is nothing more, so no sign is missed
        self._more: IDelayedCall | None = None

    def start(self, port: int, hurry: Callable[[Any], None] = lambda _: None) -> None:
        """Begin to read.

        Args:
            port: what this is bound or connected to.
            hurry: lets the reactor serve a descriptor before others.
        """
        self._is_started = True
        hurry(self)
        self._reactor.addReader(self)
        self.warden.start(port)
        self._look_again()

    def close(self) -> None:
        """Give back everything; what has not been sent is lost."""
        if self._is_started:
            self._reactor.removeReader(self)
            self.warden.stop()
        else:
            self.warden.close()
        if self._more is not None:
            self._more.cancel()
            self._more = None
        self.raw.close(linger=0)

    @property
    def is_closed(self) -> bool:
        """Tell whether this was closed."""
        return bool(self.raw.closed)

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message at once.

        Raises: zmq.Again when there is no room for it, another zmq.ZMQError when nobody is there to get it.
        """
        try:
            for frame in frames[:-1]:
                self.raw.send(frame, _MORE_AT_ONCE)
            self.raw.send(frames[-1], _AT_ONCE)
        finally:
            if not self._is_reading:
                self._look_again()  # sending takes up the sign that something came

    def fileno(self) -> int:
        """Return what tells that something may have changed."""
        return -1 if self.raw.closed else int(self.raw.FD)

    def logPrefix(self) -> str:
        """Name this reader."""
        return "zeromq"

    def connectionLost(self, reason: Failure) -> None:
        """Know that the reactor is over."""

    def doRead(self) -> None:
        """Take what has come, a few messages at most."""
        self._is_reading = True
        try:
            for _ in range(PER_TURN):
                frames = self._receive()
                if frames is None:
                    return
                self._take(frames)
        finally:
            self._is_reading = False
        self._look_again()  # the descriptor does not tell again what it told already

    def _receive(self) -> list[bytes] | None:
        """Return the frames of the next message if it has come, which it does as a whole."""
        if self.raw.closed:
            return None
        try:
            frame = self.raw.recv(_AT_ONCE, copy=False)
        except zmq.Again:
            return None
        frames = [frame.bytes]
        while frame.more:
            frame = self.raw.recv(_AT_ONCE, copy=False)
            frames.append(frame.bytes)
        self.warden.heard(_source_of(frame))
        return frames

    def _look_again(self) -> None:
        if self._more is None and not self.raw.closed:
            self._more = self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        self._more = None
        self.doRead()


def _source_of(frame: zmq.Frame) -> int:
    """Return the descriptor of the connection that a frame came over, -1 when the library does not know it."""
    try:
        return int(frame.get(_SOURCE))
    except zmq.ZMQError:  # of a peer that greets as libzmq did before 2012
        return -1
