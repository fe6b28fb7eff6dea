"""What a session that is passed on reports, as frozen values."""

from dataclasses import dataclass
from enum import Enum

from routed.model.event import Event
from routed.wire.bgp.notification import Notification


class End(Enum):
    """The ends of a session that is passed on."""

    PEER = "src"
    COLLECTOR = "dst"

    @property
    def other(self) -> "End":
        """Return the end opposite."""
        return End.COLLECTOR if self is End.PEER else End.PEER


@dataclass(frozen=True, slots=True, kw_only=True)
class XconnectDown(Event):
    """The only event, and the last.

    `by` is the end that brought it about, None when that was us; `passed_on` the NOTIFICATION it did so with; `told`
    the ends for which a NOTIFICATION is the last thing in their outbox.
    """

    reason: str
    by: End | None = None
    passed_on: Notification | None = None
    told: frozenset[End] = frozenset()
