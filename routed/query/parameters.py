"""Questions as texts: parameters of a query string, arguments of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.query.codec import TESTS, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: How a number is compared, by what stands before it; longer signs come first.
SIGNS: Final = {">=": "ge", "<=": "le", ">": "gt", "<": "lt", "=": "eq"}
FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


def number(text: str) -> int:
    """Read a number that a question may have.

    Raises: ValueError.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise ValueError(f"[{text}] is not a number")
    return int(text)


def comparison(text: str) -> int | dict[str, int]:
    """Read `100`, `>=100` or `100-200`.

    Raises: ValueError.
    """
    for sign, operator in SIGNS.items():
        if text.startswith(sign):
            return {operator: number(text.removeprefix(sign))}
    least, dash, most = text.partition("-")
    return {"ge": number(least), "le": number(most)} if dash else number(text)


def flag(text: str) -> bool:
    """Read `true` or `false`.

    Raises: ValueError.
    """
    if text not in FLAGS:
        raise ValueError(f"[{text}] is not true or false")
    return FLAGS[text]


def json_value(text: str) -> Any:
    """Read JSON.

    Raises: ValueError.
    """
    return orjson.loads(text)


def names(text: str) -> list[str]:
    """Read names with commas between them."""
    return text.split(",")


#: How members and conditions are read that are not just texts.
PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "peer_tcp_port": number,
    "afi": number,
    "safi": number,
    "limit": number,
    "fields": names,
    "roa": names,
    "all_attributes": flag,
    "where": json_value,
    "origin_as": number,
    "neighbor_as": number,
    "as": number,
    "attribute": number,
    "as_path_length": comparison,
    "local_pref": comparison,
    "med": comparison,
}


def parser_of(name: str) -> Callable[[str], Any]:
    """Return what reads a member or condition; it raises ValueError."""
    return PARSERS.get(name, str)


def members_of(parameters: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the members of the question that parameters ask; conditions may come several times, and all must hold.

    Raises: QueryError.
    """
    members: dict[str, Any] = {}
    conditions = []
    for name, text in parameters:
        try:
            value = parser_of(name)(text)
        except ValueError as error:
            raise QueryError(f"{name}: {error}") from None
        if name == "where":
            conditions.append(value)
        elif name in TESTS:
            conditions.append({name: value})
        elif name in members:
            raise QueryError(f"{name}: once is enough")
        else:
            members[name] = value
    if conditions:
        members["where"] = conditions[0] if len(conditions) == 1 else {"and": conditions}
    return members
