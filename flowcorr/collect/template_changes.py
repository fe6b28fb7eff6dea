"""In which order templates have changed, so that another collector can ask for those since it last asked."""

from bisect import bisect_right
from typing import Final, NamedTuple
from weakref import ref

from flowcorr.collect.exporter import Exporter, KnownTemplate

#: Changes that have been overtaken by later ones and are kept beside as many that have not.
_SPARE: Final = 64
#: Changes that are looked at for each one that is asked for: those overtaken cost time as well.
_LOOKED_AT: Final = 16


class Change(NamedTuple):
    """A template as it is now, and the number of the change that made it so."""

    number: int
    exporter: Exporter
    known: KnownTemplate


class TemplateChanges:
    """Numbers changes: a number only grows, and belongs to a template until that changes again.

    Attributes:
        last: the number of the last change, 0 before the first.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._places: list[tuple[ref[Exporter], int]] = []  # who is forgotten is not kept by them
        self.last = 0

    def note(self, exporter: Exporter, known: KnownTemplate, count: int) -> None:
        """Number a template that is new or differs from before; `count`: templates of all exporters."""
        self.last += 1
        known.number = self.last
        self._numbers.append(self.last)
        self._places.append((ref(exporter), known.template.id))
        if len(self._numbers) > 2 * count + _SPARE:
            self._forget_overtaken()

    def since(self, number: int, most: int) -> tuple[list[Change], int]:
        """Return at most so many changes after one, in their order, and the number up to which there are no others."""
        found: list[Change] = []
        begin = bisect_right(self._numbers, number)
        for at in range(begin, min(begin + _LOOKED_AT * most, len(self._numbers))):
            number = self._numbers[at]
            change = self._at(at)
            if change is not None:
                found.append(change)
                if len(found) == most:
                    break
        return found, number

    def _at(self, at: int) -> Change | None:
        """Return a change, None for one that was overtaken."""
        place, template_id = self._places[at]
        exporter = place()
        known = exporter.templates.get(template_id) if exporter is not None else None
        if exporter is None or known is None or known.number != self._numbers[at]:
            return None
        return Change(known.number, exporter, known)

    def _forget_overtaken(self) -> None:
        live = [at for at in range(len(self._numbers)) if self._at(at) is not None]
        self._numbers = [self._numbers[at] for at in live]
        self._places = [self._places[at] for at in live]
