"""Ports of a test's own, on the loopback, however many tests and test runs the machine has."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Who holds the ports that are reserved as long as this process runs.
_HOLDERS: Final[list[socket.socket]] = []


@contextmanager
def idle_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A TCP port where nobody listens and that nobody else is given; who sets SO_REUSEADDR may listen there."""
    with _hold(host) as holder:
        yield holder.getsockname()[1]


def reserved_port() -> int:
    """Return such a port for as long as this process runs."""
    _HOLDERS.append(_hold("127.0.0.1"))
    return int(_HOLDERS[-1].getsockname()[1])


def _hold(host: str) -> socket.socket:
    """Bind a socket that never listens: the system gives its port to nobody who asks for any."""
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, 0))
    return holder
