import errno
import os
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.service.dial import CONNECT_PATIENCE, Cancellable, Dialler

COLLECTOR = ip_address("192.0.2.1")


class Sock:
    """A socket that connects as the test says."""

    family = socket.AF_INET

    def __init__(self, begun: int, error: int = 0) -> None:
        self.begun, self.error, self.closed = begun, error, False
        self.target: Any = None

    def connect_ex(self, target: Any) -> int:
        self.target = target
        return self.begun

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.error

    def fileno(self) -> int:
        return 77

    def close(self) -> None:
        self.closed = True


class Reactor(Clock):
    """A clock that knows who waits to write, and what it took over."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[Any] = []
        self.adopted: list[Any] = []
        self.refuses_adoption = False

    def addWriter(self, writer: Any) -> None:  # noqa: N802
        assert writer.fileno() == 77
        assert writer.logPrefix()
        self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802
        self.writers = [one for one in self.writers if one is not writer]

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:  # noqa: N802
        if self.refuses_adoption:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        self.adopted.append((descriptor, family, factory.buildProtocol(None)))


class Rig:
    def __init__(self, begun: int = errno.EINPROGRESS, error: int = 0) -> None:
        self.reactor, self.sock, self.wanted = Reactor(), Sock(begun, error), Protocol()
        self.failures: list[str] = []
        self.open_socket: Callable[[Any], Any] = lambda _address: self.sock

    def dial(self) -> Cancellable:
        dialler = Dialler(cast("Any", self.reactor), self.open_socket)
        return dialler(COLLECTOR, 179, cast("Any", self.wanted), self.failures.append)

    def write(self) -> None:
        [writer] = self.reactor.writers
        writer.doWrite()

    def assert_over(self) -> None:
        assert self.reactor.writers == []
        assert self.sock.closed
        assert self.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("begun", [0, errno.EINPROGRESS])
def test_a_connection_becomes_the_protocols(begun: int) -> None:
    rig = Rig(begun)
    rig.dial()
    assert rig.sock.target == ("192.0.2.1", 179)
    assert rig.reactor.adopted == []
    rig.write()
    assert rig.reactor.adopted == [(77, socket.AF_INET, rig.wanted)]
    assert rig.failures == []
    rig.assert_over()


def test_a_refused_connection_is_a_failure() -> None:
    rig = Rig(error=errno.ECONNREFUSED)
    rig.dial()
    rig.write()
    assert rig.failures == ["Connection refused"]
    rig.assert_over()


def test_an_error_that_the_reactor_meets_is_a_failure() -> None:
    rig = Rig(error=errno.EHOSTUNREACH)
    rig.dial()
    rig.reactor.writers[0].connectionLost(Failure(ConnectionLost()))
    assert rig.failures == ["No route to host"]
    rig.assert_over()


def test_nobody_waits_for_ever() -> None:
    rig = Rig()
    rig.dial()
    rig.reactor.advance(CONNECT_PATIENCE)
    assert rig.failures == ["Connection timed out"]
    rig.assert_over()


def test_what_fails_at_once_fails_when_the_caller_has_returned() -> None:
    rig = Rig(errno.ENETUNREACH)
    rig.dial()
    assert rig.failures == []
    rig.reactor.advance(0)
    assert rig.failures == ["Network is unreachable"]
    rig.assert_over()


def test_a_socket_that_cannot_be_had_is_a_failure() -> None:
    rig = Rig()

    def open_socket(_address: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    rig.open_socket = open_socket
    rig.dial()
    rig.reactor.advance(0)
    assert rig.failures == ["Too many open files"]


def test_a_connection_that_ends_at_once_is_a_failure() -> None:
    rig = Rig()
    rig.reactor.refuses_adoption = True
    rig.dial()
    rig.write()
    assert len(rig.failures) == 1
    rig.assert_over()


@pytest.mark.parametrize("begun", [errno.EINPROGRESS, errno.ENETUNREACH])
def test_an_attempt_can_be_given_up(begun: int) -> None:
    rig = Rig(begun)
    attempt = rig.dial()
    attempt.cancel()
    attempt.cancel()
    rig.reactor.advance(CONNECT_PATIENCE)
    assert rig.failures == []
    rig.assert_over()
