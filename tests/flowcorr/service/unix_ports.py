"""A reactor whose time stands still, with the UNIX ports of a real one."""

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.unix import Port


class UnixPorts(Clock):
    """Opens ports; nobody takes what comes there."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Port] = []

    def listenUNIX(self, path: str, factory: Any, backlog: int, mode: int) -> Port:  # noqa: N802 (Twisted's)
        port = Port(path.encode(), factory, backlog, mode, self)
        port.startListening()
        self.ports.append(port)
        return port

    def addReader(self, port: Port) -> None:  # noqa: N802 (Twisted's)
        assert port.fileno() >= 0

    def removeReader(self, port: Port) -> None:  # noqa: N802 (Twisted's)
        assert port.fileno() >= 0

    def removeWriter(self, port: Port) -> None:  # noqa: N802 (Twisted's)
        assert port in self.ports
