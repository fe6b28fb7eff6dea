"""What the maps of a flow daemon are made of: rows that choose flows, and what each of them gives.

A map is compiled from the pairs of its rows, in two steps: what columns it reads is known before there is a layout, and
its rules over the columns once there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeAlias, TypeVar

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.correlate._match import Rules, Test
from flowcorr.correlate._packet_program import COLUMNS
from flowcorr.correlate._tagger import Actions, Tagger
from flowcorr.correlate.map_keys import MATCH_KEYS, Condition, MapValueError, address_octets, number
from flowcorr.correlate.route_distinguisher import parse_rd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from flowcorr.columns._texts import Texts
    from flowcorr.columns.layout import Layout

T = TypeVar("T")

#: What goes through rows.
Pace: TypeAlias = "Callable[[Iterable[T]], Iterable[T]]"

MAX_TAG: Final = 2**64 - 1
MAX_AS: Final = 2**32 - 1


class RowRefusedError(ValueError):
    """A row is left out; the text says why."""


class TagAction(NamedTuple):
    """A tag that a row gives: its number, whether it counts on at each match, how it joins the one before."""

    value: int
    counts: bool
    stack: int  # 0 replaces, 1 is added, 2 is or-ed


class Tags(NamedTuple):
    """All that a row of a pre_tag_map gives."""

    tag: TagAction | None
    tag2: TagAction | None
    label: bytes
    tos: int  # -1: none


class Peer(NamedTuple):
    """Whose routes an agent map names: an address or Router-ID, and the port of its session where that matters.

    `families` are those of the flows that it is for.
    """

    address: IPv4Address | IPv6Address
    port: int | None
    families: frozenset[int] = frozenset({4, 6})


@dataclass(frozen=True, slots=True)
class AgentRow:
    """A row of an agent map, asked about an exporter instead of a flow."""

    row: FlowRow[Peer]

    @property
    def peer(self) -> Peer:
        """Return whose routes it names."""
        return self.row.gives

    @property
    def reads_interfaces(self) -> bool:
        """Tell whether the ifIndexes of a flow matter."""
        return bool(self.row.conditions)

    def covers(self, address: IPv4Address | IPv6Address, family: int, in_iface: int, out_iface: int) -> bool:
        """Tell whether the row is for the flows of an exporter between two interfaces."""
        interfaces = {"in_iface": in_iface, "out_iface": out_iface}
        return (
            self.row.exporter is not None
            and has_prefix(address_octets(address), *self.row.exporter)
            and family in self.peer.families
            and all((interfaces[one.column] == one.value) != one.negated for one in self.row.conditions)
        )


def has_prefix(octets: bytes, prefix: bytes, bits: int) -> bool:
    """Tell whether a prefix holds an address, both in sixteen octets; one of IPv6, such as ::/0, no address of IPv4."""
    difference = int.from_bytes(octets, "big") ^ int.from_bytes(prefix, "big")
    is_of_other_family = bits < 8 * len(IPV4_MAPPED) and octets.startswith(IPV4_MAPPED)
    return not difference >> (8 * len(octets) - bits) and not is_of_other_family


class FlowRow(NamedTuple, Generic[T]):
    """A compiled row."""

    where: str
    exporter: tuple[bytes, int] | None
    conditions: tuple[Condition, ...]
    name: str | None
    jump: str | None
    gives: T


@dataclass(frozen=True, slots=True)
class MapKind(Generic[T]):
    """One kind of map: the keys of its rows and what a row gives."""

    gives: Callable[[Mapping[str, str]], T]
    setters: tuple[str, ...]
    matchers: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...] = ()  # of each tuple one key
    columns: Mapping[str, str] = field(default_factory=dict)  # that a key reads in place of its usual one
    either: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # keys of which one must match
    filters: bool = False  # whether `filter` is a packet filter
    recirculates: bool = False  # rows without `ip` are for exporters of both families, unless that is switched off

    @property
    def keys(self) -> frozenset[str]:
        """Return all keys that a row may have."""
        names = (*self.setters, *self.matchers, *self.either, "ip", "label", "jeq")
        return frozenset((*names, "filter") if self.filters else names)

    @property
    def possible_columns(self) -> frozenset[str]:
        """Return the columns that rows with any keys compare."""
        of_keys = {key: MATCH_KEYS[key].columns for key in self.matchers}
        return frozenset(self.columns.get(key, name) for key, names in of_keys.items() for name in names)

    def rows_of(self, pairs: Mapping[str, str]) -> list[Mapping[str, str]]:
        """Return the rows that a row stands for: two where either of two keys may match; neither does when negated."""
        found = [pairs]
        for key in self.either.keys() & pairs.keys():
            first, second = self.either[key]
            others = {name: value for name, value in pairs.items() if name != key}
            if {first, second} & others.keys():
                raise RowRefusedError(f"'{key}' does not go with '{first}' and '{second}'. Line ignored.")
            value = pairs[key]
            is_negated = value.startswith("-")
            found = (
                [{**others, first: value, second: value}]
                if is_negated
                else [{**others, one: value} for one in (first, second)]
            )
        return found


@dataclass(frozen=True, slots=True)
class FlowMap(Generic[T]):
    """The rows of a map; those without `ip` concern all exporters."""

    rows: Sequence[FlowRow[T]]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that its rows compare."""
        conditions = [condition for row in self.rows for condition in row.conditions]
        named = {condition.column for condition in conditions}
        if any(condition.test is Test.PACKET for condition in conditions):
            named |= set(COLUMNS)
        return frozenset(named | {"exporter_address"} if self.rows else named)

    def rules(self, layout: Layout, texts: Texts, pace: Pace[FlowRow[T]] = iter) -> Rules:
        """Compile the rows over a layout, in any thread; `pace` goes through them, perhaps with rests."""
        rows = ((row.exporter, row.conditions) for row in pace(self.rows))
        return Rules(layout, texts, rows, self._resumes())

    def unresolved(self) -> Iterator[str]:
        """Say which jumps lead nowhere; their rows end the search like any other."""
        for row, resume in zip(self.rows, self._resumes(), strict=True):
            if row.jump is not None and resume < 0:
                yield f"{row.where} Unresolved label '{row.jump}'. Ignoring it."

    def _resumes(self) -> list[int]:
        """Return for each row the first one behind it that it leads to, -1 for none."""
        found: list[int] = []
        behind: dict[str, int] = {}  # by name of a row
        for place in range(len(self.rows) - 1, -1, -1):
            row = self.rows[place]
            if row.jump == "next":
                found.append(place + 1 if place + 1 < len(self.rows) else -1)
            else:
                found.append(-1 if row.jump is None else behind.get(row.jump, -1))
            if row.name is not None:
                behind[row.name] = place
        return found[::-1]


