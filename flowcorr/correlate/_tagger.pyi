from collections.abc import Iterable

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.correlate._match import Rules

class Actions:
    """What rules give; made in any thread.

    Args:
        gives: of each rule (tag, counts on, stack: 0 replace, 1 sum, 2 or), the same for tag2, label or b"", tos or -1.
    """

    def __init__(
        self, gives: Iterable[tuple[tuple[int, bool, int] | None, tuple[int, bool, int] | None, bytes, int]]
    ) -> None: ...
    def __len__(self) -> int: ...

class Tagger:
    """Rules that tag flows."""

    def __init__(self, rules: Rules, texts: Texts, actions: Actions) -> None: ...
    def __call__(self, batch: Batch) -> None: ...
    def close(self) -> None:
        """Let go of the labels, when other rules take over."""
