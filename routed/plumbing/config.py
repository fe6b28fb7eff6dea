"""Configuration: a registry of keys, declared once, and what statements make of it.

A `Key` is one row of a table: name, parser, default, meaning. The same rows read the operator's text, write
`docs/configuration.md` and answer what a misspelt key was meant to be. `configure` goes through statements in their
order, the last one of a key wins, and every problem is collected: nothing is logged here, and nothing stops at the
first mistake.

Keys may be written for one plugin, `key[name]`. A global key applies to the whole process however it is written; any
other applies to the plugin only: the core of the daemon does not see it, `for_plugin` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum, Flag, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from routed.plumbing.names import NameTemplate
from routed.plumbing.statements import FAILS_CHECK, Kind, Problem, Statement
from routed.plumbing.suggest import nearest
from routed.plumbing.values import UMASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from routed.plumbing.values import Parser

T = TypeVar("T")

#: Name of the core process where the configuration gives none.
DEFAULT_CORE_NAME: Final = "default"


#: What looks like a comment behind a value.
_REMARK: Final = re.compile(r"\s[!#]")
#: Words in the names of keys whose values no log shows.
SECRETS: Final = frozenset({"passwd", "password", "token", "tokens", "secret"})


class Daemons(Flag):
    """Which daemons read a key."""

    PMBGPD = auto()
    PMBMPD = auto()
    FLOW = auto()


class Status(Enum):
    """How far a key is built."""

    BUILT = "built"
    NOT_BUILT = "not built yet"
    NO_EFFECT = "accepted, no effect"
    FLOW = "flow daemons"


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key.

    `is_global` keys ignore a plugin name; `reload` ones name a file that is read again at SIGUSR2; `live` ones take a
    new value then; `ours` are those that the compatible language does not have.
    """

    name: str
    parser: Parser[Any]
    default: object
    meaning: str
    daemons: Daemons = field(kw_only=True)
    status: Status = field(default=Status.BUILT, kw_only=True)
    source: str = field(default="", kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)
    is_global: bool = field(default=True, kw_only=True)
    reload: bool = field(default=False, kw_only=True)
    live: bool = field(default=False, kw_only=True)
    ours: bool = field(default=False, kw_only=True)

    @property
    def secret(self) -> bool:
        """Tell whether the value is nobody's business, by the words of the name."""
        return any(word in SECRETS for word in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class Group:
    """Keys that belong together on one page of the reference."""

    title: str
    introduction: str
    keys: tuple[Key, ...]


class Registry:
    """All keys by name; a name that is declared twice is a bug."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.groups = tuple(groups)
        self._by_name: dict[str, Key] = {}
        for key in self:
            for name in (key.name, *key.aliases):
                assert name not in self._by_name, f"{name} is declared twice"
                self._by_name[name] = key

    def __iter__(self) -> Iterator[Key]:
        return (key for group in self.groups for key in group.keys)

    def __getitem__(self, name: str) -> Key:
        return self._by_name[name]

    def find(self, name: str) -> Key | None:
        """Find a key by its name or by one of its other names."""
        return self._by_name.get(name)

    def nearest(self, name: str) -> str | None:
        """Return the name that a misspelt one comes nearest to."""
        return nearest(name, self._by_name)


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where the operator wrote it."""

    value: object
    where: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was configured: values by key, defaults where nothing was, and all the problems on the way.

    `file` is where it was read; empty where that was no file.
    """

    registry: Registry
    settings: Mapping[str, Setting]
    problems: tuple[Problem, ...]
    of_plugins: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    file: str = ""

    def for_plugin(self, name: str) -> Configuration:
        """Return what holds for one plugin: what was written for it alone, and for the rest what was for all."""
        own = {**self.settings, **self.of_plugins.get(name, {})}
        return replace(self, settings=own, problems=(), of_plugins={})

    def of(self, name: str, kind: type[T]) -> T:
        """Return the value of a key that always has one."""
        value = self.value(name)
        assert isinstance(value, kind), f"{name} is {value!r}"
        return value

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """Return the value of a key that may have none."""
        return None if self.value(name) is None else self.of(name, kind)

    def path(self, name: str) -> Path | None:
        """Return the file or directory that a key names, if it does."""
        text = self.maybe(name, str)
        return None if text is None else Path(text)

    def value(self, name: str) -> object:
        """Return the value of a key, whatever it is."""
        key = self.registry[name]
        setting = self.settings.get(key.name)
        return key.default if setting is None else setting.value

    def is_set(self, name: str) -> bool:
        """Tell whether the operator wrote the key."""
        return name in self.settings

    def where(self, name: str) -> str:
        """Say where the operator wrote the key, which must be set."""
        return self.settings[name].where

    @property
    def is_usable(self) -> bool:
        """Tell whether a daemon may start with it."""
        return not any(problem.is_fatal for problem in self.problems)

    @property
    def passes_check(self) -> bool:
        """Tell whether a dry run finds nothing that the operator would want to mend."""
        return not any(problem.kind in FAILS_CHECK for problem in self.problems)

    def with_problems(self, problems: Iterable[Problem]) -> Configuration:
        """Return the same configuration with further problems, those of keys that do not go together."""
        return replace(self, problems=(*self.problems, *problems))

    def with_live(self, later: Configuration) -> Configuration:
        """Return what a running daemon can take over of a later configuration: the live keys of that, all else of this.

        The problems of both are left out.
        """
        plugins = self.of_plugins.keys() | later.of_plugins.keys()
        nothing: Mapping[str, Setting] = {}
        return replace(
            self,
            settings=self._live(self.settings, later.settings),
            problems=(),
            of_plugins={
                name: self._live(self.of_plugins.get(name, nothing), later.of_plugins.get(name, nothing))
                for name in plugins
            },
        )

    def _live(self, settings: Mapping[str, Setting], later: Mapping[str, Setting]) -> dict[str, Setting]:
        live = {name: setting for name, setting in later.items() if self.registry[name].live}
        return {name: setting for name, setting in settings.items() if not self.registry[name].live} | live


def configure(
    registry: Registry,
    statements: Sequence[Statement],
    problems: Iterable[Problem] = (),
    checks: Iterable[Callable[[Configuration], Iterable[Problem]]] = (),
    *,
    has_plugins: bool = False,
) -> Configuration:
    """Read statements in their order; `checks` look at the keys together once each has been understood alone.

    A daemon that `has_plugins` names keys for plugins that there are not; others leave those of flow daemons alone.
    """
    reader = _Reader(registry, statements, has_plugins=has_plugins)
    for statement in statements:
        reader.read(statement)
    found = (*problems, *reader.problems, *reader.not_built())
    configuration = Configuration(registry, reader.settings, found, reader.of_plugins)
    return configuration.with_problems(problem for check in checks for problem in check(configuration))


class _Reader:
    """What has been understood so far."""

    def __init__(self, registry: Registry, statements: Sequence[Statement], *, has_plugins: bool) -> None:
        self.settings: dict[str, Setting] = {}
        self.of_plugins: dict[str, dict[str, Setting]] = {}
        self.problems: list[Problem] = []
        self._registry, self._has_plugins = registry, has_plugins
        self._core = self._last(statements, "core_proc_name", DEFAULT_CORE_NAME)
        self._plugins = declared_plugins(self._last(statements, "plugins", ""))

    def read(self, statement: Statement) -> None:
        """Take one statement into the settings, or say why not."""
        key = self._registry.find(statement.key)
        if key is None:
            self._report_unknown(statement)
        elif self._concerns_core(key, statement):
            self._set(key, statement, self.settings)
        elif statement.scope in self._plugins:
            self._set(key, statement, self.of_plugins.setdefault(statement.scope, {}))

    def not_built(self) -> Iterator[Problem]:
        """Name once each key that was set and does nothing yet."""
        for name, setting in self.settings.items():
            if self._registry[name].status is Status.NOT_BUILT:
                yield Problem(Kind.ADVICE, f"{setting.where} {name}: not built yet. Ignored.")

    def _last(self, statements: Sequence[Statement], name: str, default: str) -> str:
        """Return the last value of a key, under any of its names, before it is read."""
        key = self._registry.find(name)
        names = (name,) if key is None else (key.name, *key.aliases)
        return next((one.value for one in reversed(statements) if one.key in names), default)

    def _set(self, key: Key, statement: Statement, settings: dict[str, Setting]) -> None:
        try:
            value = key.parser.parse(statement.value)
        except ValueError as error:
            why = f" ({error})" if str(error) and not key.secret else ""
            shown = "(secret)" if key.secret and statement.value else f"'{statement.value}'"
            text = f"{statement.where} {statement.key}: invalid value {shown}{why}"
            remark = "; a comment has a line of its own" if _REMARK.search(statement.value) else ""
            self.problems.append(Problem(Kind.BAD_VALUE, f"{text}: {key.parser.advice(statement.value)}{remark}"))
        else:
            settings[key.name] = Setting(value, statement.where)

    def _concerns_core(self, key: Key, statement: Statement) -> bool:
        scope = statement.scope
        if scope is None or scope == self._core:
            return True
        if key.status is Status.FLOW and (key.is_global or not self._has_plugins):
            return key.is_global  # that its plugin is not here is no news
        if key.is_global:
            text = f"{statement.where} plugin name not supported for key '{key.name}'. Globalized."
            self.problems.append(Problem(Kind.ADVICE, text))
        elif scope not in self._plugins:
            self._report_unknown_plugin(statement, scope)
        return key.is_global

    def _report_unknown_plugin(self, statement: Statement, scope: str) -> None:
        meant = nearest(scope, sorted(self._plugins))
        advice = f" Did you mean [{meant}]?" if meant else ""
        text = f"{statement.where} Unknown symbol '{scope}'. Ignored. {statement.key}: no plugin is called so.{advice}"
        self.problems.append(Problem(Kind.UNKNOWN_KEY, text))

    def _report_unknown(self, statement: Statement) -> None:
        meant = self._registry.nearest(statement.key)
        advice = f" Did you mean {meant}?" if meant else ""
        text = f"{statement.where} Unknown key: {statement.key}. Ignored.{advice}"
        self.problems.append(Problem(Kind.UNKNOWN_KEY, text))


def format_value(key: Key, value: object) -> str:
    """Write a value of a key, which is not None, as an operator would."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, NameTemplate):
        return value.text
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return f"{value:03o}" if key.parser is UMASK else str(value)


def declared_plugins(text: str) -> frozenset[str]:
    """Return the names of the instances that a value of `plugins` declares: `print[a], kafka` has two."""
    names = set()
    for item in filter(None, (item.strip() for item in text.split(","))):
        kind, _, rest = item.partition("[")
        names.add(rest.rstrip("]").strip() or f"default_{kind.strip()}")
    return frozenset(names)
