"""Questions that a client asks about the table of a `memory` plugin: one JSON object on a line.  See docs/memory.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from flowcorr.service.render import Output

T = TypeVar("T")

#: Octets of a question, and queries in one.
MOST_OCTETS: Final = 1 << 20
MOST_QUERIES: Final = 4_096
#: Rows of a table in the order of these.
COUNTERS: Final = ("packets", "bytes", "flows")
ALL: Final = "all"


class QuestionError(ValueError):
    """A question that cannot be answered; the text says why."""


class Do(Enum):
    """What is asked for."""

    LIST = "list"
    COUNT = "count"
    STATUS = "status"
    AGE = "age"
    ERASE = "erase"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question; for what is in a field, see docs/memory.md."""

    do: Do
    output: Output = Output.FORMATTED
    separator: str = ","
    epoch: bool = False
    utc: bool = False
    numeric: bool = False
    all_columns: bool = False
    primitives: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    counter: str = "bytes"
    sum: bool = False
    top: str | None = None
    most: int | None = None
    reset: bool = False


_TYPES: Final[dict[str, type]] = {
    "do": str,
    "output": str,
    "separator": str,
    "epoch": bool,
    "utc": bool,
    "numeric": bool,
    "all_columns": bool,
    "primitives": list,
    "values": list,
    "counter": str,
    "sum": bool,
    "top": str,
    "most": int,
    "reset": bool,
}
#: Outputs that a table has; Avro is for files.
OUTPUTS: Final = {one.value: one for one in Output if not one.is_avro}


def parse_question(line: bytes) -> Question:
    """Understand a line.

    Raises: QuestionError.
    """
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionError("the question is not JSON") from error
    if not isinstance(asked, dict):
        raise QuestionError("the question is no JSON object")
    for name, value in asked.items():
        if name not in _TYPES:
            raise QuestionError(f"'{name}' is none of {', '.join(_TYPES)}")
        if type(value) is not _TYPES[name]:
            raise QuestionError(f"'{name}' is not of the type {_TYPES[name].__name__}")
    return Question(**_checked(asked))


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    found = dict(asked)
    found["do"] = _one_of(asked.get("do", ""), "do", {one.value: one for one in Do})
    if "output" in asked:
        found["output"] = _one_of(asked["output"], "output", OUTPUTS)
    if "top" in asked:
        _one_of(asked["top"], "top", {name: name for name in COUNTERS})
    if "counter" in asked:
        _one_of(asked["counter"], "counter", {name: name for name in (*COUNTERS, ALL)})
    if asked.get("most", 1) < 1:
        raise QuestionError("'most' is not above 0")
    if len(asked.get("separator", ",").encode()) != 1:
        raise QuestionError("'separator' is not one character")
    found["primitives"] = _texts(asked.get("primitives", []), "primitives")
    values = asked.get("values", [])
    if len(values) > MOST_QUERIES:
        raise QuestionError(f"{len(values)} queries; at most {MOST_QUERIES}")
    found["values"] = tuple(_texts(row, "values") for row in values)
    if found["do"] is Do.COUNT and not values:
        raise QuestionError("counters are of entries that match: 'primitives' and 'values' are missing")
    if bool(values) != bool(found["primitives"]):
        raise QuestionError("'primitives' and 'values' belong together")
    return found


def _one_of(value: str, name: str, valid: dict[str, T]) -> T:
    if value not in valid:
        raise QuestionError(f"'{value}' is no {name}: valid is {', '.join(valid)}")
    return valid[value]


def _texts(values: object, name: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise QuestionError(f"'{name}' has something that is no list of strings")
    return tuple(values)
