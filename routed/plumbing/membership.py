"""Whom a process tells how it is, and who ends it: alone, or as one of several processes of a daemon.

Between it and the one that started it is then a connection of whole messages (unix(7), SOCK_SEQPACKET). A process says
on it what a service manager would be told; it hears the name of the signal that ends the daemon, or the end of the
connection when nobody is there any more.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from routed.plumbing.service_manager import ServiceManager

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from routed.plumbing.process import ProcessSettings


class Alone:
    """A daemon of one process."""

    def own(self, process: ProcessSettings) -> ProcessSettings:
        """Return how this process runs, of how the daemon does."""
        return process

    def manager(self, on_problem: Callable[[str], None]) -> ServiceManager:
        """Return whom the process tells how it is."""
        return ServiceManager(os.environ, on_problem)

    def watch(self, reactor: Any, on_end: Callable[[str], object]) -> None:
        """Have nobody but signals to hear of the end."""


@implementer(IReadDescriptor)
class Membership(Alone):
    """The connection of a process to the one that started it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._reactor: Any = None
        self._on_end: Callable[[str], object] | None = None

    def own(self, process: ProcessSettings) -> ProcessSettings:
        """Return how this process runs: the first one has the terminal and the pid file."""
        return replace(process, daemonize=False, pidfile=None)

    def manager(self, on_problem: Callable[[str], None]) -> ServiceManager:
        """Return whom the process tells how it is; a watchdog of the daemon's manager is one of each process."""
        environment = {name: value for name, value in os.environ.items() if name == "WATCHDOG_USEC"}
        return ServiceManager(environment, on_problem, channel=self._channel)

    def watch(self, reactor: Any, on_end: Callable[[str], object]) -> None:
        """Call `on_end` with the reason why the daemon ends."""
        self._reactor, self._on_end = reactor, on_end
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._channel.fileno()

    def doRead(self) -> None:
        """Hear why the daemon ends."""
        self._reactor.removeReader(self)
        assert self._on_end is not None
        self._on_end(self._channel.recv(64).decode() or "the end of the first process")

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: a connection that ended is read as one."""

    def logPrefix(self) -> str:
        """Return what Twisted logs for this descriptor."""
        return "membership"
