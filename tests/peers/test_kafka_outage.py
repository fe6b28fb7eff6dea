"""Nothing is lost and the order of each peer is kept while the broker is away, killed, or its disk full.

`KAFKA_OUTAGE` says for how many seconds the broker stays away, 2 unless set.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.peers.broker_faults import all_die_in_a_dump
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.kafka import Broker, Reader, Record
from tests.peers.kafka_streams import (
    ROUTES,
    assert_same,
    bare,
    by_peer,
    count,
    errors_are_about,
    first_of_each,
    has_all,
    keys,
    log_keys,
    logged,
    peers,
    settled,
)
from tests.peers.siege import Target, target
from tests.peers.waiting import eventually, steadily
from tests.ports import reserved_port

OUTAGE: Final = float(os.environ.get("KAFKA_OUTAGE", "2"))

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(is_pmacct(), reason="SKIPPED: pmacct loses what it cannot deliver"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop(signal.SIGKILL)


def test_nothing_is_lost_and_order_kept_over_a_stop_and_a_kill_of_the_broker(tmp_path: Path, broker: Broker) -> None:
    settings = {
        **log_keys(broker, tmp_path, "outage"),
        **keys("bgp_table_dump_", broker, tmp_path, "outage-dump"),
    }
    with target(tmp_path, reserved_port(), **settings) as daemon, peers(daemon) as both:
        for peer in both:
            peer.load()
        with Reader(broker.address, "outage") as reader:
            before = reader.read(2 * ROUTES)
        assert_is_prefix(daemon, before)
        broker.stop()
        for peer in both:
            peer.churn()
        steadily(lambda: daemon.running, OUTAGE, "the daemon")
        broker.start()
        for peer in both:
            peer.churn()
        broker.stop(signal.SIGKILL)
        for peer in both:
            peer.churn()
        broker.start()
        daemon.next_dump()
        for peer in both:
            peer.session.close()
        settled(daemon)
        with Reader(broker.address, "outage") as reader:
            records = reader.read(count(daemon), lambda records: has_all(daemon, records))
        assert_same(daemon, records)
        in_file = by_peer((daemon.home / "dump.json").read_bytes().splitlines())
        times = {json.loads(row)["timestamp"] for rows in in_file.values() for row in rows}
        with Reader(broker.address, "outage-dump") as reader:

            def rows(records: Sequence[Record]) -> list[bytes]:
                every = (bare(record.value) for record in records)
                return first_of_each(row for row in every if json.loads(row)["timestamp"] in times)

            dumped = reader.read(2, lambda records: len(rows(records)) >= sum(map(len, in_file.values())))
        assert by_peer(rows(dumped)) == in_file
        errors_are_about(daemon, "kafka")


def assert_is_prefix(daemon: Target, records: Sequence[Record]) -> None:
    """Demand that what has come is what the files began with, each once."""
    files = logged(daemon)
    for peer, rows in by_peer(bare(record.value) for record in records).items():
        assert rows == files[peer][: len(rows)]


class Topics:
    """The broker as the scenario of all deaths sees it: a topic for each stream."""

    word = "kafka"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def keys(self, prefix: str, home: Path) -> dict[str, object]:
        return keys(prefix, self._broker, home, f"dead-{prefix}")

    def freeze(self) -> None:
        os.kill(self._broker.pid, signal.SIGSTOP)

    def die(self) -> None:
        self._broker.stop(signal.SIGKILL)

    def revive(self) -> None:
        self._broker.start()

    def read(self, prefix: str, enough: Callable[[list[bytes]], object]) -> list[bytes]:
        with Reader(self._broker.address, f"dead-{prefix}") as reader:
            return values(reader.read(1, lambda records: enough(values(records))))


def values(records: Sequence[Record]) -> list[bytes]:
    return [record.value or b"" for record in records]


def test_what_dead_daemons_have_left_for_a_dead_broker_is_delivered_after_their_restart(
    tmp_path: Path, broker: Broker
) -> None:
    all_die_in_a_dump(tmp_path, Topics(broker))


def test_nothing_is_lost_when_the_disk_of_the_broker_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("SKIPPED: this user may not mount a small disk")
    try:
        small = Broker(tmp_path / "small", {"log.index.size.max.bytes": "1000000"}, data=disk / "data")
        small.start()
        with at_work(Target(tmp_path, reserved_port(), **log_keys(small, tmp_path, "full"))) as daemon:
            with peers(daemon) as both:
                both[0].load()
                with Reader(small.address, "full") as reader:
                    reader.read(ROUTES)
                filler = disk / "filler"
                with filler.open("wb") as file:
                    fill(file.fileno())
                both[1].load(20_000)
                eventually(small.has_left, PATIENCE, "the broker to give up its disk")
                filler.unlink()
                small.stop(signal.SIGKILL)
                small.start()
                both[0].churn()
            settled(daemon)
            with Reader(small.address, "full") as reader:
                records = reader.read(count(daemon), lambda records: has_all(daemon, records))
            assert_same(daemon, records)
            errors_are_about(daemon, "kafka")
        small.stop(signal.SIGKILL)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(fd: int) -> None:
    """Write until the disk is full."""
    octets = bytes(1 << 16)
    try:
        while True:
            os.write(fd, octets)
    except OSError:
        return
