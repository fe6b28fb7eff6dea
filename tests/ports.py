"""Ports of a test's own, on the loopback, however many tests and test runs the machine has."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Below what systems give to connections, any of which would be in the way of a server at all addresses.
RANGE: Final = range(26_000, 32_000)
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
    """Bind a socket that never listens, at a port where a daemon can listen on all addresses."""
    for port in random.sample(RANGE, len(RANGE)):
        holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            _server_at(port).close()
            holder.bind((host, port))  # alone: the holder of another process would be in the way
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on somebody may listen there
        return holder
    message = "no port is idle"
    raise OSError(message)


def _server_at(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
