"""The `aggregate_primitives` file: rows that define primitives.

A row that cannot be understood keeps the daemon from starting: a primitive that is missing from the output silently
would be noticed when it is needed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from flowcorr.wire.custom_primitive import INTEGERS, CustomPrimitive, ElementField, PacketPointer, Semantics
from routed.plumbing.maps import Limits, RowError, parse_rows
from routed.plumbing.suggest import nearest
from routed.plumbing.values import parse_integer

MAX_PRIMITIVES: Final = 64
MAX_NAME: Final = 63
#: Places in a packet, and instances of an element, that one primitive may have.
MAX_PLACES: Final = 8
#: The longest fixed length: that of an information element (RFC 7011 section 3.2).
MAX_LENGTH: Final = 65_534
MAX_ELEMENT: Final = 32_767
MAX_ENTERPRISE: Final = 2**32 - 1
#: Elements from this number on, and those of enterprises, are told apart by instance, as pmacct does.
FIRST_COUNTED: Final = 384
LAST: Final = -1
LAYERS: Final = ("packet", "mac", "vlan", "mpls", "l3", "l4", "payload")
KEYS: Final = ("name", "field_type", "packet_ptr", "len", "semantics")
ADDRESS_LENGTHS: Final = (4, 16)
MAC_LENGTH: Final = 6


class PrimitivesError(ValueError):
    """Rows that cannot be understood; `lines` says which and why, one line each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def parse_custom_primitives(text: str, name: str, limits: Limits) -> Mapping[str, CustomPrimitive]:
    """Parse a file called `name`; the primitives by their names.

    A further row with the same `field_type` means the next instance of that element in a template, but for common
    elements, of which all rows mean the last; in one row, `packet_ptr` may come several times.

    Raises: PrimitivesError.
    """
    loaded = parse_rows(_separate_repeats(text), name, _COLUMNS, limits)
    problems = [line.text for line in loaded.lines]
    found: dict[str, CustomPrimitive] = {}
    for row in loaded.content:
        try:
            primitive = _primitive(row.pairs, row.where, found)
        except RowError as error:
            problems.append(f"{row.where} {error}")
        else:
            found[primitive.name] = primitive
    if problems:
        raise PrimitivesError(tuple(problems))
    return found


_COLUMNS: Final = frozenset((*KEYS, *(f"packet_ptr#{number}" for number in range(1, MAX_PLACES))))


def _separate_repeats(text: str) -> str:
    """Number the places in a packet: a row has each key once."""
    return "\n".join(_number_repeats(line) for line in text.split("\n"))


def _number_repeats(line: str) -> str:
    words = line.split()
    pointers = [position for position, word in enumerate(words) if word.startswith("packet_ptr=")]
    for number, position in enumerate(pointers[1:], start=1):
        words[position] = words[position].replace("=", f"#{number}=", 1)
    return " ".join(words)


def _primitive(pairs: Mapping[str, str], where: str, others: Mapping[str, CustomPrimitive]) -> CustomPrimitive:
    missing = [key for key in ("name", "len", "semantics") if key not in pairs]
    if missing:
        raise RowError(f"{missing[0]} is missing")
    name = pairs["name"].lower()
    if len(name) > MAX_NAME or not all(character.isalnum() or character in "_-." for character in name):
        raise RowError(f"'{pairs['name']}' is no name: up to {MAX_NAME} letters, digits, '_', '-' and '.'")
    if name in others:
        raise RowError(f"primitive '{name}' is defined at {others[name].where} already")
    if len(others) == MAX_PRIMITIVES:
        raise RowError(f"more than {MAX_PRIMITIVES} primitives")
    semantics = _semantics(pairs["semantics"])
    field = _field(pairs["field_type"], others.values()) if "field_type" in pairs else None
    pointers = tuple(_pointer(value) for key, value in pairs.items() if key.startswith("packet_ptr"))
    if field is None and not pointers:
        raise RowError("neither field_type nor packet_ptr says where the value is")
    return CustomPrimitive(
        name=name,
        field=field,
        pointers=pointers,
        length=_length(pairs["len"], semantics),
        semantics=semantics,
        where=where,
    )


def _semantics(text: str) -> Semantics:
    try:
        return Semantics(text.lower())
    except ValueError:
        words = [semantics.value for semantics in Semantics]
        raise RowError(f"semantics '{text}': {_advice(text, words)}") from None


def _length(text: str, semantics: Semantics) -> int | None:
    if text.lower() == "vlen":
        if semantics not in {Semantics.STR, Semantics.RAW}:
            raise RowError(f"len=vlen is for str and raw, not for {semantics.value}")
        return None
    length = _number(text, "len", 1, MAX_LENGTH)
    valid = {
        Semantics.U_INT: tuple(INTEGERS),
        Semantics.HEX: tuple(INTEGERS),
        Semantics.IP: ADDRESS_LENGTHS,
        Semantics.MAC: (MAC_LENGTH,),
    }.get(semantics)
    if valid is not None and length not in valid:
        raise RowError(f"len={length} of {semantics.value}: valid is {', '.join(map(str, valid))}")
    return length


def _field(text: str, others: Iterable[CustomPrimitive]) -> ElementField:
    enterprise, colon, number = text.rpartition(":")
    field = ElementField(
        _number(number, "field_type", 1, MAX_ELEMENT),
        _number(enterprise, "field_type", 0, MAX_ENTERPRISE) if colon else 0,
    )
    if not field.enterprise and field.element < FIRST_COUNTED:
        return replace(field, instance=LAST)
    same = (other.field for other in others if other.field is not None)
    before = sum((other.element, other.enterprise) == (field.element, field.enterprise) for other in same)
    return replace(field, instance=before)


def _pointer(text: str) -> PacketPointer:
    place, _, offset = text.partition("+")
    layer, colon, protocol = place.partition(":")
    if layer.lower() not in LAYERS:
        raise RowError(f"packet_ptr '{layer}': {_advice(layer, LAYERS)}")
    return PacketPointer(
        layer.lower(),
        _number(protocol, "packet_ptr", 0, 0xFFFF) if colon else None,
        _number(offset, "packet_ptr", 0, 0xFFFF) if offset else 0,
    )


def _number(text: str, key: str, low: int, high: int) -> int:
    parse: Callable[[str], int] = parse_integer
    if text[:2].lower() == "0x":
        parse = _hexadecimal
    try:
        number = parse(text)
    except ValueError:
        raise RowError(f"{key} '{text}' is not a number") from None
    if not low <= number <= high:
        raise RowError(f"{key} {number} is not from {low} to {high}")
    return number


def _hexadecimal(text: str) -> int:
    return int(text, 16)


def _advice(text: str, words: list[str] | tuple[str, ...]) -> str:
    meant = nearest(text.lower(), words)
    return f"valid is {', '.join(words)}" + (f"; did you mean {meant}?" if meant else "")
