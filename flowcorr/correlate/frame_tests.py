"""Packet filters as tests of columns: what an expression asks of a flow, without the frame that stands for it.

The frame of a flow (`_packet_program`) has constants and fields of the flow at places that its shape decides: whether
there is a VLAN tag, which labels, which family, what kind of protocol.  For each shape the programs of a filter are run
here once, with fields as unknowns: what they do with constants vanishes, and a comparison with a field becomes a test.
So a filter reads the columns that decide and no others.  Several programs become one graph of tests: where one says no
the next begins.

A program that does more with fields than to take some of their bits has no such form; then frames are written.

Source: Jones, Gomard, Sestoft, "Partial Evaluation and Automatic Program Generation" (1993), chapter 4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from flowcorr.correlate import _packet_program as bpf
from flowcorr.correlate.flow_frame import SHAPES, TRAITS, Field, Octet, frame_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Where a graph ends.
NO: Final = 0
YES: Final = 1
FIRST_TEST: Final = 2
#: What programs may come to for one shape: more than the comparisons of any program, fewer than take seconds.
MOST_STATES: Final = 16_384
#: Filters that are remembered: a configuration is read several times.
REMEMBERED: Final = 128

_INSTRUCTION: Final = struct.Struct("=HBBI")
_MASK: Final = 0xFFFF_FFFF


class _TooMuchError(Exception):
    """A program does what tests cannot."""


class Bits(NamedTuple):
    """Some bits of a field: `(field >> shift) & mask`."""

    field: Field
    shift: int
    mask: int


class Comparison(NamedTuple):
    """A comparison of some bits of a field with a number, by an operation of the machine (JEQ, JGT, JGE, JSET)."""

    bits: Bits
    operation: int
    number: int


@dataclass(frozen=True, slots=True)
class Graph:
    """What a filter asks.

    Attributes:
        tests: each with where it leads when it holds, and when it does not: NO, YES, or FIRST_TEST and the number of a
            test.
        entries: where to begin, for each of SHAPES.
        columns: what has to be in a layout for that.
    """

    tests: tuple[Node, ...]
    entries: tuple[int, ...]
    columns: frozenset[str]


class _Part(NamedTuple):
    """Bits of a field, and the place of their lowest one in a number."""

    bits: Bits
    place: int

    @property
    def mask(self) -> int:
        """Return the bits of the number that they are."""
        return self.bits.mask << self.place


class _Unknown(NamedTuple):
    """A number that is made of bits of fields and of a constant, which have none of them in common."""

    parts: tuple[_Part, ...]
    constant: int


class _Instruction(NamedTuple):
    code: int
    if_true: int
    if_false: int
    k: int


class _State(NamedTuple):
    """Where the machine stands: in which program, at which instruction, with what in A, X and memory."""

    program: int
    at: int
    a: _Value = 0
    x: _Value = 0
    memory: tuple[_Value, ...] = (0,) * bpf.MEMORY

    def order(self) -> tuple[int, int, int]:
        """Return what is greater for all states that this one leads to."""
        return self.program, self.at, -len(self.a.parts) if isinstance(self.a, _Unknown) else 0


@lru_cache(REMEMBERED)
def graph_of(programs: tuple[bytes, ...]) -> Graph | None:
    """Turn sound programs, of which any one lets a flow through, into tests; None where that cannot be."""
    decoded = [[_Instruction(*one) for one in _INSTRUCTION.iter_unpack(octets)] for octets in programs]
    builder = _Builder()
    try:
        entries = tuple(builder.add(_Machine(decoded, frame_of(shape))) for shape in SHAPES)
    except _TooMuchError:
        return None
    return Graph(tuple(builder.tests), entries, frozenset(builder.columns(entries)))


@dataclass(slots=True)
class _Builder:
    """Tests of all shapes, each of them once."""

    tests: list[Node] = field(default_factory=list)
    _numbers: dict[Node, int] = field(default_factory=dict)

    def add(self, machine: _Machine) -> int:
        """Add what a machine may come to; return where that begins."""
        begin = _State(0, 0)
        outcomes: dict[_State, _Outcome] = {}
        ahead = [begin]
        while ahead:
            state = ahead.pop()
            if state in outcomes:
                continue
            outcome = outcomes[state] = machine.run(state)
            if not isinstance(outcome, bool):
                ahead += outcome[1:]
            if len(outcomes) > MOST_STATES:
                raise _TooMuchError
        numbers: dict[_State, int] = {}
        for state in sorted(outcomes, key=_State.order, reverse=True):
            outcome = outcomes[state]
            if isinstance(outcome, bool):
                numbers[state] = YES if outcome else NO
            else:
                numbers[state] = self._number(outcome[0], numbers[outcome[1]], numbers[outcome[2]])
        return numbers[begin]

    def _number(self, test: Comparison, if_true: int, if_false: int) -> int:
        if if_true == if_false:
            return if_true
        node = test, if_true, if_false
        if node not in self._numbers:
            self._numbers[node] = FIRST_TEST + len(self.tests)
            self.tests.append(node)
        return self._numbers[node]

    def columns(self, entries: Sequence[int]) -> Iterator[str]:
        """Go through the columns of tests that are reached, and those that decide where to begin."""
        reached = set(entries)
        for number in range(FIRST_TEST + len(self.tests) - 1, FIRST_TEST - 1, -1):  # tests lead to lower numbers
            if number in reached:
                test, if_true, if_false = self.tests[number - FIRST_TEST]
                reached |= {if_true, if_false}
                yield test.bits.field.column
        for trait, columns in TRAITS.items():
            starts: dict[object, set[int]] = {}
            for shape, entry in zip(SHAPES, entries, strict=True):
                starts.setdefault((*shape[:trait], *shape[trait + 1 :]), set()).add(entry)
            if any(len(several) > 1 for several in starts.values()):
                yield from columns


class _Machine:
    """The classic BPF machine on a frame of which some octets are unknown."""

    def __init__(self, programs: Sequence[Sequence[_Instruction]], frame: Sequence[Octet]) -> None:
        self._programs, self._frame = programs, frame

    def run(self, state: _State) -> _Outcome:
        """Go on up to a comparison with a field, or up to the end.

        Raises: _TooMuchError.
        """
        while state.program < len(self._programs):
            instruction = self._programs[state.program][state.at]
            match instruction.code & 7:
                case bpf.RET:
                    if self._returns(instruction, state):
                        return True
                    state = _State(state.program + 1, 0)
                case bpf.JMP:
                    found = self._jump(instruction, state)
                    if not isinstance(found, _State):
                        return found
                    state = found
                case _:
                    state = self._step(instruction, state)
        return False

    @staticmethod
    def _returns(i: _Instruction, state: _State) -> bool:
        value = state.a if i.code & 0x18 == bpf.RET_A else i.k
        if isinstance(value, _Unknown):
            raise _TooMuchError
        return value != 0

    def _step(self, i: _Instruction, state: _State) -> _State:
        """Do an instruction that does not jump; a load from behind the end, or a division by 0, ends a program."""
        after = state._replace(at=state.at + 1)
        match i.code & 7:
            case bpf.LD | bpf.LDX:
                value = self._load(i, state)
                if value is None:
                    return _State(state.program + 1, 0)
                return after._replace(a=value) if i.code & 7 == bpf.LD else after._replace(x=value)
            case bpf.ST | bpf.STX:
                memory = list(state.memory)
                memory[i.k] = state.a if i.code & 7 == bpf.ST else state.x
                return after._replace(memory=tuple(memory))
            case bpf.ALU:
                operand = state.x if i.code & bpf.OF_X else i.k
                operation = i.code & 0xF0
                if operand == 0 and operation in {bpf.DIV, bpf.MOD}:
                    return _State(state.program + 1, 0)
                return after._replace(a=_reckon(operation, state.a, operand))
        return after._replace(a=state.x) if i.code & 0xF8 == bpf.TXA else after._replace(x=state.a)

    def _load(self, i: _Instruction, state: _State) -> _Value | None:
        mode = i.code & 0xE0
        if mode == bpf.IMM:
            return i.k
        if mode == bpf.MEM:
            return state.memory[i.k]
        if mode == bpf.LEN:
            return len(self._frame)
        at = i.k
        if mode == bpf.IND:
            if isinstance(state.x, _Unknown):
                raise _TooMuchError
            at += state.x
        size = {bpf.WORD: 4, bpf.HALF: 2, bpf.BYTE: 1}[i.code & 0x18]
        octets = self._frame[at : at + size]
        if len(octets) < size:
            return None
        value = _value_of(octets)
        if mode != bpf.MSH:
            return value
        if isinstance(value, _Unknown):
            raise _TooMuchError
        return (value & 15) << 2

    @staticmethod
    def _jump(i: _Instruction, state: _State) -> _State | tuple[Comparison, _State, _State]:
        operation, operand = i.code & 0xF0, state.x if i.code & bpf.OF_X else i.k
        if operation == bpf.JA:
            return state._replace(at=state.at + 1 + i.k)
        if_true, if_false = (state._replace(at=state.at + 1 + by) for by in (i.if_true, i.if_false))
        if isinstance(operand, _Unknown):
            raise _TooMuchError
        if isinstance(state.a, int):
            return if_true if bpf.compares(operation, state.a, operand) else if_false
        if operation == bpf.JEQ:
            return _equal(state, state.a, operand, if_true, if_false)
        if operation == bpf.JSET:
            return _any_set(state, _value(_masked(state.a, operand)), if_true, if_false)
        [part, *others] = state.a.parts
        if others or state.a.constant:
            raise _TooMuchError
        rounding = (1 << part.place) - 1 if operation == bpf.JGE else 0
        return Comparison(part.bits, operation, operand + rounding >> part.place), if_true, if_false


def _equal(
    state: _State, a: _Unknown, number: int, if_true: _State, if_false: _State
) -> _State | tuple[Comparison, _State, _State]:
    """Compare one part; where it is what it should be, the others are compared next."""
    [part, *others] = a.parts
    unknown = sum(one.mask for one in a.parts)
    if number & ~unknown != a.constant:
        return if_false
    wanted = number >> part.place & part.bits.mask
    if _rules_out(part.bits, wanted):
        return if_false
    if others:
        if_true = state._replace(a=_Unknown(tuple(others), a.constant | wanted << part.place))
    return Comparison(part.bits, bpf.JEQ, wanted), if_true, if_false


def _any_set(state: _State, a: _Value, if_true: _State, if_false: _State) -> _State | tuple[Comparison, _State, _State]:
    """Look at one part; where it has none of the bits, the others are looked at next."""
    if isinstance(a, int) or a.constant:
        return if_true if a != 0 else if_false
    [part, *others] = a.parts
    if others:
        if_false = state._replace(a=_Unknown(tuple(others), 0))
    return Comparison(part.bits, bpf.JSET, part.bits.mask), if_true, if_false


def _value_of(octets: Sequence[Octet]) -> _Value:
    """Return the number that some octets are, the first one highest."""
    parts: list[_Part] = []
    constant = 0
    for place, octet in zip(range(8 * len(octets) - 8, -1, -8), octets, strict=True):
        if isinstance(octet, int):
            constant |= octet << place
            continue
        shift = 8 * (octet[0].octets - octet[1] - 1)
        last = parts[-1] if parts else None
        if last is not None and last.place == place + 8 and last.bits[:2] == (octet[0], shift + 8):
            parts[-1] = _Part(Bits(octet[0], shift, last.bits.mask << 8 | 0xFF), place)
        else:
            parts.append(_Part(Bits(octet[0], shift, 0xFF), place))
    return _value(_Unknown(tuple(parts), constant))


def _value(number: _Unknown) -> _Value:
    return number if number.parts else number.constant


def _reckon(operation: int, a: _Value, operand: _Value) -> _Value:
    if isinstance(operand, _Unknown):
        raise _TooMuchError
    if isinstance(a, int):
        return bpf.reckoned(operation, a, operand)
    if operation == bpf.AND:
        return _value(_masked(a, operand))
    if operation == bpf.RSH and operand < 32:
        return _value(_shifted(_masked(a, _MASK << operand), -operand))
    if operation == bpf.LSH and operand < 32:
        return _value(_shifted(_masked(a, _MASK >> operand), operand))
    raise _TooMuchError


def _masked(a: _Unknown, mask: int) -> _Unknown:
    """Leave some bits of a number; those of a part begin with the lowest that is left."""
    parts = []
    for bits, place in a.parts:
        left = bits.mask & mask >> place
        if left:
            by = (left & -left).bit_length() - 1
            parts.append(_Part(Bits(bits.field, bits.shift + by, left >> by), place + by))
    return _Unknown(tuple(parts), a.constant & mask)


def _shifted(a: _Unknown, by: int) -> _Unknown:
    parts = tuple(one._replace(place=one.place + by) for one in a.parts)
    return _Unknown(parts, a.constant << by if by >= 0 else a.constant >> -by)


def _rules_out(bits: Bits, number: int) -> bool:
    """Tell whether the shape says that bits are not a number."""
    return bits == Bits(bits.field, 0, (1 << 8 * bits.field.octets) - 1) and number in bits.field.never


#: A comparison, and where it leads when it holds, and when it does not.
Node: TypeAlias = "tuple[Comparison, int, int]"
_Value: TypeAlias = "int | _Unknown"
_Outcome: TypeAlias = "bool | tuple[Comparison, _State, _State]"
