"""A daemon as a command: what it answers, how it starts, runs and ends."""

from __future__ import annotations

import gc
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from routed.daemon.build import build
from routed.daemon.settings import log_settings, problem_lines, process_settings, read_configuration
from routed.plumbing.cli import CommandLine, Program, UsageError, parse_command_line
from routed.plumbing.lifecycle import Lifecycle, StartError, install_signals
from routed.plumbing.log import Log
from routed.plumbing.process import PidFile, daemonize, raise_descriptor_limit, set_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from routed.daemon.settings import CommonSettings
    from routed.plumbing.config import Configuration
    from routed.service.clock import DaemonReactor

#: Descriptors besides those of peers: files, the listener, the reactor's own.
SPARE_DESCRIPTORS: Final = 512

OK, FAILED, USAGE = 0, 1, 2


class Plane(Protocol):
    """What a daemon does from its start to its stop."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""

    def reopen(self) -> None:
        """Go on in new files of the same names."""

    def reload(self) -> None:
        """Read the maps again."""


S = TypeVar("S", bound="CommonSettings")


@dataclass(frozen=True, slots=True)
class Command(Generic[S]):
    """One daemon: its command line, and how its settings and its plane are made.

    `make_plane` takes the reactor, the settings, the log, the seed of the stores and what ends the daemon. It is not to
    import anything that needs a reactor before it is called, and raises a StartError when something that the settings
    name cannot be had.
    """

    program: Program
    settings: Callable[[Configuration], S]
    make_plane: Callable[[DaemonReactor, S, Log, int, Callable[[], None]], Plane]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command; return its exit status."""
        try:
            command_line = parse_command_line(self.program, sys.argv[1:] if arguments is None else arguments)
            answer = self.answer_to(command_line)
            if answer is None:
                return self.start(command_line)
        except UsageError as error:
            print(f"{self.program.name}: {error}\n\n{self.program.usage()}", file=sys.stderr)
            return USAGE
        except OSError as error:
            print(f"ERROR: [{error.filename}] {error.strerror}", file=sys.stderr)
            return FAILED
        print(answer)
        return OK

    def answer_to(self, command_line: CommandLine) -> str | None:
        """Return what is asked for by a switch that starts nothing."""
        if command_line.wants_help:
            return self.program.usage()
        return version_text(self.program) if command_line.wants_version else None

    def start(self, command_line: CommandLine) -> int:
        """Read the configuration and, when it is usable, run the daemon; return the exit status.

        Raises: OSError when the configuration cannot be read or the log not be written.
        """
        configuration = read_configuration(command_line.all_statements())
        process = process_settings(configuration)
        os.umask(process.umask)
        checks_only = configuration.maybe("dry_run", str) == "config"
        log = Log(log_settings(configuration, self.program.name), process.owner)
        log.write_all(problem_lines(configuration))
        if checks_only:
            return OK if configuration.passes_check else FAILED
        return self.run(self.settings(configuration), log) if configuration.is_usable else FAILED

    def run(self, settings: S, log: Log) -> int:
        """Run the daemon until a signal ends it; return the exit status."""
        process = settings.process
        if process.daemonize:
            daemonize()
        pid_file = None if process.pidfile is None else PidFile(process.pidfile, process.owner)
        wanted = settings.connections + SPARE_DESCRIPTORS
        if (limit := raise_descriptor_limit(wanted)) < wanted:
            log.warning(f"the system allows {limit} open descriptors: fewer peers than configured may connect")
        from routed.service.clock import install  # noqa: PLC0415 (a reactor opens descriptors: not before daemonize)

        reactor = install()
        from twisted.logger import globalLogBeginner  # noqa: PLC0415

        from routed.plumbing.twisted_log import TwistedObserver  # noqa: PLC0415

        globalLogBeginner.beginLoggingTo([TwistedObserver(log)], redirectStandardIO=False, discardBuffer=True)
        end = Ending(reactor, log)
        try:
            if process.priority:
                set_priority(process.priority)
            plane = self.make_plane(reactor, settings, log, secrets.randbits(64), end.finished)
            if settings.dry_run == "setup":
                return OK
            if pid_file is not None and (problem := pid_file.write()):
                log.warning(f"[{process.pidfile}] {problem}")
        except (StartError, OSError) as error:
            log.error(str(error))
            return FAILED
        serve(reactor, plane, log, end)
        if pid_file is not None:
            pid_file.remove()
        return OK


class Ending:
    """The end of a daemon, of which the first cause counts."""

    def __init__(self, reactor: DaemonReactor, log: Log) -> None:
        self.plane: Plane | None = None
        self._reactor, self._log = reactor, log
        self._is_under_way = False

    def finished(self) -> None:
        """End because there is nothing left to do."""
        self._end("all done")

    def signalled(self, name: str) -> None:
        """End because of a signal."""
        self._end(f"{name} received")

    def _end(self, cause: str) -> None:
        from twisted.internet.defer import ensureDeferred  # noqa: PLC0415 (with the reactor)

        if self._is_under_way or self.plane is None:
            return
        self._is_under_way = True

        def stopped(result: object) -> None:
            if result is not None:
                self._log.error(f"stopping: {result}")
            pause, busy = round(self._reactor.longest_turn * 1000, 1), round(self._reactor.busiest_turn * 1000, 1)
            self._log.info(f"longest reactor pause: {pause} ms (busiest turn: {busy} ms of processor time)")
            self._log.info(f"{cause}. Exiting ...")
            self._reactor.stop()

        ensureDeferred(self.plane.stop()).addBoth(stopped)


def serve(reactor: DaemonReactor, plane: Plane, log: Log, end: Ending) -> None:
    """Turn the reactor until the plane has stopped."""
    end.plane = plane

    def reopen() -> None:
        log.reopen()
        plane.reopen()

    install_signals(reactor, Lifecycle(stop=end.signalled, reopen=reopen, reload=plane.reload))
    gc.collect()
    gc.freeze()  # modules and settings live as long as the process: no collection need look at them again
    reactor.callWhenRunning(plane.start)
    reactor.run(installSignalHandlers=False)


def version_text(program: Program) -> str:
    """Write the answer to `-V`."""
    return f"{program.name} {build()}, Python {sys.version.split()[0]}"
