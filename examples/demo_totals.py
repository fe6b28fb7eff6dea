"""What the demo makes of the flows that the collector has written: their totals by destination AS, as a table."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

LARGEST = 10  # destination ASes that the table shows
_LOOK_BACK_OCTETS = 1 << 20


@dataclass(slots=True)
class AsTotal:
    """What went to one AS, and by which paths."""

    octets: int = 0
    packets: int = 0
    flows: int = 0
    octets_of_paths: Counter[str] = field(default_factory=Counter)

    @property
    def main_path(self) -> str:
        """Return the AS path that most of it took."""
        [(path, _)] = self.octets_of_paths.most_common(1)
        return path.replace("_", " ")


class Totals:
    """Sums of all rows in the files of a folder; each file is read once, a file that grew from where it ended."""

    def __init__(self, folder: Path, names: str) -> None:
        self._folder, self._names = folder, names
        self._read: dict[Path, int] = {}
        self.of_as: dict[int, AsTotal] = {}
        self.bins: set[str] = set()

    @property
    def flows(self) -> int:
        """Return how many flows were counted."""
        return sum(total.flows for total in self.of_as.values())

    @property
    def octets(self) -> int:
        """Return the octets of all flows."""
        return sum(total.octets for total in self.of_as.values())

    def look(self) -> None:
        """Read what was written since the last look."""
        for path in sorted(self._folder.glob(self._names)):
            if path.is_symlink():
                continue
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                octets = file.read()
            end = octets.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + end
            for line in octets[:end].splitlines():
                self._add(json.loads(line))

    def _add(self, row: dict[str, Any]) -> None:
        total = self.of_as.setdefault(row["as_dst"], AsTotal())
        total.octets += row["bytes"]
        total.packets += row["packets"]
        total.flows += row["flows"]
        total.octets_of_paths[row["as_path"]] += row["bytes"]
        self.bins.add(row["stamp_inserted"])

    def table(self, seconds_of_bin: int) -> Table:
        """Return the ASes that most octets went to."""
        table = Table(box=SIMPLE_HEAD)
        table.add_column("destination AS", justify="right")
        for name in ("Mbit/s", "share", "packets", "flows"):
            table.add_column(name, justify="right")
        table.add_column("AS path of most of it")
        seconds = max(1, len(self.bins)) * seconds_of_bin
        largest = sorted(self.of_as.items(), key=lambda item: item[1].octets, reverse=True)[:LARGEST]
        for asn, total in largest:
            numbers = (
                f"{total.octets * 8 / seconds / 1e6:,.2f}",
                f"{total.octets / self.octets:.1%}",
                f"{total.packets:,}",
                f"{total.flows:,}",
            )
            table.add_row(str(asn) if asn else "no route", *numbers, total.main_path)
        others = len(self.of_as) - len(largest)
        if others > 0:
            octets = self.octets - sum(total.octets for _, total in largest)
            rest = f"{octets * 8 / seconds / 1e6:,.2f}", f"{octets / self.octets:.1%}"
            table.add_row(f"{others:,} others", *rest)
        return table


def sample_flows(path: Path, exporters: int) -> list[str]:
    """Return a row of each of so many exporters, of what stands first in a file: the one that passes the most ASes."""
    with path.open("rb") as file:
        rows = file.read(_LOOK_BACK_OCTETS).decode().split("\n")[:-1]
    best: dict[str, tuple[int, str]] = {}
    for text in rows:
        row = json.loads(text)
        length, exporter = len(set(row["as_path"].split("_"))), row["peer_ip_src"]
        if exporter not in best or length > best[exporter][0]:
            best[exporter] = (length, text)
    return [text for _, (_, text) in sorted(best.items())][:exporters]
