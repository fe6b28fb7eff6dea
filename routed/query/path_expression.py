"""AS-path expressions as looking glasses have them, compiled to a table that reads each character once.

An expression is searched for in the text of a path as records show it: `65001 4200000000 {200,300}`, confederation
sequences in parentheses and their sets in brackets.  It may have

    0-9 space , { }     themselves; any other character behind a backslash
    .                   any character
    ^ $                 the start and the end of the text
    _                   the start, the end, or one of space , { } ( ) [ ]
    [0-9] [^ ,]         one of these characters, or none of these; _ among them stands for all separators
    * + ?               what is before it any number of times, at least once, at most once
    | ( )               alternatives, groups

Theory of operation: the expression becomes a non-deterministic automaton (Thompson), whose steps without a character
may ask for the start or the end of the text; sets of its nodes, as the bits of an integer, become the states of a
deterministic one.  How long a search takes therefore depends on the text alone.  What an expression may cost before
that is bounded: its length, the depth of its groups, and the number of states.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

#: The characters of the text of a path; a symbol is a place here.
ALPHABET: Final = "0123456789 ,{}()[]"
SEPARATORS: Final = " ,{}()[]"

#: Room for a path of some thirty AS numbers.
MAX_LENGTH: Final = 256
MAX_DEPTH: Final = 24
#: Offsets of states have to fit in 16 bits, and the table in a cache.
MAX_STATES: Final = 2000

#: States that every table begins with: no match can follow, and there is one already.
DEAD: Final = 0
MATCHED: Final = 1

_ANY: Final = (1 << len(ALPHABET)) - 1
_SYMBOL: Final = {character: 1 << at for at, character in enumerate(ALPHABET)}
_SEPARATORS: Final = sum(_SYMBOL[character] for character in SEPARATORS)
_ALWAYS, _AT_START, _AT_END = 1, 2, 4
#: What stands for more than itself: some symbols, or conditions, or either.
_FIXED: Final = {"^": (0, _AT_START), "$": (0, _AT_END), "_": (_SEPARATORS, _AT_START | _AT_END), ".": (_ANY, 0)}
_MISPLACED: Final = dict.fromkeys("*+?", "has nothing to repeat") | {"]": "closes no set"}


class PathExpressionError(ValueError):
    """The expression is malformed or too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathExpression:
    """An expression and its automaton.

    A state is the offset of its row in `table`, 16-bit words in the order of the machine; a row has the next state
    for each symbol.  `ends` has one octet a row: whether a text that ends there matches.
    """

    text: str
    table: bytes
    ends: bytes
    start: int

    def matches(self, path: str) -> bool:
        """Return whether the text of a path matches; the slow way, for one path."""
        table, state = array("H", self.table), self.start
        for character in path:
            state = table[state + ALPHABET.index(character)]
        return bool(self.ends[state // len(ALPHABET)])


def compile_path_expression(text: str) -> PathExpression:
    """Compile an expression.

    Raises: PathExpressionError with the place of what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise PathExpressionError(f"expression of {len(text)} characters is longer than {MAX_LENGTH}")
    reader = _Reader(text)
    return _determined(text, reader.nodes, reader.read())


class _Part(NamedTuple):
    """A piece of the automaton: where it begins and ends."""

    start: int
    end: int


class _Nodes:
    """The non-deterministic automaton: by node, its steps without a character and its step with one."""

    def __init__(self) -> None:
        self.free: list[list[tuple[int, int]]] = []
        self.step: list[tuple[int, int]] = []

    def part(self, symbols: int = 0, condition: int = 0) -> _Part:
        """Add two nodes, with a step for some symbols or under a condition between them."""
        start, end = len(self.free), len(self.free) + 1
        self.free += [[(condition, end)] if condition else [], []]
        self.step += [(symbols, end), (0, 0)]
        return _Part(start, end)

    def link(self, start: int, end: int) -> None:
        self.free[start].append((_ALWAYS, end))

    def closure(self, nodes: int, conditions: int) -> int:
        """Return the nodes that can be reached without a character where these conditions hold."""
        waiting = list(_bits(nodes))
        while waiting:
            for condition, to in self.free[waiting.pop()]:
                if condition & conditions and not nodes >> to & 1:
                    nodes |= 1 << to
                    waiting.append(to)
        return nodes


class _Reader:
    """Reads an expression into nodes, one method for each level of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self.nodes = _Nodes()

    def read(self) -> _Part:
        part = self._alternatives()
        if self._at < len(self._text):
            raise self._error("')' closes no group")
        return part

    def _error(self, what: str, at: int | None = None) -> PathExpressionError:
        return PathExpressionError(f"{what} at character {1 + (self._at if at is None else at)} of {self._text!r}")

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, characters: str) -> str:
        """Take the next character if it is one of these."""
        found = self._next()
        if not found or found not in characters:
            return ""
        self._at += 1
        return found

    def _alternatives(self) -> _Part:
        part = self._sequence()
        while self._take("|"):
            other, whole = self._sequence(), self.nodes.part()
            for one in (part, other):
                self.nodes.link(whole.start, one.start)
                self.nodes.link(one.end, whole.end)
            part = whole
        return part

    def _sequence(self) -> _Part:
        whole = self.nodes.part(condition=_ALWAYS)
        while self._next() not in {"", "|", ")"}:
            part = self._repeated()
            self.nodes.link(whole.end, part.start)
            whole = _Part(whole.start, part.end)
        return whole

    def _repeated(self) -> _Part:
        part = self._one()
        while operator := self._take("*+?"):
            whole = self.nodes.part()
            self.nodes.link(whole.start, part.start)
            self.nodes.link(part.end, whole.end)
            if operator != "+":
                self.nodes.link(whole.start, whole.end)
            if operator != "?":
                self.nodes.link(part.end, part.start)
            part = whole
        return part

    def _one(self) -> _Part:
        at, character = self._at, self._next()
        self._at += 1
        if character == "(":
            return self._group(at)
        if character in _FIXED:
            symbols, condition = _FIXED[character]
            return self.nodes.part(symbols, condition)
        if character in _MISPLACED:
            raise self._error(f"{character!r} {_MISPLACED[character]}", at)
        if character == "[":
            return self.nodes.part(self._set(at))
        return self.nodes.part(self._symbol(self._escaped() if character == "\\" else character, at))

    def _group(self, at: int) -> _Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"groups are nested deeper than {MAX_DEPTH}", at)
        part = self._alternatives()
        if not self._take(")"):
            raise self._error("group is not closed", at)
        self._depth -= 1
        return part

    def _escaped(self) -> str:
        if not self._next():
            raise self._error("backslash is the last character", self._at - 1)
        self._at += 1
        return self._text[self._at - 1]

    def _symbol(self, character: str, at: int) -> int:
        if character not in _SYMBOL:
            raise self._error(f"{character!r}, which no AS path has,", at)
        return _SYMBOL[character]

    def _set(self, at: int) -> int:
        """Read a set behind its bracket; a bracket that would close an empty one is a member."""
        inverted = bool(self._take("^"))
        symbols, first = 0, True
        while first or self._next() != "]":
            if not self._next():
                raise self._error("set is not closed", at)
            symbols |= self._members()
            first = False
        self._at += 1
        if inverted:
            symbols ^= _ANY
        if not symbols:
            raise self._error("set, of which no AS path has a character,", at)
        return symbols

    def _members(self) -> int:
        """Read one member of a set, or a range of them."""
        at, character = self._at, self._next()
        self._at += 1
        if character == "_":
            return _SEPARATORS
        low = self._escaped() if character == "\\" else character
        if self._next() != "-" or self._text[self._at + 1 : self._at + 2] in {"", "]"}:
            return _SYMBOL.get(low, 0)
        self._at += 2
        high = self._text[self._at - 1]
        if high == "\\":
            high = self._escaped()
        if high < low:
            raise self._error(f"range from {low!r} down to {high!r}", at)
        return sum(symbol for character, symbol in _SYMBOL.items() if low <= character <= high)


