from collections.abc import Iterable

def untrack(values: Iterable[object]) -> None:
    """Take values off the list of the collector of cycles; what they refer to stays on it.

    None of them may ever be part of a cycle: it would never be freed. Values that are not on the list are left alone.
    """
