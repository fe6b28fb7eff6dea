"""A daemon as a command: what it answers, how it starts, runs and ends."""

from __future__ import annotations

import gc
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from routed.daemon.ending import FAILED, OK, USAGE, Ending
from routed.daemon.life import Telling
from routed.daemon.settings import log_settings, problem_lines, process_settings, read_configuration
from routed.daemon.several import problems_of, run_several
from routed.daemon.written import places_are_usable
from routed.plumbing.build import build
from routed.plumbing.cli import CommandLine, Program, UsageError, parse_command_line
from routed.plumbing.lifecycle import Lifecycle, StartError, install_signals, requests_held
from routed.plumbing.log import Log
from routed.plumbing.membership import Alone
from routed.plumbing.privileges import become, give_up_future
from routed.plumbing.process import PidFile, daemonize, raise_descriptor_limit, set_priority
from routed.plumbing.sandbox import write_only_below
from routed.plumbing.unraisable import log_unraisable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from routed.daemon.life import Plane
    from routed.daemon.reload import Reload
    from routed.daemon.settings import Check, DaemonSettings
    from routed.plumbing.config import Configuration, Daemons
    from routed.plumbing.process import Detached, ProcessSettings
    from routed.plumbing.service_manager import ServiceManager
    from routed.plumbing.shared_ports import Port
    from routed.service.clock import DaemonReactor

#: Descriptors besides those of peers: files, the listener, the reactor's own.
SPARE_DESCRIPTORS: Final = 512
#: A daemon of one process.
ALONE: Final = Alone()

S = TypeVar("S", bound="DaemonSettings")