class TagRules(NamedTuple):
    """A map that tags flows, compiled over a layout in any thread."""

    rules: Rules
    actions: Actions

    def tagger(self, texts: Texts) -> Tagger:
        """Return what tags flows, in the thread that works on them."""
        return Tagger(self.rules, texts, self.actions)


def tag_rules(tags: FlowMap[Tags], layout: Layout, texts: Texts, pace: Pace[FlowRow[Tags]] = iter) -> TagRules:
    """Compile a map that tags flows; `pace` goes through its rows, perhaps with rests."""
    return TagRules(tags.rules(layout, texts, pace), Actions(row.gives for row in pace(tags.rows)))


def tagger(tags: FlowMap[Tags], layout: Layout, texts: Texts) -> Tagger:
    """Compile a map that tags flows, for use at once."""
    return tag_rules(tags, layout, texts).tagger(texts)


def _tag(text: str, stack: int) -> TagAction:
    digits = text.removesuffix("++")
    value = number(digits, MAX_TAG)
    if not value:
        raise MapValueError(f"0 is not from 1 to {MAX_TAG}")
    return TagAction(value, digits != text, stack)


STACKS: Final[Mapping[str, int]] = {"sum": 1, "+": 1, "or": 2}


def _tags(pairs: Mapping[str, str]) -> Tags:
    stack_text = pairs.get("stack")
    if stack_text is not None and stack_text not in STACKS:
        raise MapValueError(f"stack '{stack_text}' is not one of {', '.join(STACKS)}")
    stack = 0 if stack_text is None else STACKS[stack_text]
    if pairs.get("return", "false") != "false":
        raise MapValueError("'return' would hand the flow to plugins twice, which is not built: valid is false")
    tag, tag2 = pairs.get("set_tag", pairs.get("id")), pairs.get("set_tag2", pairs.get("id2"))
    return Tags(
        None if tag is None else _tag(tag, stack),
        None if tag2 is None else _tag(tag2, stack),
        pairs.get("set_label", "").encode(errors="surrogateescape"),
        number(pairs["set_tos"], 0xFF) if "set_tos" in pairs else -1,
    )


