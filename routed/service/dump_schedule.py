"""When tables are dumped, and whose: periods that start on the clock, and peers spread over slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


@dataclass(frozen=True, slots=True)
class Due:
    """One dump event. Units: seconds since 1970."""

    at: int
    slot: int


class Schedule:
    """Dump events, one after the other.

    Args:
        start: seconds since 1970.
        top_of_hour: the last full local hour, from which the first event is counted.
        refresh_time: seconds in which every peer is dumped once.
        slots: events in that time.
    """

    def __init__(self, start: float, top_of_hour: int, refresh_time: int, slots: int) -> None:
        self.period = refresh_time // slots
        self._slots = slots
        passed = max(0, -(-(start - top_of_hour) // refresh_time))
        self.next = Due(top_of_hour + int(passed) * refresh_time, 0)

    def take(self, now: float) -> Due | None:
        """Return the event that is due; events that were missed meanwhile, by a stall, are not made up for."""
        if now < self.next.at:
            return None
        due = self.next
        missed = int((now - due.at) // self.period)
        due = Due(due.at + missed * self.period, (due.slot + missed) % self._slots)
        self.next = Due(due.at + self.period, (due.slot + 1) % self._slots)
        return due


def slot_of(address: IPv4Address | IPv6Address, slots: int) -> int:
    """Return the slot of a peer: a hash of its textual address, the same on every collector."""
    value = 5381
    for octet in str(address).encode():
        value = (value * 33 & 0xFFFFFFFF) ^ octet
    signed = value - (1 << 32) if value >> 31 else value
    return abs(signed) % slots
