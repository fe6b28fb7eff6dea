"""Conditions of questions as compiled tests, and the texts in them as octets."""

from collections.abc import Callable
from functools import partial, reduce
from ipaddress import IPv4Address
from typing import Final

from routed.query.codec import QueryError
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
from routed.query.path_expression import PathExpressionError, compile_path_expression
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition as Test

#: Comparisons as compiled tests name them.
COMPARISONS: Final = {"lt": "<", "le": "<=", "eq": "=", "ge": ">=", "gt": ">"}
NUMBERS: Final[dict[str, Callable[[str, int], Test]]] = {
    "local_pref": Test.local_pref,
    "med": Test.med,
    "as_path_length": Test.path_length,
}
#: Subtypes of extended communities by the name that records give them (RFC 4360 sections 4 and 5).
SUBTYPES: Final = {"RT": 2, "SoO": 3}
AS2, IPV4, AS4 = 0, 1, 2


def compile_condition(condition: Condition, attestations: Attestations | None = None) -> Test:
    """Compile a condition, which may take a while; paths are verified by the attestations, or where None not at all.

    Raises: QueryError for an expression or a community that is not one, for verdicts where there are none, or a
    condition of too many tests.
    """
    try:
        return _compile(attestations, condition)
    except QueryError:
        raise
    except ValueError as error:
        raise QueryError(f"where: {error}") from None


def _compile(attestations: Attestations | None, condition: Condition) -> Test:  # noqa: C901, PLR0911, PLR0912 (a case for each kind)
    match condition:
        case OriginAs(asn=asn):
            return Test.origin_as(asn)
        case NeighborAs(asn=asn):
            return Test.neighbour_as(asn)
        case PathHasAs(asn=asn):
            return Test.any_as(asn)
        case PathMatches(expression=expression):
            return _path(expression)
        case NextHopIs(address=address, length=length):
            return Test.next_hop(address, length)
        case HasCommunity(asn=high, value=low):
            return Test.community(high, low)
        case HasExtendedCommunity(text=text):
            return Test.extended_community(extended_community(text))
        case HasLargeCommunity(administrator=administrator, first=first, second=second):
            return Test.large_community(administrator, first, second)
        case OriginIs(origin=origin):
            return Test.origin(origin)
        case Compares(field=field, operator=operator, value=value):
            return NUMBERS[field](COMPARISONS[operator], value)
        case HasAttribute(code=code):
            return Test.has_attribute(code)
        case AspaIs(is_upstream=is_upstream, verdict=verdict):
            if attestations is None:
                raise QueryError("where: paths are not verified here")
            return Test.aspa(attestations, verdict, is_upstream=is_upstream)
        case AllOf(conditions=conditions):
            return reduce(lambda one, other: one & other, map(partial(_compile, attestations), conditions))
        case AnyOf(conditions=conditions):
            return reduce(lambda one, other: one | other, map(partial(_compile, attestations), conditions))
        case Not(condition=inner):
            return ~_compile(attestations, inner)


def extended_community(text: str) -> bytes:
    """Return the eight octets of what records write as `RT:65000:100`, `RT:192.0.2.1:100` or `SoO:4200000000:1`.

    Raises: QueryError.
    """
    name, _, rest = text.partition(":")
    administrator, _, number = rest.rpartition(":")
    try:
        subtype, value = SUBTYPES[name], int(number)
        if "." in administrator:
            return bytes((IPV4, subtype)) + IPv4Address(administrator).packed + value.to_bytes(2, "big")
        asn = int(administrator)
        if asn <= 0xFFFF:
            return bytes((AS2, subtype)) + asn.to_bytes(2, "big") + value.to_bytes(4, "big")
        return bytes((AS4, subtype)) + asn.to_bytes(4, "big") + value.to_bytes(2, "big")
    except (KeyError, ValueError, OverflowError):
        raise QueryError(f"ext_community: {text} is not written like RT:65000:100 or SoO:192.0.2.1:5") from None


def _path(expression: str) -> Test:
    try:
        return Test.path(compile_path_expression(expression))
    except PathExpressionError as error:
        raise QueryError(f"as_path: {error}") from None
