"""What `aggregate` asks for: primitives, their columns and the key that records are summed by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, Self

from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import Column, Kind
from flowcorr.columns.layout import Layout
from flowcorr.correlate.primitives import (
    ALIASES,
    DAEMONS,
    FLOWS,
    NONE,
    REFUSED,
    REFUSED_IN,
    SUMMED,
    SUMS,
    Field,
    custom_field,
    fields_by_primitive,
    names,
)
from flowcorr.wire.custom_primitive import CustomPrimitive

DEFAULT: Final = "src_host"
#: What may accompany a sum of both directions.
BESIDE_SUMS: Final = frozenset({"tag", "tag2", "class", FLOWS})
#: A key is a multiple of this: it is compared eight octets at a time.
KEY_ALIGNMENT: Final = 8
#: Steps of a key that do not copy octets: what stands where their number does.
WHOLE_SECONDS: Final = 0
DSCP: Final = 3
SERVICE_TYPES: Final = frozenset({"tos", "tunnel_tos"})

_FIELDS: Final = fields_by_primitive()


class AggregateError(ValueError):
    """A value of `aggregate` that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What one plugin aggregates by.

    Attributes:
        primitives: names in the order that the operator wrote.
        fields: what a record shows of them.
        custom: names of those that are custom primitives, in the order that the operator wrote.
        has_flows: the number of flows is shown.
        both_ends: for a sum of both directions, the column that a record counts for a second time.
        warnings: what the operator should know.
    """

    primitives: tuple[str, ...]
    fields: tuple[Field, ...]
    custom: tuple[str, ...] = ()
    has_flows: bool = False
    both_ends: tuple[Column, Column] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that a layout needs for it."""
        found = [field.column for field in self.fields]
        if self.both_ends is not None:
            found.append(self.both_ends[1])
        return tuple(dict.fromkeys(found))

    def over(self, own: Mapping[str, Column]) -> Self:
        """Return the same over other columns, by the names of the built-in ones that they stand for."""
        fields = [replace(field, column=own.get(field.column.name, field.column)) for field in self.fields]
        both_ends = None
        if self.both_ends is not None:
            first, second = self.both_ends
            both_ends = own.get(first.name, first), own.get(second.name, second)
        return replace(self, fields=tuple(fields), both_ends=both_ends)

    def field_of(self, primitive: str) -> Field | None:
        """Return the first field of a primitive, if it is asked for."""
        return next((field for field in self.fields if field.primitive == primitive), None)


def parse_aggregate(text: str, daemon: str, custom: Mapping[str, CustomPrimitive] | None = None) -> Aggregate:
    """Parse a comma-separated list of primitives, in any case and order.

    Args:
        text: the value of `aggregate`.
        daemon: the command, such as `nfacctd`.
        custom: primitives that the operator defines; they win over built-in ones.

    Raises: AggregateError.
    """
    custom = custom or {}
    asked = [ALIASES.get(name, name) for name in ("".join(item.split()).lower() for item in text.split(",")) if name]
    warnings = []
    if not asked:
        asked = [DEFAULT]
        warnings.append(f"aggregate is empty: {DEFAULT}")
    for position, name in enumerate(asked):
        if name in asked[:position]:
            raise AggregateError(f"'{name}' repeated in 'aggregate'")
    both_ends = _both_ends(asked, custom)
    if NONE in asked and len(asked) > (2 if FLOWS in asked else 1):
        raise AggregateError(f"'{NONE}' is one record of everything and stands alone")
    fields: list[Field] = []
    for name in asked:
        found = _fields_of(name, DAEMONS[daemon], custom)
        if found and DAEMONS[daemon] not in found[0].daemons:
            warnings.append(f"primitive '{name}' is not supported by '{daemon}': it stays empty")
        fields += found
    return Aggregate(
        primitives=tuple(asked),
        fields=tuple(fields),
        custom=tuple(name for name in asked if name in custom),
        has_flows=FLOWS in asked and FLOWS not in custom,
        both_ends=both_ends,
        warnings=tuple(warnings),
    )


def _both_ends(asked: list[str], custom: Mapping[str, CustomPrimitive]) -> tuple[Column, Column] | None:
    sums = [name for name in asked if name in SUMS and name not in custom]
    if not sums:
        return None
    others = [name for name in asked if name not in BESIDE_SUMS and name != sums[0]]
    if others:
        beside = ", ".join(sorted(BESIDE_SUMS))
        raise AggregateError(f"'{sums[0]}' counts both directions on one key: beside it go {beside}, not '{others[0]}'")
    first, second = SUMS[sums[0]]
    return BUILTIN[first], BUILTIN[second]


