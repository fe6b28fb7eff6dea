"""The end of a daemon: gracefully, within bounds, and at once when an operator insists."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.daemon.life import Plane
    from routed.plumbing.log import Log
    from routed.plumbing.process import PidFile
    from routed.plumbing.service_manager import ServiceManager
    from routed.service.clock import DaemonReactor

#: How long threads may take to end once everything has been stopped: one may hang in a system call. Units: seconds.
THREAD_PATIENCE: Final = 5.0
#: How long lines may take to reach the log at the end. Units: seconds.
LOG_PATIENCE: Final = 1.0

OK, FAILED, USAGE = 0, 1, 2


class Ending:
    """The end of a daemon, of which the first cause counts.

    Args:
        patience: how long everything may take to stop. Units: seconds.
        leave: ends the process without waiting for anything.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        log: Log,
        manager: ServiceManager,
        *,
        patience: float,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self.plane: Plane[Any] | None = None
        self.pid_file: PidFile | None = None
        self.status = OK
        self._reactor, self._log, self._manager, self._patience = reactor, log, manager, patience
        self._leave = leave
        self._is_under_way = False
        self._last_resort = threading.Timer(THREAD_PATIENCE, self._give_up, ["a thread hangs in the system"])
        self._last_resort.daemon = True

    def finished(self) -> None:
        """End because there is nothing left to do."""
        self._end("all done")

    def signalled(self, name: str) -> None:
        """End because of a signal."""
        self._end(f"{name} received")

    def failed(self, why: str) -> None:
        """End because something cannot be had."""
        self._log.error(why)
        self.status = FAILED
        self._end("not started")

    def abort(self, name: str) -> None:
        """End at once."""
        self._give_up(f"{name} received again")

    def over(self) -> None:
        """Put the process in order once the reactor has stopped."""
        self._tidy()
        self._last_resort.cancel()

    def _end(self, cause: str) -> None:
        from twisted.internet.defer import ensureDeferred  # noqa: PLC0415 (with the reactor)

        if self._is_under_way or self.plane is None:
            return
        self._is_under_way = True
        self._manager.stopping(cause)
        alarm = self._reactor.callLater(
            self._patience,
            self._give_up,
            f"not everything could be stopped or written out within {self._patience:.0f} s",
        )

        def stopped(result: object) -> None:
            alarm.cancel()
            if result is not None:
                self._log.error(f"stopping: {result}")
            pause, busy = round(self._reactor.longest_turn * 1000, 1), round(self._reactor.busiest_turn * 1000, 1)
            self._log.info(f"longest reactor pause: {pause} ms (busiest turn: {busy} ms of processor time)")
            self._log.info(f"{cause}. Exiting ...")
            self._last_resort.start()
            self._reactor.stop()

        ensureDeferred(self.plane.stop()).addBoth(stopped)

    def _give_up(self, cause: str) -> None:
        self._log.error(f"{cause}: leaving at once")
        self._tidy()
        self._leave(FAILED)

    def _tidy(self) -> None:
        if self.pid_file is not None and (problem := self.pid_file.remove()):
            self._log.warning(problem)
        if not self._log.close(LOG_PATIENCE):
            self._leave(self.status)  # whoever does not take the log would keep the process from ending
