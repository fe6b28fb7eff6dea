"""One half of the demo: a daemon, the routers that play to it, and what a person gets to see of them."""

import asyncio
import os
import shlex
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from demo_screen import Screen
from demo_watch import Crew, RowCounter, finished_dumps, format_cost, last_rows

ROOT = Path(__file__).parent.parent

LOOK_EVERY = 0.05  # seconds between looks at the message log while tables load
STOP_PATIENCE = 15  # seconds that a process gets to end by itself


class DemoError(Exception):
    """The demo cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is started, and where its files are.

    `module`: what runs as the daemon. `routers`: the command of each, behind the interpreter. `samples`: texts of which
    the message log shows the first row with each.
    """

    name: str
    module: str
    protocol: str
    configuration: Path
    listens_on: str
    output: Path
    file_prefix: str
    routers: tuple[tuple[str, ...], ...]
    samples: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """Return how the daemon is started; an environment variable of its name may say otherwise."""
        words = os.environ.get(self.name.upper(), f"{sys.executable} -m {self.module}")
        return [*shlex.split(words), "-f", str(self.configuration)]

    @property
    def message_log(self) -> Path:
        """Return where the daemon logs messages."""
        return self.output / f"{self.file_prefix}msglog.json"

    @property
    def dumps(self) -> str:
        """Return what the names of the dumps look like."""
        return f"{self.file_prefix}dump-*.json"

    @property
    def daemon_log(self) -> Path:
        """Return where what the daemon says goes."""
        return self.output / f"{self.name}.log"


class Part:
    """A daemon and its routers."""

    def __init__(self, plan: Plan, screen: Screen) -> None:
        self.plan = plan
        self.crew = Crew(wanted=len(plan.routers))
        self._screen = screen
        self._rows = RowCounter(plan.message_log, plan.samples)
        self._daemon: Process | None = None
        self._routers: list[Process] = []
        self._hearing: list[asyncio.Task[None]] = []
        self._samples_shown = 0
        self._dumps_shown = False

    @property
    def pid(self) -> int:
        """Return the daemon's process id."""
        assert self._daemon is not None
        return self._daemon.pid

    async def start_daemon(self) -> None:
        """Start the daemon."""
        command = self.plan.command
        self._screen.line(f"{shlex.join(command)}    listens on {self.plan.listens_on}")
        with self.plan.daemon_log.open("wb") as log:
            self._daemon = await asyncio.create_subprocess_exec(
                *command,
                env=self.environment(),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: we end the others in order
            )

    async def start_routers(self) -> None:
        """Start the routers, which read their tables and wait."""
        for words in self.plan.routers:
            router = await asyncio.create_subprocess_exec(
                *(sys.executable, *words, "--connect", self.plan.listens_on, "--wait"),
                env=self.environment(),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,
            )
            self._routers.append(router)
            self._hearing.append(asyncio.create_task(self._hear(router)))

    async def _hear(self, router: Process) -> None:
        assert router.stdout is not None
        async for line in router.stdout:
            if text := self.crew.hear(line.decode()):
                self._screen.line(text)
        if await router.wait() and self.crew.lost is None:
            self.crew.lost = f"a router ended with status {router.returncode}"

    async def show_loading(self) -> None:
        """Let the routers connect; show progress until the last row of their tables is in the log."""
        self._screen.title(f"{self.plan.name}: tables load")
        started = time.monotonic()
        for router in self._routers:
            assert router.stdin is not None
            router.stdin.close()
        while not (self.crew.all_sent and self._rows.rows >= self.crew.routes):
            await asyncio.sleep(LOOK_EVERY)
            self.check()
            rows, now = self._rows.look(), time.monotonic()
            up = f"{len(self.crew.up)} of {self.crew.wanted} routers up"
            self._screen.progress(f"{up}   {rows:>9,} rows logged   {rows / (now - started):>9,.0f} routes/s", now)
        seconds = time.monotonic() - started
        self._screen.line(
            f"{self.crew.routes:,} routes of {self.crew.whose} held and logged in {seconds:.1f} s: "
            f"{self.crew.routes / seconds:,.0f} routes/s"
        )
        if cost := format_cost(self.pid):
            self._screen.line(f"{self.plan.name}: {cost}")
        self._screen.line(f"its message log, {self.plan.message_log}:")
        self.show_samples()

    def begin_exports(self) -> None:
        """Let the routers export flows, from their tables."""
        for router in self._routers:
            router.send_signal(signal.SIGUSR1)

    async def end_exports(self) -> None:
        """Let the routers export no more flows, and wait until none is under way."""
        for router in self._routers:
            with suppress(ProcessLookupError):
                router.send_signal(signal.SIGUSR1)
        give_up = time.monotonic() + STOP_PATIENCE
        while len(self.crew.paused) < len(self._routers) and time.monotonic() < give_up:  # noqa: ASYNC110 (another process tells)
            await asyncio.sleep(LOOK_EVERY)

    def look(self) -> str:
        """Count what was logged; return how things are."""
        rows, crew = self._rows.look(), self.crew
        return f"{self.plan.protocol}: {crew.whose}, {crew.live_updates:,} live updates sent, {rows:,} rows logged"

    def show_samples(self) -> None:
        """Show the sample rows that were found since the last call."""
        for row in self._rows.samples[self._samples_shown :]:
            self._screen.row(row)
        self._samples_shown = len(self._rows.samples)

    def show_dumps(self) -> None:
        """Show rows of the first table dumps, once they are whole."""
        if self._dumps_shown:
            return
        plan, dumps = self.plan, finished_dumps(self.plan.output, self.plan.dumps)
        if len(dumps) == self.crew.wanted:
            self._dumps_shown = True
            octets = sum(dump.stat().st_size for dump in dumps)
            files = f"{len(dumps)} file{'s' if len(dumps) > 1 else ''}, {octets / 1e6:,.0f} MB"
            self._screen.title(f"{plan.protocol}: table dumps, {plan.output}/{plan.dumps} ({files})")
            for row in last_rows(dumps[0], ('"event_type": "dump", "afi"', '"dump_close"')):
                self._screen.row(row)
            self._screen.line()

    @staticmethod
    def environment() -> dict[str, str]:
        """Return our environment, with this project first among the packages."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}

    def check(self) -> None:
        """Raise DemoError when the daemon or a router has ended."""
        assert self._daemon is not None
        if self._daemon.returncode is not None:
            raise DemoError(f"{self.plan.name} ended with status {self._daemon.returncode}")
        if self.crew.lost is not None:
            raise DemoError(self.crew.lost)

    async def stop(self) -> str | None:
        """End the daemon, then the routers, and wait until they have ended; return what is wrong with the end."""
        for task in self._hearing:
            task.cancel()
        if self._daemon is None:
            return None
        was_told = self._daemon.returncode is None
        for process in (self._daemon, *self._routers):
            await _end(process)
        if was_told and self._daemon.returncode not in (0, -signal.SIGTERM):  # the latter before it could listen to it
            return f"{self.plan.name} was told to end, and did with status {self._daemon.returncode}"
        return None


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
