"""At most so many lines of a kind a minute."""

from __future__ import annotations

from typing import Final

#: Length of the window in which lines of one kind are counted. Units: seconds.
WINDOW: Final = 60.0
#: Kinds of lines that are told apart at a time; what comes beyond shares one count. A kind may hold a peer's text.
MAX_KINDS: Final = 4_096


class RateLimit:
    """At most so many lines of a kind a minute; the rest is counted."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, kind: str, at_most: int, now: float) -> int | None:
        """Return how many lines were held back since the last one that was not, or `None` to hold back this one.

        Args:
            kind: what the line is about.
            at_most: lines of this kind in a window.
            now: monotonic seconds; a wall clock that is set back would silence lines until it has caught up.
        """
        if kind not in self._windows and len(self._windows) >= MAX_KINDS:
            self._windows = {old: window for old, window in self._windows.items() if now - window[0] < WINDOW}
            kind = kind if len(self._windows) < MAX_KINDS else ""
        start, count = self._windows.get(kind, (now, 0))
        held_back = 0
        if now - start >= WINDOW:
            start, count, held_back = now, 0, max(0, count - at_most)
        self._windows[kind] = (start, count + 1)
        return held_back if count < at_most else None
