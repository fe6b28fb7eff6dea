"""The tag map: rules that give peers, and routes by their communities, a number or a label.

Rows are tried from the top; a row matches when all of its conditions do, and the first that matches decides. A row
with `jeq` goes on at a later row instead, and what follows adds to what it set: labels are joined by commas, a tag
replaces the one before unless the later row says how to combine them (`stack=sum`, `stack=or`). Rows with an `ip` of
one family concern that family, rows without concern both.

The address of a session does not change, so the rows that can match it are picked once, by `for_peer`; what is left
to do for a route is to compare communities, and nothing when no picked row has any.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from routed.plumbing.maps import Limits, Loaded, Row, RowError, left_out, parse_rows
from routed.plumbing.values import parse_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from routed.plumbing.log import LogLine
    from routed.plumbing.values import Address

#: Keys of a row; `id` is the old name of `set_tag`.
KEYS: Final = frozenset({"set_tag", "id", "set_label", "ip", "comms", "label", "jeq", "stack"})
MAX_TAG: Final = 2**64 - 1
MAX_COMMUNITIES: Final = 16
MAX_ROW_NAME: Final = 31
#: Ways to combine a tag with the one gathered before a jump.
STACKS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "sum": lambda before, tag: (before + tag) & MAX_TAG,
    "or": lambda before, tag: before | tag,
}


@dataclass(frozen=True, slots=True)
class Tag:
    """What a map says of a peer or a route."""

    tag: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A compiled row; `counter` yields the tags of one that counts on at each match."""

    where: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    communities: frozenset[str]
    tag: int | None
    counter: Iterator[int] | None
    label: str | None
    name: str | None
    jump: str | None
    stack: Callable[[int, int], int] | None

    def combine(self, gathered: int | None) -> int | None:
        """Return the tag after this match, from the one gathered before it."""
        tag = self.tag if self.counter is None else next(self.counter) & MAX_TAG
        if tag is None or gathered is None:
            return gathered if tag is None else tag
        return tag if self.stack is None else self.stack(gathered, tag)


@dataclass(frozen=True, slots=True)
class Step:
    """A rule at its place among those of an IP version, and the place it goes on at after a match, if it does."""

    place: int
    rule: Rule
    resume: int | None


