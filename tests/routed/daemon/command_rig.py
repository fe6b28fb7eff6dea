"""A daemon that is run inside a test: its reactor is turned by a script, and its plane remembers what it was told."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from routed.daemon.command import Command
from routed.daemon.settings import pmbgpd_settings
from routed.daemon.switches import PMBGPD
from routed.plumbing.config import Daemons
from routed.plumbing.lifecycle import Lifecycle
from routed.plumbing.log import Log


class Reactor(MemoryReactorClock):
    """A reactor that is turned for as long as the test's script lasts."""

    longest_turn, busiest_turn = 0.0123, 0.001

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self.started: list[Any] = []
        self.stopped = False

    def callWhenRunning(self, function: Any) -> None:  # type: ignore[override]  # noqa: N802 (all that is used)
        self.started.append(function)

    def run(self, installSignalHandlers: bool = True) -> None:  # noqa: N803
        assert not installSignalHandlers
        for function in self.started:
            function()
        Daemon.current.script()

    def stop(self) -> None:
        assert not self.stopped
        self.stopped = True


class Plane:
    """Remembers what it was told."""

    def __init__(self, seed: int, on_end: Callable[[], None]) -> None:
        assert 0 <= seed < 1 << 64
        self.on_end = on_end
        self.calls: list[str] = []
        self.stopping: Deferred[None] = Deferred()
        Daemon.current.plane = self

    def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")
        await self.stopping

    def reopen(self) -> None:
        self.calls.append("reopen")

    def serve_reload(self, reload: Any, /) -> None:
        self.ask_reload = reload

    def prepare(self, settings: Any, /) -> Callable[[], None]:
        assert settings.log.process
        self.calls.append("prepare")
        return lambda: self.calls.append("take over")


class Daemon:
    """What a daemon that is run inside the test has."""

    current: "Daemon"

    def __init__(self) -> None:
        self.program, self.settings, self.prefix = PMBGPD, cast("Any", pmbgpd_settings), "bgp_daemon"
        self.kind = Daemons.PMBGPD
        self.ends_early = False
        self.reactor = Reactor()
        self.plane: Plane | None = None
        self.lifecycle: Lifecycle | None = None

    def script(self) -> None:
        """Reload, reopen, stop twice."""
        assert self.lifecycle is not None
        assert self.plane is not None
        actions = self.lifecycle.actions()
        for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            actions[number]()
        assert not self.reactor.stopped
        self.plane.stopping.callback(None)
        assert self.reactor.stopped

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the daemon as a command, with a plane that does nothing."""

        def make_plane(_reactor: object, _settings: object, _log: Log, seed: int, on_end: Callable[[], None]) -> Plane:
            if self.ends_early:
                on_end()
            return Plane(seed, on_end)

        return Command(self.program, self.kind, self.settings, make_plane).main(arguments)


def configured(folder: Path, *lines: str) -> Sequence[str]:
    path = folder / "daemon.conf"
    path.write_text("\n".join(lines) + "\n")
    return ["-f", str(path)]
