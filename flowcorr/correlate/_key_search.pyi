from typing import Final

MOST_SHAPES: Final[int]
