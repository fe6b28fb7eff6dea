"""Answers from frames; nothing that a server sends is believed before it was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from lg.errors import GarbledError, RefusedError
from routed.query.request import QueryType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Record: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a looking glass said: the frames as they came, header first, and what they mean."""

    frames: tuple[bytes, ...]
    rows: tuple[Record, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)  # what was said besides records

    @property
    def text(self) -> str | None:
        """Why there is no record, if the server says so."""
        text = self.facts.get("text")
        return text if isinstance(text, str) else None

    @property
    def count(self) -> int | None:
        """How many there are, if that was asked."""
        count = self.facts.get("count")
        return count if isinstance(count, int) else None

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, if there is more."""
        cursor = self.facts.get("cursor")
        return cursor if isinstance(cursor, str) else None

    @property
    def is_partial(self) -> bool:
        """Whether there is more than was told."""
        return self.cursor is not None or bool(self.facts.get("truncated"))


def read_answer(kind: QueryType, frames: Sequence[bytes]) -> Answer:
    """Read the answer to a question of this kind.

    Raises: GarbledError, RefusedError.
    """
    members = [_object(frame, place) for place, frame in enumerate(frames, 1)]
    if not members:
        raise GarbledError("an answer without frames")
    header, rows = members[0], members[1:]
    for name in ("query_type", "results"):
        if not isinstance(header.get(name), int):
            raise GarbledError(f"no `{name}` in the header of the answer")
    facts = header
    if header["query_type"] != kind.value or kind is QueryType.SEARCH:
        facts = _search_facts(kind, header, rows)
        rows = rows[1:]
    if facts["results"] != len(rows):
        raise GarbledError(f"{facts['results']} records announced, {len(rows)} came")
    return Answer(frames=tuple(frames), rows=tuple(rows), facts=facts)


def _search_facts(kind: QueryType, header: Record, frames: Sequence[Record]) -> Record:
    """Return what a search says of its one question.

    Raises: GarbledError, RefusedError.
    """
    if "text" in header:
        is_other = kind is QueryType.SEARCH and header["text"] == "unsupported query_type"
        raise RefusedError(f"{header['text']}{': it answers only what pmacct asks' if is_other else ''}")
    if header["query_type"] != kind.value:
        raise GarbledError(f"an answer of type {header['query_type']} to a question of type {kind.value}")
    if not frames or not isinstance(frames[0].get("results"), int):
        raise GarbledError("no `results` for the question")
    if "text" in frames[0]:
        raise RefusedError(str(frames[0]["text"]))
    return frames[0]


def _object(frame: bytes, place: int) -> Record:
    try:
        members = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise GarbledError(f"frame {place} of the answer is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise GarbledError(f"frame {place} of the answer is not a JSON object")
    return members
