"""Why a route is valid, invalid or unknown: the payloads that cover it, and what of each does not fit."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from routed.query.codec import QueryError
from routed.query.request import Match
from routed.service.questions import families_of, project, rd_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from routed.query.request import Question
    from routed.rib._found import Found
    from routed.rib._lookup import Lookups
    from routed.service.validation import Validation
    from routed.service.visible import VisibleRib

AS_PATH: Final = 2
EXTENDED_LENGTH: Final = 0x10
AS_SET: Final = 1
CONFEDERATION: Final = frozenset({3, 4})

Network = IPv4Network | IPv6Network


class Render(Protocol):
    """Writes found routes of some tables."""

    def __call__(self, found: Found, tables: Sequence[VisibleRib]) -> list[bytes]:
        """Return a frame each."""


class Explainer:
    """Answers questions of the kind `validation`."""

    def __init__(self, lookups: Lookups, validation: Validation | None, render: Render) -> None:
        self._lookups, self._validation, self._render = lookups, validation, render

    def answer(self, question: Question, tables: Sequence[VisibleRib]) -> tuple[dict[str, Any], list[bytes]]:
        """Return facts and rows: of the routes that are asked for, or of one that is made up by its origin.

        Raises: QueryError.
        """
        if self._validation is None:
            raise QueryError("select: origins are not validated here")
        if question.prefix is None:
            raise QueryError("ip_prefix: validation is of one prefix")
        current = self._validation.current
        ipv4, ipv6 = current.vrps.counts
        facts = {"payloads_ipv4": ipv4, "payloads_ipv6": ipv6, "aspas": len(current.aspas)}
        if question.origin_as is not None:
            return facts, [orjson.dumps(self.explain(question.prefix, question.origin_as))]
        rows = [orjson.dumps(record) for record in self._records(question, tables)]
        truncated = {"truncated": True} if len(rows) > question.limit else {}
        return facts | truncated, project(rows[: question.limit], question.fields)

    def explain(self, network: Network, origin: int | None) -> dict[str, Any]:
        """Return what becomes of a route alone, and because of which payloads (RFC 6811 section 2)."""
        assert self._validation is not None, "asked before"
        address, length = network.network_address.packed, network.prefixlen
        vrps = self._validation.current.vrps
        why: dict[str, list[dict[str, Any]]] = {
            "matched": [],
            "wrong_as": [],
            "wrong_length": [],
            "wrong_as_and_length": [],
        }
        for shorter, longest, asn in vrps.covering(address, length):
            is_right_as, is_right_length = origin is not None and origin == asn != 0, length <= longest
            kind = (
                ("matched" if is_right_as else "wrong_as")
                if is_right_length
                else ("wrong_length" if is_right_as else "wrong_as_and_length")
            )
            covering = network.supernet(new_prefix=shorter)
            why[kind].append({"ip_prefix": str(covering), "max_length": longest, "asn": asn})
        return {
            "ip_prefix": str(network),
            "origin_as": origin,
            "roa": vrps.status(address, length, origin or 0),
            "why": why,
        }

    def _records(self, question: Question, tables: Sequence[VisibleRib]) -> Iterator[dict[str, Any]]:
        for family in families_of(question):
            found = self._find(question, family, tables)
            rows, routes = self._render(found, tables), found.routes()
            longest: dict[int, int] = {}
            for route in routes:
                longest[route[0]] = max(route[3], longest.get(route[0], 0))
            count = 0
            for row, (table, _, address, length, _, _, _, _, attributes) in zip(rows, routes, strict=True):
                if question.match is Match.LONGEST and length < longest[table]:
                    continue
                origin = origin_of(as_path_of(attributes), tables[table].rib.own_as)
                alone = self.explain(ip_network((address, length)), origin)
                yield orjson.loads(row) | {"origin_as": origin, "roa_alone": alone["roa"], "why": alone["why"]}
                count += 1
            if count and question.match is Match.LONGEST:
                return

    def _find(self, question: Question, family: int, tables: Sequence[VisibleRib]) -> Found:
        network = question.prefix
        assert network is not None, "asked before"
        if question.match is Match.MORE_SPECIFIC:
            raise QueryError("match: routes inside a prefix are not explained all at once")
        ask = self._lookups.exact_routes if question.match is Match.EXACT else self._lookups.less_specific_routes
        ribs = [table.rib for table in tables]
        return ask(ribs, family, network.network_address.packed, network.prefixlen, rd_of(question) or b"")


def as_path_of(attributes: bytes) -> bytes:
    """Return the value of the AS_PATH among checked attributes; none when there is none."""
    at = 0
    while at < len(attributes):
        wide = 2 if attributes[at] & EXTENDED_LENGTH else 1
        start = at + 2 + wide
        end = start + int.from_bytes(attributes[at + 2 : start], "big")
        if attributes[at + 1] == AS_PATH:
            return attributes[start:end]
        at = end
    return b""


def origin_of(as_path: bytes, own_as: int) -> int | None:
    """Return the origin of a path; None when it ends in an AS_SET (RFC 6811 section 2)."""
    outside, at = [], 0
    while at < len(as_path):
        end = at + 2 + 4 * as_path[at + 1]
        if as_path[at] not in CONFEDERATION:
            outside.append((as_path[at], as_path[at + 2 : end]))
        at = end
    if not outside:
        return own_as or None
    kind, ases = outside[-1]
    return None if kind == AS_SET else int.from_bytes(ases[-4:], "big")
