"""What Debian's `pmacct` prints of Debian's nfacctd, and ours of ours, for the same datagrams."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.flowcorr.exports import v5, v5_record
from tests.peers.install import require
from tests.peers.program import ROOT
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

#: Seconds that a daemon has to start, or a client to answer.
PATIENCE: Final = 60
#: How often Debian's client may crash.
CRASHES: Final = 10
THEIRS: Final = ("/usr/bin/pmacct",)
AGGREGATES: Final = {
    "hosts": "src_host, dst_host, src_port, dst_port, proto, tos, flows",
    "wide": "tag, src_mac, vlan, etype, src_as, dst_as, as_path, std_comm, peer_src_ip, src_net, src_mask, in_iface, "
    "out_iface, tcpflags, timestamp_start",
}
#: Records of all datagrams: each with a count of packets of its own, so that no order is left to chance.
RECORDS: Final = [
    v5_record(src=f"10.0.{number % 3}.{number}", dst_port=80 + number % 2, proto=(6, 17, 47)[number % 3], packets=n + 1)
    for n, number in enumerate([*range(40), *range(40)])
]
QUERIES: Final = (
    ("-c", "src_host,dst_port", "-N", "10.0.1.1,81;10.0.2.2,80;192.0.2.1,80", "-n", "all"),
    ("-c", "src_host", "-N", "10.0.1.1;10.0.2.2", "-n", "packets", "-S"),
    ("-c", "dst_port", "-N", "80;81"),
    ("-c", "src_host,proto", "-N", "*,tcp;*,udp"),
)
LISTINGS: Final = (
    ("-s",),
    ("-s", "-O", "csv"),
    ("-s", "-O", "csv", "-E", ";"),
    ("-s", "-O", "event_csv"),
    ("-s", "-O", "event_formatted"),
    ("-s", "-T", "packets,5"),
    ("-s", "-u", "-O", "csv"),
    ("-c", "src_host", "-M", "10.0.1.1;10.0.2.2"),
    ("-c", "dst_port,proto", "-M", "80,*"),
)


@dataclass(frozen=True)
class Pair:
    """A daemon and the client that asks it."""

    home: Path
    client: tuple[str, ...]

    def ask(self, table: str, *switches: str) -> list[str]:
        done = self.run(table, *switches)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def run(self, table: str, *switches: str) -> subprocess.CompletedProcess[str]:
        """Ask, again where the client crashes, which Debian's does now and then over paths that are empty."""
        command = [*self.client, "-p", str(self.home / table), *switches]
        for _ in range(CRASHES):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
            if done.returncode >= 0:
                return done
        assert self.client == THEIRS, "our client crashes"
        pytest.skip(f"SKIPPED: {' '.join(command)} crashes")


@contextmanager
def pair(home: Path, daemon: tuple[str, ...], client: tuple[str, ...]) -> Iterator[Pair]:
    """Run a daemon, send it all records, and wait until it has counted them."""
    port, made = reserved_port(), Pair(home, client)
    tables = "".join(f"imt_path[{name}]: {home / name}\naggregate[{name}]: {AGGREGATES[name]}\n" for name in AGGREGATES)
    (home / "conf").write_text(
        f"plugins: {', '.join(f'memory[{name}]' for name in AGGREGATES)}\n{tables}"
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_as: netflow\nnfacctd_net: netflow\n"
        f"timestamps_utc: true\nimt_mem_pools_number: 64\n"
    )
    with (home / "said").open("w") as said:
        process = subprocess.Popen(
            [*daemon, "-f", str(home / "conf")], cwd=ROOT, stdout=said, stderr=said, env={**os.environ, "TZ": "UTC"}
        )
    try:
        eventually(lambda: all((home / name).is_socket() for name in AGGREGATES), PATIENCE, "its sockets")
        eventually(lambda: "waiting for NetFlow" in (home / "said").read_text(), PATIENCE, "its port")
        with socket.socket(type=socket.SOCK_DGRAM) as exporter:
            for number in range(0, len(RECORDS), 10):
                exporter.sendto(v5(*RECORDS[number : number + 10], sequence=number), ("127.0.0.1", port))
                time.sleep(0.02)  # for a small buffer of its socket
        wanted = sum(range(1, len(RECORDS) + 1))
        for table, primitive in (("hosts", "proto"), ("wide", "src_net")):
            whole = (table, "-c", primitive, "-N", "*", "-n", "packets")
            eventually(lambda whole=whole: made.ask(*whole) == [str(wanted)], PATIENCE, "all records to be counted")
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require("pmacct")
    home = tmp_path_factory.mktemp("theirs")
    with pair(home, ("/usr/sbin/nfacctd",), THEIRS) as made:
        yield made


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("ours")
    python = (sys.executable, "-m")
    with pair(home, (*python, "flowcorr.daemon.nfacctd"), (*python, "flowcorr.client.cli")) as made:
        yield made
    assert not [path.name for path in home.iterdir() if path.name.startswith(("hosts", "wide"))]