class PeerTags:
    """The steps of a map that can match one peer.

    `uses_communities` tells whether routes of the peer may differ, `counts` whether each evaluation may.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.uses_communities = any(step.rule.communities for step in steps)
        self.counts = any(step.rule.counter is not None for step in steps)

    def evaluate(self, communities: Collection[str] | None) -> Tag | None:
        """Return the tag of a route with these standard communities; `None` stands for something without any."""
        gathered: int | None = None
        labels: list[str] = []
        resume: int | None = None
        for step in self._steps:
            if resume is not None and step.place < resume:
                continue
            rule = step.rule
            if rule.communities and (communities is None or rule.communities.isdisjoint(communities)):
                continue
            gathered = rule.combine(gathered)
            labels += [] if rule.label is None else [rule.label]
            resume = step.resume
            if resume is None:
                break
        return Tag(gathered, ",".join(labels) or None) if labels or gathered is not None else None


class TagMap:
    """A compiled tag map."""

    def __init__(self, rules: Sequence[Rule], *, recirculate: bool = True) -> None:
        self._rules = tuple(rules)
        self._steps = {
            4: tuple(_steps(rules, 4, with_bare=True)),
            6: tuple(_steps(rules, 6, with_bare=recirculate)),
        }
        self.uses_communities = any(rule.communities for rule in rules)

    def __len__(self) -> int:
        return len(self._rules)

    def for_peer(self, address: Address) -> PeerTags:
        """Pick the rows that can match a peer."""
        return PeerTags([step for step in self._steps[address.version] if _covers(step.rule, address)])

    def evaluate(self, address: Address, communities: Collection[str] | None) -> Tag | None:
        """Return the tag of a peer, or of one of its routes."""
        return self.for_peer(address).evaluate(communities)

    def unresolved(self) -> Iterator[LogLine]:
        """Name the jumps that lead nowhere; their rows end the search like any other."""
        for version, steps in self._steps.items():
            for step in steps:
                if step.rule.jump is not None and step.resume is None:
                    text = (
                        f"{step.rule.where} Unresolved label '{step.rule.jump}' in v{version} namespace. Ignoring it."
                    )
                    yield left_out(text)


def parse_tag_map(text: str, name: str, limits: Limits, *, recirculate: bool = True) -> Loaded[TagMap]:
    """Parse and compile a tag map; without `recirculate`, rows that have no `ip` concern IPv4 only."""
    rows = parse_rows(text, name, KEYS, limits)
    rules: list[Rule] = []
    lines = list(rows.lines)
    for row in rows.content:
        try:
            rules.append(compile_row(row))
        except RowError as error:
            lines.append(left_out(f"{row.where} {error}"))
    tag_map = TagMap(rules, recirculate=recirculate)
    return Loaded(tag_map, (*lines, *tag_map.unresolved()))


def compile_row(row: Row) -> Rule:
    """Compile a row.

    Raises: RowError.
    """
    pairs = row.pairs
    if "set_tag" in pairs and "id" in pairs:
        raise RowError("Multiple 'set_tag' clauses part of the same statement. Line ignored.")
    text = pairs.get("set_tag", pairs.get("id"))
    if text is None and not pairs.keys() & {"set_label", "jeq"}:
        raise RowError("required key missing. Required keys are: 'set_tag' or 'set_label'. Line ignored.")
    tag, counts = (None, False) if text is None else _parse_tag(text)
    if len(pairs.get("label", "")) > MAX_ROW_NAME:
        raise RowError(f"'label' is longer than {MAX_ROW_NAME} chars. Line ignored.")
    if "stack" in pairs and pairs["stack"] not in STACKS:
        raise RowError(f"'stack' is '{pairs['stack']}', not one of {', '.join(STACKS)}. Line ignored.")
    return Rule(
        where=row.where,
        network=_parse_network(pairs["ip"]) if "ip" in pairs else None,
        communities=_parse_communities(pairs["comms"]) if "comms" in pairs else frozenset(),
        tag=tag,
        counter=count(tag) if counts and tag is not None else None,
        label=pairs.get("set_label"),
        name=pairs.get("label"),
        jump=pairs.get("jeq"),
        stack=STACKS[pairs["stack"]] if "stack" in pairs else None,
    )


def encode_tag(tag: Tag | None, *, label_as_map: bool = False) -> bytes:
    """Write the member of a JSON record that shows a tag, or else a label; nothing for neither."""
    if tag is None:
        return b""
    if tag.tag is not None:
        return b'"tag": %d' % tag.tag
    if tag.label is None:
        return b""
    shown = dict(_label_pairs(tag.label)) if label_as_map else tag.label
    return b'"label": ' + json.dumps(shown, ensure_ascii=False).encode()


def label_passes(entries: Iterable[str], label: str | None) -> bool:
    """Tell whether a label filter lets a record through: the first entry that decides does, none keeps it back.

    An entry equal to a part of the label lets it through, `-x` lets through whatever has no part `x`. A record
    without a label is kept back, by `null` too.
    """
    if label is None:
        return False
    parts = label.split(",")
    return any(entry[1:] not in parts if entry.startswith("-") else entry in parts for entry in entries)


def _steps(rules: Sequence[Rule], version: int, *, with_bare: bool) -> Iterator[Step]:
    """Place the rules of an IP version; those without a network are among them or not."""
    mine = [rule for rule in rules if (with_bare if rule.network is None else rule.network.version == version)]
    for place, rule in enumerate(mine):
        yield Step(place, rule, _resume(mine, place, rule.jump))


def _resume(rules: Sequence[Rule], place: int, jump: str | None) -> int | None:
    if jump is None:
        return None
    if jump == "next":
        return place + 1 if place + 1 < len(rules) else None
    target = next((at for at, rule in enumerate(rules) if rule.name == jump), None)
    return target if target is not None and target > place else None


def _covers(rule: Rule, address: Address) -> bool:
    return rule.network is None or address in rule.network


def _parse_tag(text: str) -> tuple[int, bool]:
    digits = text.removesuffix("++")
    try:
        tag = parse_integer(digits)
    except ValueError as error:
        raise RowError(f"'set_tag': {error}. Line ignored.") from None
    if not 1 <= tag <= MAX_TAG:
        raise RowError(f"'set_tag': {tag} is not from 1 to {MAX_TAG}. Line ignored.")
    return tag, digits != text


def _parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise RowError(f"'ip': '{text}' is neither address nor prefix. Line ignored.") from None


def _parse_communities(text: str) -> frozenset[str]:
    communities = [community for community in text.split(",") if community]
    if not 1 <= len(communities) <= MAX_COMMUNITIES:
        raise RowError(f"'comms' has {len(communities)} communities, not 1 to {MAX_COMMUNITIES}. Line ignored.")
    return frozenset(communities)


def _label_pairs(label: str) -> Iterator[tuple[str, str]]:
    """Take a label `k%v,k%v` apart; a part without `%` is a key with an empty value."""
    for part in label.split(","):
        key, _, value = part.partition("%")
        if key:
            yield key, value
