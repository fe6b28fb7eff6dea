"""A real Kafka gets what the file gets, with the topics, keys and messages that are configured."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import fastavro
import pytest

from tests.flowcorr.exports import v9
from tests.peers.bmp_octets import announcement, per_peer_header, usual_session, withdrawal
from tests.peers.bmp_station import CIRCUMSTANCES, LoopbackStation
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.flow_daemon import LAYOUT, LoopbackDaemon, flow
from tests.peers.kafka import Broker, Reader, Record
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
    played_out,
    settled,
)
from tests.peers.program import ROOT
from tests.peers.raw_speaker import RawSession
from tests.peers.siege import Target, target
from tests.peers.test_bmp_replay import CASES
from tests.peers.waiting import eventually
from tests.ports import reserved_port
from tests.routed.service.tls_rig import Authority

#: Where the broker asks for a certificate and a password.
GUARDED_PORT: Final = reserved_port()


def guard(authority: Authority) -> dict[str, str]:
    """Return the properties of a broker that has a guarded door beside the open one."""
    certificate, key = authority.issue("broker")
    store = authority.folder / "broker.pem"
    store.write_text(key.read_text() + certificate.read_text())
    return {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": (
            'org.apache.kafka.common.security.plain.PlainLoginModule required user_routed="right";'
        ),
        "listener.name.guarded.ssl.client.auth": "required",
        "listener.name.guarded.ssl.keystore.type": "PEM",
        "listener.name.guarded.ssl.keystore.location": str(store),
        "listener.name.guarded.ssl.truststore.type": "PEM",
        "listener.name.guarded.ssl.truststore.location": str(authority.path),
    }


pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(is_pmacct(), reason="SKIPPED: pmacct loses what it cannot deliver"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    more = f",GUARDED://127.0.0.1:{GUARDED_PORT}"
    broker = Broker(tmp_path_factory.mktemp("kafka"), guard(authority), more_listeners=more)
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


def test_wrong_credentials_are_told_with_their_key_and_heal_over_tls(
    tmp_path: Path, broker: Broker, authority: Authority
) -> None:
    """First the daemon trusts another authority, then it has a wrong password, then all is well."""
    properties = tmp_path / "librdkafka.conf"
    certificate, key = authority.issue("daemon")
    stranger = Authority(tmp_path, "stranger")

    def write(trusted: Authority, password: str) -> None:
        properties.write_text(
            "! how to reach the broker\n"
            "global, security.protocol, sasl_ssl\n"
            f"global, ssl.ca.location, {trusted.path}\n"
            f"global, ssl.certificate.location, {certificate}\n"
            f"global, ssl.key.location, {key}\n"
            "global, sasl.mechanisms, PLAIN\n"
            "global, sasl.username, routed\n"
            f"global, sasl.password, {password}\n"
            "global, security.protocl, ssl\n"
        )

    write(stranger, "wrong")
    settings = {**log_keys(broker, tmp_path, "guarded"), "bgp_daemon_msglog_kafka_config_file": properties}
    settings["bgp_daemon_msglog_kafka_broker_host"] = f"127.0.0.1:{GUARDED_PORT}"
    with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon:
        daemon.wait_for_text("certificate verify failed")
        daemon.wait_for_text(
            f'bgp_daemon_msglog_kafka_config_file: {properties}:9: No such configuration property: "security.protocl"; '
            "did you mean security.protocol?: left out"
        )
        with peers(daemon) as both:
            both[0].churn(3)
            daemon.wait_for_routes(PEERS[0], "withdraw", 3)
            write(authority, "wrong")
            os.kill(daemon.pid, signal.SIGHUP)
            daemon.wait_for_text("uthentication failed")
            write(authority, "right")
            os.kill(daemon.pid, signal.SIGHUP)
            with Reader(broker.address, "guarded") as reader:
                reader.read(2 + 6)
        errors_are_about(daemon, "kafka")


@pytest.mark.skipif(not CASES.exists(), reason="SKIPPED: the captures of real routers (../shared) are not here")
def test_bmp_events_arrive_as_in_the_file(tmp_path: Path, broker: Broker) -> None:
    [capture, *_] = sorted((CASES / "205-BMP-6wind-FRR-peer_down").glob("*.pcap"))
    rows = played_out(tmp_path, capture, **keys("bmp_daemon_msglog_", broker, tmp_path, "bmp"))
    with Reader(broker.address, "bmp") as reader:
        records = reader.read(len(rows))
    assert [json.loads(bare(record.value)) for record in records] == rows


def test_a_dump_of_monitored_tables_arrives_as_in_the_file(tmp_path: Path, broker: Broker) -> None:
    """And so does what was logged of them, and the example rebuilds the same tables from both."""
    settings = {
        **keys("bmp_dump_", broker, tmp_path, "bmp-dump"),
        **keys("bmp_daemon_msglog_", broker, tmp_path, "bmp-log"),
        "bmp_dump_file": tmp_path / "dump.json",
    }
    networks = [f"10.0.{number}.0/24" for number in range(200)]
    header = per_peer_header()
    octets = b"".join(announcement(header, network) for network in networks[1:]) + withdrawal(header, *networks[:20])
    kept = networks[20:]
    with (
        at_work(LoopbackStation(tmp_path, reserved_port(), **settings)) as daemon,
        RawSession(daemon.address, "127.9.4.1") as session,
        Reader(broker.address, "bmp-log") as log,
    ):
        session.send(usual_session(networks[0]) + octets)
        log.read(len(networks))
        with Reader(broker.address, "bmp-dump") as reader:
            reader.read(len(kept), lambda records: whole_dump(tmp_path / "dump.json", kept) in dumps_of(records))
        dumped = [json.loads(row) for row in whole_dump(tmp_path / "dump.json", kept) or []]
        routes = [facts(row) for row in dumped if row.get("ip_prefix")]
        assert len(routes) == len(kept)
        for topic in ("bmp-dump", "bmp-log"):
            assert sorted(map(facts, rebuilt(broker, topic))) == sorted(routes)
        rows = (tmp_path / "messages-127_9_4_1.json").read_bytes().splitlines()
        assert [bare(record.value) for record in log.read(len(rows))][: len(rows)] == rows


def whole_dump(path: Path, networks: Sequence[str]) -> list[bytes] | None:
    """Return the rows of a file; None until they are a whole dump of these networks."""
    rows = path.read_bytes().splitlines() if path.exists() else []
    found = {json.loads(row).get("ip_prefix") for row in rows} - {None}
    return rows if rows and b"dump_close" in rows[-1] and set(networks) == found else None


def facts(row: Mapping[str, object]) -> str:
    """Return what a row says of its route and of whose it is."""
    return json.dumps({key: value for key, value in row.items() if key not in CIRCUMSTANCES | {"writer_id"}})


def rebuilt(broker: Broker, topic: str) -> list[dict[str, object]]:
    """Return the routes of the tables that the example rebuilds from a topic."""
    printed = consume(broker, topic, "--table", "--until-end")
    return [json.loads(line) for line in printed.splitlines()]


def consume(broker: Broker, topic: str, *more: str) -> str:
    """Return what the example prints."""
    command = [sys.executable, "examples/kafka_consumer.py", "-H", broker.address, "-t", topic, "-g", "g", "-e", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout


def dumps_of(records: Sequence[Record]) -> list[list[bytes]]:
    """Return the rows of each dump."""
    dumps: list[list[bytes]] = [[]]
    for row in (bare(record.value) for record in records):
        dumps += [[]] if b'"dump_init"' in row else []
        dumps[-1].append(row)
    return dumps


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
        routes = rebuilt(broker, "example")
        announced = {row["ip_prefix"] for row in daemon.log_of(PEERS[0], "update")}
        withdrawn = {row["ip_prefix"] for row in daemon.log_of(PEERS[0], "withdraw")}
        assert {route["peer_ip_src"] for route in routes} == {PEERS[0]}
        assert {route["ip_prefix"] for route in routes} == announced - withdrawn
        assert len(routes) == 330
        assert json.loads(consume(broker, "example", "--print", "--num", "1"))["event_type"] == "log_init"


def test_what_a_shutdown_says_last_arrives(tmp_path: Path, broker: Broker) -> None:
    with target(tmp_path, reserved_port(), **log_keys(broker, tmp_path, "last")) as daemon, peers(daemon):
        settled(daemon)
        daemon.stop()
        with Reader(broker.address, "last") as reader:
            records = reader.read(4)
        assert_same(daemon, records, repeats=False)
    assert sorted(json.loads(r.value or b"")["event_type"] for r in records) == ["log_close"] * 2 + ["log_init"] * 2


def test_flows_are_messages_of_their_exporters_topics(tmp_path: Path, broker: Broker) -> None:
    """Rows of two exporters: JSON to a topic for each, with markers and keys; Avro, several records a message."""
    plugins = {
        "plugins": "print[file], kafka[json], kafka[avro]",
        "aggregate": "src_host, peer_src_ip",
        "print_output_file[file]": tmp_path / "flows.json",
        "print_output[file]": "json",
        "print_output_file_append[file]": "true",
        "kafka_topic[json]": "flows_$peer_src_ip",
        "kafka_partition_key[json]": "$src_host",
        "kafka_markers[json]": "true",
        "kafka_topic[avro]": "flows-in-avro",
        "kafka_output[avro]": "avro",
        "kafka_multi_values[avro]": 7,
        "avro_schema_file[avro]": tmp_path / "schema",
        "kafka_broker_port": broker.port,
        "plugin_spool_directory": tmp_path / "spool",
    }
    exporters = ("127.0.0.1", "127.0.0.2")
    broker.create("flows-in-avro")
    for exporter in exporters:
        broker.create(f"flows_{exporter.replace('.', '_')}")
    with at_work(LoopbackDaemon(tmp_path, reserved_port(), **plugins)) as daemon:
        for exporter in exporters:
            daemon.send(v9(LAYOUT, *map(flow, range(1, 21))), exporter)
        daemon.wait_for_flows(40)
        written = {(row["peer_ip_src"], row["ip_src"]): row["packets"] for row in daemon.flows()}
        schema = fastavro.parse_schema(json.loads((tmp_path / "schema-acct_data").read_text()))
        with Reader(broker.address, "flows-in-avro") as reader:
            values = reader.read(6, lambda records: sum(len(flows_in(one, schema)) for one in records) >= 40)
            batches = [flows_in(one, schema) for one in values]
        of_topics = {}
        for exporter in exporters:
            with Reader(broker.address, f"flows_{exporter.replace('.', '_')}") as reader:
                of_topics[exporter] = reader.read(22, lambda records: len(rows_by_event(records)["purge"]) >= 20)
    assert max(map(len, batches)) == 7
    assert {(row["peer_ip_src"], row["ip_src"]): row["packets"] for rows in batches for row in rows} == written
    for exporter, records in of_topics.items():
        events = rows_by_event(records)
        assert {(row["peer_ip_src"], row["ip_src"]): row["packets"] for row in events["purge"]} == {
            key: packets for key, packets in written.items() if key[0] == exporter
        }
        assert {row["writer_id"].partition("/")[0] for rows in events.values() for row in rows} == {"json"}
        assert len(events["purge_init"]) == len(events["purge_close"]) > 0
        assert {
            (record.key or b"").decode().replace("_", ".") for record in records if b'"purge"' in (record.value or b"")
        } == {row["ip_src"] for row in events["purge"]}


def flows_in(record: Record, schema: Any) -> list[dict[str, Any]]:
    """Return the rows of a message of several records."""
    stream, rows = io.BytesIO(record.value or b""), []
    while stream.tell() < len(record.value or b""):
        rows.append(fastavro.schemaless_reader(stream, schema, None))
    return cast("list[dict[str, Any]]", rows)


def rows_by_event(records: Sequence[Record]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of messages by what they tell."""
    found = defaultdict(list)
    for record in records:
        row = json.loads(record.value or b"")
        found[row["event_type"]].append(row)
    return found
