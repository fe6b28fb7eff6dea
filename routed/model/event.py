"""What sessions report, as frozen values in the order in which it happened.

Writing tables, logs, dumps and counters are subscribers of these events.
"""

from dataclasses import dataclass

from routed.wire.bgp.capability import GracefulRestart, LongLivedGracefulRestart
from routed.wire.bgp.codepoints import RefreshSubtype
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import OpenMessage
from routed.wire.family import Family


@dataclass(frozen=True, slots=True)
class Event:
    """Anything a session reports."""


@dataclass(frozen=True, slots=True)
class OpenReceived(Event):
    """The peer said who it is; whether it is accepted follows."""

    open_message: OpenMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUp(Event):
    """The session is established.

    `graceful_restart` and `long_lived` are the peer's capabilities, None unless both sides have them; `hold_time`
    of 0 means that the session has no timers.
    """

    local_open: OpenMessage
    remote_open: OpenMessage
    context: DecodeContext
    hold_time: int
    graceful_restart: GracefulRestart | None
    long_lived: LongLivedGracefulRestart | None


@dataclass(frozen=True, slots=True)
class UpdateRun(Event):
    """Consecutive UPDATE messages, whole and with their headers, one behind the other."""

    octets: bytes
    count: int


@dataclass(frozen=True, slots=True)
class RouteRefresh(Event):
    """The peer asks for routes, or marks the beginning or the end of announcing its own again."""

    family: Family
    subtype: RefreshSubtype


@dataclass(frozen=True, slots=True)
class NotificationReceived(Event):
    """The peer ends the session; what its operator wrote is fit for a log line."""

    code: int
    subcode: int
    data: bytes
    shutdown_text: str | None


@dataclass(frozen=True, slots=True)
class NotificationSent(Event):
    """We end the session."""

    code: int
    subcode: int
    data: bytes
    shutdown_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDown(Event):
    """The last event of a session; `graceful` when the peer's routes are to be kept as stale (RFC 4724, RFC 8538)."""

    reason: str
    notification_sent: Notification | None = None
    notification_received: Notification | None = None
    graceful: bool = False
