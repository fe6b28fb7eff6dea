"""Show what the collectors do: start them, let routers play real tables and flows into them, and watch.

    make run                            until Ctrl-C
    DEMO_SECONDS=90 make run            for a minute and a half
    PMBGPD=/usr/sbin/pmbgpd make run    the same with another pmbgpd; PMBMPD likewise

Four routers speak BGP to nfacctd and export flows to it, in NetFlow v5, v9 and IPFIX; each flow gets the route that its
router has for it. Beside that, the routing plane alone: one router speaks BGP to pmbgpd, another one BMP to pmbmpd and
shows fourteen peers, before and after its policy, and its Loc-RIB. Every number is counted here, in the files that the
daemons write. Exit status: 0, or 1 when a daemon or a router fails.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from demo_flows import FlowPart
from demo_part import LOOK_EVERY, ROOT, DemoError, Part, Plan
from demo_screen import Screen

EXAMPLES = Path("examples")
OUTPUT = Path("demo-output")
TABLE = EXAMPLES / "data" / "routeviews.route-views.jinx.ribs.1401487200.bz2"
UPDATES = EXAMPLES / "data" / "routeviews.route-views.jinx.updates.1427846400.bz2"

TELL_EVERY = 1.0  # seconds between lines about live updates
LOG_TAIL_LINES = 20


def _speaker(address: str, asn: int, *what: str) -> tuple[str, ...]:
    return (str(EXAMPLES / "speaker.py"), "--bind", address, "--asn", str(asn), "--table", str(TABLE), *what)


FLOWS_TO = "127.0.0.1:2100"


def _exporter(address: str, asn: int, version: int, *what: str) -> tuple[str, ...]:
    return _speaker(address, asn, "--export", FLOWS_TO, "--export-version", str(version), *what)


FLOWS = Plan(
    name="nfacctd",
    module="flowcorr.daemon.nfacctd",
    protocol="flows",
    configuration=EXAMPLES / "quickstart-flows.conf",
    listens_on="127.0.0.1:10180",
    output=OUTPUT,
    file_prefix="flows-",
    routers=(
        _exporter("127.0.0.11", 30844, 10, "--peer", "5", "--updates", str(UPDATES)),
        _exporter("127.0.0.12", 37105, 9, "--peer", "4", "--peer", "11"),
        _exporter("127.0.0.13", 3741, 5, "--peer", "0", "--peer", "8"),
        _exporter("127.0.0.14", 65014, 10, "--peer", "5", "--limit", "100000"),
    ),
    samples=('"afi": 1',),
)
BGP = Plan(
    name="pmbgpd",
    module="routed.daemon.pmbgpd",
    protocol="BGP",
    configuration=EXAMPLES / "quickstart.conf",
    listens_on="127.0.0.1:10179",
    output=OUTPUT,
    file_prefix="",
    routers=(_speaker("127.0.0.15", 30844, "--peer", "5", "--limit", "50000", "--updates", str(UPDATES)),),
    samples=('"log_init"', '"afi": 1', '"withdraw"'),
)
BMP = Plan(
    name="pmbmpd",
    module="routed.daemon.pmbmpd",
    protocol="BMP",
    configuration=EXAMPLES / "quickstart-bmp.conf",
    listens_on="127.0.0.1:11790",
    output=OUTPUT,
    file_prefix="bmp-",
    routers=(
        (
            *(str(EXAMPLES / "bmp_router.py"), "--bind", "127.0.0.21", "--asn", "6447", "--name", "jinx"),
            *("--table", str(TABLE), "--updates", str(UPDATES)),
        ),
    ),
    samples=(
        '"peer_up"',
        '"bmp_rib_type": "Adj-Rib-In Post-Policy"',
        '"bmp_rib_type": "Loc-Rib", "is_filtered": 0, "is_loc": 1, "bgp_id"',
        '"stats"',
        '"peer_down"',
        '"delete"',
    ),
)


class Demo:
    """All daemons, one after the other as far as a person can follow."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._flows = FlowPart(FLOWS, screen)
        self._parts = (self._flows, Part(BGP, screen), Part(BMP, screen))
        self.has_shown_all = False

    async def run(self) -> None:
        """Start everything and show it until cancelled; raise DemoError when something fails."""
        has_failed = False
        try:
            await self._show()
        except DemoError:
            has_failed = True
            raise
        finally:
            complaints = await asyncio.gather(*(part.stop() for part in self._parts))
            for complaint in filter(None, complaints):
                if not has_failed:
                    raise DemoError(complaint)

    async def _show(self) -> None:
        self._prepare_output()
        self._screen.title("Collectors")
        for part in self._parts:
            await part.start_daemon()
        self._screen.title("Routers")
        self._screen.line(f"each reads its part of a recorded Internet table first, {TABLE.name}")
        for part in self._parts:
            await part.start_routers()
        await self._show_reading()
        await self._flows.show_loading()
        await self._flows.show_flows()
        for part in self._parts[1:]:
            await part.show_loading()
        self._show_how_to_ask()
        await self._show_live()

    def _prepare_output(self) -> None:
        OUTPUT.mkdir(exist_ok=True)
        for old in OUTPUT.iterdir():
            if old.is_symlink() or old.is_file():
                old.unlink()

    async def _show_reading(self) -> None:
        """Show progress until every router could start."""
        crews = [part.crew for part in self._parts]
        while not all(crew.all_read for crew in crews):
            await self._look_after(LOOK_EVERY)
            read, wanted = sum(len(crew.read) for crew in crews), sum(crew.wanted for crew in crews)
            self._screen.progress(f"{read} of {wanted} tables read", time.monotonic())

    def _show_how_to_ask(self) -> None:
        _, bgp, bmp = self._parts
        self._screen.title("Ask further, in another terminal")
        for command, purpose in (
            (
                f"{Path(sys.executable).parent}/pmbgp -a 8.8.8.8 -r 127.0.0.11 --table",
                "where a router sends an address; -h shows other questions",
            ),
            (
                f"jq -c 'select(.as_dst == 15169)' {OUTPUT}/flows-totals-latest.json",
                "what went to an AS, of ten seconds; aggregate in the configuration says what is summed",
            ),
            (f"tail -f {BGP.message_log}", "routes as they come and go; flows- or bmp- in front: those of the others"),
            (f"grep -v ip_prefix {BMP.message_log}", "what the BMP router says of itself and its peers"),
            (
                f"jq -c 'select(.ip_prefix == \"8.8.8.0/24\")' {OUTPUT}/*dump-*.json",
                "one prefix, all peers, in all RIBs (a minute from now)",
            ),
            (f"$EDITOR {EXAMPLES}/quickstart.tags; kill -USR2 {bgp.pid}", "tag the peers otherwise"),
            (f"mv {BMP.message_log} {BMP.message_log}.old; kill -HUP {bmp.pid}", "rotate a log"),
            (f"less {FLOWS.daemon_log} {BGP.daemon_log} {BMP.daemon_log}", "what the daemons say"),
        ):
            self._screen.line(f"  {command}")
            self._screen.line(f"      {purpose}")

    async def _show_live(self) -> None:
        self.has_shown_all = True
        self._screen.title("Live updates (Ctrl-C ends)")
        self._screen.line("tables are dumped at every full minute")
        while True:
            await self._look_after(TELL_EVERY)
            self._screen.progress("   ".join(part.look() for part in self._parts), time.monotonic())
            for part in self._parts:
                part.show_samples()
                part.show_dumps()

    async def _look_after(self, seconds: float) -> None:
        """Let time pass; raise DemoError when a daemon or a router has ended."""
        await asyncio.sleep(seconds)
        for part in self._parts:
            part.check()


def _show_failure(screen: Screen, error: DemoError) -> None:
    screen.title(f"Failed: {error}")
    for log in (FLOWS.daemon_log, BGP.daemon_log, BMP.daemon_log):
        if log.exists():
            screen.line(f"the last of {log}:")
            for line in log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]:
                screen.line(f"  {line}")


async def main() -> int:
    """Run the demo for DEMO_SECONDS, or until it is interrupted."""
    os.chdir(ROOT)  # the configurations name their files from there
    screen = Screen()
    demo = Demo(screen)
    running = asyncio.create_task(demo.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    seconds = os.environ.get("DEMO_SECONDS")
    try:
        await asyncio.wait_for(running, float(seconds) if seconds else None)
    except (asyncio.CancelledError, TimeoutError) as ended:
        screen.title("Stopped")
        if isinstance(ended, TimeoutError) and not demo.has_shown_all:
            screen.line("DEMO_SECONDS were over before everything could be shown: this machine needs more of them")
        screen.line(f"everything that was written is in {OUTPUT}/")
        return 0
    except DemoError as error:
        _show_failure(screen, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
