"""The part of the demo about flows: routers export them, the collector resolves them, a person sees what came of it."""

import asyncio
import json
import shlex
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE

from demo_part import LOOK_EVERY, DemoError, Part
from demo_totals import Totals, sample_flows

BIN_SECONDS = 10  # of the totals in the configuration
LARGEST = "bytes,10"  # rows of the table that are shown at the end
MEMBERS_SHOWN = ("peer_ip_src", "ip_src", "ip_dst", "as_src", "as_dst", "as_path", "net_dst", "mask_dst", "bytes")


class FlowPart(Part):
    """A flow daemon, and routers that export flows beside their tables."""

    _begun = False

    async def show_flows(self) -> None:
        """Let the routers export; show what the first totals and rows say, and ask the looking glass about one."""
        plan, screen = self.plan, self._screen
        screen.title(f"{plan.name}: flows come in")
        screen.line("each router exports flows between addresses that its table covers")
        self._totals = Totals(plan.output, f"{plan.file_prefix}totals-*.json")
        self._flows = plan.output / f"{plan.file_prefix}latest.json"
        self._begun = True
        self.begin_exports()
        while not (self._totals.flows and self._flows.exists() and len(self.crew.exports) == self.crew.wanted):
            await asyncio.sleep(LOOK_EVERY)
            self.check()
            self._totals.look()
            screen.progress(
                f"{self.crew.flows:>9,} flows exported   totals are written every {BIN_SECONDS} s", time.monotonic()
            )
        samples = sample_flows(self._flows, self.crew.wanted)
        screen.title(f"{plan.name}: flows with the routes of their router, {self._flows}")
        for text in samples:
            screen.row(_short(text))
        self.show_totals()
        await self._ask_about(json.loads(samples[0]))

    def look(self) -> str:
        """Count what was written; return how things are."""
        self._totals.look()
        return f"{self.plan.protocol}: {self.crew.flows:,} exported, {self._totals.flows:,} counted"

    def show_totals(self) -> None:
        """Show the totals that were written so far."""
        totals = self._totals
        totals.look()
        seconds = len(totals.bins) * BIN_SECONDS
        self._screen.title(f"{self.plan.name}: totals by destination AS")
        self._screen.line(
            f"{totals.flows:,} flows in {seconds} s, from {self.plan.output}/{self.plan.file_prefix}totals-*.json"
        )
        self._screen.table(totals.table(BIN_SECONDS))

    async def _ask_about(self, row: dict[str, str]) -> None:
        """Ask the looking glass for the route of a flow."""
        self._screen.title("Looking glass: where does that first flow go?")
        await self._run("pmbgp", "lg.cli", "-a", row["ip_dst"], "-r", row["peer_ip_src"], "--table")
        self._screen.line(f"its row says as_path {row['as_path']}, net_dst {row['net_dst']}/{row['mask_dst']}")

    async def _ask_table(self) -> None:
        """Ask the memory plugin for the largest destinations."""
        self._screen.title("The memory plugin: where has most of it gone since the start?")
        table = str(self.plan.output / f"{self.plan.file_prefix}table.pipe")
        await self._run("pmacct", "flowcorr.client.cli", "-p", table, "-s", "-T", LARGEST)

    async def _run(self, command: str, module: str, *words: str) -> None:
        """Run a command of ours, and show what it says."""
        self._screen.line(f"{command} {shlex.join(words)}")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *words), env=self.environment(), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        answer, complaint = await process.communicate()
        if process.returncode:
            raise DemoError(f"{command} has no answer: {complaint.decode().strip()}")
        for line in answer.decode().splitlines():
            if line.strip():
                self._screen.row(line)

    async def stop(self) -> str | None:
        """End the exports first, so that everything exported is in the totals, then the daemon and its routers."""
        if self._begun:
            await self.end_exports()
            await self._ask_table()
        complaint = await super().stop()
        if self._begun:
            self.show_totals()
            lost = self._totals.flows < self.crew.flows
            why = " (this machine is too busy to fetch all datagrams in time: nfacctd_pipe_size)" if lost else ""
            self._screen.line(f"{self.crew.flows:,} flows exported, {self._totals.flows:,} flows counted{why}")
        return complaint


def _short(text: str) -> str:
    """Return the members of a row that tell most."""
    row = json.loads(text)
    return json.dumps({name: row[name] for name in MEMBERS_SHOWN})
