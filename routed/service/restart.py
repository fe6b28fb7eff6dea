"""How long a lost BGP peer may take to come back, and with which families (RFC 4724)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.wire.bgp.codepoints import ErrorCode

if TYPE_CHECKING:
    from routed.model.event import PeerUp, SessionDown
    from routed.wire.bgp.capability import PreservedFamily
    from routed.wire.family import Family

#: Hold times that a peer has to come back after it fell silent.
SILENT_HOLD_TIMES: Final = 2


def restart_time(up: PeerUp, down: SessionDown) -> int:
    """Return how long a lost peer may take to come back. Units: seconds.

    Source: RFC 4724 section 4.2.
    Departs: a peer that fell silent may not know that it was given up; whatever was agreed, it has two hold times to
    notice and to call again.
    """
    agreed = 0 if up.graceful_restart is None else up.graceful_restart.restart_time
    return max(agreed, SILENT_HOLD_TIMES * up.hold_time) if fell_silent(down) else agreed


def fell_silent(down: SessionDown) -> bool:
    """Tell whether a session ended because nothing was heard for the hold time."""
    sent = down.notification_sent
    return sent is not None and sent.code == ErrorCode.HOLD_TIMER_EXPIRED


def restart_families(up: PeerUp) -> tuple[PreservedFamily, ...]:
    """Return the families that a peer restarts gracefully in."""
    return () if up.graceful_restart is None else up.graceful_restart.families


def preserved(up: PeerUp) -> list[Family]:
    """Return the families whose forwarding state a returning peer says it preserved.

    Source: RFC 4724 section 4.2, RFC 9494 section 4.2.
    """
    kept = [entry.family for entry in restart_families(up) if entry.forwarding_preserved]
    if up.long_lived is not None:
        kept += [entry.family for entry in up.long_lived.families if entry.forwarding_preserved]
    return kept
