"""Requests as JSON frames, and frames as requests; answers are frames too.

Source: the wire protocol of pmacct's looking glass (query types 1 and 2); type 3 is ours, see docs/query.md.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Final, TypeVar

import orjson

from routed.query.condition import (
    AllOf,
    AnyOf,
    AspaIs,
    Compares,
    Condition,
    HasAttribute,
    HasCommunity,
    HasExtendedCommunity,
    HasLargeCommunity,
    NeighborAs,
    NextHopIs,
    Not,
    OriginAs,
    OriginIs,
    PathHasAs,
    PathMatches,
)
from routed.query.request import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Address,
    Lookup,
    Match,
    Network,
    PeerFilter,
    QueryType,
    Question,
    Request,
    Wanted,
)

#: What a request may be at most: octets of a frame, questions, nesting of conditions, conditions in all, fields,
#: expressions of a question, characters of a text, routes that are asked for by all questions together.
MAX_FRAME: Final = 65_536
MAX_QUESTIONS: Final = 100
MAX_DEPTH: Final = 16
MAX_CONDITIONS: Final = 256
MAX_FIELDS: Final = 64
MAX_PATHS: Final = 8
MAX_TEXT: Final = 1_024
MAX_ROUTES: Final = 10_000

MAX_U32: Final = 0xFFFFFFFF
OPERATORS: Final = ("lt", "le", "eq", "ge", "gt")
NUMBERS: Final = ("local_pref", "med", "as_path_length")
#: Communities that records write by name (RFC 1997).
WELL_KNOWN: Final = {
    "internet": "0:0",
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "local-AS": "65535:65283",
}
#: Statuses of origins (RFC 6811), as records write them where a route is judged alone.
STATUSES: Final = ("v", "i", "u")
ORIGINS: Final = {"i": 0, "e": 1, "u": 2}
#: What the providers of its ASes may make of a path (draft-ietf-sidrops-aspa-verification).
VERDICTS: Final = ("valid", "invalid", "unknown")

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


class QueryError(ValueError):
    """A request that is not understood; the text says why, for whoever asked."""


class UnsupportedError(QueryError):
    """The header names no query type of ours."""


class BadLookupError(QueryError):
    """One of pmacct's questions, whose answer to mistakes is always the same text."""


def decode_request(frames: Sequence[bytes]) -> Request:
    """Read a message.

    Raises: UnsupportedError for a header that is none of ours, BadLookupError for a bad question of pmacct's kind,
    QueryError for a bad one of ours.
    """
    header = _object(frames[0], UnsupportedError) if frames else {}
    try:
        kind = QueryType(header.get("query_type"))
    except ValueError:
        raise UnsupportedError("unsupported query_type") from None
    if kind is QueryType.PEERS:
        return Request(kind)
    questions = frames[1:]
    if kind is QueryType.LOOKUP:
        if not questions or len(questions) > MAX_QUESTIONS:
            raise BadLookupError("lookup error")
        return Request(kind, tuple(decode_lookup(_object(frame, BadLookupError)) for frame in questions))
    if len(questions) > MAX_QUESTIONS:
        raise QueryError(f"{len(questions)} questions are not 1 to {MAX_QUESTIONS}")
    return Request(kind, decode_questions([_object(frame, QueryError) for frame in questions]))


def decode_questions(questions: Sequence[Mapping[str, Any]]) -> tuple[Question, ...]:
    """Read the questions of one message.

    Raises: QueryError.
    """
    if not 0 < len(questions) <= MAX_QUESTIONS:
        raise QueryError(f"{len(questions)} questions are not 1 to {MAX_QUESTIONS}")
    decoded = tuple(map(decode_question, questions))
    if sum(question.limit for question in decoded) > MAX_ROUTES:
        raise QueryError(f"limit: all questions together ask for more than {MAX_ROUTES} routes")
    return decoded


