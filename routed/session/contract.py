"""What every stream session can do: octets and time go in, events and octets come out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from routed.model.event import Event


@runtime_checkable
class Session(Protocol):
    """A state machine over one stream; `now` is in monotonic seconds.

    The driver calls `timeout` once `deadline` has come, sends what `take_outbox` returns before it acts on the events,
    and closes the stream at the event that is the session's last.
    """

    def start(self, now: float) -> Sequence[Event]:
        """Begin: the stream is connected."""

    def receive(self, octets: bytes, now: float) -> Sequence[Event]:
        """Take in octets, cut anywhere."""

    def timeout(self, now: float) -> Sequence[Event]:
        """Act on what is due; calling it early does nothing."""

    def end_of_stream(self, now: float) -> Sequence[Event]:
        """Learn that nothing more will come."""

    def deadline(self) -> float | None:
        """Return when `timeout` wants to be called, None for never."""

    def take_outbox(self) -> bytes:
        """Return, once, the octets to send."""
