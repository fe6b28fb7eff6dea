"""Several flow daemons on one port: the kernel spreads exporters over them, and no flow is lost or counted twice."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.flowcorr.exports import export_set, template, v9
from tests.peers.collector import PATIENCE, at_work
from tests.peers.flow_daemon import FlowDaemon
from tests.peers.siege import Host
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

#: So many that no daemon is left out, whatever the kernel's hash: two to the power of minus 63 is the chance.
EXPORTERS: Final = 64
LAYOUT: Final = export_set(0, template(300, (8, 4), (2, 4), (1, 4)))


class Sharing(FlowDaemon):
    """An nfacctd on a port of the machine that others have too."""

    def __init__(self, home: Path, port: int) -> None:
        home.mkdir()
        self.port = port
        super().__init__(Host(), home, {"aggregate": "src_host, peer_src_ip, flows"})


def test_each_exporter_is_read_by_one_daemon_with_its_templates(tmp_path: Path) -> None:
    port = reserved_port()
    with ExitStack() as stack:
        daemons = []
        for name in ("first", "second"):
            daemons.append(stack.enter_context(at_work(Sharing(tmp_path / name, port))))
            # the port is there with the first one: the log says when the second one has it
            daemons[-1].wait_for_text("waiting for NetFlow/IPFIX data")
        exporters = []
        for number in range(EXPORTERS):
            exporter = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            exporter.bind((f"127.9.7.{number + 1}", 0))
            exporter.connect(("127.0.0.1", port))
            exporters.append(exporter)
            exporter.send(v9(LAYOUT))
        for number, exporter in enumerate(exporters):
            for turn in range(2):
                record = struct.pack("!III", 0x0A000000 + number, 3, 300)
                exporter.send(v9(export_set(300, record), sequence=2 + turn))

        def counted() -> bool:
            return sum(row["flows"] for daemon in daemons for row in daemon.flows()) >= 2 * EXPORTERS

        eventually(counted, PATIENCE, "all flows")
        seen = [{row["ip_src"] for row in daemon.flows()} for daemon in daemons]
        assert all(seen)
        assert not seen[0] & seen[1]
        assert len(seen[0] | seen[1]) == EXPORTERS
        assert sum(row["flows"] for daemon in daemons for row in daemon.flows()) == 2 * EXPORTERS
