"""A real Kafka gets what the file gets, with the topics, keys and messages that are configured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.kafka import Broker, Reader
from tests.peers.kafka_streams import (
    PEERS,
    assert_same,
    bare,
    count,
    errors_are_about,
    keys,
    log_keys,
    logged,
    peers,
    settled,
    spooled,
)
from tests.peers.program import ROOT
from tests.peers.siege import Target, target
from tests.peers.test_bmp_replay import CASES, played
from tests.peers.waiting import eventually
from tests.ports import reserved_port

#: Where the broker asks for a password.
GUARDED_PORT: Final = reserved_port()
GUARDED: Final = {
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.guarded.plain.sasl.jaas.config": (
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_routed="right";'
    ),
    "inter.broker.listener.name": "PLAINTEXT",
}
#: Octets in front of the packets of a capture.
PCAP_HEADER: Final = 24
#: How often a daemon may end before its broker has taken everything.
ENDS: Final = 10

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(is_pmacct(), reason="SKIPPED: pmacct loses what it cannot deliver"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    more = f",GUARDED://127.0.0.1:{GUARDED_PORT}"
    broker = Broker(tmp_path_factory.mktemp("kafka"), GUARDED, more_listeners=more)
    broker.start()
    yield broker
    broker.stop(signal.SIGKILL)


def test_topics_keys_and_bundles_are_as_configured(tmp_path: Path, broker: Broker) -> None:
    """A topic for each peer, with the keys of routes."""
    settings = log_keys(
        broker, tmp_path, "bgp.$peer_src_ip", kafka_route_key="true", kafka_partition_key="$peer_src_ip"
    )
    with target(tmp_path, reserved_port(), **settings) as daemon, peers(daemon) as both:
        both[0].churn(3)
        with Reader(broker.address, "bgp.127_8_0_1") as reader:
            records = reader.read(1 + 3 + 2 * 3)
    network = b"127_8_0_1|1|1|203.0.1.0/24"
    events = [(r.key, r.value and json.loads(r.value)["log_type"]) for r in records if r.key == network]
    assert events == [(network, "update"), (network, "withdraw"), (network, None)]
    assert {r.key for r in records if r.value and b"log_init" in r.value} == {b"127_8_0_1"}


def test_rows_share_messages_and_topics_take_turns(tmp_path: Path, broker: Broker) -> None:
    settings = log_keys(broker, tmp_path, "turns", kafka_multi_values=2_000, kafka_topic_rr=2)
    with target(tmp_path, reserved_port(), **settings) as daemon, peers(daemon) as both:
        both[0].load(300)
        settled(daemon)
        wanted = sorted(row for rows in logged(daemon).values() for row in rows)
        bundles: list[bytes] = []
        with Reader(broker.address, "turns_0") as first, Reader(broker.address, "turns_1") as second:

            def rows() -> list[bytes]:
                bundles[:] = [record.value or b"" for reader in (first, second) for record in reader.more()]
                return sorted(bare(row) for bundle in bundles for row in bundle.split(b"\n"))

            eventually(lambda: rows() == wanted, PATIENCE, "all rows to be in both topics")
    assert max(map(len, bundles)) <= 2_000
    assert len(bundles) < len(wanted) / 2


def test_a_wrong_password_is_told_with_its_key_and_heals(tmp_path: Path, broker: Broker) -> None:
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
    settings = {**log_keys(broker, tmp_path, "guarded"), "bgp_daemon_msglog_kafka_config_file": properties}
    settings["bgp_daemon_msglog_kafka_broker_host"] = f"127.0.0.1:{GUARDED_PORT}"
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
            with Reader(broker.address, "guarded") as reader:
                reader.read(2 + 6)
        errors_are_about(daemon, "kafka")


@pytest.mark.skipif(not CASES.exists(), reason="SKIPPED: the captures of real routers (../shared) are not here")
def test_bmp_events_arrive_as_in_the_file(tmp_path: Path, broker: Broker) -> None:
    [capture, *_] = sorted((CASES / "205-BMP-6wind-FRR-peer_down").glob("*.pcap"))
    settings = keys("bmp_daemon_msglog_", broker, tmp_path, "bmp")
    rows, _ = played(tmp_path, capture, **settings)
    silence = tmp_path / "silence.pcap"
    silence.write_bytes(capture.read_bytes()[:PCAP_HEADER])
    for _ in range(ENDS):
        if spooled(tmp_path):  # a daemon ends in seconds; what its broker was too slow for comes with the next one
            played(tmp_path, silence, **settings)
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
