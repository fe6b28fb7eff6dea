"""What came of the messages of routers: counted for each, and said, some of it at a limited rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.octets import Cursor
from routed.plumbing.log import Level
from routed.service.other_families import passed_over_text
from routed.service.refusals import NO_ROOM, refusal_text, tally_text
from routed.service.reports import Line
from routed.wire.bmp.peer import decode_peer_header

if TYPE_CHECKING:
    from routed.plumbing.log import Log
    from routed.rib._monitoring import Monitored
    from routed.service.bmp_session import Session
    from routed.service.reports import Reporter


class BmpAccount:
    """Counts and says what comes of the messages of all routers."""

    def __init__(self, log: Log, reporter: Reporter) -> None:
        self._log, self._reporter = log, reporter

    def take(self, session: Session, came_to: Monitored) -> None:
        """Count what a run of Route Monitoring came to."""
        counters = session.monitored.counters
        counters.announced += came_to.announced
        counters.unchanged += came_to.unchanged
        counters.withdrawn += came_to.withdrawn
        counters.unknown += came_to.unknown
        counters.dropped += came_to.dropped
        counters.end_of_ribs += came_to.end_of_ribs
        counters.orphans += came_to.orphans
        counters.malformed += came_to.malformed
        if session.orphan is not None:
            address, session.orphan = peer_address(session.orphan), None
            self.complain(session, "route monitor", f"missing peer up BMP message for peer {address}")
        if came_to.malformed:
            of = "" if came_to.malformed_of is None else f" for peer {peer_address(came_to.malformed_of)}"
            self.complain(session, "route monitor", f"malformed{of}; {counters.malformed} of them so far")
        if came_to.passed_over:
            counters.passed_over += came_to.passed_over
            if news := session.other_families.news(came_to.other_families):
                self._log.info(f"[{session.router.name}] {news}")
        if came_to.dropped:
            self.warn(session, "dropped", f"{came_to.dropped} routes dropped: {NO_ROOM}; {counters.dropped} so far")
        if came_to.refused:
            session.refused.update(came_to.refused)
            assert came_to.refused_of is not None
            what = refusal_text(came_to.refusals[0], session.refused)
            self.warn(session, "refused", f"peer {peer_address(came_to.refused_of)}: {what}")

    def close(self, session: Session) -> None:
        """Say what a session came to."""
        c = session.monitored.counters
        self._log.info(
            f"[{session.router.name}] {c.monitoring} route monitoring messages of {c.peers} peers"
            f" ({c.orphans} of unknown peers, {c.malformed} malformed): {c.announced} routes announced,"
            f" {c.unchanged} again, {c.withdrawn} withdrawn, {c.dropped} dropped; {c.messages} other messages"
            f" ({c.mirrored} mirrored), {c.discarded} discarded; paused {c.paused} times"
            f"{passed_over_text(c.passed_over)}{tally_text(session.refused)}"
        )

    def discard(self, session: Session, message: str, reason: str) -> None:
        """Count a message that means nothing, and say so."""
        session.monitored.counters.discarded += 1
        self.complain(session, message, reason)

    def complain(self, session: Session, message: str, reason: str) -> None:
        """Say what is wrong with a message."""
        facts = {"peer": session.router.name, "message": message, "reason": reason}
        self._reporter.say_of(f"{session.router.name} {message}", Line.DISCARDED, facts)

    def warn(self, session: Session, kind: str, text: str) -> None:
        """Say what somebody should look at."""
        name = session.router.name
        self._log.write_limited(f"{kind} {name}", 6, Level.WARN, f"[{name}] {text}")


def peer_address(octets: bytes) -> object:
    """Return the address in a per-peer header of 42 octets."""
    return decode_peer_header(Cursor(octets)).address
