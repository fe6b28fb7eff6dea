"""What a router has sent and nobody has looked at yet, because a file is slow or a long sweep is under way."""

from collections import deque
from typing import Final

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.model.event import Event

#: What an event weighs besides the octets of its message: a decoded message is some Python objects.
EVENT_OCTETS: Final = 512


class Backlog:
    """Events with the time at which they came, first in, first out; knows its weight. Units: seconds since 1970."""

    __slots__ = ("_events", "octets")

    def __init__(self) -> None:
        self._events: deque[tuple[Event, float]] = deque()
        self.octets = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    def put(self, event: Event, arrived: float) -> None:
        """Append an event."""
        self._events.append((event, arrived))
        self.octets += weight(event)

    def take(self) -> tuple[Event, float]:
        """Take the oldest event; there must be one."""
        event, arrived = self._events.popleft()
        self.octets -= weight(event)
        return event, arrived

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
        self.octets = 0


def weight(event: Event) -> int:
    """Return about how many octets an event takes."""
    match event:
        case MonitoringRun(octets=octets):
            return EVENT_OCTETS + len(octets)
        case MessageReceived(size=size):
            return EVENT_OCTETS + 4 * size
        case MessageDiscarded(octets=octets):
            return EVENT_OCTETS + len(octets)
        case _:
            return EVENT_OCTETS
