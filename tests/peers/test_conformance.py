"""Captured sessions of real routers, judged by the conformance harness that lives beside this repository.

Variants that wait long for dumps, up to ten minutes, run only when CONFORMANCE=all is in the environment. Cases mostly
wait, so those of one test run side by side.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.peers.bmp_station import Station
from tests.peers.collector import COMMAND
from tests.peers.program import ROOT

HARNESS: Final = ROOT.parent / "shared" / "conformance" / "run.py"
LONG: Final = pytest.mark.skipif(
    os.environ.get("CONFORMANCE") != "all", reason="SKIPPED: takes up to ten minutes; set CONFORMANCE=all to run it"
)
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not HARNESS.exists(),
        reason="SKIPPED: the conformance harness (../shared/conformance) is not beside this repository",
    ),
]


@pytest.mark.parametrize(
    "case",
    [
        "200 202 203:00 205 206 300 301 304:00 --stand-alone",
        "100 101 103 104 110 401:00 501:00",
        pytest.param("401:01 402 501:01", marks=LONG),
        pytest.param("200 202 203:00 205 206 300 301 304:00", marks=LONG),
        pytest.param("304:01 --stand-alone", marks=LONG),
        pytest.param("304:02 --stand-alone", marks=LONG),
        pytest.param("203:01 --stand-alone", marks=LONG),
    ],
)
def test_recorded_sessions_give_the_recorded_output(case: str, tmp_path: Path) -> None:
    flows = [sys.executable, "-m", "flowcorr.daemon.nfacctd"]
    for name, command in (("pmbgpd", COMMAND), (Station.name, Station.command), ("nfacctd", flows)):
        daemon = tmp_path / name
        daemon.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)} "$@"\n')
        daemon.chmod(0o755)
    manner = ("--exact", "-j", "8", "--daemon-dir", str(tmp_path))
    judge = [sys.executable, str(HARNESS), *case.split(), *manner]
    done = subprocess.run(judge, capture_output=True, text=True, timeout=700, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
