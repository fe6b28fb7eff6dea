import gc
import os
from collections.abc import Iterator

import pytest

import routed.service.clock
from routed.daemon import command, door, outputs
from routed.plumbing.lifecycle import Lifecycle
from tests.routed.daemon.command_rig import Daemon
from tests.routed.daemon.plane_rig import Here, Sockets


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Sockets:
    """Listen nowhere, and do blocking work at once."""
    sockets = Sockets()
    monkeypatch.setattr(door, "open_listener", sockets)
    monkeypatch.setattr(outputs, "PoolThreads", Here)
    return sockets


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Whatever touches the process stands still."""
    before = os.umask(0o077)
    Daemon.current = daemon = Daemon()
    monkeypatch.setattr(routed.service.clock, "install", lambda: daemon.reactor)
    monkeypatch.setattr("twisted.logger.globalLogBeginner.beginLoggingTo", lambda *_, **__: None)
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda wanted: wanted)
    monkeypatch.setattr("routed.plumbing.sink.PoolThreads", Here)
    monkeypatch.setattr(command, "log_unraisable", lambda _log: None)

    def install_signals(_reactor: object, lifecycle: Lifecycle) -> None:
        daemon.lifecycle = lifecycle

    monkeypatch.setattr(command, "install_signals", install_signals)
    yield daemon
    gc.unfreeze()
    os.umask(before)
