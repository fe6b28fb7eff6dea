"""The configuration of the quick start is right, and the demo that runs it works from start to end."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "demo-output"
PORTS = (10179, 10180, 11790, 17900)
FLOW_PORT = 2100


@pytest.fixture
def _alone() -> Iterator[None]:
    """Demos share ports and a folder: other workers wait."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def _free_ports(_alone: None) -> None:
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                pytest.skip(f"NOT TESTED: the demo needs port {port}, which is taken (another demo?)")
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", FLOW_PORT))
        except OSError:
            pytest.skip(f"NOT TESTED: the demo needs UDP port {FLOW_PORT}, which is taken (another demo?)")


def text_to_number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize(
    ("daemon", "configuration"),
    [
        ("routed.daemon.pmbgpd", "quickstart.conf"),
        ("routed.daemon.pmbmpd", "quickstart-bmp.conf"),
        ("flowcorr.daemon.nfacctd", "quickstart-flows.conf"),
    ],
)
def test_the_daemon_has_nothing_to_say_against_the_configuration(daemon: str, configuration: str) -> None:
    command = [sys.executable, "-m", daemon, "-f", f"examples/{configuration}", "-T", "config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stdout + done.stderr
    assert "ERROR" not in done.stdout + done.stderr


@pytest.mark.peers
@pytest.mark.usefixtures("_free_ports")
def test_the_demo_loads_its_tables_and_ends_when_told() -> None:
    command = [sys.executable, "examples/demo.py"]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1) as demo:
        for line in demo.stdout:
            lines.append(line.rstrip())
            if line.startswith("== Live updates"):
                demo.send_signal(signal.SIGINT)
    text = "\n".join(lines)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    assert demo.returncode == 0, text
    assert "601,040 routes of 4 peers held and logged" in text
    assert "50,000 routes of 1 peers held and logged" in text
    assert "693,556 routes of 14 monitored peers held and logged" in text
    assert text.count("is up, hold time 90 s") == 5
    assert text.count("exports flows, IPFIX") == 2
    assert text.count("exports flows, NetFlow v") == 2
    sent, counted = map(text_to_number, re.search(r"([\d,]+) flows exported, ([\d,]+) flows counted", text).groups())
    assert sent
    assert counted  # less than was sent, where a machine with much else to do drops datagrams
    prefix = re.search(r"its row says as_path \S+, net_dst (\S+)", text)[1]
    assert f" {prefix} " in text.partition("Looking glass: where")[2].partition("its row says")[0]
    assert "everything that was written is in demo-output/" in text


@pytest.mark.peers
@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("daemon", ["nfacctd", "pmbgpd", "pmbmpd"])
def test_a_daemon_that_dies_ends_the_demo_with_its_last_words(daemon: str) -> None:
    environment = {**os.environ, daemon.upper(): "sh -c 'echo its last words; exit 3'"}
    command = [sys.executable, "examples/demo.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    assert done.returncode == 1
    assert f"{daemon} ended with status 3" in done.stdout
    assert "its last words" in done.stdout
