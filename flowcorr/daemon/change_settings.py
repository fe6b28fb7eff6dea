"""From configuration to what a plugin makes of flows: what networks files give, and values that become one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from flowcorr.correlate.networks import NetworksUse
from flowcorr.correlate.value_lists import KINDS, FixedStage, ValueList, ValueStage
from flowcorr.daemon.correlation_settings import OF_AS, own_columns, plugin_names, shows
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flowcorr.columns.layout import Layout
    from flowcorr.correlate._networks import Networks
    from routed.plumbing.config import Configuration

#: Words of `*_as` and `*_net`, with the key that they need.
NEEDS: Final = {"file": "networks_file", "mask": "networks_mask"}
#: Keys that tag all that a plugin takes, whatever maps say, with the column.
POST_TAGS: Final = {"post_tag": "tag", "post_tag2": "tag2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    """What one plugin makes of flows. `lists` are files by their keys, `fixed` values by their columns."""

    networks: Path | None = None
    use: NetworksUse = field(default_factory=NetworksUse)
    lists: Mapping[str, Path] = field(default_factory=dict)
    fixed: Mapping[str, int] = field(default_factory=dict)
    dscp: bool = False


def change_settings(c: Configuration, daemon: str, plugin: str) -> ChangeSettings:
    """Tell the changes of a plugin."""
    of_plugin = c.for_plugin(plugin)
    return ChangeSettings(
        networks=of_plugin.path("networks_file"),
        use=NetworksUse(
            as_source=of_plugin.maybe(f"{daemon}_as", tuple) or (),
            net_source=of_plugin.maybe(f"{daemon}_net", tuple) or (),
            mask=of_plugin.maybe("networks_mask", int),
            always=of_plugin.of("networks_file_no_lpm", bool),
            filters=of_plugin.of("networks_file_filter", bool),
            keeps_hosts=of_plugin.of("networks_no_mask_if_zero", bool),
            own={name: column.name for name, column in own_columns(c, daemon, plugin).items()},
        ),
        lists={key: path for key in KINDS if (path := of_plugin.path(key)) is not None},
        fixed={column: of_plugin.of(key, int) for key, column in POST_TAGS.items() if of_plugin.is_set(key)},
        dscp=of_plugin.of("tos_encode_as_dscp", bool),
    )


def changes_are_whole(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Refuse sources whose file or mask is missing, but for AS numbers that a plugin does not show."""
    for name in plugin_names(c):
        of_plugin = c.for_plugin(name)
        for key in (f"{daemon}_as", f"{daemon}_net"):
            is_advice = key.endswith("_as") and not shows(c, name, OF_AS)
            for word in of_plugin.maybe(key, tuple) or ():
                needed = NEEDS.get(word)
                if needed is not None and not of_plugin.is_set(needed):
                    text = f"{of_plugin.where(key)} {key}: {word} takes {needed}, which is missing"
                    kind = Kind.ADVICE if is_advice else Kind.CONFLICT
                    yield Problem(kind, text + (f" for [{name}]" if name else ""))


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of all plugins, with their files read."""

    settings: Mapping[str, ChangeSettings]
    networks: Mapping[Path, Networks]
    lists: Mapping[tuple[str, Path], ValueList]

    def common(self, layout: Layout) -> list[Any]:
        """Return the stages that all plugins share: of maps, too, whose rows compare what a networks file gives."""
        shared = self._shared
        return [] if shared is None else self._networks_stages(shared, layout)

    def of_plugin(self, name: str, layout: Layout) -> list[Any]:
        """Return the stages of one plugin alone that give flows something."""
        return [] if self._shared is not None else self._networks_stages(_unfiltered(self.settings[name]), layout)

    def hiding(self, name: str, layout: Layout) -> list[Any]:
        """Return the stages that make a plugin see something else, behind its filters."""
        of = self.settings[name]
        found: list[Any] = []
        if of.use.filters and of.networks is not None:
            use = replace(of.use, net_source=(), mask=None)  # AS numbers once more: those of ends that are left out go
            found.append(use.stage(layout, self.networks[of.networks]))
        found += [
            ValueStage(KINDS[key], self.lists[key, path].values, layout, dscp=of.dscp) for key, path in of.lists.items()
        ]
        return [*found, FixedStage(of.fixed, layout)] if of.fixed else found

    def writes(self, name: str, layout: Layout) -> frozenset[str]:
        """Return the columns that stages of a plugin alone write."""
        of = self.settings[name]
        of_networks = of.use.columns if self.of_plugin(name, layout) or of.use.filters else set()
        of_lists = {column for key in of.lists for column in KINDS[key].columns}
        return frozenset({*of_lists, *of.fixed, *of_networks})

    @property
    def _shared(self) -> ChangeSettings | None:
        """Return what all plugins have in common; None when each has its own."""
        each = [replace(_unfiltered(one), lists={}, fixed={}, dscp=False) for one in self.settings.values()]
        return each[0] if each and all(one == each[0] for one in each) else None

    def _networks_stages(self, of: ChangeSettings, layout: Layout) -> list[Any]:
        networks = None if of.networks is None else self.networks[of.networks]
        return [of.use.stage(layout, networks)] if of.use.changes(has_file=networks is not None) else []


def _unfiltered(of: ChangeSettings) -> ChangeSettings:
    return replace(of, use=replace(of.use, filters=False))
