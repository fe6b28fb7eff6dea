"""Code points of IANA registries as integers that print their name."""

from enum import IntEnum
from typing import Self


class CodePoint(IntEnum):
    """An IANA registry: assigned values have names, unassigned ones survive the round trip."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or value < 0:
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"UNASSIGNED_{value}", value
        return member

    @property
    def is_assigned(self) -> bool:
        """Tell whether the registry names this value."""
        return self._name_ in type(self).__members__
