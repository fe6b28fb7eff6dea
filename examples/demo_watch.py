"""What the demo sees: the rows that the daemons write, and what the routers tell."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK_OCTETS = 1 << 20
_TAIL_OCTETS = 1 << 20


class RowCounter:
    """Counts the lines of a growing file, reading each octet once; keeps the first line with each of some texts."""

    def __init__(self, path: Path, wanted: tuple[str, ...] = ()) -> None:
        self._path = path
        self._at = 0
        self._wanted = list(wanted)
        self.rows = 0
        self.samples: list[str] = []

    def look(self) -> int:
        """Count what was written since the last look; return all rows so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                while block := file.read(_BLOCK_OCTETS):
                    self.rows += block.count(b"\n")
                    self._sample(block)
                    self._at += len(block)
        return self.rows

    def _sample(self, block: bytes) -> None:
        for text in tuple(self._wanted):
            if (at := block.find(text.encode())) < 0:
                continue
            start, end = block.rfind(b"\n", 0, at), block.find(b"\n", at)
            if (start >= 0 or not self._at) and end >= 0:  # else the row is cut where two looks meet
                self.samples.append(block[start + 1 : end].decode(errors="replace"))
                self._wanted.remove(text)


@dataclass(slots=True)
class Crew:
    """What the routers of one daemon have told so far, by their address."""

    wanted: int
    read: dict[str, int] = field(default_factory=dict)
    up: dict[str, int] = field(default_factory=dict)
    monitored: dict[str, int] = field(default_factory=dict)  # peers that a router shows
    sent: dict[str, int] = field(default_factory=dict)
    live_updates: int = 0
    flows: int = 0
    exports: dict[str, str] = field(default_factory=dict)  # and what they speak
    paused: set[str] = field(default_factory=set)
    lost: str | None = None

    def hear(self, line: str) -> str | None:
        """Take one line of a router; return what a person should read of it."""
        told = json.loads(line)
        who, asn = told["speaker"], told["asn"]
        text = self._take(told, who, asn)
        return None if text is None else f"{who}  AS{asn:<6} {text}"

    def _take(self, told: dict[str, Any], who: str, asn: int) -> str | None:
        text = None
        match told["event"]:
            case "table read":
                self.read[who] = told["routes"]
                text = f"has read {told['routes']:>7,} routes with {told['attribute_sets']:,} different attribute sets"
            case "ribs read":
                self.monitored[who] = told["peers"]
                self.read[who] = told["pre"] + told["post"] + told["loc"]
                ribs = (
                    f"{told['pre']:,} routes before its policy, {told['post']:,} behind it, {told['loc']:,} best ones"
                )
                text = f"has read {told['peers']} peers: {ribs}"
            case "established":
                self.up[who] = asn
                text = f"is up, hold time {told['hold_time']} s"
            case "router up":
                self.up[who] = asn
                text = f"is up: router {told['name']}, {told['peers']} peers and a Loc-RIB follow"
            case "table sent":
                self.sent[who] = told["routes"]
                text = f"has sent its table: {told['routes']:,} routes in {told['seconds']:.2f} s"
            case "peer up" | "peer down" as event:
                text = f"says: {event}, {told['peer']} AS{told['peer_as']}"
            case "live":
                self.live_updates += told["updates"]
            case "flows" | "flows paused":
                text = self._take_flows(told, who)
            case "lost":
                self.lost = f"{who}  AS{asn} lost its session: {told['why']}"
        return text

    def _take_flows(self, told: dict[str, Any], who: str) -> str | None:
        if told["event"] == "flows paused":
            self.paused.add(who)
            return None
        self.flows += told["flows"]
        if who in self.exports:
            return None
        self.exports[who] = told["protocol"]
        return f"exports flows, {told['protocol']}"

    @property
    def routes(self) -> int:
        """Routes that the tables hold together."""
        return sum(self.read.values())

    @property
    def whose(self) -> str:
        """Say whose routes they are."""
        return f"{sum(self.monitored.values())} monitored peers" if self.monitored else f"{self.wanted} peers"

    @property
    def all_read(self) -> bool:
        """Tell whether every router has read its table and waits for the start."""
        return len(self.read) == self.wanted

    @property
    def all_sent(self) -> bool:
        """Tell whether every router has sent its table."""
        return len(self.sent) == self.wanted


def last_rows(path: Path, wanted: tuple[str, ...]) -> list[str]:
    """Return, of the rows near the end of a file, the last that holds each of these texts."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_OCTETS))
        rows = file.read().decode(errors="replace").split("\n")[1:-1]
    found = (next((row for row in reversed(rows) if text in row), None) for text in wanted)
    return [row for row in found if row]


def finished_dumps(directory: Path, names: str) -> list[Path]:
    """Return the table dumps, the largest first; none while one of them is still being written."""
    dumps = sorted(directory.glob(names), key=lambda path: path.stat().st_size, reverse=True)
    return dumps if all(last_rows(dump, ('"dump_close"',)) for dump in dumps) else []


def format_cost(pid: int, proc: Path = Path("/proc")) -> str:
    """Return what a process has cost so far; empty where the system does not tell."""
    try:
        times = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        pages = int((proc / str(pid) / "statm").read_text().split()[1])
    except FileNotFoundError:
        return ""
    seconds = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return f"{seconds:.1f} CPU seconds since its start, {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:,.0f} MB resident"
