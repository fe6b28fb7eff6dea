"""The known word that a misspelt one comes nearest to.

Names of keys are words joined by underscores, and people misspell them in two ways: letters of a word, and the
order or number of words. The first is measured on the text as it stands, the second on its words in sorted order;
the better of the two counts.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Below this likeness advice would be a guess.
LIKE: Final = 0.6


def nearest(text: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `text`, or `None` when none is alike; the first of equals wins."""
    as_written = SequenceMatcher(None, "", text, autojunk=False)
    in_order = SequenceMatcher(None, "", _sorted_words(text), autojunk=False)
    best, likeness = None, LIKE
    for candidate in known:
        as_written.set_seq1(candidate)
        in_order.set_seq1(_sorted_words(candidate))
        for matcher in (as_written, in_order):
            ratio = _ratio_above(likeness, matcher)
            if ratio > likeness:
                best, likeness = candidate, ratio
    return best


def _ratio_above(likeness: float, matcher: SequenceMatcher[str]) -> float:
    """Return the ratio when it exceeds what is known, asking the cheap upper bounds first; else 0."""
    if matcher.real_quick_ratio() <= likeness or matcher.quick_ratio() <= likeness:
        return 0.0
    return matcher.ratio()


def _sorted_words(text: str) -> str:
    return "_".join(sorted(text.split("_")))
