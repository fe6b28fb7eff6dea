"""Faults under flows: a daemon that is killed keeps its templates, a full disk costs no row and is told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.flowcorr.exports import v9
from tests.peers.collector import PATIENCE, at_work
from tests.peers.disk import Disk, small_disk
from tests.peers.flow_daemon import LAYOUT, LoopbackDaemon, flow
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

#: Until a row is tried again and written; the pauses between two tries grow. Units: seconds.
LONG: Final = 2 * PATIENCE


class Troubled(LoopbackDaemon):
    """A daemon whose log may have errors: those of the disk."""

    def stop(self) -> None:
        """Stop the daemon and demand that it was a good daemon to the end."""
        assert self.running, f"the daemon had left:\n{self.text}"
        status = self._program.stop(signal.SIGINT)
        errors = [line for line in self.text.splitlines() if "ERROR" in line and "No space left on device" not in line]
        assert (status, errors, "Traceback" in self.text) == (0, [], False), self.text


def test_a_daemon_that_is_killed_keeps_its_templates(tmp_path: Path) -> None:
    port, kept = reserved_port(), tmp_path / "templates"
    first = LoopbackDaemon(tmp_path, port, nfacctd_templates_file=kept)
    try:
        first.ready()
        first.send(v9(LAYOUT, flow(1)))
        first.wait_for_flows(1, ip_src="10.0.0.1")
        eventually(kept.exists, PATIENCE, "templates on disk")
        first.send(v9(flow(2)))
    finally:
        first.kill()
    with at_work(LoopbackDaemon(tmp_path, port, nfacctd_templates_file=kept)) as second:
        second.send(v9(flow(3)))
        [row] = second.wait_for_flows(1, ip_src="10.0.0.3")
        assert (row["packets"], row["bytes"]) == (3, 300)


@pytest.fixture(name="disk")
def a_disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def test_a_full_disk_costs_no_row_and_is_told(disk: Disk, tmp_path: Path) -> None:
    """Rows wait for the disk in memory, each once; so do the templates, which are written later."""
    rows, kept = disk.place / "flows.json", disk.place / "templates"
    keys = {"print_output_file": rows, "print_max_writers": 99, "nfacctd_templates_file": kept}
    with at_work(Troubled(tmp_path, reserved_port(), **keys)) as daemon:
        daemon.send(v9(LAYOUT, flow(1)))
        eventually(lambda: rows.exists() and b"10.0.0.1" in rows.read_bytes(), PATIENCE, "the first row")
        disk.fill()
        daemon.send(v9(*(flow(number) for number in range(2, 202))))
        daemon.wait_for_text("No space left on device: retrying")
        daemon.send(v9(flow(300)))
        disk.empty()
        eventually(lambda: b'"10.0.1.44"' in rows.read_bytes(), LONG, "the last row")
        daemon.wait_for_text("written again")
    text = rows.read_text()
    assert [text.count(f'"10.0.0.{number}"') for number in range(1, 202)] == [1] * 201
