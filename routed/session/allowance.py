"""How often something may happen because of a peer: a few times at once, then at a steady rate."""


class Allowance:
    """What is left of it.

    Units: `per_second` is how much comes back in a second.
    """

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._left = float(burst)
        self._at = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until it may happen, 0 for now."""
        if self._at < now:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
            self._at = now
        return max(0.0, (1 - self._left) / self._per_second)

    def take(self, now: float) -> None:
        """Let it happen: now, or when `wait` is over."""
        self.wait(now)
        self._left -= 1
