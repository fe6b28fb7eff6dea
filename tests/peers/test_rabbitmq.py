"""A real RabbitMQ gets what the file gets, in the order of each peer, whatever happens to either side.

`AMQP_OUTAGE` says for how many seconds the broker stays away, 2 unless set.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import fastavro
import pytest

from tests.flowcorr.exports import v9
from tests.peers.broker_faults import STREAMS, all_die_in_a_dump
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.flow_daemon import LAYOUT, LoopbackDaemon, flow
from tests.peers.kafka_streams import (
    PEERS,
    ROUTES,
    bare,
    by_peer,
    count,
    errors_are_about,
    first_of_each,
    logged,
    peers,
    played_out,
    settled,
    spooled,
)
from tests.peers.program import ROOT
from tests.peers.rabbitmq import Message, RabbitMQ
from tests.peers.siege import Target
from tests.peers.test_bmp_replay import CASES
from tests.peers.waiting import eventually, steadily
from tests.ports import reserved_port
from tests.routed.service.tls_rig import Authority

OUTAGE: Final = float(os.environ.get("AMQP_OUTAGE", "2"))

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(is_pmacct(), reason="SKIPPED: pmacct loses what it cannot deliver"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    home = tmp_path_factory.mktemp("rabbitmq")
    broker = RabbitMQ(home, Authority(home, "authority"))
    try:
        broker.start()
        yield broker
    finally:
        broker.leave()


def keys(prefix: str, broker: RabbitMQ, home: Path, **more: object) -> dict[str, object]:
    """Return the keys of one stream to the broker, all of whose messages survive it."""
    settings = {
        "amqp_host": "127.0.0.1",
        "amqp_port": broker.port,
        "amqp_persistent_msg": "true",
        "amqp_retry": 1,
        "spool_directory": home / "spool",
        **more,
    }
    if "dump" in prefix:
        del settings["amqp_retry"]
    return {prefix + key: value for key, value in settings.items()}


def has_all(daemon: Target, messages: Sequence[Message]) -> bool:
    return len({message.body for message in messages}) >= count(daemon)


def test_nothing_is_lost_when_the_broker_is_killed(tmp_path: Path, broker: RabbitMQ) -> None:
    routing_keys = [f"log.{peer.replace('.', '_')}" for peer in PEERS]
    broker.bind("outage", "pmacct", "direct", *routing_keys)
    settings = keys("bgp_daemon_msglog_", broker, tmp_path, amqp_routing_key="log.$peer_src_ip")
    with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon, peers(daemon) as both:
        for peer in both:
            peer.load()
        first = broker.read("outage", lambda messages: len(messages) >= 2 * ROUTES)
        assert {message.routing_key for message in first} == set(routing_keys)
        assert {message.content_type for message in first} == {"application/json"}
        broker.stop(signal.SIGKILL)
        for peer in both:
            peer.churn()
        steadily(lambda: daemon.running, OUTAGE, "the daemon")
        broker.start()
        for peer in both:
            peer.churn()
        settled(daemon)
        messages = broker.read("outage", lambda messages: has_all(daemon, [*first, *messages]))
        rows = [bare(message.body) for message in (*first, *messages)]
        assert by_peer(first_of_each(rows)) == logged(daemon)
        errors_are_about(daemon, "amqp")


class Queues:
    """The broker as the scenario of all deaths sees it: a queue for each stream."""

    word = "amqp"

    def __init__(self, broker: RabbitMQ) -> None:
        self._broker = broker
        self._read: dict[str, list[bytes]] = defaultdict(list)
        for prefix in STREAMS:
            broker.bind(f"dead-{prefix}", "pmacct", "direct", f"dead-{prefix}")

    def keys(self, prefix: str, home: Path) -> dict[str, object]:
        return keys(prefix, self._broker, home, amqp_routing_key=f"dead-{prefix}")

    def freeze(self) -> None:
        self._broker.freeze()

    def die(self) -> None:
        self._broker.stop(signal.SIGKILL)

    def revive(self) -> None:
        self._broker.start()

    def read(self, prefix: str, enough: Callable[[list[bytes]], object]) -> list[bytes]:
        before = self._read[prefix]
        messages = self._broker.read(
            f"dead-{prefix}", lambda messages: enough([*before, *(message.body for message in messages)])
        )
        before += [message.body for message in messages]
        return before


def test_what_dead_daemons_have_left_for_a_dead_broker_is_delivered_after_their_restart(
    tmp_path: Path, broker: RabbitMQ
) -> None:
    all_die_in_a_dump(tmp_path, Queues(broker))


def test_nothing_is_lost_while_the_disk_of_the_broker_is_full(tmp_path: Path, broker: RabbitMQ) -> None:
    """Its alarm stops who publishes: what comes then waits on our disk, and arrives when there is room."""
    broker.bind("full", "pmacct", "direct", "full")
    settings = keys("bgp_daemon_msglog_", broker, tmp_path, amqp_routing_key="full")
    with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon, peers(daemon) as both:
        both[0].load(300)
        first = broker.read("full", lambda messages: len(messages) >= 330)
        broker.demand_free_disk(1 << 50)

        def spools() -> bool:
            for peer in both:
                peer.churn(5)
            return spooled(tmp_path) > 0

        eventually(spools, PATIENCE, "the spool to be written to")
        daemon.wait_for_text("bgp_daemon_msglog_amqp_host: the broker takes nothing at the moment: low on disk")
        broker.demand_free_disk(0)
        settled(daemon)
        messages = broker.read("full", lambda messages: has_all(daemon, [*first, *messages]))
        rows = [bare(message.body) for message in (*first, *messages)]
        assert by_peer(first_of_each(rows)) == logged(daemon)
        errors_are_about(daemon, "amqp")


@pytest.mark.skipif(not CASES.exists(), reason="SKIPPED: the captures of real routers (../shared) are not here")
def test_bmp_events_arrive_as_in_the_file(tmp_path: Path, broker: RabbitMQ) -> None:
    [capture, *_] = sorted((CASES / "205-BMP-6wind-FRR-peer_down").glob("*.pcap"))
    broker.bind("bmp", "pmacct", "direct", "bmp")
    rows = played_out(tmp_path, capture, **keys("bmp_daemon_msglog_", broker, tmp_path, amqp_routing_key="bmp"))
    messages = broker.read("bmp", lambda messages: len(messages) >= len(rows))
    assert [json.loads(bare(message.body)) for message in messages] == rows


def test_a_wrong_password_is_told_and_heals_and_a_dump_in_avro_arrives_as_in_the_file(
    tmp_path: Path, broker: RabbitMQ
) -> None:
    """The log is retried until the user exists; the dump goes over TLS, by topic, with keys in turn."""
    broker.bind("guarded", "pmacct", "direct", "guarded")
    for queue in ("dump", "received"):
        broker.bind(queue, "topics", "topic", "rib.#")
    certificate, key = broker.authority.issue("daemon")
    settings = {
        **keys("bgp_daemon_msglog_", broker, tmp_path, amqp_routing_key="guarded", amqp_user="late", amqp_passwd="x"),
        **keys("bgp_table_dump_", broker, tmp_path, amqp_routing_key="rib.$peer_src_ip", amqp_routing_key_rr=2),
        "bgp_table_dump_amqp_port": broker.tls_port,
        "bgp_table_dump_amqp_tls": "true",
        "bgp_table_dump_amqp_tls_ca_file": broker.authority.path,
        "bgp_table_dump_amqp_tls_certificate_file": certificate,
        "bgp_table_dump_amqp_tls_key_file": key,
        "bgp_table_dump_amqp_exchange": "topics",
        "bgp_table_dump_amqp_exchange_type": "topic",
        "bgp_table_dump_amqp_heartbeat_interval": 10,
        "bgp_table_dump_output": "avro",
        "bgp_table_dump_file": tmp_path / "dump-%H%M",
        "bgp_table_dump_avro_schema_file": tmp_path / "schema",
    }
    with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon:
        with peers(daemon) as both:
            both[0].load(300)
            daemon.wait_for_text("bgp_daemon_msglog_amqp_user or bgp_daemon_msglog_amqp_passwd: 127.0.0.1")
            daemon.wait_for_text("ACCESS_REFUSED")
            daemon.wait_for_routes(PEERS[0], "update", 330)
            broker.add_user("late", "x")
            settled(daemon)
            messages = broker.read("guarded", lambda messages: has_all(daemon, messages))
            assert by_peer(bare(message.body) for message in messages) == logged(daemon)
            messages = broker.read("dump", lambda messages: whole_dump(messages, tmp_path))
        errors_are_about(daemon, "amqp")
    dumped = whole_dump(messages, tmp_path)
    records = [record_of(message, tmp_path) for message in dumped]
    when = time.localtime(float(str(records[0]["timestamp"])))
    assert b"".join(message.body for message in dumped) == (tmp_path / time.strftime("dump-%H%M", when)).read_bytes()
    assert {message.content_type for message in dumped} == {"avro/binary"}
    assert {message.routing_key for message in dumped} >= {"rib.127_8_0_1_0", "rib.127_8_0_1_1"}
    assert {record["writer_id"] for record in records} == {f"default/{daemon.pid}"}
    rebuilt = received(broker, messages.index(dumped[-1]) + 1, tmp_path / "schema")
    assert rebuilt == [record for record in records if record["event_type"] == "dump"]


def whole_dump(messages: Sequence[Message], home: Path) -> list[Message]:
    """Return the messages of the first dump of both peers that has all routes; none when there is none."""
    by_time: dict[object, list[Message]] = defaultdict(list)
    for message in messages:
        by_time[record_of(message, home)["timestamp"]].append(message)
    for dump in by_time.values():
        closing = [record_of(message, home) for message in dump if message.schema == "bgp_dumpclose"]
        if [record["entries"] for record in closing] == [330, 0]:
            return dump
    return []


def received(broker: RabbitMQ, count: int, schemas: Path) -> list[object]:
    """Return the routes of the tables that the example rebuilds."""
    where = ["-e", "topics", "-k", "rib.#", "-q", "received", "-D", "-H", "127.0.0.1", "-P", str(broker.port)]
    command = [sys.executable, "examples/amqp_receiver.py", *where, "-a", str(schemas), "-n", str(count), "--table"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "330 routes\n")
    return [json.loads(line) for line in done.stdout.splitlines()]


def record_of(message: Message, home: Path) -> dict[str, object]:
    """Decode a message by the schema that the daemon has written out."""
    schema = fastavro.parse_schema(json.loads((home / f"schema-{message.schema}").read_text()))
    record = fastavro.schemaless_reader(io.BytesIO(message.body), schema, None)
    assert isinstance(record, dict)
    return record


def test_flows_outlast_the_deaths_of_broker_and_daemon(tmp_path: Path, broker: RabbitMQ) -> None:
    """Rows that a plugin could not deliver are delivered by the daemon that comes after it."""
    plugins = {
        "core_proc_name": "one",
        "plugins": "amqp[flows]",
        "amqp_refresh_time": 1,
        "amqp_routing_key": "flows.of.$peer_src_ip",
        "aggregate": "src_host, peer_src_ip",
        "amqp_host": "127.0.0.1",
        "amqp_port": broker.port,
        "amqp_persistent_msg": "true",
        "amqp_multi_values": 500,
        "plugin_spool_directory": tmp_path / "spool",
    }
    key = "flows.of.127_0_0_1"
    broker.bind("flows", "pmacct", "direct", key)
    broker.stop(signal.SIGKILL)
    homes = tmp_path / "first", tmp_path / "second"
    for home in homes:
        home.mkdir()
    first = LoopbackDaemon(homes[0], reserved_port(), **plugins)
    try:
        first.ready()
        first.send(v9(LAYOUT, *map(flow, range(1, 21))))
        first.wait_for_text("amqp_host")
        eventually(lambda: b"10.0.0.20" in spooled_octets(tmp_path), PATIENCE, "rows on disk")
    finally:
        first.kill()
    broker.start()
    with at_work(LoopbackDaemon(homes[1], reserved_port(), **plugins)) as second:
        second.send(v9(LAYOUT, *map(flow, range(21, 41))))
        messages = broker.read("flows", lambda messages: len({row["ip_src"] for row in rows_in(messages)}) >= 40)
        rows = rows_in(messages)
        assert {row["ip_src"]: row["packets"] for row in rows} == {f"10.0.0.{n}": n for n in range(1, 41)}
        assert len(messages) < len(rows)
        assert {message.content_type for message in messages} == {"application/json"}
        assert {row["writer_id"] for row in rows} == {f"flows/{one.pid}" for one in (first, second)}


def spooled_octets(home: Path) -> bytes:
    """Return everything that waits on disk."""
    return b"".join(path.read_bytes() for path in (home / "spool").glob("*/*.spool"))


def rows_in(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the rows of messages that have several each, with a newline between."""
    return [json.loads(line) for message in messages for line in message.body.split(b"\n")]
