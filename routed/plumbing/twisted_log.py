"""What Twisted logs by itself, on its way to our log: failures that nobody handled, most of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from routed.plumbing.log import Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routed.plumbing.log import Log

#: Twisted tells of every listener and factory: details here.
LEVELS: Final[Mapping[LogLevel, Level]] = {
    LogLevel.debug: Level.DEBUG,
    LogLevel.info: Level.DEBUG,
    LogLevel.warn: Level.WARN,
    LogLevel.error: Level.ERROR,
    LogLevel.critical: Level.ERROR,
}
#: One bug can fail for every message of every peer.
AT_MOST_PER_MINUTE: Final = 6


@implementer(ILogObserver)
class TwistedObserver:
    """Writes Twisted's events into a log, tracebacks line by line."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, event: LogEvent) -> None:
        """Write one event; the same failure is written a few times a minute."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = LEVELS.get(event.get("log_level", LogLevel.info), Level.ERROR)
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines):
            self._log.write_limited(f"twisted {number} {lines[-1]}", AT_MOST_PER_MINUTE, level, line)
