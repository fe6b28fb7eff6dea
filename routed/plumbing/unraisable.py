"""Exceptions that nobody can take: of compiled code that returns no error, of threads, of finalizers.

The interpreter writes them to standard error, each time, where a daemon has no reader. Here they are bugs in the log,
with their traceback, a few times a minute.
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

from routed.plumbing.log import Level

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

    from routed.plumbing.log import Log

#: One bug can fail for every route of every peer.
AT_MOST_PER_MINUTE: Final = 6


def log_unraisable(log: Log) -> None:
    """Let such exceptions be logged from now on."""

    def unraisable(what: UnraisableHookArgs) -> None:
        place = what.err_msg or f"Exception ignored in: {what.object!r}"
        _write(log, place, what.exc_value)

    def of_thread(what: threading.ExceptHookArgs) -> None:
        if what.exc_type is not SystemExit:
            _write(log, f"thread {'' if what.thread is None else what.thread.name}", what.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = of_thread


def _write(log: Log, place: str, error: BaseException | None) -> None:
    lines = [] if error is None else "".join(traceback.format_exception(error)).splitlines()
    for number, line in enumerate([f"bug in {place}", *lines]):
        log.write_limited(f"unraisable {number} {place}", AT_MOST_PER_MINUTE, Level.ERROR, line)
