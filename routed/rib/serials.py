"""Numbers that tell the tables of one time from those of another: none is given twice while the process lives."""

from itertools import count

_numbers = count(1)


def next_serial() -> int:
    """Return a number that nothing has yet."""
    return next(_numbers)
