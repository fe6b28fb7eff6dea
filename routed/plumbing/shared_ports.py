"""Ports that several processes of one daemon share, each with sockets of its own.

One process opens all sockets, in the order of the processes, before it starts them, and keeps them open: so the places
of sockets on a port never change (see `placement`), and what comes while a process is started again waits for it. A
process finds its own sockets by the settings that ask for them, as it would find what a service manager hands over.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from routed.plumbing.lifecycle import StartError
from routed.plumbing.placement import place

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence


#: What an operator can do about a port that cannot be had, and the end of the key that it is about.
_ADVICE: Final = {
    errno.EACCES: ("port", "ports below 1024 take root or CAP_NET_BIND_SERVICE"),
    errno.EADDRINUSE: ("port", "`ss -lntup` shows who has it"),
    errno.EADDRNOTAVAIL: ("ip", "no interface of this machine has it"),
    errno.ENODEV: ("interface", "there is no such interface"),
}


def why_not_had(error: OSError, keys: str) -> str:
    """Say why a port cannot be had, and which key to look at, whose names begin with `keys`."""
    end, advice = _ADVICE.get(error.errno or 0, ("", ""))
    return f"{error.strerror} ({keys}{end}: {advice})" if advice else str(error.strerror)


class Opened(Protocol):
    """A bound socket, and what goes with it."""

    @property
    def socket(self) -> socket.socket:
        """Return the socket."""


O = TypeVar("O", bound=Opened)  # noqa: E741 (what is opened)


@dataclass(frozen=True, slots=True)
class Port:
    """What opens a socket, and the settings that ask for it."""

    settings: Hashable
    open: Callable[[], Opened]


#: What the process that started this one has opened for it; nothing in one that was not started so.
_HANDED_OVER: Final[dict[Hashable, Opened]] = {}


def hand_over(opened: Mapping[Hashable, Opened]) -> None:
    """Let the present process find its sockets."""
    _HANDED_OVER.clear()
    _HANDED_OVER.update(opened)


def handed_over(settings: Hashable, kind: type[O]) -> O | None:
    """Return what has been opened for these settings, None where the process is to open it itself."""
    opened = _HANDED_OVER.get(settings)
    return opened if isinstance(opened, kind) else None


def open_all(of_processes: Sequence[Sequence[Port]]) -> list[dict[Hashable, Opened]]:
    """Open the ports of processes, which name them in the same order; those of one address and port are shared.

    Raises: StartError when one cannot be had, or somebody else has it.
    """
    opened: list[dict[Hashable, Opened]] = [{} for _ in of_processes]
    for ports in zip(*of_processes, strict=True):
        is_shared = len({port.settings for port in ports}) == 1
        if is_shared:
            _demand_alone(ports[0])
        for mine, port in zip(opened, ports, strict=True):
            mine[port.settings] = port.open()
        if is_shared:
            _place(opened[0][ports[0].settings].socket, len(ports))
    return opened


def _place(sock: socket.socket, count: int) -> None:
    try:
        place(sock, count)
    except OSError as error:
        raise StartError(f"the system does not spread packets by their source: {error.strerror}") from error


def _demand_alone(port: Port) -> None:
    """Refuse a port that another daemon is on, which would share it, and whose end would move our places."""
    with port.open().socket as ours:
        family, kind, address = ours.family, ours.type, ours.getsockname()
        device = ours.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        only = family == socket.AF_INET6 and ours.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    with socket.socket(family, kind) as alone:
        if kind == socket.SOCK_STREAM:  # connections of an earlier daemon may linger
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            alone.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        if device:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
        try:
            alone.bind(address)
        except OSError as error:
            what = "tcp" if kind == socket.SOCK_STREAM else "udp"
            raise StartError(
                f"ip={address[0]} port={address[1]}/{what} is another daemon's: {error.strerror}"
            ) from error
