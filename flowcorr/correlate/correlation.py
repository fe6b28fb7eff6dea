"""What the configuration of a flow daemon takes from which source: the groups of columns that look-ups write.

`*_as` decides about AS numbers and attributes, `*_net` about prefixes and next hops; each names sources, and `longest`
takes the most specific of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flowcorr.columns.builtin import BUILTIN, own_column
from flowcorr.correlate._enrich import Group
from flowcorr.correlate.community_patterns import keep_matching, numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from flowcorr.columns.column import Column
    from flowcorr.correlate._facts import Amend, Texts4

#: Words of `*_as` and `*_net` that keep what the protocol says.
KEEP: Final = frozenset({"netflow", "sflow", "longest", "fallback"})
#: Words of `bgp_peer_src_as_type` that ask the route of the source.
LOOKS_UP: Final = frozenset({"bgp", "longest", "fallback"})
#: Words that ask planes: which of them, by the name of a plane.
ASKS: Final[Mapping[str, frozenset[str]]] = {
    "bgp": frozenset({"bgp"}),
    "bmp": frozenset({"bmp"}),
    "longest": frozenset({"bgp", "bmp"}),
    "fallback": frozenset({"bgp", "bmp"}),
}
#: ... of `*_net`, which an IGP answers too.
IGP: Final = "igp"
NET_ASKS: Final[Mapping[str, frozenset[str]]] = {
    "bgp": ASKS["bgp"],
    "bmp": ASKS["bmp"],
    "igp": frozenset({IGP}),
    "bgp-ls": frozenset({IGP}),
    "longest": ASKS["longest"] | {IGP},
    "fallback": ASKS["fallback"] | {IGP},
}

_DESTINATION: Final[Mapping[str, str]] = {
    "dst_as": "origin_as",
    "peer_dst_as": "neighbour_as",
    "as_path": "as_path",
    "std_comm": "std_comm",
    "ext_comm": "ext_comm",
    "lrg_comm": "lrg_comm",
    "local_pref": "local_pref",
    "med": "med",
    "dst_roa": "roa",
    "lookup_reason_dst": "reason",
}
#: Attributes of the source that are looked up when their own key says so.
_SOURCE_SIDE: Final[Mapping[str, str]] = {
    "src_as_path": "as_path",
    "src_std_comm": "std_comm",
    "src_ext_comm": "ext_comm",
    "src_lrg_comm": "lrg_comm",
    "src_local_pref": "local_pref",
    "src_med": "med",
    "src_roa": "roa",
}
_PREFIX: Final = {
    "src_host": {"src_mask": "mask", "src_net": "net"},
    "dst_host": {"dst_mask": "mask", "dst_net": "net", "peer_dst_ip": "next_hop"},
}
#: Columns that a plugin may take from sources of its own.
OWN: Final = tuple(name for columns in _PREFIX.values() for name in columns)
#: Columns that say something else where AS numbers of the protocol are those of neighbours.
NEIGHBOURS: Final = {"src_as": "peer_src_as", "dst_as": "peer_dst_as"}
#: What maps over the source side compare and the route of the source says.
_SOURCE_FACTS: Final = {"source_next_hop": "next_hop", "source_neighbour_as": "neighbour_as"}
#: Key of each attribute of the source side.
TYPE_KEYS: Final[Mapping[str, str]] = {name: f"bgp_{name}_type" for name in _SOURCE_SIDE}
#: What protocols carry themselves: AS numbers all of them, sFlow gateways more.
_AS_NUMBERS: Final = frozenset({"dst_as", "peer_dst_as", "src_as", "peer_src_as"})
_VALIDATED: Final = frozenset({"src_roa", "dst_roa"})
_CARRIED: Final = frozenset({"as_path", "std_comm", "local_pref"})
#: Columns that look-ups write when somebody asks for them.
LOOKED_UP: Final = frozenset({*_DESTINATION, *_SOURCE_SIDE, *OWN, *_AS_NUMBERS, *_SOURCE_FACTS})
MASKS: Final = {"src_host": "src_mask", "dst_host": "dst_mask"}
TEXTS: Final = ("as_path", "std_comm", "ext_comm", "lrg_comm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """What is taken from where.

    Attributes:
        as_source, net_source: the words of `*_as` and `*_net`.
        net_of_plugins: those of `*_net` of plugins whose sources are others.
        of_neighbours: plugins for which AS numbers of the protocol are those of neighbours.
        peer_src_as: word of `bgp_peer_src_as_type`.
        source_side: names of `_SOURCE_SIDE` that the route of the source gives.
        mapped: columns that maps fill.
        radius: AS numbers of a path that are kept; 0: all.
        patterns: of `std_comm`, `ext_comm` and `lrg_comm`, communities that are kept; none: all.
        number_patterns: name and patterns of the communities that hold AS numbers where the path is empty.
        falls_back: flows of a VRF without tables follow the global ones.
        validates: there are payloads that origins are validated by.
        follow_defaults: default routes that are followed one after the other.
        follow_next_hops: prefixes whose next hops are followed, sixteen octets and bits each.
        follow_external: ... to the first next hop outside them.
        daemon: begins the names of its keys.
    """

    as_source: tuple[str, ...]
    net_source: tuple[str, ...]
    peer_src_as: str | None = None
    source_side: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()
    radius: int = 0
    skips_confederations: bool = False
    numeric: bool = False
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    number_patterns: tuple[str, tuple[str, ...]] | None = None
    net_of_plugins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_neighbours: frozenset[str] = frozenset()
    falls_back: bool = False
    validates: bool = False
    follow_defaults: int = 0
    follow_next_hops: tuple[tuple[bytes, int], ...] = ()
    follow_external: bool = False
    daemon: str = "nfacctd"

    def unfilled(self, asked: Collection[str], planes: Sequence[str]) -> Iterator[str]:
        """Say which columns that are asked for stay empty, and because of which key."""
        wanted = ({"peer_src_as", "lookup_reason_src"} | _DESTINATION.keys() | _SOURCE_SIDE.keys()) & set(asked)
        for name in sorted(wanted - self.mapped):
            why = self._why_empty(name, looks_up=bool(self._uses(self.as_source, planes)))
            if why:
                yield f"{name} stays empty: {why}"

    def _why_empty(self, name: str, *, looks_up: bool) -> str:
        """Return why nothing ever fills a column that routes fill; empty when something does."""
        words, keeps = f"{self.daemon}_as is {', '.join(self.as_source)}", bool(KEEP & set(self.as_source))
        if name == "peer_src_as":
            if self.peer_src_as in LOOKS_UP:
                return "" if looks_up or (keeps and self.peer_src_as in KEEP) else f"{words}, and no route is looked up"
            return "" if keeps else f"{words}, and bgp_peer_src_as_type is {self.peer_src_as or 'not set'}"
        if not looks_up:
            is_carried = name in _AS_NUMBERS or (name in _CARRIED and keeps and self.daemon == "sfacctd")
            return "" if is_carried else f"{words}, and no route is looked up"
        if name in TYPE_KEYS and name not in self.source_side:
            return f"{TYPE_KEYS[name]} is not set"
        if name in _VALIDATED and not self.validates:
            return "neither rpki_roas_file nor rpki_rtr_cache is set"
        return ""

    def groups(self, planes: Sequence[str]) -> list[Group]:
        """Return the groups over some planes, the one that wins a tie first.

        Those of attributes come before those of prefixes, which overwrite the masks that `longest` compares with.
        """
        of_as, keeps_as = self._uses(self.as_source, planes), bool(KEEP & set(self.as_source))
        found = []
        if of_as:
            found += [
                _group("dst_host", of_as, _DESTINATION, keeps=keeps_as),
                _group("src_host", of_as, {"src_as": "origin_as", "lookup_reason_src": "reason"}, keeps=keeps_as),
                _group("src_host", of_as, self._source_side(mapped=False), compares=keeps_as),
                _group("src_host", of_as, {**self._source_side(mapped=True), **_SOURCE_FACTS}),
            ]
        elif not keeps_as:
            found.append(_group("dst_host", (), {name: _DESTINATION[name] for name in sorted(_CARRIED)}))
        found.append(self._peer_src_as(of_as, keeps=keeps_as))
        for plugin, words in self.net_of_plugins.items():
            found += self._prefixes(words, planes, plugin)
        return [*found, *self._prefixes(self.net_source, planes)]

    def own(self, asked: Collection[str]) -> Iterator[tuple[str, Column]]:
        """Go through the columns that plugins have for themselves, of those asked for, with the ones they begin as."""
        pairs = [(name, own_column(name, plugin)) for plugin in self.net_of_plugins for name in OWN]
        pairs += [(name, own_column(to, plugin)) for plugin in self.of_neighbours for name, to in NEIGHBOURS.items()]
        return (pair for pair in pairs if pair[1].name in asked)

    def reads(self, asked: Collection[str], planes: Sequence[str]) -> frozenset[str]:
        """Return the columns that the look-ups for those asked for read: addresses, masks, next hops, exporters."""
        of_net = (self.net_source, *self.net_of_plugins.values())
        looks_up = self._uses(self.as_source, planes) or any(self._uses(one, planes, NET_ASKS) for one in of_net)
        own = {column.name: name for name, column in self.own(asked)}
        asked = {own.get(name, name) for name in asked}
        names = set(own.values())
        for host, columns in (
            ("dst_host", {*_DESTINATION, *_PREFIX["dst_host"]}),
            ("src_host", {*_SOURCE_SIDE, *_SOURCE_FACTS, *_PREFIX["src_host"], "src_as", "peer_src_as"}),
        ):
            if not columns & asked:
                continue
            names |= {host, MASKS[host]}
            if looks_up:
                names |= {"mpls_vpn_rd", "mpls_vpn_rd_origin", "bgp_next_hop"}
        return frozenset(names)

    def texts(self, asked: Collection[str]) -> frozenset[str]:
        """Return which texts of paths somebody wants."""
        wanted = {text for text in TEXTS if text in asked or f"src_{text}" in asked}
        if self.number_patterns is not None:
            wanted.add(self.number_patterns[0])
        return frozenset(wanted)

    def amend(self) -> Amend | None:
        """Return what the patterns make of a path's facts; None when there are none."""
        if not self.patterns and self.number_patterns is None:
            return None
        keeps = {name: keep_matching(patterns) for name, patterns in self.patterns.items()}
        numbers = None if self.number_patterns is None else numbers_of(self.number_patterns[1])
        place = 0 if self.number_patterns is None else TEXTS.index(self.number_patterns[0])

        def amended(origin_as: int, neighbour_as: int, texts: Texts4) -> tuple[int, int, Texts4]:
            found = None if numbers is None else numbers(texts[place])
            if found is not None:
                neighbour_as, origin_as = neighbour_as or found[0], origin_as or found[1]
            path, std, ext, lrg = (_kept(keeps.get(name), text) for name, text in zip(TEXTS, texts, strict=True))
            return origin_as, neighbour_as, (path, std, ext, lrg)

        return amended

    def _uses(
        self, words: tuple[str, ...], planes: Sequence[str], asks: Mapping[str, frozenset[str]] = ASKS
    ) -> tuple[int, ...]:
        """Return the places of the planes that some words ask; with one of BGP and BMP alone both words mean it."""
        asked = frozenset[str]().union(*(asks.get(word, frozenset()) for word in words))
        if asked & ASKS["longest"] and len(ASKS["longest"] & set(planes)) == 1:
            asked |= ASKS["longest"]
        return tuple(at for at, plane in enumerate(planes) if plane in asked)

    def _prefixes(self, words: tuple[str, ...], planes: Sequence[str], plugin: str = "") -> Iterator[Group]:
        """Go through the groups of prefixes that come from some words, in the columns of a plugin or those of all."""
        uses, keeps = self._uses(words, planes, NET_ASKS), bool(KEEP & set(words))
        yields = tuple(at for at in uses if planes[at] == IGP)
        for host, columns in _PREFIX.items():
            named = {own_column(name, plugin).name if plugin else name: what for name, what in columns.items()}
            yield Group(host, mask=MASKS[host] if keeps else None, keeps=keeps, uses=uses, columns=named, yields=yields)

    def _peer_src_as(self, of_as: tuple[int, ...], *, keeps: bool) -> Group:
        word = self.peer_src_as
        asks = of_as if word in LOOKS_UP or word == "map" else ()
        keeps_it = keeps and (word is None or word in KEEP)
        compares = keeps and word != "map"
        return _group("src_host", asks, {"peer_src_as": "neighbour_as"}, keeps=keeps_it, compares=compares)

    def _source_side(self, *, mapped: bool) -> dict[str, str]:
        """Return the attributes of the source that routes give, for a map to change or not."""
        return {name: _SOURCE_SIDE[name] for name in self.source_side if (name in self.mapped) == mapped}


def _group(
    host: str, uses: tuple[int, ...], columns: Mapping[str, str], *, keeps: bool = False, compares: bool = False
) -> Group:
    """Make a group; with `compares` a route that is shorter than the mask of the protocol loses against nothing."""
    mask = MASKS[host] if keeps or compares else None
    return Group(host, mask=mask, keeps=keeps, uses=uses, columns=dict(columns))


def _kept(keep: Callable[[bytes], bytes] | None, text: bytes) -> bytes:
    return text if keep is None else keep(text)


def columns_of(names: Collection[str]) -> list[Column]:
    """Return built-in columns by name."""
    return [BUILTIN[name] for name in names]
