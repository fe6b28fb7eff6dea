"""Templates between our flow daemon and Debian's: each reads by those that only the other one was sent."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tests.flowcorr.exports import export_set, ipfix, template, v9
from tests.peers.collector import PATIENCE, at_work
from tests.peers.flow_daemon import FlowDaemon
from tests.peers.install import require
from tests.peers.route import Row
from tests.peers.siege import Host
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

FIELDS: Final = template(300, (8, 4), (2, 4), (1, 4))
FLOW: Final = export_set(300, struct.pack("!III", 0x0A000001, 3, 300))
PROTOCOLS: Final = ((v9, 0), (ipfix, 2))
#: A port and a datagram to it.
Sent: TypeAlias = tuple[int, bytes]
LISTENS: Final = "waiting for NetFlow/IPFIX templates"


class Daemon(FlowDaemon):
    """An nfacctd of whoever's on the loopback, which exchanges templates with another one."""

    def __init__(self, home: Path, command: tuple[str, ...], ports: tuple[int, int, int]) -> None:
        home.mkdir()
        self.port, templates, others = ports
        self.command = command
        settings = {
            "nfacctd_ip": "127.0.0.1",
            "aggregate": "src_host, peer_src_ip",
            "nfacctd_templates_port": templates,
            "nfacctd_templates_receiver": f"127.0.0.1:{others}",
        }
        super().__init__(Host(), home, settings)


@pytest.fixture(name="pair")
def a_pair(tmp_path: Path) -> tuple[Daemon, Daemon]:
    require("pmacct")
    one, other = reserved_port(), reserved_port()
    ours = Daemon(tmp_path / "ours", FlowDaemon.command, (reserved_port(), one, other))
    theirs = Daemon(tmp_path / "theirs", ("/usr/sbin/nfacctd",), (reserved_port(), other, one))
    return ours, theirs


def test_each_reads_by_templates_that_the_other_was_sent(pair: tuple[Daemon, Daemon]) -> None:
    """In the name of the exporter, in both protocols. Debian's does not pass on the last set of a datagram."""
    ours, theirs = pair
    with ExitStack() as stack:
        stack.callback(theirs.kill)
        stack.enter_context(at_work(ours))
        eventually(lambda: LISTENS in theirs.text, PATIENCE, "Debian's daemon")
        for number, (hears, reads, message, set_id) in enumerate(
            (*((ours, theirs, *one) for one in PROTOCOLS), *((theirs, ours, *one) for one in PROTOCOLS))
        ):
            exporter = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            address = f"127.9.1.{1 + number}"
            exporter.bind((address, 0))
            with_template, without = message(export_set(set_id, FIELDS), FLOW), message(FLOW)
            come = partial(_send_and_look, exporter, (hears.port, with_template), (reads.port, without), reads)
            [row, *_] = eventually(come, PATIENCE, f"a flow of {address}")
            assert (row["peer_ip_src"], row["ip_src"], row["packets"] % 3) == (address, "10.0.0.1", 0)


def _send_and_look(exporter: socket.socket, one: Sent, other: Sent, reads: Daemon) -> list[Row]:
    for port, octets in (one, other):
        exporter.sendto(octets, ("127.0.0.1", port))
    return reads.flows(peer_ip_src=exporter.getsockname()[0])
