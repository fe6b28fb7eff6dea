"""What a service manager such as systemd is told: that the daemon is ready, reloads, stops, and is alive.

Implements the protocol of sd_notify(3): datagrams of `NAME=value` lines to the socket that the environment names. The
watchdog is fed by the reactor itself, three times in its period, so that a reactor which hangs is noticed. Without a
manager nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.interfaces import IReactorTime

#: Feedings in a period of the watchdog.
FEEDINGS: Final = 3


class ServiceManager:
    """The manager that started us, if one did; or whoever is at the other end of a connected `channel`."""

    def __init__(
        self, environment: Mapping[str, str], on_problem: Callable[[str], None], *, channel: socket.socket | None = None
    ) -> None:
        self._on_problem, self._failed = on_problem, False
        self.watchdog = _watchdog(environment)
        self._deliver: Callable[[bytes], object] | None = None if channel is None else channel.send
        address = _address(environment.get("NOTIFY_SOCKET", ""))
        if channel is None and address is not None:
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._deliver = partial(_send_to, channel, address)
        if channel is not None:
            channel.settimeout(0)

    def ready(self, status: str) -> None:
        """Tell that the daemon does its work, or does it again after a reload."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that the configuration is being read again; `ready` ends that."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Tell that the daemon ends."""
        self._send("STOPPING=1", f"STATUS={status}")

    def guard(self, clock: IReactorTime) -> None:
        """Feed the watchdog from now on, if there is one."""
        if self.watchdog is not None:
            self.feed()
            clock.callLater(self.watchdog / FEEDINGS, self.guard, clock)

    def feed(self) -> None:
        """Tell that the daemon is alive."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._deliver is None:
            return
        try:
            self._deliver("\n".join(lines).encode())
        except OSError as error:
            if not self._failed:
                self._on_problem(f"the service manager is not reached: {error.strerror}")
            self._failed = True
        else:
            self._failed = False


def _send_to(channel: socket.socket, address: str, octets: bytes) -> None:
    channel.sendto(octets, address)


def _address(name: str) -> str | None:
    """Understand NOTIFY_SOCKET: a path, or with `@` a name in the abstract namespace (unix(7))."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Return the period of a watchdog that is ours (sd_watchdog_enabled(3)). Units: seconds."""
    period, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
    if not (period.isascii() and period.isdigit() and int(period)) or process != str(os.getpid()):
        return None
    return int(period) / 1_000_000
