"""Path attributes: the loop that reads the table of them.

Decoding refuses what is malformed and goes on, because RFC 7606 lets a session survive most of it: the result holds
the attributes that are whole and one `Refusal` for each that is not. What a refusal costs is the verdict of the
table's row; who pays (a session, a counter) is not decided here.

Attributes keep their wire order. Of the flags Optional, Transitive and Partial are kept, Extended Length is not: it
follows from the length.

Sources: RFC 4271 section 4.3, RFC 7606 sections 3 and 4.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.attribute_spec import (
    EXTENDED_LENGTH,
    OPTIONAL,
    PARTIAL,
    TRANSITIVE,
    AttributeSpec,
    AttributeType,
    AttributeValue,
    Verdict,
)
from routed.wire.bgp.attribute_table import SPEC_OF, SPEC_OF_KIND
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.scalar import Opaque, decode_opaque, encode_opaque

_CATEGORY_FLAGS: Final = OPTIONAL | TRANSITIVE
_KEPT_FLAGS: Final = _CATEGORY_FLAGS | PARTIAL
_LONGEST_SHORT_LENGTH: Final = 0xFF

#: What an UPDATE may hold only once at the price of the session; of other repeats the first counts (RFC 7606 3.g).
_NEVER_REPEATED: Final = frozenset({AttributeType.MP_REACH_NLRI, AttributeType.MP_UNREACH_NLRI})

_DISCARD: Final = Verdict.ATTRIBUTE_DISCARD
_WITHDRAW: Final = Verdict.TREAT_AS_WITHDRAW
_RESET: Final = Verdict.SESSION_RESET

_Value = TypeVar("_Value", bound=AttributeValue)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One path attribute of an UPDATE."""

    type: AttributeType
    value: AttributeValue
    flags: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that is wrong with an UPDATE, and what that costs; `type` is None where none could be read."""

    type: AttributeType | None
    verdict: Verdict
    error: WireError


@dataclass(frozen=True, slots=True)
class AttributeList:
    """What the attributes of an UPDATE came to."""

    attributes: tuple[Attribute, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def attribute(value: AttributeValue) -> Attribute:
    """Return a value as an attribute with the type and flags of its row; not for octets kept as they are."""
    spec = SPEC_OF_KIND[type(value)]
    return Attribute(spec.type, value, spec.flags)


def find(attributes: Iterable[Attribute], kind: type[_Value]) -> _Value | None:
    """Return the value of a kind, or None when the attributes have none."""
    return next((a.value for a in attributes if isinstance(a.value, kind)), None)


def decode_attributes(c: Cursor, context: DecodeContext) -> AttributeList:
    """Decode attributes to the end of the field, refusing those that are malformed, repeated or not expected.

    Octets: n x (flags u8, type u8, length u8 or u16, value).
    """
    outcomes = tuple(_outcomes(c, context))
    return AttributeList(
        tuple(outcome for outcome in outcomes if isinstance(outcome, Attribute)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal)),
    )


def encode_attributes(w: Writer, attributes: Iterable[Attribute], context: DecodeContext) -> None:
    """Encode attributes in the order given."""
    for each in attributes:
        body = Writer()
        _encode_value(body, each, context)
        extended = len(body) > _LONGEST_SHORT_LENGTH
        w.u8(each.flags | (EXTENDED_LENGTH if extended else 0))
        w.u8(each.type)
        with w.length16() if extended else w.length8():
            w.octets(bytes(body))


def _outcomes(c: Cursor, context: DecodeContext) -> Iterator[Attribute | Refusal]:
    seen: set[AttributeType] = set()
    while c.remaining:
        at, type_ = c.offset, None
        try:
            flags, type_ = c.u8(), AttributeType(c.u8())
            value = c.sub(c.u16() if flags & EXTENDED_LENGTH else c.u8())
        except WireError as error:  # the list ends inside an attribute: only the NLRI behind it can be trusted
            yield Refusal(type_, _RESET if type_ in _NEVER_REPEATED else _WITHDRAW, error)
            return
        if type_ in seen:
            yield _refuse_repeat(type_, at)
            continue
        seen.add(type_)
        yield from _decode_one(type_, flags, value, context)


def _decode_one(type_: AttributeType, flags: int, c: Cursor, context: DecodeContext) -> Iterator[Attribute | Refusal]:
    at, spec = c.offset, SPEC_OF.get(type_)
    if spec is None:
        if not flags & OPTIONAL:
            yield Refusal(type_, _RESET, WireError(f"well-known attribute {type_:d} is not known", at, "RFC 4271 6.3"))
        yield Attribute(type_, decode_opaque(c), flags & _KEPT_FLAGS)
        return
    if flags & _CATEGORY_FLAGS != spec.flags:  # the value is read all the same: its routes have to be known
        yield Refusal(type_, _WITHDRAW, WireError(f"{type_.name} has flags {flags:#04x}", at, "RFC 7606 3.c"))
    if not spec.expected(context):
        yield Refusal(type_, _DISCARD, WireError(f"{type_.name} is not for this neighbour", at, spec.source))
        return
    try:
        value = _decode_value(c, spec, context)
    except WireError as error:
        yield Refusal(type_, spec.verdict, error)
    else:
        yield Attribute(type_, value, flags & _KEPT_FLAGS)


def _decode_value(c: Cursor, spec: AttributeSpec, context: DecodeContext) -> AttributeValue:
    if not c.remaining and not spec.may_be_empty:
        raise WireError(f"{spec.type.name} is empty", c.offset, "RFC 7606 4")
    value = spec.codec.decode(c, context)
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind {spec.type.name}", c.offset, spec.source)
    return value


def _encode_value(w: Writer, each: Attribute, context: DecodeContext) -> None:
    if isinstance(each.value, Opaque):
        encode_opaque(w, each.value)
    else:
        SPEC_OF[each.type].codec.encode(w, each.value, context)


def _refuse_repeat(type_: AttributeType, at: int) -> Refusal:
    verdict = _RESET if type_ in _NEVER_REPEATED else _DISCARD
    return Refusal(type_, verdict, WireError(f"{type_.name} is repeated", at, "RFC 7606 3.g"))
