"""Families that a router has and we do not store: what is said of them, once in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.wire.family import STORABLE, Family

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Families of one router that are named; a stranger could make up as many as there are numbers.
MAX_TOLD: Final = 16


def not_stored(families: Iterable[Family]) -> str:
    """Name those of some families that are not stored, as many as are told of; nothing when there are none."""
    others = list(dict.fromkeys(family for family in families if family not in STORABLE))
    text = ", ".join(f"{family} ({family.afi}/{family.safi})" for family in others[:MAX_TOLD])
    return text + (f" and {len(others) - MAX_TOLD} more" if len(others) > MAX_TOLD else "")


def passed_over_text(updates: int) -> str:
    """Return what the last line of a session says of UPDATEs with routes of such families."""
    return f"; {updates} UPDATEs of families that are not stored" if updates else ""


class OtherFamilies:
    """Those whose routes a router sent all the same."""

    def __init__(self) -> None:
        self._told: set[tuple[int, int]] = set()

    def news(self, families: Iterable[tuple[int, int]]) -> str:
        """Return what is to be said of families that were not told of yet; nothing when there is nothing."""
        new = [family for family in families if family not in self._told][: MAX_TOLD - len(self._told)]
        self._told.update(new)
        return f"routes of {not_stored(Family(*one) for one in new)} are not stored" if new else ""
