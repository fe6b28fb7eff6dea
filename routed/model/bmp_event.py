"""What a BMP session reports, as frozen values in the order in which it happened; its last event is `SessionDown`."""

from dataclasses import dataclass

from routed.model.event import Event
from routed.wire.bmp.message import Message


@dataclass(frozen=True, slots=True)
class MonitoringRun(Event):
    """Consecutive Route Monitoring messages of any peers, whole and with their headers, one behind the other."""

    octets: bytes
    count: int


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A message of any other type that is well-formed; `size` is its octets."""

    message: Message
    size: int


@dataclass(frozen=True, slots=True)
class MessageDiscarded(Event):
    """A message that costs itself: malformed, too long, or of an unknown type."""

    kind: str
    reason: str
    octets: bytes  # of it, what is kept
    size: int
