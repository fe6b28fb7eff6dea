"""The contract between a broker's sink and what speaks the broker's protocol.

A sink (`sink_broker`) queues, spools and counts; a carrier knows connections, messages and confirmations. A parcel that
was handed to a carrier is the carrier's until it has said what became of it: it tries again by itself, over
connections that come and go, and keeps the order of the parcels of one source. How much it holds at a time is bounded
by the sink (`WINDOW`). Every call and every report happens in the reactor's thread, and neither ever blocks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from routed.plumbing.parcel import Parcel

#: Octets that a carrier holds at a time: enough to keep a fast broker busy, little enough to be spooled at once.
WINDOW: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Reports:
    """What a carrier tells its sink.

    `delivered`: the broker has confirmed the parcels with these numbers, each once, in any order.
    `refused`: so many rows of that parcel will never be taken, for this reason; `delivered` for it follows, since
    nothing is left to do about it.
    `up`, `down`: whether the broker is reached, and why not; repeated reports of the same are welcome.
    """

    delivered: Callable[[Sequence[int]], None]
    refused: Callable[[int, int, str], None]
    up: Callable[[], None]
    down: Callable[[str], None]


class Carrier(Protocol):
    """Brings parcels to a broker."""

    def start(self, reports: Reports) -> None:
        """Begin to connect."""

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels, in order, connected or not."""

    def reopen(self) -> None:
        """Go on with a fresh connection; nothing that was sent is forgotten."""

    def close(self) -> Deferred[None]:
        """Let go of everything, what is not confirmed included; fires when no report will follow, and never fails."""
