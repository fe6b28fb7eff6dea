from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from twisted.internet.task import Clock

from routed.plumbing.service_manager import FEEDINGS, ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """What a service manager hears."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(0)

    def heard(self) -> list[str]:
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return datagrams


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


def test_a_manager_is_told_what_happens(manager: Manager, tmp_path: Path) -> None:
    problems: list[str] = []
    ours = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")}, problems.append)
    ours.ready("in service")
    ours.reloading()
    ours.stopping("SIGTERM received")
    ready, reloading, stopping = manager.heard()
    assert ready == f"READY=1\nMAINPID={os.getpid()}\nSTATUS=in service"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert reloading.partition("USEC=")[2].isdigit()
    assert stopping == "STOPPING=1\nSTATUS=SIGTERM received"
    assert problems == []


def test_a_socket_may_have_no_path() -> None:
    name = f"routed-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}, [].append).ready("x")
    assert len(manager.heard()) == 1
    manager.socket.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nobody_is_told(environment: dict[str, str]) -> None:
    problems: list[str] = []
    ours = ServiceManager({"WATCHDOG_USEC": "0", **environment}, problems.append)
    ours.ready("x")
    ours.guard(Clock())
    assert problems == []


def test_a_manager_that_is_gone_is_missed_once(manager: Manager, tmp_path: Path) -> None:
    problems: list[str] = []
    ours = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")}, problems.append)
    (tmp_path / "notify").rename(tmp_path / "elsewhere")
    ours.ready("x")
    ours.ready("x")
    assert problems == ["the service manager is not reached: No such file or directory"]
    (tmp_path / "elsewhere").rename(tmp_path / "notify")
    ours.ready("x")
    assert len(manager.heard()) == 1


def test_the_watchdog_is_fed_by_the_reactor_well_before_it_bites(manager: Manager, tmp_path: Path) -> None:
    clock = Clock()
    environment = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    ServiceManager(environment, [].append).guard(clock)
    assert manager.heard() == ["WATCHDOG=1"]
    clock.advance(30 / FEEDINGS - 0.001)
    assert manager.heard() == []
    clock.advance(0.001)
    assert manager.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_of_somebody_else_is_not_fed(environment: dict[str, str]) -> None:
    assert ServiceManager(environment, [].append).watchdog is None
