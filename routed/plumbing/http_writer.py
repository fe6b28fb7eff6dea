"""Writes an answer of HTTP as its client takes it."""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from routed.plumbing.sink import log_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IDelayedCall

#: Seconds that a client has to take what was written, some ten thousand octets; then it is given up.
READING_PATIENCE: Final = 20.0


@implementer(IPushProducer)
class Writer:
    """Writes an answer part by part, as the client takes them; the reactor turns between two of them."""

    def __init__(self, reactor: Any, request: Any, parts: Iterable[bytes], over: Callable[[str], None]) -> None:
        """Begin later; `over` is called once, with what went wrong: nothing, `stuck`, `gone` or `bug`."""
        self._reactor, self._request, self._parts, self._over = reactor, request, iter(parts), over
        self._is_paused = self._is_over = False
        self._next: IDelayedCall | None = None
        self._alarm: IDelayedCall | None = None

    def begin(self) -> None:
        """Write the first part; a short answer is over with that."""
        self._request.registerProducer(self, True)  # noqa: FBT003 (Twisted's)
        self._more()

    def resumeProducing(self) -> None:
        """Go on: the client took what was written."""
        self._is_paused = False
        cancel(self._alarm)
        if self._next is None and not self._is_over:
            self._next = self._reactor.callLater(0, self._more)

    def pauseProducing(self) -> None:
        """Wait for the client, but not for ever."""
        self._is_paused = True
        cancel(self._next)
        self._next = None
        if not self._is_over and (self._alarm is None or not self._alarm.active()):
            self._alarm = self._reactor.callLater(READING_PATIENCE, self._give_up)

    def stopProducing(self) -> None:
        """End: nobody reads any more."""
        self._end("gone")

    def _more(self) -> None:
        self._next = None
        try:
            part = next(self._parts, None)
        except Exception as bug:  # noqa: BLE001 (our own bug costs this answer)
            log_bug(bug, "an HTTP answer")
            self._end("bug")
            return
        if part is not None:
            self._request.write(part)
            if not self._is_paused and not self._is_over:
                self._next = self._reactor.callLater(0, self._more)
            return
        self._request.unregisterProducer()
        self._end("")
        self._request.finish()

    def _give_up(self) -> None:
        self._end("stuck")

    def _end(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        cancel(self._alarm)
        cancel(self._next)
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()
        self._over(reason)


def cancel(call: IDelayedCall | None) -> None:
    """Let a call that is still to come not come."""
    if call is not None and call.active():
        call.cancel()