def sorted_rows(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the header, and the other lines in an order of their own, without blanks at their ends.

    Columns are as wide; but the header of communities in Debian's, which is narrower than their column, and times in
    UTC, which have `Z` there, and `+00:00` in later releases and here, which takes more room.
    """
    lines = [line.rstrip().replace("COMMS" + 19 * " ", "COMMS" + 20 * " ") for line in lines]
    lines = [line.replace("COMMS" + 21 * " ", "COMMS" + 20 * " ") for line in lines]
    lines = [re.sub(r"(\d\.\d{6})(Z {4}|\+00:00 ?)", r"\1Z", line) for line in lines]
    return lines[:1], sorted(re.sub(r"(\d\.\d{6})(\+00:00|Z),", r"\1,", line) for line in lines[1:])


def is_among_answers(wanted: object, ask: Callable[[], object]) -> None:
    """Compare with what Debian's client says, again where it made rows of what was in its memory."""
    for _ in range(CRASHES - 1):
        if ask() == wanted:
            return
        time.sleep(0.1)
    assert wanted == ask()


@pytest.mark.parametrize("switches", LISTINGS, ids=" ".join)
def test_listings_are_the_same(theirs: Pair, ours: Pair, switches: tuple[str, ...]) -> None:
    is_among_answers(sorted_rows(ours.ask("hosts", *switches)), lambda: sorted_rows(theirs.ask("hosts", *switches)))


@pytest.mark.parametrize("switches", QUERIES, ids=" ".join)
def test_counters_are_the_same(theirs: Pair, ours: Pair, switches: tuple[str, ...]) -> None:
    is_among_answers(ours.ask("hosts", *switches), lambda: theirs.ask("hosts", *switches))


@pytest.mark.parametrize("switches", [("-s",), ("-s", "-O", "csv"), ("-s", "-I", "-O", "csv")], ids=" ".join)
def test_columns_of_many_primitives_are_the_same(theirs: Pair, ours: Pair, switches: tuple[str, ...]) -> None:
    is_among_answers(sorted_rows(ours.ask("wide", *switches)), lambda: sorted_rows(theirs.ask("wide", *switches)))


def test_records_are_the_same_but_for_flags_that_plugins_have_as_numbers(theirs: Pair, ours: Pair) -> None:
    def records(which: Pair) -> list[dict[str, object]]:
        def as_plugins(row: dict[str, str]) -> dict[str, object]:
            return {
                "tcp_flags": int(row["tcp_flags"]),
                "timestamp_start": row["timestamp_start"].replace("+00:00", "Z"),
            }

        rows = [json.loads(line) for line in which.ask("wide", "-s", "-O", "json")]
        return sorted((row | as_plugins(row) for row in rows if row["packets"]), key=str)

    is_among_answers(records(ours), lambda: records(theirs))


@pytest.mark.parametrize("switches", [("-s", "-t"), ("-M", "1"), ("-c", "nonsense", "-N", "1"), ()], ids=" ".join)
def test_errors_are_the_same(theirs: Pair, ours: Pair, switches: tuple[str, ...]) -> None:
    assert ours.run("hosts", *switches).returncode == theirs.run("hosts", *switches).returncode == 1


def test_what_was_reset_and_erased_is_gone(ours: Pair) -> None:
    """The last test: it changes the table."""
    assert ours.ask("wide", "-i") == ["never"]
    before = len(ours.ask("wide", "-s", "-O", "csv"))
    assert ours.ask("wide", "-c", "src_net", "-N", "*", "-r", "-n", "flows")
    assert len(ours.ask("wide", "-s", "-O", "csv")) == 1 < before
    assert ours.ask("wide", "-e") == ["OK: Clearing stats."]
    assert ours.ask("wide", "-s")[-1] == "For a total of: 0 entries"
    assert int(ours.ask("wide", "-i")[0]) >= 0


def test_a_client_that_leaves_in_mid_listing_and_one_that_never_reads_hold_nobody(ours: Pair) -> None:
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as rude:
        for client in (silent, rude):
            client.connect(str(ours.home / "hosts"))
        silent.sendall(b'{"do": "list"}\n')
        rude.sendall(b'{"do": "list"}\n')
        rude.recv(10)
        rude.close()
        assert len(ours.ask("hosts", "-s", "-O", "csv")) == 1 + len({n % 40 for n in range(len(RECORDS))})
