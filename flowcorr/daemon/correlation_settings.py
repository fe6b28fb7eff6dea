"""From configuration to what flows take from which source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowcorr.columns.builtin import own_column
from flowcorr.correlate.correlation import NEIGHBOURS, OWN, TYPE_KEYS, Correlation
from flowcorr.correlate.map_keys import prefix_octets
from routed.plumbing.config import declared_plugins
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowcorr.columns.column import Column
    from routed.plumbing.config import Configuration

#: Columns that a map may give, with the key of its kind and that of its file.
SOURCE_MAPS: Final = {
    "peer_src_as": ("bgp_peer_src_as_type", "bgp_peer_src_as_map"),
    "src_local_pref": ("bgp_src_local_pref_type", "bgp_src_local_pref_map"),
    "src_med": ("bgp_src_med_type", "bgp_src_med_map"),
}
_PATTERNS: Final = {
    "std_comm": "bgp_stdcomm_pattern",
    "ext_comm": "bgp_extcomm_pattern",
    "lrg_comm": "bgp_lrgcomm_pattern",
}
_NUMBER_PATTERNS: Final = {"std_comm": "bgp_stdcomm_pattern_to_asn", "lrg_comm": "bgp_lrgcomm_pattern_to_asn"}
#: What is taken where nothing else is said.
_KEEPS: Final = {"nfacctd": "netflow", "sfacctd": "sflow"}
#: Words of `*_as` and `*_net` that need a plane.
_NEEDS_PLANE: Final = frozenset({"bgp", "bmp"})
#: ... and IS-IS.
_NEEDS_IGP: Final = frozenset({"igp", "bgp-ls"})
#: Primitives that `*_as` and `*_net` decide about: a source that there is not matters where one of them is shown.
OF_AS: Final = frozenset({"src_as", "dst_as", "peer_src_as", "peer_dst_as", "sum_as"})
OF_NET: Final = frozenset({*OWN, "sum_net"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPaths:
    """Files of maps over flows, where there are any. `source_side` is by column."""

    agent: Path | None = None
    flow_to_rd: Path | None = None
    sampling: Path | None = None
    next_hops: Path | None = None
    pre_tag: Path | None = None
    source_side: tuple[tuple[str, Path], ...] = ()


def correlation_settings(c: Configuration, daemon: str, plugins: Sequence[str]) -> Correlation:
    """Tell what is taken from where; `daemon` begins the names of its keys, `plugins` are the names of instances."""
    return Correlation(
        as_source=c.maybe(f"{daemon}_as", tuple) or (_KEEPS[daemon],),
        net_source=net_source(c, daemon),
        net_of_plugins={name: net_source(c.for_plugin(name), daemon) for name in plugins if has_own(c, daemon, name)},
        of_neighbours=frozenset(name for name in plugins if has_neighbours(c, daemon, name)),
        peer_src_as=next(iter(c.maybe("bgp_peer_src_as_type", tuple) or ()), None),
        source_side=frozenset(column for column, key in TYPE_KEYS.items() if c.is_set(key)),
        mapped=frozenset(column for column, _ in map_paths(c).source_side),
        radius=c.maybe("bgp_aspath_radius", int) or 0,
        skips_confederations=c.of("bgp_peer_as_skip_subas", bool),
        numeric=c.of("bgp_comms_num", bool),
        patterns={name: c.of(key, tuple) for name, key in _PATTERNS.items() if c.is_set(key)},
        number_patterns=next(
            ((name, c.of(key, tuple)) for name, key in _NUMBER_PATTERNS.items() if c.is_set(key)), None
        ),
        falls_back=c.of("flow_to_rd_map_fallback", bool),
        validates=c.is_set("rpki_roas_file") or c.is_set("rpki_rtr_cache"),
        follow_defaults=c.of("bgp_follow_default", int),
        follow_next_hops=tuple(prefix_octets(str(one)) for one in c.maybe("bgp_follow_nexthop", tuple) or ()),
        follow_external=c.of("bgp_follow_nexthop_external", bool),
        daemon=daemon,
    )


def net_source(c: Configuration, daemon: str) -> tuple[str, ...]:
    """Return the words of `*_net` that hold for a plugin, or for all."""
    return c.maybe(f"{daemon}_net", tuple) or (_KEEPS[daemon],)


def has_own(c: Configuration, daemon: str, plugin: str) -> bool:
    """Tell whether a plugin takes prefixes from other sources than all others."""
    return net_source(c.for_plugin(plugin), daemon) != net_source(c, daemon)


def own_columns(c: Configuration, daemon: str, plugin: str) -> Mapping[str, Column]:
    """Return the columns that a plugin has for itself, by the names of the built-in ones that they stand for."""
    names = list(OWN) if has_own(c, daemon, plugin) else []
    if has_neighbours(c, daemon, plugin):
        names += [*NEIGHBOURS, *NEIGHBOURS.values()]
    return {name: own_column(name, plugin) for name in names}


def has_neighbours(c: Configuration, daemon: str, plugin: str) -> bool:
    """Tell whether a plugin takes the AS numbers of the protocol, and as those of neighbours."""
    return c.for_plugin(plugin).of(f"{daemon}_peer_as", bool) and not _looks_up_as(c, daemon)


def _looks_up_as(c: Configuration, daemon: str) -> bool:
    return not frozenset(c.maybe(f"{daemon}_as", tuple) or ()) <= {_KEEPS[daemon]}


def map_paths(c: Configuration) -> MapPaths:
    """Tell which files hold maps over flows."""
    sides = [
        (column, Path(c.of(file, str)))
        for column, (kind, file) in SOURCE_MAPS.items()
        if c.is_set(file) and "map" in _words(c, kind)
    ]
    return MapPaths(
        agent=c.path("bgp_agent_map"),
        flow_to_rd=c.path("flow_to_rd_map"),
        sampling=c.path("sampling_map"),
        next_hops=c.path("bgp_peer_dst_ip_map"),
        pre_tag=c.path("pre_tag_map"),
        source_side=tuple(sides),
    )


def correlation_is_whole(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Refuse sources of routes that there are not."""
    has_plane = c.of("bgp_daemon", bool) or c.of("bmp_daemon", bool)
    names = plugin_names(c)
    own = [name for name in names if has_own(c, daemon, name)]
    others = [name for name in names if name not in own]
    for scope, key, plugin, primitives, readers in (
        (c, f"{daemon}_as", "", OF_AS, names),
        (c, f"{daemon}_net", "", OF_NET, others),
        *((c.for_plugin(name), f"{daemon}_net", f"[{name}]", OF_NET, [name]) for name in own),
    ):
        words = frozenset(scope.maybe(key, tuple) or ())
        what = Kind.CONFLICT if any(shows(c, name, primitives) for name in readers) else Kind.ADVICE
        if words & _NEEDS_IGP and not c.of("isis_daemon", bool):
            yield Problem(what, f"{scope.where(key)} {key}{plugin}: isis_daemon is not true")
        if words & _NEEDS_PLANE and not has_plane:
            yield Problem(what, f"{scope.where(key)} {key}{plugin}: neither bgp_daemon nor bmp_daemon is true")
    for name in c.of_plugins if _looks_up_as(c, daemon) else ():
        of_plugin, key = c.for_plugin(name), f"{daemon}_peer_as"
        if of_plugin.of(key, bool):
            text = f"{of_plugin.where(key)} {key}: does nothing, {daemon}_as takes AS numbers from elsewhere"
            yield Problem(Kind.ADVICE, text)
            break
    set_patterns = [key for key in _NUMBER_PATTERNS.values() if c.is_set(key)]
    if len(set_patterns) > 1:
        text = f"{c.where(set_patterns[1])} {set_patterns[1]}: {' and '.join(set_patterns)} exclude each other"
        yield Problem(Kind.CONFLICT, text)
    for kind, file in SOURCE_MAPS.values():
        if "map" in _words(c, kind) and not c.is_set(file):
            yield Problem(Kind.CONFLICT, f"{c.where(kind)} {kind}: {file} is missing")


def plugin_names(c: Configuration) -> list[str]:
    """Return the names of the plugins that are declared, in no order; one that is nameless where none is."""
    declared = declared_plugins(",".join(map(str, c.maybe("plugins", tuple) or ())))
    return sorted(declared) or [""]


def shows(c: Configuration, plugin: str, primitives: frozenset[str]) -> bool:
    """Tell whether a plugin aggregates by one of some primitives."""
    asked = (c.for_plugin(plugin).maybe("aggregate", str) or "").lower().split(",")
    return not primitives.isdisjoint("".join(name.split()) for name in asked)


def _words(c: Configuration, key: str) -> tuple[str, ...]:
    value = c.maybe(key, object)
    return value if isinstance(value, tuple) else () if value is None else (str(value),)