def _bits(nodes: int) -> Iterator[int]:
    while nodes:
        lowest = nodes & -nodes
        yield lowest.bit_length() - 1
        nodes ^= lowest


def _kinds(nodes: _Nodes) -> list[int]:
    """Return for each symbol the first one that no step tells from it."""
    masks = {symbols for symbols, _ in nodes.step}
    seen: dict[tuple[bool, ...], int] = {}
    return [
        seen.setdefault(tuple(bool(mask >> symbol & 1) for mask in masks), symbol) for symbol in range(len(ALPHABET))
    ]


def _determined(text: str, nodes: _Nodes, whole: _Part) -> PathExpression:
    """Make the deterministic automaton: rows of state numbers first."""
    kinds, accepting = _kinds(nodes), 1 << whole.end
    anywhere = nodes.closure(1 << whole.start, _ALWAYS)
    behind = [nodes.closure(1 << to, _ALWAYS) if symbols else 0 for symbols, to in nodes.step]
    stepping = {kind: sum(1 << n for n, (mask, _) in enumerate(nodes.step) if mask >> kind & 1) for kind in kinds}
    first = nodes.closure(1 << whole.start, _ALWAYS | _AT_START)
    # the first state is one of its own: only there the start of the text is where it may end
    numbers, sets = {accepting: MATCHED}, [0, accepting, first]
    rows = [[DEAD] * len(ALPHABET), [MATCHED] * len(ALPHABET)]
    while len(rows) < len(sets):
        reached = {kind: _after(sets[len(rows)] & mask, behind, anywhere, accepting) for kind, mask in stepping.items()}
        for group in reached.values():
            if group not in numbers:
                numbers[group] = len(sets)
                sets.append(group)
        if len(sets) > MAX_STATES:
            raise PathExpressionError(f"expression needs more than {MAX_STATES} states: {text!r}")
        rows.append([numbers[reached[kind]] for kind in kinds])
    if first & accepting:
        rows[2] = rows[MATCHED]
    ends = [bool(nodes.closure(group, _ALWAYS | _AT_END) & accepting) for group in sets]
    ends[2] = bool(nodes.closure(sets[2], _ALWAYS | _AT_START | _AT_END) & accepting)
    return _packed(text, _without_dead_ends(rows, ends), ends)


