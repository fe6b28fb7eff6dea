"""What a person asked to be measured, and what all cases share: the tables, and how rounds are compared."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from tests.bench.cases import Ground, Load
from tests.bench.play import read_updates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.daemons import Kind

ROOT: Final = Path(__file__).resolve().parents[2]
IPV4_ROUTES, IPV6_ROUTES = 1_000_000, 200_000
RECORDED_UPDATES, RECORDED_ROUTES = 316_830, 496_825


class Costly(Protocol):
    """Figures that can be compared: the fewer CPU seconds the better."""

    @property
    def cpu(self) -> float: ...


Figures = TypeVar("Figures", bound=Costly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the person asked for."""

    scale: float
    rounds: int
    without: Sequence[str]
    generator: Sequence[str]
    recorded: Path | None

    def among(self, kinds: Sequence[Kind]) -> list[Kind]:
        """Return those of the kinds that take part."""
        return [kind for kind in kinds if kind.present and kind.name not in self.without]


class Measuring:
    """The ground on which daemons run, and the tables that they are fed."""

    def __init__(self, plan: Plan, folder: Path, first_port: int) -> None:
        self.plan = plan
        self.ground = Ground(folder / "runs", first_port)
        self.folder = folder

    def view(self, view: int, ipv4: int, ipv6: int) -> bytes:
        """Return one neighbour's view of a table of some size."""
        path = self.folder / f"{ipv4}-{ipv6}-{view}.bgp"
        if not path.exists():
            sizes = ("--prefixes", str(ipv4), "--v6", str(ipv6), "--peer", str(view))
            subprocess.run([*self.plan.generator, str(path), *sizes], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        return read_updates(path)

    def views(self, count: int, routes: int) -> list[bytes]:
        """Return so many views of a table of so many routes, nine in ten of them of IPv4."""
        return [self.view(view, routes * 9 // 10, routes // 10) for view in range(count)]

    def full_views(self, count: int) -> tuple[list[bytes], int]:
        """Return so many views of a table like the Internet's, and the routes in each."""
        ipv4, ipv6 = int(IPV4_ROUTES * self.plan.scale), int(IPV6_ROUTES * self.plan.scale)
        return [self.view(view, ipv4, ipv6) for view in range(count)], ipv4 + ipv6

    def recorded(self) -> bytes | None:
        """Return the recorded stream, if there is one."""
        return None if self.plan.recorded is None else read_updates(self.plan.recorded, RECORDED_UPDATES)

    def best(
        self, measure: Callable[[Ground, Kind, Load], Figures], kinds: Sequence[Kind], load: Load
    ) -> dict[str, Figures]:
        """Let the daemons take turns, and keep each one's cheapest round."""
        best: dict[str, Figures] = {}
        for _ in range(self.plan.rounds):
            for kind in self.plan.among(kinds):
                figures = measure(self.ground, kind, load)
                sys.stderr.write(f"{load.name}, {load.peers} peers, {kind.name}: {figures}\n")
                if kind.name not in best or figures.cpu < best[kind.name].cpu:
                    best[kind.name] = figures
        return best
