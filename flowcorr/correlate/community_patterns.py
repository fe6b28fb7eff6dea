"""Patterns of communities.

Without a dot a pattern is what a community begins with: `65000:64` is 65000:64 and 65000:640 too. With dots it is a
whole community, each dot any one character: `65000:64...` is any from 65000:64000 to 65000:64999.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Between the communities of a route, where they are one text.
SEPARATOR: Final = b"_"


def compile_pattern(pattern: str) -> re.Pattern[bytes]:
    """Return what a whole community is compared with."""
    if "." in pattern:
        return re.compile(b".".join(re.escape(part.encode()) for part in pattern.split(".")))
    return re.compile(re.escape(pattern.encode()) + b".*")


def any_community_matches(patterns: Sequence[str]) -> Callable[[bytes], bool]:
    """Return whether one of the communities of a text matches one of the patterns."""
    compiled = [compile_pattern(pattern) for pattern in patterns]

    def matches(text: bytes) -> bool:
        communities = text.split(SEPARATOR)
        return any(one.fullmatch(community) for one in compiled for community in communities)

    return matches


def keep_matching(patterns: Sequence[str]) -> Callable[[bytes], bytes]:
    """Return what leaves of a text the communities that match, in the order of the patterns and then of the route."""
    compiled = [compile_pattern(pattern) for pattern in patterns]

    def keep(text: bytes) -> bytes:
        communities = text.split(SEPARATOR)
        kept = [community for one in compiled for community in communities if one.fullmatch(community)]
        return SEPARATOR.join(dict.fromkeys(kept))

    return keep


def numbers_of(patterns: Sequence[str]) -> Callable[[bytes], tuple[int, int] | None]:
    """Return what reads the first two numbers of the first community that matches: those of neighbour and origin."""
    compiled = [compile_pattern(pattern) for pattern in patterns]

    def read(text: bytes) -> tuple[int, int] | None:
        for one in compiled:
            for community in text.split(SEPARATOR):
                numbers = community.split(b":")
                if one.fullmatch(community) and len(numbers) > 1 and all(part.isdigit() for part in numbers[:2]):
                    return int(numbers[0]), int(numbers[1])
        return None

    return read
