"""From values as an operator writes them to the octets of keys: which entries a question is about.

A value is written as records show it. `*` matches anything, and an address may be a prefix, such as `10.0.0.0/8`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import TYPE_CHECKING, Final

from flowcorr.columns.column import Column, Kind
from flowcorr.correlate.primitives import ALIASES, SUMMED, SUMS, Form
from flowcorr.correlate.protocols import NAMES as PROTOCOLS
from flowcorr.correlate.route_distinguisher import parse_rd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowcorr.columns._texts import Texts
    from flowcorr.correlate.aggregate import Aggregate, KeyPlan
    from flowcorr.correlate.primitives import Field

ANYTHING: Final = "*"
#: Octets in front of an IPv4 address where all addresses are IPv6 (RFC 4291 section 2.5.5.2).
MAPPED: Final = bytes(10) + b"\xff\xff"
ADDRESS_BITS: Final = 128
_PROTOCOLS: Final[Mapping[str, int]] = {name: number for number, name in PROTOCOLS.items()}
_ORIGINS: Final = ("unknown", "bgp", "bmp", "flow", "map")
_INTEGERS: Final = frozenset({Kind.U8, Kind.U16, Kind.U32, Kind.U64})


class MatchError(ValueError):
    """A question about keys that has no sense here; the text says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Octets of a column, and which of their bits are compared; a text is still to be looked up."""

    octets: bytes
    mask: bytes
    is_text: bool = False


@dataclass(slots=True)
class KeyQueries:
    """Masks and values of keys, for `Snapshot.matches`; `close` lets go of the texts that they hold.

    Of the queries asked for, in their order, `numbers` has the place in `queries`: equal ones share it.
    """

    queries: Sequence[tuple[bytes, bytes]]
    numbers: Sequence[int]
    _texts: Texts
    _held: Sequence[int]

    def close(self) -> None:
        """Let go of the texts, in the thread that they belong to."""
        for text in self._held:
            self._texts.release(text)
        self._held = ()


def key_queries(
    aggregate: Aggregate, plan: KeyPlan, texts: Texts, primitives: Sequence[str], values: Sequence[Sequence[str]]
) -> KeyQueries:
    """Understand queries: values for primitives, in their order.

    Raises: MatchError.
    """
    fields = [_field(aggregate, name) for name in primitives]
    if len(set(fields)) < len(fields):
        raise MatchError("a primitive is named twice")
    found: dict[tuple[bytes, bytes], int] = {}
    numbers, held = [], []
    for row in values:
        if len(row) != len(fields):
            raise MatchError(f"'{','.join(row)}' has {len(row)} values for {len(fields)} primitives")
        mask, octets = bytearray(plan.octets), bytearray(plan.octets)
        for field, text in zip(fields, row, strict=True):
            if text.strip() == ANYTHING:
                continue
            wanted = _wanted(field, text.strip())
            at, width = plan.places[field.column.name], field.column.kind.width
            mask[at : at + width] = wanted.mask
            if wanted.is_text:
                number = texts.id_of(wanted.octets)
                texts.hold(number)
                held.append(number)
                is_known = number or not wanted.octets
                octets[at : at + width] = number.to_bytes(width, sys.byteorder) if is_known else b"\xff" * width
            else:
                octets[at : at + width] = wanted.octets
        numbers.append(found.setdefault((bytes(mask), bytes(octets)), len(found)))
    return KeyQueries(tuple(found), numbers, texts, held)


def _field(aggregate: Aggregate, name: str) -> Field:
    asked = "".join(name.split()).lower()
    primitive = ALIASES.get(asked, asked)
    field = aggregate.field_of(SUMS[primitive][0] if primitive in SUMS else primitive)
    if field is None:
        raise MatchError(f"unknown primitive '{name}': the table has {', '.join(aggregate.primitives)}")
    if field.column.name in SUMMED:
        raise MatchError(f"'{name}' is summed up, and so is no part of a key")
    return field


def _wanted(field: Field, text: str) -> Wanted:
    try:
        return _READERS[field.form](text, field.column)
    except (ValueError, OverflowError, TypeError) as error:
        raise MatchError(f"'{text}' is no value of {field.primitive}") from error


def _whole(octets: bytes) -> Wanted:
    return Wanted(octets, b"\xff" * len(octets))


def _of_number(number: int, column: Column) -> Wanted:
    return _whole(number.to_bytes(column.kind.width, sys.byteorder))


def _number(text: str, column: Column) -> Wanted:
    return _of_number(int(text), column)


def _hex(text: str, column: Column) -> Wanted:
    if column.kind in _INTEGERS:
        return _of_number(int(text, 16), column)
    return _whole(bytes.fromhex(text.zfill(2 * column.kind.width)))


def _address(text: str, column: Column) -> Wanted:
    if not text:
        return _whole(column.kind.blank)
    interface = ip_interface(text)
    is_four = isinstance(interface.ip, IPv4Address)
    octets = MAPPED + interface.ip.packed if is_four else interface.ip.packed
    length = interface.network.prefixlen + (8 * len(MAPPED) if is_four else 0)
    mask = ((1 << length) - 1) << (ADDRESS_BITS - length)
    value = int.from_bytes(octets, "big") & mask
    return Wanted(value.to_bytes(16, "big"), mask.to_bytes(16, "big"))


def _mac(text: str, column: Column) -> Wanted:
    octets = bytes.fromhex(text.replace(":", "").replace("-", ""))
    if len(octets) != column.kind.width:
        raise ValueError(text)
    return _whole(octets)


def _protocol(text: str, column: Column) -> Wanted:
    number = _PROTOCOLS.get(text.lower())
    return _of_number(int(text) if number is None else number, column)


def _character(text: str, column: Column) -> Wanted:
    return _of_number(0 if text == "u" else ord(text), column)


def _origin(text: str, column: Column) -> Wanted:
    return _of_number(_ORIGINS.index(text), column)


def _time(text: str, column: Column) -> Wanted:
    """Read a time: RFC 3339, without an offset local time, or seconds since 1970 with their fraction."""
    seconds, point, fraction = text.partition(".")
    if seconds.isdecimal() and (not point or fraction.isdecimal()):
        return _of_number(int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0")), column)
    when = datetime.fromisoformat(text).astimezone()
    return _of_number(int(when.timestamp()) * 1_000_000 + when.microsecond, column)


def _rd(text: str, _: Column) -> Wanted:
    octets = parse_rd(text)
    if octets is None:
        raise ValueError(text)
    return _whole(octets)


def _of_text(octets: bytes) -> Wanted:
    return Wanted(octets, b"\xff" * Kind.TEXT.width, is_text=True)


def _text(text: str, _: Column) -> Wanted:
    return _of_text(text.encode())


def _label_stack(text: str, _: Column) -> Wanted:
    return _of_text(b"".join(int(label).to_bytes(4, "big") for label in text.split("_") if label))


def _segments(text: str, _: Column) -> Wanted:
    return _of_text(b"".join(ip_address(segment).packed for segment in text.split("_") if segment))


def _octets(text: str, _: Column) -> Wanted:
    return _of_text(bytes.fromhex(text.replace("-", "")))


_READERS: Final[Mapping[Form, Callable[[str, Column], Wanted]]] = {
    Form.NUMBER: _number,
    Form.NUMBER_TEXT: _number,
    Form.FWD_STATUS: _number,
    Form.HEX: _hex,
    Form.ADDRESS: _address,
    Form.MAC: _mac,
    Form.PROTOCOL: _protocol,
    Form.CHARACTER: _character,
    Form.ORIGIN: _origin,
    Form.TIME: _time,
    Form.RD: _rd,
    Form.TEXT: _text,
    Form.LIST: _text,
    Form.LABEL: _text,
    Form.LABEL_STACK: _label_stack,
    Form.SEGMENTS: _segments,
    Form.OCTETS: _octets,
}
