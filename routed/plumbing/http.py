"""Requests and answers of HTTP as values; `http_server.py` moves them.

Errors are JSON: `{"error": "…"}`. Implements as much of RFC 9110 as a service of short questions needs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

#: Octets of a body. A query has no more; see `routed.query.codec.MAX_FRAME`.
MAX_BODY: Final = 131_072
#: Parameters of a query string.
MAX_PARAMETERS: Final = 200
#: Octets that are written together.
PART: Final = 65_536

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, as whoever answers it sees it."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `parts` are its body: whole, when their length is known, or made on the way."""

    status: int
    parts: Iterable[bytes]
    content_type: str = JSON
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpError(Exception):
    """A request that is not answered; status and text are for whoever asked."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.headers = status, headers


TOO_LARGE: Final = HttpError(413, f"a body has at most {MAX_BODY} octets")


@dataclass(frozen=True, slots=True)
class Page:
    """What there is at one path."""

    methods: frozenset[str]
    answer: Callable[[Asked], Awaitable[Reply]]
    is_open: bool = False  # for everybody, whatever they know


Pages: TypeAlias = Mapping[str, Page]


def whole(octets: bytes, status: int = 200, content_type: str = JSON) -> Reply:
    """Return a short answer."""
    return Reply(status, (octets,), content_type, len(octets))


def error_reply(error: HttpError) -> Reply:
    """Return what an error looks like."""
    octets = json.dumps({"error": str(error)}).encode() + b"\n"
    return Reply(error.status, (octets,), JSON, len(octets), error.headers)


def parameters_of(query: str) -> tuple[tuple[str, str], ...]:
    """Read a query string.

    Raises: HttpError.
    """
    try:
        return tuple(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"))
    except ValueError as error:
        raise HttpError(400, f"query string: {error}") from None


def in_parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join chunks to parts of a size that is worth writing."""
    part = bytearray()
    for chunk in chunks:
        part += chunk
        if len(part) >= PART:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)
