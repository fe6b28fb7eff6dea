"""`pmbgpd`: the passive BGP collector as a command."""

from __future__ import annotations

import gc
import os
import secrets
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from routed.daemon.settings import (
    Settings,
    log_settings,
    pmbgpd_settings,
    problem_lines,
    process_settings,
    read_configuration,
)
from routed.daemon.switches import PMBGPD
from routed.plumbing.cli import CommandLine, UsageError, parse_command_line
from routed.plumbing.lifecycle import Lifecycle, install_signals
from routed.plumbing.log import Log
from routed.plumbing.maps import MapError
from routed.plumbing.process import PidFile, daemonize, raise_descriptor_limit, set_priority

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routed.daemon.plane import RoutingPlane
    from routed.service.clock import DaemonReactor

#: Descriptors besides those of peers: files, the listener, the reactor's own.
SPARE_DESCRIPTORS: Final = 512

OK, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    try:
        command_line = parse_command_line(PMBGPD, sys.argv[1:] if arguments is None else arguments)
        answer = answer_to(command_line)
        if answer is None:
            return start(command_line)
    except UsageError as error:
        print(f"{PMBGPD.name}: {error}\n\n{PMBGPD.usage()}", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"ERROR: [{error.filename}] {error.strerror}", file=sys.stderr)
        return FAILED
    print(answer)
    return OK


def answer_to(command_line: CommandLine) -> str | None:
    """Return what is asked for by a switch that starts nothing."""
    if command_line.wants_help:
        return PMBGPD.usage()
    return version_text() if command_line.wants_version else None


def start(command_line: CommandLine) -> int:
    """Read the configuration and, when it is usable, run the daemon; return the exit status.

    Raises: OSError when the configuration cannot be read or the log not be written.
    """
    configuration = read_configuration(command_line.all_statements())
    process = process_settings(configuration)
    os.umask(process.umask)
    checks_only = configuration.maybe("dry_run", str) == "config"
    log = Log(log_settings(configuration, PMBGPD.name), process.owner)
    log.write_all(problem_lines(configuration))
    if checks_only:
        return OK if configuration.passes_check else FAILED
    return run(pmbgpd_settings(configuration), log) if configuration.is_usable else FAILED


def run(settings: Settings, log: Log) -> int:
    """Run the daemon until a signal ends it; return the exit status."""
    process = settings.process
    if process.daemonize:
        daemonize()
    pid_file = None if process.pidfile is None else PidFile(process.pidfile, process.owner)
    wanted = settings.listener.max_peers + SPARE_DESCRIPTORS
    if (limit := raise_descriptor_limit(wanted)) < wanted:
        log.warning(f"the system allows {limit} open descriptors: fewer peers than bgp_daemon_max_peers may connect")
    from routed.service.clock import install  # noqa: PLC0415 (a reactor opens descriptors: not before daemonize)

    reactor = install()
    from twisted.logger import globalLogBeginner  # noqa: PLC0415

    from routed.daemon.plane import RoutingPlane  # noqa: PLC0415 (imports the reactor)
    from routed.plumbing.twisted_log import TwistedObserver  # noqa: PLC0415
    from routed.service.socket_options import ListenError  # noqa: PLC0415

    globalLogBeginner.beginLoggingTo([TwistedObserver(log)], redirectStandardIO=False, discardBuffer=True)
    try:
        if process.priority:
            set_priority(process.priority)
        plane = RoutingPlane(reactor, settings, log, seed=secrets.randbits(64))
        if settings.dry_run == "setup":
            return OK
        if pid_file is not None and (problem := pid_file.write()):
            log.warning(f"[{process.pidfile}] {problem}")
    except (MapError, ListenError, OSError) as error:
        log.error(str(error))
        return FAILED
    serve(reactor, plane, log)
    if pid_file is not None:
        pid_file.remove()
    return OK


def serve(reactor: DaemonReactor, plane: RoutingPlane, log: Log) -> None:
    """Turn the reactor until the plane has stopped."""
    from twisted.internet.defer import ensureDeferred  # noqa: PLC0415

    from routed.service.reports import Line, Reporter  # noqa: PLC0415 (with the reactor)

    stopping = False

    def stop(signal_name: str) -> None:
        nonlocal stopping
        if stopping:
            return
        stopping = True

        def stopped(result: object) -> None:
            if result is not None:
                log.error(f"stopping: {result}")
            Reporter(log).say(
                Line.LONGEST_PAUSE,
                pause_ms=round(reactor.longest_turn * 1000, 1),
                busy_ms=round(reactor.busiest_turn * 1000, 1),
            )
            log.info(f"{signal_name} received. Exiting ...")
            reactor.stop()

        ensureDeferred(plane.stop()).addBoth(stopped)

    def reopen() -> None:
        log.reopen()
        plane.reopen()

    install_signals(reactor, Lifecycle(stop=stop, reopen=reopen, reload=plane.reload))
    gc.collect()
    gc.freeze()  # modules and settings live as long as the process: no collection need look at them again
    reactor.callWhenRunning(plane.start)
    reactor.run(installSignalHandlers=False)


def version_text() -> str:
    """Write the answer to `-V`."""
    try:
        number = version("routed-flowcorr")
    except PackageNotFoundError:
        number = "(not installed)"
    return f"{PMBGPD.name} {number}, Python {sys.version.split()[0]}"


if __name__ == "__main__":
    sys.exit(main())
