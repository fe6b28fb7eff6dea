"""A reload: configuration and maps are read again while the daemon runs, and taken over whole or not at all.

The configuration is that of a start, switches included. What differs is sorted by the registry of keys: the values of
live keys are taken over, those of the others stay as they are until a restart, which is said. Reading happens in a
thread, because a map may be long; sessions go on meanwhile. One mistake, in a value or in a map, and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from routed.daemon.settings import problem_lines, read_configuration, with_checks
from routed.plumbing.config import Configuration, Status, format_value
from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Level
from routed.plumbing.sink import log_bug
from routed.service.settings import Change, Reloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.daemon.settings import Check, DaemonSettings
    from routed.plumbing.cli import CommandLine
    from routed.plumbing.config import Daemons, Key
    from routed.plumbing.log import Log, LogLine
    from routed.plumbing.service_manager import ServiceManager
    from routed.plumbing.sink import InThread

S = TypeVar("S", bound="DaemonSettings")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the configuration is read, and what it was when it was last taken over."""

    command_line: CommandLine
    configuration: Configuration


@dataclass(frozen=True, slots=True)
class Target(Generic[S]):
    """Who is told: what the daemon is, how its settings are made, and what reads the rest and returns the last step."""

    kind: Daemons
    settings: Callable[[Configuration], S]
    prepare: Callable[[S], Callable[[], None]]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class _Prepared:
    configuration: Configuration
    warnings: tuple[LogLine, ...]
    changes: tuple[Change, ...]
    take_over: Callable[[], None]


class RefusedError(Exception):
    """A reload that cannot be; each argument says why."""


class Reload(Generic[S]):
    """Reloads a daemon, one reload after the other."""

    def __init__(
        self, source: Source, target: Target[S], log: Log, manager: ServiceManager, in_thread: InThread
    ) -> None:
        self._source, self._target, self._log, self._manager = source, target, log, manager
        self._in_thread = in_thread
        self._waiting: list[Deferred[Reloaded]] = []
        self._is_busy = False

    def signalled(self) -> None:
        """Reload because of a signal, unless signals are not to do that."""
        if not self._source.configuration.of("maps_refresh", bool):
            self._log.info("SIGUSR2 received: nothing is read again, because maps_refresh is false")
            return
        self.ask()

    def ask(self) -> Deferred[Reloaded]:
        """Reload, after the reload that may be under way; fires with what came of it.

        Whoever asks while another one waits already shares what that one will come to.
        """
        answer: Deferred[Reloaded] = Deferred()
        self._waiting.append(answer)
        if not self._is_busy:
            self._begin()
        return answer

    def _begin(self) -> None:
        answers, self._waiting, self._is_busy = self._waiting, [], True

        def done(outcome: Reloaded | Failure) -> None:
            if isinstance(outcome, Failure):
                log_bug(outcome, "a reload")
                outcome = Reloaded(problems=("internal error",))
            self._is_busy = False
            for answer in answers:
                answer.callback(outcome)
            if self._waiting and not self._is_busy:
                self._begin()

        ensureDeferred(self._reload()).addBoth(done)

    async def _reload(self) -> Reloaded:
        self._manager.reloading()
        try:
            prepared = await self._in_thread(self._prepare)
            self._log.write_all(prepared.warnings)
            prepared.take_over()
        except RefusedError as error:
            outcome = Reloaded(problems=tuple(str(problem) for problem in error.args))
        else:
            self._source = Source(self._source.command_line, prepared.configuration)
            outcome = Reloaded(prepared.changes)
        self._report(outcome)
        return outcome

    def _prepare(self) -> _Prepared:
        """Read everything, in a thread.

        Raises: RefusedError.
        """
        before, checks = self._source.configuration, self._target.checks
        try:
            after = read_configuration(self._source.command_line.all_statements(), self._target.kind, checks)
            _demand_usable(after)
            merged = with_checks(before.with_live(after), checks)
            _demand_usable(merged)
            settings = self._target.settings(merged)
            take_over = self._target.prepare(settings)
        except OSError as error:
            raise RefusedError(f"[{error.filename}] {error.strerror}") from error
        except StartError as error:
            raise RefusedError(*error.args) from error

        def take_all_over() -> None:
            self._log.configure(settings.log)
            take_over()

        return _Prepared(
            merged, tuple(problem_lines(after)), tuple(changes(before, after, self._target.kind)), take_all_over
        )

    def _report(self, outcome: Reloaded) -> None:
        for problem in outcome.problems:
            self._log.error(problem)
        for change in outcome.changes:
            facts = {"event": "reload", "key": change.key, "before": change.before, "after": change.after}
            self._log.write(Level.INFO if change.live else Level.WARN, str(change), facts=facts)
        (self._log.error if outcome.problems else self._log.info)(outcome.summary)
        self._manager.ready(outcome.summary)


def changes(before: Configuration, after: Configuration, kind: Daemons) -> Iterator[Change]:
    """Go through the keys of a daemon whose values differ."""
    for key in before.registry:
        if key.status is Status.BUILT and key.daemons & kind:
            old, new = before.value(key.name), after.value(key.name)
            if old != new:
                yield Change(key.name, _shown(key, old), _shown(key, new), key.live)


def _shown(key: Key, value: object) -> str:
    if value is None:
        return "(not set)"
    return "(secret)" if key.secret else format_value(key, value)


def _demand_usable(configuration: Configuration) -> None:
    if not configuration.is_usable:
        raise RefusedError(*(line.text for line in problem_lines(configuration) if line.level is Level.ERROR))
