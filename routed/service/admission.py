"""Who may have a session: slots, batches, and what to do when a peer comes twice.

Pure decisions, no I/O; the listener asks them in the order of its accept sequence and writes the log.
"""

import heapq
from dataclasses import dataclass
from enum import Enum, auto


class Slots:
    """Numbers 0 to max_peers - 1, each held by at most one peer; the lowest free one is given out first."""

    def __init__(self, max_peers: int) -> None:
        self.max_peers = max_peers
        self._fresh = 0  # numbers from here on have never been taken
        self._returned: list[int] = []

    @property
    def in_use(self) -> int:
        """Count the slots taken."""
        return self._fresh - len(self._returned)

    @property
    def any_free(self) -> bool:
        """Whether the next peer finds a slot."""
        return self.in_use < self.max_peers

    def take(self) -> int:
        """Take the lowest free slot; there must be one."""
        assert self.any_free, "the caller asks first"
        if self._returned:
            return heapq.heappop(self._returned)
        self._fresh += 1
        return self._fresh - 1

    def give_back(self, slot: int) -> None:
        """Return a slot."""
        heapq.heappush(self._returned, slot)


class Batch:
    """Admits so many peers per interval, counted from the first one of each batch; 0 admits everybody."""

    def __init__(self, size: int, interval: float) -> None:
        self._began: float | None = None
        self.configure(size, interval)

    def configure(self, size: int, interval: float) -> None:
        """Change the limits; the interval that has begun gets a whole batch of the new size."""
        self._size, self._interval = size, interval
        self._left = size

    def admit(self, now: float) -> bool:
        """Decide about one more peer, and count it."""
        if not self._size or not self._interval:
            return True
        if self._began is None or now - self._began >= self._interval:
            self._began, self._left = now, self._size
        if not self._left:
            return False
        self._left -= 1
        return True


class Verdict(Enum):
    """What happens when a peer connects that has a session already."""

    REFUSE = auto()
    REPLACE_SILENT = auto()
    REPLACE_RESTARTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The session that a peer has already. Seconds are those of the reactor's clock."""

    last_heard: float
    hold_time: int  # 0 means that the peer need not say anything
    graceful_restart: bool  # negotiated, so that a new connection means that the peer restarted (RFC 4724 section 5)


def judge_duplicate(standing: Standing, now: float) -> Verdict:
    """Decide between the session a peer has and the connection it opens now.

    A peer that said nothing for half its hold time has missed a keepalive (RFC 4271 section 10 suggests a third) and
    most likely rebooted: the new connection wins. One without keepalives is believed when it comes again.
    """
    if standing.graceful_restart:
        return Verdict.REPLACE_RESTARTED
    if not standing.hold_time or now - standing.last_heard > standing.hold_time / 2:
        return Verdict.REPLACE_SILENT
    return Verdict.REFUSE


def residual_hold_time(standing: Standing, now: float) -> int:
    """Return the whole seconds after which the existing session will have run out."""
    return max(0, round(standing.hold_time - (now - standing.last_heard)))
