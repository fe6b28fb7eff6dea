"""Several processes of one configuration, for all processors of a machine: `proc_count`.

Each process is a whole daemon. They share the ports of routers and exporters, and what comes from one address goes to
one of them (`routed.plumbing.placement`), so each has the tables of its own routers and the flows of these. What they
write, and where questions are asked, has to be told apart: `$proc_number` in a value is the number of the process.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from routed.daemon.ending import FAILED
from routed.daemon.settings import log_settings, process_settings, read_configuration
from routed.plumbing.company import Company
from routed.plumbing.config import DEFAULT_CORE_NAME, Daemons, declared_plugins
from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Log
from routed.plumbing.membership import Membership
from routed.plumbing.process import PidFile, daemonize
from routed.plumbing.service_manager import ServiceManager
from routed.plumbing.shared_ports import hand_over, open_all
from routed.plumbing.statements import OF_COUNT, PROCESS_NUMBER, Kind, Problem, Statement

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from routed.daemon.command import Command
    from routed.plumbing.cli import CommandLine
    from routed.plumbing.config import Configuration

#: Keys of what only one process can have, as far as they are set: files that are written, captures, ports.
UNLIKE: Final = (
    "core_proc_name",
    "bgp_neighbors_file",
    "bgp_daemon_msglog_file",
    "bgp_table_dump_file",
    "bgp_table_dump_latest_file",
    "bmp_daemon_msglog_file",
    "bmp_dump_file",
    "bmp_dump_latest_file",
    "isis_daemon_msglog_file",
    "isis_dump_file",
    "nfacctd_mcast_groups",
    "nfacctd_tcp_port",
    "nfacctd_templates_file",
    "nfacctd_templates_port",
    "nfacctd_templates_zmq_address",
    "pcap_savefile",
    "print_latest_file",
    "print_output_file",
    "sfacctd_counter_file",
    "sfacctd_mcast_groups",
)
#: ... and those that have a default, with the switch that makes them count.
UNLIKE_WITH: Final[Mapping[str, str]] = {
    "bgp_daemon_lg_port": "bgp_daemon_lg",
    "bgp_daemon_lg_http_port": "bgp_daemon_lg_http",
    "bmp_daemon_lg_port": "bmp_daemon_lg",
    "bmp_daemon_lg_http_port": "bmp_daemon_lg_http",
    "isis_daemon_net": "isis_daemon",
}


def process_line(command_line: CommandLine, number: int) -> CommandLine:
    """Return the command line of a process, which has a name of its own where none is configured."""
    name = Statement("core_proc_name", f"{DEFAULT_CORE_NAME}-{PROCESS_NUMBER}", OF_COUNT)
    return replace(command_line, number=number, defaults=(name,))


def clashes(first: Configuration, second: Configuration, kind: Daemons) -> Iterator[Problem]:
    """Refuse what two processes would have in common and cannot share."""
    core = [(name, name, first, second) for name in UNLIKE if first.is_set(name)]
    core += [(name, switch, first, second) for name, switch in UNLIKE_WITH.items() if first.of(switch, bool)]
    for plugin in first.of_plugins.keys() & second.of_plugins.keys():
        own = first.of_plugins[plugin]
        core += [(name, name, first.for_plugin(plugin), second.for_plugin(plugin)) for name in UNLIKE if name in own]
    if kind is Daemons.FLOW:
        core += [("imt_path", "plugins", *pair) for pair in _memory_plugins(first, second)]
    for name, said, one, other in core:
        if one.value(name) == other.value(name):
            where = one.where(name) if one.is_set(name) else one.where(said) if one.is_set(said) else "[default]"
            text = f"{where} {name}: processes cannot share it; put {PROCESS_NUMBER} into the value"
            yield Problem(Kind.CONFLICT, text)


def _memory_plugins(first: Configuration, second: Configuration) -> Iterator[tuple[Configuration, Configuration]]:
    """Go through the memory plugins as two processes see them; where no plugin is named, there is one."""
    for item in map(str, first.value("plugins") or ("memory",)):  # type: ignore[call-overload]  # a list of words
        if item.startswith("memory"):
            [name] = declared_plugins(item)
            yield first.for_plugin(name), second.for_plugin(name)


def problems_of(command: Command[Any], command_line: CommandLine, configuration: Configuration) -> Iterator[Problem]:
    """Find what does not go together in several processes."""
    if configuration.of("proc_count", int) == 1:
        return
    lines = (process_line(command_line, number) for number in (1, 2))
    first, second = (read_configuration(line.all_statements(), command.kind, command.checks) for line in lines)
    yield from clashes(first, second, command.kind)


def run_several(command: Command[Any], command_line: CommandLine, configuration: Configuration, log: Log) -> int:
    """Run all processes until a signal ends them; return the exit status, in each of them its own."""
    count, process = configuration.of("proc_count", int), process_settings(configuration)
    lines = [process_line(command_line, number) for number in range(1, count + 1)]
    detached = daemonize() if process.daemonize else None
    manager, pid_file = ServiceManager(os.environ, log.warning), None
    try:
        configurations = [read_configuration(line.all_statements(), command.kind, command.checks) for line in lines]
        opened = open_all([list(command.ports(command.settings(one))) for one in configurations])
        if process.pidfile is not None and configuration.maybe("dry_run", str) is None:
            pid_file = PidFile(process.pidfile, process.owner)
            pid_file.write()
    except StartError as error:
        for problem in error.args:
            log.error(str(problem))
        return FAILED
    except OSError as error:
        log.error(str(error))
        return FAILED

    def work(number: int, channel: socket.socket) -> int:
        for place, one in enumerate(opened, start=1):
            if place != number:
                for port in one.values():
                    port.socket.close()
        hand_over(opened[number - 1])
        own = configurations[number - 1]
        own_log = Log(log_settings(own, command.program.name), process.owner)
        return command.run(lines[number - 1], own, own_log, Membership(channel))

    ready = (lambda: None) if detached is None else detached.ready
    company = Company(count, work, log, manager, process.stop_patience, ready)
    log.info(f"{count} processes share the ports; what comes from one address goes to one of them")
    status = company.serve()
    if pid_file is not None and company.is_first and (problem := pid_file.remove()):
        log.warning(problem)
    return status
