"""What planes need around them: a log in memory, connections without sockets, threads that work at once."""

import socket
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.internet.testing import MemoryReactorClock

from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Level, LogLine
from routed.service.pump import SessionProtocol
from routed.service.settings import ListenerSettings
from routed.service.socket_options import Listening
from tests.routed.service.doubles import TcpWire


class Reactor(MemoryReactorClock):
    """A reactor in memory; nobody is in a hurry there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare

    def hurry(self, descriptor: object) -> None:
        """Serve all alike."""


class Lines:
    """A log in memory."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, level: Level, text: str, _module: str = "core", **_: object) -> None:
        self.lines.append(f"{level.name} {text}")

    def error(self, text: str) -> None:
        self.write(Level.ERROR, text)

    def warning(self, text: str) -> None:
        self.write(Level.WARN, text)

    def info(self, text: str) -> None:
        self.write(Level.INFO, text)

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str, **_: object) -> None:
        self.write(level, text)

    def part(self, _module: str) -> "Lines":
        return self

    def write_all(self, lines: list[LogLine]) -> None:
        for line in lines:
            self.write(line.level, line.text)


def reload(plane: Any, settings: Any, log: Lines) -> None:
    """Reload a plane, as far as that is possible."""
    try:
        plane.prepare(settings)()
    except StartError as error:
        for problem in error.args:
            log.error(str(problem))


class Wire(TcpWire):
    """The transport of a peer."""

    def __init__(self, protocol: SessionProtocol) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self.protocol = protocol
        protocol.makeConnection(self)  # type: ignore[no-untyped-call]  # the same

    @property
    def sent(self) -> bytes:
        return cast("bytes", self.value())  # type: ignore[no-untyped-call]  # the same


class Here:
    """Runs blocking work at once."""

    def __init__(self, _reactor: object) -> None:
        pass

    def __call__(self, work: Callable[[], Any], /) -> Any:
        return maybeDeferred(work)


class Sockets:
    """Opens listening sockets that listen nowhere."""

    def __init__(self) -> None:
        self.opened: list[tuple[socket.socket, ListenerSettings]] = []

    def __call__(self, settings: ListenerSettings) -> Listening:
        self.opened.append((socket.socket(), settings))
        return Listening(self.opened[-1][0], ("an option could not be set",))
