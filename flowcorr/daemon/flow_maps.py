"""The map files of a flow daemon, read whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flowcorr.collect.settings import InterfaceRate, MappedRates
from flowcorr.correlate.correlation import LOOKED_UP
from flowcorr.correlate.map_compiler import compile_map
from flowcorr.correlate.map_keys import MapValueError
from flowcorr.correlate.maps import (
    AGENT,
    FLOW_TO_RD,
    NEXT_HOPS,
    PRE_TAG,
    SAMPLING,
    SOURCE_SIDE,
    AgentRow,
    FlowMap,
    MapKind,
    Pace,
    Peer,
    Tags,
    has_prefix,
)
from flowcorr.correlate.value_lists import KINDS, ValueList
from flowcorr.daemon.change_settings import Changes, ChangeSettings
from flowcorr.daemon.listed_files import NetworksFile, no_networks, parse_value_list
from flowcorr.daemon.packet_filters import ExpressionError, compile_expression
from routed.plumbing.allow_list import AllowList, parse_allow_list
from routed.plumbing.maps import Limits, Loaded, MapError, MapFile, iterate_rows, left_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from flowcorr.correlate._packet_program import Program
    from flowcorr.daemon.correlation_settings import MapPaths
    from routed.plumbing.log import LogLine

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """Which files there are, and how they are read; `pre_tag` has those of plugins, by name, beside that of all."""

    paths: MapPaths
    allow: Path | None
    pre_tags: Mapping[str, Path]
    limits: Limits
    recirculate: bool = True
    changes: Mapping[str, ChangeSettings] = field(default_factory=dict)  # by name of the plugin


class FlowMaps:
    """What the files say; `strict` ones are to replace others, in a daemon that runs.

    `pace` goes through rows, perhaps with rests.

    Raises: MapError when one cannot be used.
    """

    def __init__(self, settings: FileSettings, pace: Pace[Any] = iter, *, strict: bool = False) -> None:
        paths, reader = settings.paths, _Reader(settings, pace, strict=strict)
        self.allow = reader.allow_list(settings.allow)
        self.agents: FlowMap[Peer] | None = reader.read(AGENT, paths.agent)
        self.rds: FlowMap[bytes] | None = reader.read(FLOW_TO_RD, paths.flow_to_rd)
        self.rates: FlowMap[int] | None = reader.read(SAMPLING, paths.sampling)
        self.next_hops: FlowMap[IPv4Address | IPv6Address] | None = reader.read(NEXT_HOPS, paths.next_hops)
        self.tags: FlowMap[Tags] | None = reader.read(PRE_TAG, paths.pre_tag)
        self.tags_of_plugins = {
            name: reader.must_read(PRE_TAG, path) for name, path in settings.pre_tags.items() if path != paths.pre_tag
        }
        self.source_side = {column: reader.must_read(SOURCE_SIDE, path) for column, path in paths.source_side}
        self.changes = reader.changes(settings.changes)
        self.lines = reader.finish()  # what is to be logged about them
        self.columns = self._columns()  # that rows compare, and those that stages of maps read

    def take_tags(self) -> dict[str | None, FlowMap[Tags]]:
        """Return the maps that tag flows, by the plugin that they are for, None for all; here no rows of them stay."""
        found: dict[str | None, FlowMap[Tags]] = dict(self.tags_of_plugins.items())
        if self.tags is not None:
            found[None], self.tags = self.tags, FlowMap(())
        self.tags_of_plugins = {name: FlowMap(()) for name in self.tags_of_plugins}
        return found

    def _columns(self) -> frozenset[str]:
        maps: list[FlowMap[Any] | None] = [self.rds, self.tags, self.next_hops]
        found: set[str] = set()
        for one in (*maps, *self.tags_of_plugins.values(), *self.source_side.values()):
            found |= one.columns if one is not None else frozenset()
        if self.agents is not None:
            found |= self.agents.columns - {"exporter_address"}
        if self.rds is not None:
            found |= {"mpls_vpn_rd", "mpls_vpn_rd_origin"}
        return frozenset(found)

    @property
    def possible_columns(self) -> frozenset[str]:
        """Return what rows may compare once they are read again, but for what takes look-ups that nobody asks for."""
        maps: list[tuple[MapKind[Any], bool]] = [
            (AGENT, self.agents is not None),
            (FLOW_TO_RD, self.rds is not None),
            (PRE_TAG, self.tags is not None or bool(self.tags_of_plugins)),
            (SOURCE_SIDE, bool(self.source_side)),
        ]
        found = frozenset[str]().union(*(kind.possible_columns for kind, is_there in maps if is_there))
        return found - LOOKED_UP

    @property
    def agent_rows(self) -> list[AgentRow]:
        """Return the rows of the agent map."""
        return [] if self.agents is None else [AgentRow(row) for row in self.agents.rows]

    def rates_of(self, address: bytes) -> MappedRates:
        """Return what the sampling map has for an exporter."""
        rules: list[InterfaceRate] = []
        for row in () if self.rates is None else self.rates.rows:
            if row.exporter is None or not has_prefix(address, *row.exporter):
                continue
            if not row.conditions and not rules:
                return MappedRates(rate=row.gives)
            wanted = {one.column: (one.value, one.negated) for one in row.conditions}
            in_iface, not_in = wanted.get("in_iface", (None, False))
            out_iface, not_out = wanted.get("out_iface", (None, False))
            rules.append(InterfaceRate(row.gives, in_iface, out_iface, not_in, not_out))
        return MappedRates(rules=tuple(rules))


class _Reader:
    """Reads files and gathers what is to be said of them."""

    def __init__(self, settings: FileSettings, pace: Pace[Any], *, strict: bool) -> None:
        self._settings, self._pace, self._strict = settings, pace, strict
        self._lines: list[LogLine] = []
        self._problems: list[object] = []

    def read(self, kind: MapKind[Any], path: Path | None) -> FlowMap[Any] | None:
        return None if path is None else self.must_read(kind, path)

    def must_read(self, kind: MapKind[Any], path: Path) -> FlowMap[Any]:
        file = MapFile(path, partial(_parse, kind, self._settings, self._pace), strict=self._strict)
        return self._load(file, FlowMap(()))

    def allow_list(self, path: Path | None) -> AllowList | None:
        if path is None:
            return None
        return self._load(MapFile(path, parse_allow_list, announce=False, strict=self._strict), AllowList(()))

    def changes(self, settings: Mapping[str, ChangeSettings]) -> Changes:
        networks = {one.networks: one.networks for one in settings.values() if one.networks is not None}
        lists = {(key, path) for one in settings.values() for key, path in one.lists.items()}
        return Changes(
            settings,
            {path: self._load(NetworksFile(path, strict=self._strict), no_networks()) for path in networks},
            {(key, path): self._value_list(key, path) for key, path in sorted(lists)},
        )

    def _value_list(self, key: str, path: Path) -> ValueList:
        file = MapFile(path, partial(parse_value_list, KINDS[key]), strict=self._strict)
        return self._load(file, ValueList(frozenset()))

    def finish(self) -> list[LogLine]:
        """Return the lines.

        Raises: MapError, with all that is wrong.
        """
        if self._problems:
            raise MapError(*self._problems)
        return self._lines

    def _load(self, file: MapFile[T], nothing: T) -> T:
        try:
            self._lines += file.load()
        except MapError as error:
            self._problems += error.args
            return nothing
        return file.content


def _parse(kind: MapKind[Any], settings: FileSettings, pace: Pace[Any], text: str, name: str) -> Loaded[FlowMap[Any]]:
    lines: list[LogLine] = []
    rows = pace(iterate_rows(text, name, kind.keys, settings.limits, lines))
    made, refused = compile_map(kind, rows, _program, recirculate=settings.recirculate)
    return Loaded(made, (*lines, *_warnings(refused)))


def _program(text: str) -> Program:
    try:
        return compile_expression(text)
    except ExpressionError as error:
        raise MapValueError(str(error)) from error


def _warnings(texts: Iterable[str]) -> Iterator[LogLine]:
    return (left_out(text) for text in texts)