def _after(stepping: int, behind: list[int], anywhere: int, accepting: int) -> int:
    """Return the nodes after a character that these nodes step with; only the last one where there is a match."""
    group = anywhere
    for node in _bits(stepping):
        group |= behind[node]
    return accepting if group & accepting else group


def _without_dead_ends(rows: list[list[int]], ends: list[bool]) -> list[list[int]]:
    """Lead to `DEAD` wherever no match can follow, so that a reader can stop there."""
    before: list[set[int]] = [set() for _ in rows]
    for number, row in enumerate(rows):
        for to in row:
            before[to].add(number)
    alive = {number for number, end in enumerate(ends) if end}
    waiting = list(alive)
    while waiting:
        fresh = before[waiting.pop()] - alive
        alive |= fresh
        waiting += fresh
    return [[to if to in alive else DEAD for to in row] for row in rows]


def _packed(text: str, rows: list[list[int]], ends: list[bool]) -> PathExpression:
    """Keep the states that are still led to, as offsets."""
    kept = [DEAD, MATCHED, 2]
    seen = set(kept)
    for number in kept:
        fresh = [to for to in dict.fromkeys(rows[number]) if to not in seen]
        seen.update(fresh)
        kept += fresh
    places = {number: len(ALPHABET) * place for place, number in enumerate(kept)}
    return PathExpression(
        text=text,
        table=array("H", [places[to] for number in kept for to in rows[number]]).tobytes(),
        ends=bytes(ends[number] for number in kept),
        start=places[2],
    )
