"""What a session with an RPKI cache reports."""

from dataclasses import dataclass

from routed.model.event import Event
from routed.wire.rtr.pdu import Intervals


@dataclass(frozen=True, slots=True)
class ResponseBegun(Event):
    """The cache answers: with everything, or with what changed since the last answer."""

    is_full: bool


@dataclass(frozen=True, slots=True)
class PrefixRun(Event):
    """Consecutive IPv4 and IPv6 Prefix PDUs, whole, one behind the other."""

    octets: bytes
    count: int


@dataclass(frozen=True, slots=True)
class AspaReceived(Event):
    """The providers of an AS; an announcement replaces an earlier one."""

    is_announced: bool
    customer: int
    providers: tuple[int, ...]
    octets: bytes  # of the PDU


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEnded(Event):
    """The answer is complete and counts from now on, as one."""

    version: int
    session_id: int
    serial: int
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class ErrorReported(Event):
    """The cache says that something is wrong."""

    text: str