def _result(pairs: Mapping[str, str]) -> str:
    """Return what a row gives, under each of the names that it may have."""
    return pairs.get("id", pairs.get("set_tag", ""))


def _peer(pairs: Mapping[str, str]) -> Peer:
    text = next(pairs[key] for key in ("bgp_ip", "bmp_ip", "id", "set_tag") if key in pairs)
    try:
        address = ip_address(text)
    except ValueError:
        raise MapValueError(f"'{text}' is no address") from None
    port = number(pairs["bgp_port"], 0xFFFF) if "bgp_port" in pairs else None
    return Peer(address, port, _families(pairs["filter"]) if "filter" in pairs else frozenset({4, 6}))


def _families(text: str) -> frozenset[int]:
    """Read the filter of an agent map, which only tells IP versions apart."""
    words = set(_BRACKETS.sub(" ", text).split()) - {"and", "or", "vlan"}
    if not words or not words <= FILTERS.keys():
        raise MapValueError(f"filter '{text}' is not made of ip, ip6, vlan, and, or")
    return frozenset(FILTERS[word] for word in words)


_BRACKETS: Final = re.compile(r"[()]")
#: What a filter of an agent map may choose.
FILTERS: Final[Mapping[str, int]] = {"ip": 4, "ip6": 6}


def _address(pairs: Mapping[str, str]) -> IPv4Address | IPv6Address:
    try:
        return ip_address(_result(pairs))
    except ValueError:
        raise MapValueError(f"'{_result(pairs)}' is no address") from None


def _rd(pairs: Mapping[str, str]) -> bytes:
    text = _result(pairs)
    octets = bytes(8) if not text else parse_rd(text)
    if octets is None:
        raise MapValueError(f"'{text}' is no route distinguisher")
    return octets


def _rate(pairs: Mapping[str, str]) -> int:
    return number(_result(pairs), MAX_AS)


def _number_or_bgp(pairs: Mapping[str, str]) -> int | None:
    """Return a number; None is what the route says."""
    return None if _result(pairs) == "bgp" else number(_result(pairs), MAX_AS)


_INTERFACES: Final = ("in", "out")
_RESULTS: Final = ("id", "set_tag")
_VRF_IDS: Final = ("mpls_vpn_id_in", "mpls_vpn_id_out")
_SOURCE_SIDE: Final = (*_INTERFACES, "vlan", "src_mac", "bgp_nexthop", "peer_dst_as", "src_net", "dst_net")

PRE_TAG: Final[MapKind[Tags]] = MapKind(
    _tags,
    ("set_tag", "id", "set_tag2", "id2", "set_label", "set_tos", "stack", "return"),
    tuple(MATCH_KEYS),
    (("set_tag", "id", "set_tag2", "id2", "set_label", "set_tos", "jeq"),),
    filters=True,
    recirculates=True,
)
AGENT: Final[MapKind[Peer]] = MapKind(
    _peer,
    ("bgp_ip", "bmp_ip", "bgp_port", "filter", *_RESULTS),
    _INTERFACES,
    (("bgp_ip", "bmp_ip", *_RESULTS), ("ip",)),
)
FLOW_TO_RD: Final[MapKind[bytes]] = MapKind(
    _rd,
    _RESULTS,
    (*_INTERFACES, "bgp_nexthop", "mpls_label_bottom", *_VRF_IDS),
    (("ip",),),
    either={"mpls_vpn_id": _VRF_IDS},
)
SAMPLING: Final[MapKind[int]] = MapKind(_rate, _RESULTS, _INTERFACES, (_RESULTS, ("ip",)))
NEXT_HOPS: Final[MapKind[IPv4Address | IPv6Address]] = MapKind(
    _address, _RESULTS, ("bgp_nexthop",), (("bgp_nexthop",),)
)
SOURCE_SIDE: Final[MapKind[int | None]] = MapKind(
    _number_or_bgp,
    _RESULTS,
    _SOURCE_SIDE,
    (_RESULTS, ("ip",)),
    {"bgp_nexthop": "source_next_hop", "peer_dst_as": "source_neighbour_as"},
    filters=True,
)
