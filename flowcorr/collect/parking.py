"""Records whose template did not come yet: kept for a while, in bounded memory, and read when it comes.

Over UDP a collector that starts, or an exporter that restarts, sends records before templates for minutes.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from flowcorr.collect.limits import MOST_PARKED_OCTETS, MOST_PARKED_OF_EXPORTER, PARKED_US

#: What keeping a message costs beyond its octets.
_OVERHEAD: Final = 200


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message with the one set that could not be read, as if it had come alone."""

    octets: bytes
    sender: bytes
    port: int
    arrival: int  # microseconds since 1970


class Parking:
    """Waiting messages, by exporter and template.

    Attributes:
        octets: of all that waits.
        parked: messages that were ever kept.
        read: messages whose template came.
        refused: messages that found no room.
        expired: messages that waited in vain.
    """

    def __init__(self, most_octets: int = MOST_PARKED_OCTETS, most_of_exporter: int = MOST_PARKED_OF_EXPORTER) -> None:
        self._most_octets = most_octets
        self._most_of_exporter = most_of_exporter
        self._waiting: dict[int, dict[int, deque[ParkedMessage]]] = {}
        self._of_exporter: dict[int, int] = {}
        self.octets = 0
        self.parked = 0
        self.read = 0
        self.refused = 0
        self.expired = 0

    def park(self, slot: int, template_id: int, message: ParkedMessage) -> bool:
        """Keep a message, unless it finds no room."""
        cost = len(message.octets) + _OVERHEAD
        held = self._of_exporter.get(slot, 0)
        if self.octets + cost > self._most_octets or held + cost > self._most_of_exporter:
            self.refused += 1
            return False
        self._waiting.setdefault(slot, {}).setdefault(template_id, deque()).append(message)
        self._of_exporter[slot] = held + cost
        self.octets += cost
        self.parked += 1
        return True

    def take(self, slot: int, template_id: int) -> list[ParkedMessage]:
        """Return what waited for a template, in its order, and keep it no longer."""
        messages = self._waiting.get(slot, {}).pop(template_id, ())
        for message in messages:
            self._release(slot, message)
        self.read += len(messages)
        return list(messages)

    def forget(self, slot: int) -> None:
        """Drop what waits of an exporter that is forgotten."""
        for messages in self._waiting.pop(slot, {}).values():
            self.expired += len(messages)
        self.octets -= self._of_exporter.pop(slot, 0)

    def expire(self, now: int) -> None:
        """Drop what waits for too long; `now` in microseconds since 1970."""
        for slot, templates in list(self._waiting.items()):
            for template_id, messages in list(templates.items()):
                while messages and messages[0].arrival + PARKED_US < now:
                    self._release(slot, messages.popleft())
                    self.expired += 1
                if not messages:
                    del templates[template_id]
            if not templates:
                del self._waiting[slot]

    def _release(self, slot: int, message: ParkedMessage) -> None:
        cost = len(message.octets) + _OVERHEAD
        self.octets -= cost
        left = self._of_exporter[slot] - cost
        if left:
            self._of_exporter[slot] = left
        else:
            del self._of_exporter[slot]
