"""A real Kafka gets what the file gets, in the order of each peer, whatever happens to either side.

`KAFKA_OUTAGE` says for how many seconds the broker stays away, 2 unless set.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.bench.make_table import Shape, updates
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.kafka import Broker, Reader, Record
from tests.peers.program import ROOT
from tests.peers.raw_speaker import RawSession, prefix, update, usual_attributes
from tests.peers.siege import Target, target
from tests.peers.test_bmp_replay import CASES, played
from tests.peers.waiting import eventually, steadily
from tests.ports import reserved_port

OUTAGE: Final = float(os.environ.get("KAFKA_OUTAGE", "2"))
ASN: Final = 65300
PEERS: Final = ("127.8.0.1", "127.8.0.2")
ROUTES: Final = 3_000

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


def keys(prefix: str, broker: Broker, home: Path, topic: str, **more: object) -> dict[str, object]:
    """Return the keys of one stream to Kafka."""
    settings = {
        "kafka_topic": topic,
        "kafka_broker_host": broker.address,
        "kafka_retry": 1,
        "spool_directory": home / "spool",
        **more,
    }
    if "dump" in prefix:
        del settings["kafka_retry"]
    return {prefix + key: value for key, value in settings.items()}


def log_keys(broker: Broker, home: Path, topic: str, **more: object) -> dict[str, object]:
    return keys("bgp_daemon_msglog_", broker, home, topic, **more)


class Peer:
    """A peer that announces and withdraws routes of its own."""

    def __init__(self, daemon: Target, address: str) -> None:
        self.session = RawSession(daemon.address, address)
        self.session.establish(ASN, hold_time=0)
        self._churned = 0

    def load(self, routes: int = ROUTES) -> None:
        self.session.send(b"".join(updates(Shape(ipv4=routes, ipv6=routes // 10, view=0))))

    def churn(self, count: int = 20) -> None:
        """Announce and withdraw routes, an UPDATE for each."""
        for _ in range(count):
            self._churned += 1
            network = prefix(f"203.0.{self._churned % 256}.0/24")
            self.session.send(update(attributes=usual_attributes(ASN, self._churned), nlri=network))
            self.session.send(update(withdrawn=network))


@contextmanager
def peers(daemon: Target) -> Iterator[list[Peer]]:
    both = [Peer(daemon, address) for address in PEERS]
    yield both
    for peer in both:
        peer.session.close()


def bare(value: bytes | None) -> bytes:
    """Return a row as a file has it."""
    assert value is not None
    row, _, writer = value.rpartition(b', "writer_id": ')
    assert writer
    return row + b"}"


def by_peer(rows: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the rows of each peer, in order."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in rows:
        found[json.loads(row)["peer_ip_src"]].append(row)
    return found


def first_of_each(rows: Iterable[bytes]) -> list[bytes]:
    """Return rows without those that came before: delivery is at least once."""
    return list(dict.fromkeys(rows))


def logged(daemon: Target) -> dict[str, list[bytes]]:
    """Return what the files have, by peer."""
    return by_peer(
        row for path in sorted(daemon.home.glob("messages-*.json")) for row in path.read_bytes().splitlines()
    )


def assert_same(daemon: Target, records: Sequence[Record], *, repeats: bool = True) -> None:
    """Demand that Kafka has what the files have, in the order of each peer."""
    rows = [bare(record.value) for record in records]
    assert by_peer(first_of_each(rows) if repeats else rows) == logged(daemon)


def count(daemon: Target) -> int:
    return sum(map(len, logged(daemon).values()))


def has_all(daemon: Target, records: Sequence[Record]) -> bool:
    return len({record.value for record in records}) >= count(daemon)


def settled(daemon: Target) -> None:
    """Wait until the files have grown no more for a moment: the daemon has read everything."""
    sizes: list[int] = []

    def still() -> bool:
        sizes.append(sum(path.stat().st_size for path in daemon.home.glob("messages-*.json")))
        return len(sizes) > 10 and len(set(sizes[-10:])) == 1

    eventually(still, PATIENCE, "the files to be still")


def errors_are_about(daemon: Target, *words: str) -> None:
    """Demand that all errors are those that were asked for, and stop the daemon."""
    daemon.end()
    errors = [line for line in daemon.text.splitlines() if "ERROR" in line or "Traceback" in line]
    assert errors
    assert all(any(word in error for word in words) for error in errors), errors


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


def test_a_daemon_that_is_killed_while_the_broker_is_away_delivers_after_its_restart(
    tmp_path: Path, broker: Broker
) -> None:
    """It starts without a broker, too."""
    port = reserved_port()
    settings = log_keys(broker, tmp_path, "killed")
    broker.stop()
    try:
        with at_work(Target(tmp_path, port, **settings)) as daemon, peers(daemon) as both:
            for peer in both:
                peer.load()
                peer.churn()
            settled(daemon)
            wanted = logged(daemon)
            octets = sum(len(row) for rows in wanted.values() for row in rows)
            eventually(lambda: spooled(tmp_path) >= octets, PATIENCE, "the spool to hold everything")
            daemon.kill()
    finally:
        broker.start()
    again = tmp_path / "again"
    again.mkdir()
    with at_work(Target(again, port, **settings)) as daemon:
        with Reader(broker.address, "killed") as reader:
            records = reader.read(sum(map(len, wanted.values())))
        assert by_peer(first_of_each(bare(record.value) for record in records)) == wanted
        writers = {json.loads(record.value or b"")["writer_id"] for record in records}
        assert len(writers) == 1  # that of the daemon that wrote them
        assert f"default/{daemon.pid}" not in writers
        eventually(lambda: spooled(tmp_path) == 0, PATIENCE, "the spool to be removed")


def spooled(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "spool").glob("*/*.spool"))


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


def test_topics_keys_and_bundles_are_as_configured(tmp_path: Path, broker: Broker) -> None:
    """Three streams of one daemon: a topic a peer with keys of routes, topics in turn, several rows a message."""
    settings = {
        **log_keys(broker, tmp_path, "bgp.$peer_src_ip", kafka_route_key="true", kafka_partition_key="$peer_src_ip"),
        **keys("bgp_table_dump_", broker, tmp_path, "dump", kafka_multi_values=2_000, kafka_topic_rr=2),
    }
    with target(tmp_path, reserved_port(), **settings) as daemon, peers(daemon) as both:
        both[0].churn(3)
        both[1].load(300)
        with Reader(broker.address, "bgp.127_8_0_1") as reader:
            records = reader.read(1 + 3 + 2 * 3)
        network = b"127_8_0_1|1|1|203.0.1.0/24"
        events = [(r.key, r.value and json.loads(r.value)["log_type"]) for r in records if r.key == network]
        assert events == [(network, "update"), (network, "withdraw"), (network, None)]
        assert {r.key for r in records if r.value and b"log_init" in r.value} == {b"127_8_0_1"}
        daemon.next_dump()
        in_file = (daemon.home / "dump.json").read_bytes().splitlines()
        at = {json.loads(row)["timestamp"] for row in in_file}
        bundles: list[bytes] = []
        with Reader(broker.address, "dump_0") as first, Reader(broker.address, "dump_1") as second:

            def rows() -> list[bytes]:
                bundles[:] = [record.value or b"" for reader in (first, second) for record in reader.more()]
                every = [bare(row) for bundle in bundles for row in bundle.split(b"\n")]
                return sorted(row for row in every if json.loads(row)["timestamp"] in at)

            eventually(lambda: rows() == sorted(in_file), PATIENCE, "the dump to be in both topics")
        assert max(map(len, bundles)) <= 2_000
        assert len(bundles) < len(in_file)


def test_a_wrong_password_is_told_with_its_key_and_heals(tmp_path: Path) -> None:
    port = reserved_port()
    users = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_routed="right";'
    guarded = Broker(
        tmp_path / "guarded",
        {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": users,
            "inter.broker.listener.name": "PLAINTEXT",
        },
        more_listeners=f",GUARDED://127.0.0.1:{port}",
    )
    guarded.start()
    properties = tmp_path / "librdkafka.conf"

    def write(password: str) -> None:
        properties.write_text(
            "! how to reach the broker\n"
            "global, security.protocol, sasl_plaintext\n"
            "global, sasl.mechanisms, PLAIN\n"
            "global, sasl.username, routed\n"
            f"global, sasl.password, {password}\n"
            "global, security.protocl, ssl\n"
        )

    write("wrong")
    settings = {**log_keys(guarded, tmp_path, "guarded"), "bgp_daemon_msglog_kafka_config_file": properties}
    settings["bgp_daemon_msglog_kafka_broker_host"] = f"127.0.0.1:{port}"
    with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon:
        daemon.wait_for_text("uthentication failed")
        daemon.wait_for_text(
            f'bgp_daemon_msglog_kafka_config_file: {properties}:6: No such configuration property: "security.protocl"; '
            "did you mean security.protocol?: left out"
        )
        with peers(daemon) as both:
            both[0].churn(3)
            daemon.wait_for_routes(PEERS[0], "withdraw", 3)
            write("right")
            os.kill(daemon.pid, signal.SIGHUP)
            with Reader(guarded.address, "guarded") as reader:
                reader.read(2 + 6)
        errors_are_about(daemon, "kafka")
    guarded.stop(signal.SIGKILL)


@pytest.mark.skipif(not CASES.exists(), reason="SKIPPED: the captures of real routers (../shared) are not here")
def test_bmp_events_arrive_as_in_the_file(tmp_path: Path, broker: Broker) -> None:
    [capture, *_] = sorted((CASES / "205-BMP-6wind-FRR-peer_down").glob("*.pcap"))
    rows, _ = played(tmp_path, capture, **keys("bmp_daemon_msglog_", broker, tmp_path, "bmp"))
    with Reader(broker.address, "bmp") as reader:
        records = reader.read(len(rows))
    assert [json.loads(bare(record.value)) for record in records] == rows


def test_the_example_rebuilds_the_table(tmp_path: Path, broker: Broker) -> None:
    """From the log of a peer that is still there; another one has gone, and so have its routes."""
    with target(tmp_path, reserved_port(), **log_keys(broker, tmp_path, "example")) as daemon, peers(daemon) as both:
        both[0].load(300)
        both[0].churn(5)
        both[1].load(20)
        daemon.wait_for_routes(PEERS[0], "withdraw", 5)
        daemon.wait_for_routes(PEERS[1], "update", 22)
        both[1].session.close()
        daemon.wait_for_routes(PEERS[1], "delete", 22)
        settled(daemon)
        with Reader(broker.address, "example") as reader:
            reader.read(count(daemon))
        command = [sys.executable, "examples/kafka_consumer.py", "-H", broker.address, "-t", "example", "-g", "g", "-e"]
        printed = subprocess.run(
            [*command, "--table", "--until-end"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        routes = [json.loads(line) for line in printed.stdout.splitlines()]
        announced = {row["ip_prefix"] for row in daemon.log_of(PEERS[0], "update")}
        withdrawn = {row["ip_prefix"] for row in daemon.log_of(PEERS[0], "withdraw")}
        assert {route["peer_ip_src"] for route in routes} == {PEERS[0]}
        assert {route["ip_prefix"] for route in routes} == announced - withdrawn
        assert len(routes) == 330
        printed = subprocess.run(
            [*command, "--print", "--num", "1"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert json.loads(printed.stdout)["event_type"] == "log_init"


def test_what_a_shutdown_says_last_arrives(tmp_path: Path, broker: Broker) -> None:
    with target(tmp_path, reserved_port(), **log_keys(broker, tmp_path, "last")) as daemon, peers(daemon):
        settled(daemon)
        daemon.stop()
        with Reader(broker.address, "last") as reader:
            records = reader.read(4)
        assert_same(daemon, records, repeats=False)
    assert sorted(json.loads(r.value or b"")["event_type"] for r in records) == ["log_close"] * 2 + ["log_init"] * 2