@dataclass(frozen=True, slots=True)
class Command(Generic[S]):
    """One daemon: its command line, which keys it reads, and how its settings and its plane are made.

    `make_plane` takes the reactor, the settings, the log, the seed of the stores and what ends the daemon. It is not to
    import anything that needs a reactor before it is called, and raises a StartError when something that the settings
    name cannot be had.
    """

    program: Program
    kind: Daemons
    settings: Callable[[Configuration], S]
    make_plane: Callable[[DaemonReactor, S, Log, int, Callable[[], None]], Plane[S]]
    checks: tuple[Check, ...] = ()  # of keys that do not go together, beside those of all daemons
    ports: Callable[[S], Iterable[Port]] = lambda _settings: ()  # that several processes share
    listing: Callable[[], str] | None = None  # what `-a` lists

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command; return its exit status."""
        try:
            command_line = parse_command_line(self.program, sys.argv[1:] if arguments is None else arguments)
            answer = self.answer_to(command_line)
            if answer is None:
                return self.start(command_line)
        except UsageError as error:
            print(f"{self.program.name}: {error}\n{self.program.name} -h shows the switches", file=sys.stderr)
            return USAGE
        except OSError as error:
            print(f"ERROR: [{error.filename or command_line.file}] {error.strerror}", file=sys.stderr)
            return FAILED
        print(answer)
        return OK

    def answer_to(self, command_line: CommandLine) -> str | None:
        """Return what is asked for by a switch that starts nothing."""
        if command_line.wants_help:
            return self.program.usage()
        if command_line.wants_version:
            return version_text(self.program)
        return self.listing() if command_line.wants_list and self.listing is not None else None

    @requests_held()
    def start(self, command_line: CommandLine) -> int:
        """Read the configuration and, when it is usable, run the daemon; return the exit status.

        Raises: OSError when the configuration cannot be read or the log not be written.
        """
        configuration = read_configuration(command_line.all_statements(), self.kind, self.checks)
        configuration = configuration.with_problems(
            (*problems_of(self, command_line, configuration), *places_are_usable(configuration, self.kind))
        )
        process = process_settings(configuration)
        os.umask(process.umask)
        checks_only = configuration.maybe("dry_run", str) == "config"
        log = Log(log_settings(configuration, self.program.name), process.owner)
        log.write_all(problem_lines(configuration))
        if checks_only:
            return OK if configuration.passes_check else FAILED
        if not configuration.is_usable:
            return FAILED
        if configuration.of("proc_count", int) > 1:
            return run_several(self, command_line, configuration, log)
        return self.run(command_line, configuration, log)

    def run(self, command_line: CommandLine, configuration: Configuration, log: Log, member: Alone = ALONE) -> int:
        """Run the daemon, or one of its processes, until a signal ends it; return the exit status."""
        try:
            settings = self.settings(configuration)
        except StartError as error:
            for problem in error.args:
                log.error(str(problem))
            return FAILED
        process = member.own(settings.process)
        detached = daemonize() if process.daemonize else None
        wanted = settings.connections + SPARE_DESCRIPTORS
        if (limit := raise_descriptor_limit(wanted)) < wanted:
            log.warning(f"the system allows {limit} open descriptors: fewer peers than configured may connect")
        from routed.service.clock import install  # noqa: PLC0415 (a reactor opens descriptors: not before daemonize)

        reactor = install()
        from twisted.logger import globalLogBeginner  # noqa: PLC0415

        from routed.daemon.reload import Reload, Source, Target  # noqa: PLC0415 (the same)
        from routed.plumbing.sink import PoolThreads  # noqa: PLC0415
        from routed.plumbing.twisted_log import TwistedObserver  # noqa: PLC0415

        globalLogBeginner.beginLoggingTo([TwistedObserver(log)], redirectStandardIO=False, discardBuffer=True)
        log_unraisable(log)
        manager = member.manager(log.warning)
        end = Ending(reactor, log, manager, patience=process.stop_patience)
        try:
            if process.priority:
                set_priority(process.priority)
            if process.identity is not None:
                give_up_future()
            plane = self.make_plane(reactor, settings, log, secrets.randbits(64), end.finished)
            if settings.dry_run == "setup":
                return OK
            end.pid_file = write_pid_file(process, log)
            if process.identity is not None:
                become(process.identity)
            if process.writes_below is not None:
                write_only_below(process.writes_below)
        except (StartError, OSError) as error:
            log.error(str(error))
            return FAILED
        log.begin()
        source, target = (
            Source(command_line, configuration),
            Target(self.kind, self.settings, plane.prepare, self.checks),
        )
        reload = Reload(source, target, log, manager, PoolThreads(reactor))
        plane.serve_reload(reload.ask)
        member.watch(reactor, end.signalled)
        serve(reactor, plane, Life(log, end, manager, detached, reload))
        end.over()
        return end.status


@dataclass(frozen=True, slots=True)
class Life:
    """What goes with a plane from its start to its end."""

    log: Log
    end: Ending
    manager: ServiceManager
    detached: Detached | None
    reload: Reload[Any]


def write_pid_file(process: ProcessSettings, log: Log) -> PidFile | None:
    """Write the process id where it is wanted.

    Raises: OSError.
    """
    if process.pidfile is None:
        return None
    pid_file = PidFile(process.pidfile, process.owner)
    if problem := pid_file.write():
        log.warning(f"[{process.pidfile}] {problem}")
    return pid_file


def serve(reactor: DaemonReactor, plane: Plane[Any], life: Life) -> None:
    """Turn the reactor until the plane has stopped."""
    log, end = life.log, life.end
    end.plane = plane

    def reopen() -> None:
        log.reopen()
        plane.reopen()

    def start() -> None:
        try:
            plane.start()
        except (StartError, OSError) as error:
            end.failed(str(error))
            return
        life.manager.ready("in service")
        life.manager.guard(reactor)
        if life.detached is not None:
            life.detached.ready()

    install_signals(
        reactor,
        Lifecycle(
            stop=end.signalled,
            reopen=reopen,
            reload=life.reload.signalled,
            abort=end.abort,
            tell=plane.tell_statistics if isinstance(plane, Telling) else None,
        ),
    )
    gc.collect()
    gc.freeze()  # modules and settings live as long as the process: no collection need look at them again
    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)


def version_text(program: Program) -> str:
    """Write the answer to `-V`."""
    return f"{program.name} {build()}, Python {sys.version.split()[0]}"
