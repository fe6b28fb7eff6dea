"""Captures of real routers, played with `-I`: the log is that of the recorded session of the conformance case."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.bmp_station import Station
from tests.peers.collector import read_rows
from tests.peers.program import ROOT

SHARED: Final = ROOT.parent / "shared"
CASES: Final = SHARED / "conformance" / "cases"
#: Keys that say when, by whom and of which tag, not what; times of a log_init are those of the capture.
CIRCUMSTANCES: Final = frozenset(
    {"seq", "timestamp", "timestamp_arrival", "bmp_router", "bmp_router_port", "writer_id", "label", "tag"}
)

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not CASES.exists(), reason="SKIPPED: the captures of real routers (../shared) are not beside this repository"
    ),
]


def played(home: Path, *captures: Path, **settings: object) -> tuple[list[dict[str, Any]], str]:
    """Play captures, one daemon each; return all rows and what the daemons said."""
    rows: list[dict[str, Any]] = []
    said = ""
    for number, capture in enumerate(captures):
        log, configuration = home / f"messages-{number}.json", home / f"pmbmpd-{number}.conf"
        keys = {"bmp_daemon_msglog_file": log, "bmp_daemon_max_peers": 100, **settings}
        configuration.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
        command = [*Station.command, "-f", str(configuration), "-I", str(capture)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        said += done.stdout + done.stderr
        rows += read_rows(log)
    return rows, said


def facts(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return what rows say, as a multiset."""
    kept = ({key: value for key, value in row.items() if key not in CIRCUMSTANCES} for row in rows)
    return Counter(json.dumps(row, sort_keys=True) for row in kept)


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the rows of a recorded session with lists in one string, where there are two variants."""
    variants = (CASES / name / f"exact-bmp-00{which}.json" for which in (".01", ""))
    path = next(variant for variant in variants if variant.exists())
    return [json.loads(line) for line in path.read_text().splitlines()]


NAMES: Final = (
    "200-BMP-HUAWEI-locrib_instance",
    "202-BMP-CISCO-HUAWEI-multiple-sources",
    "203-BMP-HUAWEI-dump",
    "205-BMP-6wind-FRR-peer_down",
)


@pytest.mark.parametrize("name", NAMES)
def test_replay_gives_the_recorded_rows(name: str, tmp_path: Path) -> None:
    """But for the end: there each session is over when its capture is, and its routes are deleted.

    All but 202 were recorded by a daemon with plugins, which keeps tables.
    """
    settings = {} if name.startswith("202") else {"plugins": "print"}
    rows, _ = played(tmp_path, *sorted((CASES / name).glob("*.pcap")), **settings)
    ends = [row for row in rows if row["event_type"] == "log_close"]
    assert len(ends) == len([row for row in rows if row["event_type"] == "log_init"])
    expected = facts(row for row in recorded(name) if row["event_type"] == "log")
    found = facts(row for row in rows if row["event_type"] == "log")
    assert not expected - found
    extra = [json.loads(row) for row in (found - expected).elements()]
    assert {row.get("log_type") for row in extra} <= {"delete"}


CAPTURES: Final = sorted(SHARED.glob("data/bmp/**/*.pcap"))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_capture_is_played_to_its_end(capture: Path, tmp_path: Path) -> None:
    """Rows are whole, numbered without a gap, and framed; whatever is announced and not withdrawn is deleted."""
    rows, said = played(tmp_path, capture, timestamps_since_epoch="true")
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    kinds = Counter(row["event_type"] for row in rows)
    assert kinds["log_init"] == kinds["log_close"] > 0
    assert "has been played" in said
    assert "Traceback" not in said
