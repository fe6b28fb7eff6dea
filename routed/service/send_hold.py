"""The outgoing side of one stream: bounded in octets, and in time without progress (RFC 9687).

We send little (OPEN, KEEPALIVE, an occasional NOTIFICATION), so octets pile up here only when the kernel's buffer is
full because the peer has not read for long. The kernel watches its own share of the problem, see
`socket_options.limit_send_hold`.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from zope.interface import implementer

#: RFC 9687 section 4: the larger of eight minutes and twice the hold time.
MIN_SEND_HOLD_TIME: Final = 480.0
#: Octets that may wait for the kernel to take them: more than any OPEN and thousands of KEEPALIVEs.
MAX_WAITING_OCTETS: Final = 128 << 10


class Transport(Protocol):
    """What is asked of a TCP transport here."""

    def write(self, octets: bytes) -> None:
        """Queue octets."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Ask to be told when everything is in the kernel's hands."""

    def unregisterProducer(self) -> None:
        """Ask no more."""


def send_hold_time(hold_time: int) -> float:
    """Return the send hold time that goes with a negotiated hold time."""
    return max(MIN_SEND_HOLD_TIME, 2.0 * hold_time)


@implementer(IPullProducer)
class SendHold:
    """Counts what waits to be sent. As a pull producer it hears of every moment when nothing does."""

    def __init__(self, transport: Transport, clock: IReactorTime, on_stuck: Callable[[], None]) -> None:
        self.seconds = MIN_SEND_HOLD_TIME
        self._transport, self._clock, self._on_stuck = transport, clock, on_stuck
        self._waiting = 0
        self._alarm: IDelayedCall | None = None
        transport.registerProducer(self, False)  # noqa: FBT003 (positional in the interface)

    def write(self, octets: bytes) -> None:
        """Send octets; drop them, and report the peer stuck, when too many wait."""
        if self._waiting + len(octets) > MAX_WAITING_OCTETS:
            self._set_alarm(0.0)
            return
        self._waiting += len(octets)
        self._transport.write(octets)
        if self._alarm is None:
            self._set_alarm(self.seconds)

    def release(self) -> None:
        """Stop watching, so that the transport can close once it is empty."""
        self.stopProducing()
        self._transport.unregisterProducer()

    def resumeProducing(self) -> None:
        """Note that the kernel has taken everything."""
        self._waiting = 0
        self._cancel()

    def stopProducing(self) -> None:
        """Note that the connection is gone."""
        self._cancel()

    def _set_alarm(self, seconds: float) -> None:
        self._cancel()
        self._alarm = self._clock.callLater(seconds, self._expire)

    def _cancel(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _expire(self) -> None:
        self._alarm = None
        self._on_stuck()
