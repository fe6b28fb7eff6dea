"""Show what the collector does: start it, let four routers play real tables and updates into it, and watch.

    make run                          until Ctrl-C
    DEMO_SECONDS=60 make run          for a minute
    PMBGPD=/usr/sbin/pmbgpd make run  the same with another pmbgpd

Every number is counted here, in the files that the daemon writes. Exit status: 0, or 1 when the daemon or a router
fails.
"""

import asyncio
import os
import shlex
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

from demo_screen import Screen
from demo_watch import Crew, RowCounter, finished_dumps, format_cost, last_rows

ROOT = Path(__file__).parent.parent
EXAMPLES = Path("examples")
OUTPUT = Path("demo-output")
CONFIGURATION = EXAMPLES / "quickstart.conf"
MSGLOG = OUTPUT / "msglog.json"
DAEMON_LOG = OUTPUT / "pmbgpd.log"
COLLECTOR = "127.0.0.1:10179"
TABLE = EXAMPLES / "data" / "routeviews.route-views.jinx.ribs.1401487200.bz2"
UPDATES = EXAMPLES / "data" / "routeviews.route-views.jinx.updates.1427846400.bz2"

#: The routers: address, AS, and what of the recording they play.
SPEAKERS = (
    ("127.0.0.11", 30844, ("--peer", "5", "--updates", str(UPDATES))),
    ("127.0.0.12", 37105, ("--peer", "4", "--peer", "11")),
    ("127.0.0.13", 3741, ("--peer", "0", "--peer", "8")),
    ("127.0.0.14", 65014, ("--peer", "5", "--limit", "100000")),
)

LOOK_EVERY = 0.05  # seconds between looks at the message log while tables load
TELL_EVERY = 1.0  # seconds between lines about live updates
STOP_PATIENCE = 15  # seconds that a process gets to end by itself
LOG_TAIL_LINES = 20

#: What the sample rows of the message log hold.
SAMPLES = ('"log_init"', '"afi": 1', '"afi": 2', '"withdraw"')


class DemoError(Exception):
    """The demo cannot go on."""


