from collections.abc import Sequence

class RuleIndex:
    """Rules by what they compare for equality: of each the parts of its key, (offset in a row, value, mask)."""

    def __init__(self, keys: Sequence[Sequence[tuple[int, bytes, bytes]]], stride: int) -> None: ...