def decode_question(members: Mapping[str, Any]) -> Question:
    """Read one question of ours.

    Raises: QueryError.
    """
    reader = _Reader(members)
    prefix = reader.maybe("ip_prefix", _network)
    question = Question(
        wanted=reader.maybe("select", partial(_choice, Wanted)) or Wanted.ROUTES,
        match=reader.maybe("match", partial(_choice, Match)) or Match.LONGEST,
        prefix=prefix,
        peer=_peer_filter(reader),
        afi=reader.maybe("afi", _afi),
        safi=reader.maybe("safi", _safi),
        rd=reader.maybe("rd", _text),
        origin_as=reader.maybe("origin_as", _u32),
        system=reader.maybe("system", _text),
        root=reader.maybe("root", _text),
        where=reader.maybe("where", _where),
        roa=reader.maybe("roa", _roa),
        fields=reader.maybe("fields", _fields),
        all_attributes=reader.maybe("all_attributes", _flag) or False,
        limit=reader.maybe("limit", _limit) or DEFAULT_LIMIT,
        cursor=reader.maybe("cursor", _text),
    )
    reader.finish()
    return question


def decode_lookup(members: Mapping[str, Any]) -> Lookup:
    """Read one question of pmacct's.

    Raises: BadLookupError.
    """
    try:
        port = members.get("peer_tcp_port")
        rd = members.get("rd")
        return Lookup(
            prefix=_network(members["ip_prefix"]),
            peer=_address(members["peer_ip_src"]),
            port=None if port is None else _port(int(port)),  # the reference's client sends a text
            rd=None if rd is None else _text(rd),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        raise BadLookupError("lookup error") from None


def _object(frame: bytes, error: type[QueryError]) -> Mapping[str, Any]:
    text = "unsupported query_type" if error is UnsupportedError else "lookup error"
    if len(frame) > MAX_FRAME:
        raise error(text if error is not QueryError else f"{len(frame)} octets are more than {MAX_FRAME}")
    try:
        members = orjson.loads(frame)
    except orjson.JSONDecodeError as why:
        raise error(text if error is not QueryError else f"not JSON: {why}") from None
    if not isinstance(members, dict):
        raise error(text if error is not QueryError else "not a JSON object")
    return members


class _Reader:
    """The members of a question, each of which is read once."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members, self._read = members, set[str]()

    def maybe(self, name: str, parse: Callable[[Any], T]) -> T | None:
        """Read a member; None when it is absent or null."""
        self._read.add(name)
        value = self._members.get(name)
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            raise QueryError(f"{name}: {error}") from None

    def finish(self) -> None:
        """Refuse members that nobody read."""
        unknown = sorted(set(self._members) - self._read)
        if unknown:
            raise QueryError(f"unknown member {unknown[0]}; there are {', '.join(sorted(self._read))}")


def _peer_filter(reader: _Reader) -> PeerFilter:
    return PeerFilter(
        address=reader.maybe("peer_ip_src", _address) or reader.maybe("peer_ip", _address),
        port=reader.maybe("peer_tcp_port", _port),
        router_id=reader.maybe("peer_id", _router_id),
        router=reader.maybe("bmp_router", _address),
        rib_type=reader.maybe("bmp_rib_type", _text),
    )


class _Conditions:
    """Conditions of one question, counted."""

    def __init__(self) -> None:
        self._count = self._paths = 0

    def read(self, value: Any, depth: int) -> Condition:
        """Read a condition: an object with one member or, as AND, with several."""
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise QueryError(f"more than {MAX_CONDITIONS} conditions")
        if not depth:
            raise QueryError(f"nested deeper than {MAX_DEPTH}")
        if not isinstance(value, dict) or not value:
            raise QueryError("a condition is an object with members")
        conditions = tuple(self._member(name, operand, depth - 1) for name, operand in value.items())
        return conditions[0] if len(conditions) == 1 else AllOf(conditions)

    def _member(self, name: str, operand: Any, depth: int) -> Condition:
        if name in {"and", "or"}:
            if not isinstance(operand, list) or not operand:
                raise QueryError(f"{name} takes a list of conditions")
            parts = tuple(self.read(part, depth) for part in operand)
            return AllOf(parts) if name == "and" else AnyOf(parts)
        if name == "not":
            return Not(self.read(operand, depth))
        parse = TESTS.get(name)
        if name == "as_path":
            self._paths += 1
            if self._paths > MAX_PATHS:
                raise QueryError(f"as_path: more than {MAX_PATHS} expressions")
        if parse is None:
            raise QueryError(f"unknown condition {name}; there are and, or, not, {', '.join(TESTS)}")
        try:
            return parse(operand)
        except (ValueError, TypeError) as error:
            raise QueryError(f"{name}: {error}") from None


def _where(value: Any) -> Condition:
    return _Conditions().read(value, MAX_DEPTH)


def _compares(field: str) -> Callable[[Any], Condition]:
    def parse(value: Any) -> Condition:
        if isinstance(value, int):
            return Compares(field, "eq", _u32(value))
        if not isinstance(value, dict) or not value or set(value) - set(OPERATORS):
            raise QueryError(f"a number, or an object with {', '.join(OPERATORS)}")
        parts = tuple(Compares(field, operator, _u32(limit)) for operator, limit in value.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)

    return parse


def _community(value: Any) -> Condition:
    asn, half = _parts(WELL_KNOWN.get(value, value), 2, 0xFFFF)
    return HasCommunity(asn, half)


def _large_community(value: Any) -> Condition:
    administrator, first, second = _parts(value, 3, MAX_U32)
    return HasLargeCommunity(administrator, first, second)


def _parts(value: Any, count: int, most: int) -> list[int | None]:
    """Read `65000:100` or `65000:*`."""
    parts = _text(value).split(":")
    if len(parts) != count:
        raise QueryError(f"{count} numbers or asterisks with colons between them are needed")
    return [None if part == "*" else _between(0, most)(int(part)) for part in parts]


def _next_hop(value: Any) -> Condition:
    network = _network(value)
    return NextHopIs(network.network_address.packed, network.prefixlen)


def _origin(value: Any) -> Condition:
    if value not in ORIGINS:
        raise QueryError(f"one of {', '.join(ORIGINS)}")
    return OriginIs(ORIGINS[value])


def _aspa(*, is_upstream: bool) -> Callable[[Any], Condition]:
    def parse(value: Any) -> Condition:
        if value not in VERDICTS:
            raise QueryError(f"one of {', '.join(VERDICTS)}")
        return AspaIs(is_upstream, value)

    return parse


def _between(least: int, most: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise QueryError(f"an integer from {least} to {most} is needed")
        return value

    return parse


_u32: Final = _between(0, MAX_U32)
_port: Final = _between(0, 65_535)
_afi: Final = _between(1, 2)
_safi: Final = _between(1, 255)
_limit: Final = _between(1, MAX_LIMIT)


#: Conditions by the name of their member.
TESTS: Final[Mapping[str, Callable[[Any], Condition]]] = {
    "origin_as": lambda value: OriginAs(_u32(value)),
    "neighbor_as": lambda value: NeighborAs(_u32(value)),
    "as": lambda value: PathHasAs(_u32(value)),
    "as_path": lambda value: PathMatches(_text(value)),
    "next_hop": _next_hop,
    "community": _community,
    "ext_community": lambda value: HasExtendedCommunity(_text(value)),
    "large_community": _large_community,
    "origin": _origin,
    "attribute": lambda value: HasAttribute(_between(0, 255)(value)),
    "aspa_upstream": _aspa(is_upstream=True),
    "aspa_downstream": _aspa(is_upstream=False),
    **{field: _compares(field) for field in NUMBERS},
}


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise QueryError("true or false is needed")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise QueryError(f"a text of at most {MAX_TEXT} characters is needed")
    return value


def _address(value: Any) -> Address:
    return ip_address(_text(value))


def _router_id(value: Any) -> Any:
    address = _address(value)
    if address.version != 4:
        raise QueryError("an IPv4 address is needed")
    return address


def _network(value: Any) -> Network:
    """Read a prefix, or an address as the longest one; host bits do not matter."""
    return ip_network(_text(value), strict=False)


def _roa(value: Any) -> tuple[str, ...]:
    statuses = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not statuses or len(statuses) > len(STATUSES) or not all(status in STATUSES for status in statuses):
        raise QueryError(f"one or several of {', '.join(STATUSES)} are needed")
    return statuses


def _choice(kind: type[E], value: Any) -> E:
    choices = {one.value: one for one in kind}
    if not isinstance(value, str) or value not in choices:
        raise QueryError(f"{value!r} is none of {', '.join(choices)}")
    return choices[value]


def _fields(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_FIELDS:
        raise QueryError(f"a list of 1 to {MAX_FIELDS} names is needed")
    return tuple(_text(name) for name in value)