class Demo:
    """The daemon, its routers, and what a person gets to see of them."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._crew = Crew(wanted=len(SPEAKERS))
        self._rows = RowCounter(MSGLOG, SAMPLES)
        self._speakers: list[Process] = []
        self._hearing: list[asyncio.Task[None]] = []
        self._samples_shown = 0
        self._dumps_shown = False

    async def run(self) -> None:
        """Start everything and show it until cancelled; raise DemoError when something fails."""
        self._prepare_output()
        command = shlex.split(os.environ.get("PMBGPD", f"{sys.executable} -m routed.daemon.pmbgpd"))
        self._screen.title("Collector")
        self._screen.line(f"{shlex.join(command)} -f {CONFIGURATION}    listens on {COLLECTOR}")
        with DAEMON_LOG.open("wb") as log:
            self._daemon = await asyncio.create_subprocess_exec(
                *(*command, "-f", str(CONFIGURATION)),
                env=_environment(),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: we end the others in order
            )
        try:
            await self._start_speakers()
            await self._show_reading()
            await self._show_loading()
            self._screen.title(f"Message log: {MSGLOG}")
            self._show_samples()
            self._show_how_to_ask()
            await self._show_live()
        finally:
            await self._stop()

    def _prepare_output(self) -> None:
        OUTPUT.mkdir(exist_ok=True)
        for old in OUTPUT.iterdir():
            if old.is_symlink() or old.is_file():
                old.unlink()

    async def _start_speakers(self) -> None:
        self._screen.title("Routers")
        self._screen.line(f"each reads its part of {TABLE.name}, then all connect at once")
        for address, asn, what in SPEAKERS:
            command = (
                *(sys.executable, str(EXAMPLES / "speaker.py")),
                *("--connect", COLLECTOR, "--bind", address, "--asn", str(asn), "--table", str(TABLE), "--wait", *what),
            )
            speaker = await asyncio.create_subprocess_exec(
                *command, env=_environment(), stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            self._speakers.append(speaker)
            self._hearing.append(asyncio.create_task(self._hear(speaker)))

    async def _hear(self, speaker: Process) -> None:
        assert speaker.stdout is not None
        async for line in speaker.stdout:
            if text := self._crew.hear(line.decode()):
                self._screen.line(text)
        if await speaker.wait() and self._crew.lost is None:
            self._crew.lost = f"a router ended with status {speaker.returncode}"

    async def _show_reading(self) -> None:
        """Show progress until every router could start."""
        while not self._crew.all_read:
            await self._look_after(LOOK_EVERY)
            self._screen.progress(f"{len(self._crew.read)} of {len(SPEAKERS)} tables read", time.monotonic())

    async def _show_loading(self) -> None:
        """Let the routers connect; show progress until the last row of their tables is in the log."""
        started = time.monotonic()
        for speaker in self._speakers:
            assert speaker.stdin is not None
            speaker.stdin.close()
        while not (self._crew.all_sent and self._rows.rows >= self._crew.routes):
            await self._look_after(LOOK_EVERY)
            rows, now = self._rows.look(), time.monotonic()
            rate = rows / (now - started)
            self._screen.progress(
                f"{len(self._crew.up)} of {len(SPEAKERS)} peers up   {rows:>9,} rows logged   {rate:>9,.0f} routes/s",
                now,
            )
        seconds = time.monotonic() - started
        self._screen.title("Tables loaded")
        self._screen.line(
            f"{self._crew.routes:,} routes of {len(SPEAKERS)} peers held and logged in {seconds:.1f} s: "
            f"{self._crew.routes / seconds:,.0f} routes/s"
        )
        if cost := format_cost(self._daemon.pid):
            self._screen.line(f"the daemon: {cost}")

    def _show_samples(self) -> None:
        """Show the sample rows that were found since the last call."""
        for row in self._rows.samples[self._samples_shown :]:
            self._screen.row(row)
        self._samples_shown = len(self._rows.samples)

    def _show_how_to_ask(self) -> None:
        self._screen.title("Ask further, in another terminal")
        for command, purpose in (
            (f"tail -f {MSGLOG}", "routes as they come and go"),
            (f"tail -f {MSGLOG} | jq -c '[.log_type, .ip_prefix, .as_path]'", "only what matters"),
            (f"jq -c 'select(.ip_prefix == \"8.8.8.0/24\")' {OUTPUT}/dump-*.json", "one prefix, all peers"),
            (f"$EDITOR {EXAMPLES}/quickstart.tags; kill -USR2 {self._daemon.pid}", "tag the peers otherwise"),
            (f"mv {MSGLOG} {MSGLOG}.old; kill -HUP {self._daemon.pid}", "rotate the log"),
            (f"less {DAEMON_LOG}", "what the daemon says"),
        ):
            self._screen.line(f"  {command}")
            self._screen.line(f"      {purpose}")

    async def _show_live(self) -> None:
        self._screen.title("Live updates (Ctrl-C ends)")
        self._screen.line("tables are dumped at every full minute")
        while True:
            await self._look_after(TELL_EVERY)
            rows = self._rows.look()
            self._screen.progress(
                f"{len(self._crew.up)} peers up   {self._crew.live_updates:,} live updates sent   {rows:,} rows logged",
                time.monotonic(),
            )
            self._show_samples()
            self._show_dumps()

    def _show_dumps(self) -> None:
        """Show rows of the first table dumps, once they are whole."""
        if self._dumps_shown:
            return
        dumps = finished_dumps(OUTPUT)
        if len(dumps) == len(SPEAKERS):
            self._dumps_shown = True
            octets = sum(dump.stat().st_size for dump in dumps)
            self._screen.title(f"Table dumps: {OUTPUT}/dump-*.json ({len(dumps)} files, {octets / 1e6:,.0f} MB)")
            for row in last_rows(dumps[0], ('"dump"', '"dump_close"')):
                self._screen.row(row)
            self._screen.line()

    async def _look_after(self, seconds: float) -> None:
        """Let time pass; raise DemoError when the daemon or a router has ended."""
        await asyncio.sleep(seconds)
        if self._daemon.returncode is not None:
            raise DemoError(f"the daemon ended with status {self._daemon.returncode}")
        if self._crew.lost is not None:
            raise DemoError(self._crew.lost)

    async def _stop(self) -> None:
        """End the daemon, then the routers, and wait until they have ended."""
        for task in self._hearing:
            task.cancel()
        for process in (self._daemon, *self._speakers):
            await _end(process)


def _environment() -> dict[str, str]:
    """Return our environment, with this project first among the packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()


def _show_failure(screen: Screen, error: DemoError) -> None:
    screen.title(f"Failed: {error}")
    if DAEMON_LOG.exists():
        screen.line(f"the last of {DAEMON_LOG}:")
        for line in DAEMON_LOG.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]:
            screen.line(f"  {line}")


async def main() -> int:
    """Run the demo for DEMO_SECONDS, or until it is interrupted."""
    os.chdir(ROOT)  # the configuration names its files from there
    screen = Screen()
    demo = asyncio.create_task(Demo(screen).run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, demo.cancel)
    seconds = os.environ.get("DEMO_SECONDS")
    try:
        await asyncio.wait_for(demo, float(seconds) if seconds else None)
    except (asyncio.CancelledError, TimeoutError):
        screen.title("Stopped")
        screen.line(f"everything that was written is in {OUTPUT}/")
        return 0
    except DemoError as error:
        _show_failure(screen, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