def _fields_of(name: str, letter: str, custom: Mapping[str, CustomPrimitive]) -> tuple[Field, ...]:
    if name in custom:
        return (custom_field(custom[name]),)
    if name in SUMS:
        return _FIELDS[SUMS[name][0]]
    if name in {NONE, FLOWS}:
        return ()
    why = REFUSED.get(name) or REFUSED_IN.get((name, letter))
    if why is not None:
        raise AggregateError(f"primitive '{name}': {why}")
    if name not in _FIELDS:
        meant = get_close_matches(name, [*names(), *custom], n=1)
        advice = f"; did you mean {meant[0]}?" if meant else ""
        raise AggregateError(f"Unknown primitive '{name}'{advice}")
    return _FIELDS[name]


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """How the key of a record is put together.

    Attributes:
        steps: octets (or `WHOLE_SECONDS`, `DSCP`), place in the key, and places in a row for each key that a record
            counts for.
        places: where each column stands in the key.
        texts: places that hold ids of texts.
        flag: place that tells records without counters, which share no entry with others.
        octets: of the key.
    """

    steps: tuple[tuple[int, int, tuple[int, ...]], ...]
    places: Mapping[str, int]
    texts: tuple[int, ...]
    flag: int
    octets: int


def plan_key(aggregate: Aggregate, layout: Layout, *, whole_seconds: bool = False, dscp: bool = False) -> KeyPlan:
    """Plan the key: columns that lie side by side in a row are copied together.

    With `whole_seconds` times lose their fraction, with `dscp` a type of service all but its six highest bits
    (RFC 2474 section 3).
    """
    columns = sorted(
        {field.column for field in aggregate.fields if field.column.name not in SUMMED},
        key=lambda column: layout.offset(column.name),
    )
    places: dict[str, int] = {}
    runs: list[list[int]] = []  # place in the row, in the key, octets
    steps: list[tuple[int, int, tuple[int, ...]]] = []
    at = 0
    for column in columns:
        width, place = column.kind.width, layout.offset(column.name)
        places[column.name] = at
        if column.kind is Kind.TIME and whole_seconds:
            steps.append((WHOLE_SECONDS, at, (place,)))
        elif column.name in SERVICE_TYPES and dscp:
            steps.append((DSCP, at, (place,)))
        elif runs and runs[-1][0] + runs[-1][2] == place and runs[-1][1] + runs[-1][2] == at:
            runs[-1][2] += width
        else:
            runs.append([place, at, width])
        at += width
    steps += [step for place, to, octets in runs for step in _copies(place, to, octets)]
    if aggregate.both_ends is not None:
        steps = _with_second_key(steps, places, layout, *aggregate.both_ends)
    return KeyPlan(
        steps=tuple(steps),
        places=places,
        texts=tuple(places[column.name] for column in columns if column.kind.is_text),
        flag=at,
        octets=-(-(at + 1) // KEY_ALIGNMENT) * KEY_ALIGNMENT,
    )


def _copies(place: int, to: int, octets: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """Cut a run of octets into pieces that one instruction copies."""
    pieces: list[tuple[int, int, tuple[int, ...]]] = []
    while octets:
        width = min(16, 1 << (octets.bit_length() - 1))
        pieces.append((width, to, (place,)))
        place, to, octets = place + width, to + width, octets - width
    return pieces


def _with_second_key(
    steps: list[tuple[int, int, tuple[int, ...]]],
    places: Mapping[str, int],
    layout: Layout,
    first: Column,
    second: Column,
) -> list[tuple[int, int, tuple[int, ...]]]:
    """Take the column of the other direction for the second key of a record."""
    begin = places[first.name]
    end, moved = begin + first.kind.width, layout.offset(second.name) - layout.offset(first.name)
    outside = [(width, to, place * 2) for width, to, place in steps if not begin <= to < end]
    pieces = _copies(layout.offset(first.name), begin, end - begin)
    assert len(outside) == len(steps) - len(pieces), "a sum has no neighbour in the row that it is copied with"
    return outside + [(width, to, (place, place + moved)) for width, to, (place,) in pieces]
