"""A real exporter of flows: nfdump's collector keeps what we send, its replayer sends it again in its own way."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import pytest

from flowcorr.service._udp import Receiver
from flowcorr.service.udp_socket import UdpSettings, open_udp
from tests.flowcorr.exports import Input, v5, v5_record
from tests.peers.install import require
from tests.peers.waiting import eventually

#: A busy machine takes its time. Units: seconds.
PATIENCE: Final = 60.0
HOST: Final = "127.0.0.1"
NAMES: Final = ("src_host", "dst_host", "src_port", "dst_port", "proto", "packets", "bytes")
FLOWS: Final = tuple((f"10.1.0.{n + 1}", "10.2.0.2", 1000 + n, 80, 6, n + 1, 100 * (n + 1)) for n in range(25))


class Collector:
    """Our input on a port of this host, and the rows that came."""

    def __init__(self) -> None:
        self._socket = open_udp(UdpSettings(port=0, address=IPv4Address(HOST))).socket
        self.port = self._socket.getsockname()[1]
        self._receiver = Receiver(64)
        self.input = Input(" ".join(NAMES))
        self.rows: list[dict[str, Any]] = []

    def flows(self) -> set[tuple[Any, ...]]:
        """Read what has come; return all that ever came."""
        while self._receiver.receive(self._socket.fileno()):
            done = False
            while not done:
                done = self.input.intake.take(self._receiver.datagrams, self.input.batch)
                self.rows += self.input.read_rows()
        return {tuple(row.get(name) for name in NAMES) for row in self.rows}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    ours = Collector()
    yield ours
    ours.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nfcapd wrote of our flows."""
    require("nfdump")
    folder = tmp_path_factory.mktemp("nfcapd")
    records = [
        v5_record(src=src, dst=dst, src_port=port, packets=n, octets=octets)
        for src, dst, port, _, _, n, octets in FLOWS
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as stream:
        command = ["nfcapd", "-w", str(folder), "-p", str(port), "-b", HOST]
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exporter:

            def heard() -> bool:
                exporter.sendto(v5(*records), (HOST, port))
                return b"New exporter" in log.read_bytes()

            eventually(heard, PATIENCE, "nfcapd to hear us")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    (file,) = folder.glob("nfcapd.2*")
    return file


@pytest.mark.parametrize("version", [5, 9, 10])
def test_what_nfreplay_sends_is_what_it_was_given(version: int, kept: Path, collector: Collector) -> None:
    command = ["nfreplay", "-r", str(kept), "-H", HOST, "-p", str(collector.port), "-v", str(version)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if version == 10 and done.returncode:
        pytest.skip(f"SKIPPED: this nfreplay sends no IPFIX: {done.stderr.strip()}")
    assert not done.returncode, done.stderr
    eventually(lambda: collector.flows() >= set(FLOWS), PATIENCE, f"flows of version {version}")
    assert collector.flows() == set(FLOWS)
    assert {exporter.version for exporter in collector.input.intake.exporters.values()} == {version}
    assert not any(collector.input.intake.refused.values())
