"""The file that lists the peers we have a session with, for scripts of the operator (`bgp_neighbors_file`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.plumbing.output_file import Owner, replace_whole
from routed.service.reports import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from twisted.internet.interfaces import IReactorTime

    from routed.service.reports import Reporter


class NeighborsFile:
    """One address a line, one line for each slot in use; replaced as a whole, so that a reader never sees half of it.

    It is small (a few dozen octets a peer) and written at session changes only, so it is written in place of being
    queued. A burst of changes is written once, in the reactor's next turn.
    """

    def __init__(
        self,
        path: Path,
        *,
        later: Callable[[Callable[[], None]], object],
        on_error: Callable[[str], None],
        owner: Owner,
    ) -> None:
        self._path, self._owner = path, owner
        self._later, self._on_error = later, on_error
        self._addresses: Callable[[], Iterable[str]] | None = None  # of what waits to be written
        self._last_error = ""

    def show(self, addresses: Callable[[], Iterable[str]]) -> None:
        """Write these addresses soon; they are asked for then, once for a burst of changes."""
        waiting = self._addresses is not None
        self._addresses = addresses
        if not waiting:
            self._later(self.flush)

    def flush(self) -> None:
        """Write now what waits to be written."""
        if self._addresses is None:
            return
        text = "".join(f"{address}\n" for address in self._addresses())
        self._addresses = None
        try:
            self._complain(replace_whole(self._path, text.encode(), self._owner))
        except OSError as error:
            self._complain(f"{error.strerror}")

    def _complain(self, problem: str) -> None:
        """Report a problem when it is new."""
        if problem and problem != self._last_error:
            self._on_error(f"{self._path}: {problem}")
        self._last_error = problem


def neighbors_file(path: Path | None, clock: IReactorTime, reporter: Reporter, owner: Owner) -> NeighborsFile | None:
    """Return the file that the operator wants, if any."""
    if path is None:
        return None
    return NeighborsFile(
        path,
        later=lambda work: clock.callLater(0, work),
        on_error=lambda problem: reporter.say(Line.NEIGHBORS_FILE, problem=problem),
        owner=owner,
    )
