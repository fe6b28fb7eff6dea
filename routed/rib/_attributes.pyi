from typing import NamedTuple

class AttributeSpec(NamedTuple):
    code: int
    name: str
    flags: int
    verdict: int
    external_verdict: int
    length: int
    fixed: bool
    source: str

ATTRIBUTES: tuple[AttributeSpec, ...]
REASONS: dict[int, str]
VERDICTS: dict[int, str]
