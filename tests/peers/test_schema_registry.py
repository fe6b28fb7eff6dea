"""Avro to a real Kafka by way of a real schema registry, which comes late."""

import io
import json
import signal
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.peers.collector import is_pmacct
from tests.peers.kafka import Broker, Reader
from tests.peers.registry import Registry
from tests.peers.siege import Target
from tests.peers.test_kafka import PEERS, at_work, errors_are_about, log_keys, peers
from tests.ports import reserved_port

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(is_pmacct(), reason="SKIPPED: pmacct loses what it cannot deliver"),
]
KEY = "bgp_daemon_msglog_kafka_avro_schema_registry"


def test_records_wait_for_the_registry_and_begin_with_its_numbers(tmp_path: Path) -> None:
    registry, broker = Registry(tmp_path), Broker(tmp_path / "kafka")
    try:
        broker.start()
        settings = {
            **log_keys(broker, tmp_path, "avro"),
            KEY: registry.url,
            "bgp_daemon_msglog_output": "avro",
            "bgp_daemon_msglog_file": tmp_path / "messages",
            "bgp_daemon_msglog_avro_container": "true",
            "bgp_comms_encode_as_array": "true",
        }
        with at_work(Target(tmp_path, reserved_port(), **settings)) as daemon:
            with peers(daemon) as both:
                both[0].load(300)
                both[1].churn(5)
                daemon.wait_for_text(f"{KEY}: {registry.url}: Connection was refused")
                registry.start()
                with Reader(broker.address, "avro") as reader:
                    values = [record.value or b"" for record in reader.read(2 + 330 + 10)]
            errors_are_about(daemon, "kafka")
        check(registry, values, (tmp_path / "messages").read_bytes())
    finally:
        registry.leave()
        broker.stop(signal.SIGKILL)


def check(registry: Registry, values: list[bytes], file: bytes) -> None:
    """Demand that the registry's schemas decode the messages, and that those are what the file, a container, has."""

    @cache
    def schema(number: int) -> Any:
        return fastavro.parse_schema(json.loads(registry.ask(f"schemas/ids/{number}")["schema"]))

    records: list[Any] = []
    for value in values:
        assert value[0] == 0
        records.append(
            fastavro.schemaless_reader(io.BytesIO(value[5:]), schema(int.from_bytes(value[1:5], "big")), None)
        )
    assert {record["peer_ip_src"] for record in records} == set(PEERS)
    assert [record["event_type"] for record in records].count("log_init") == 2
    assert sum(record.get("log_type") == "withdraw" for record in records) == 5
    subjects = {"avro-bgp_msglog", "avro-bgp_loginit", "avro-bgp_logclose"}
    assert set(registry.ask("subjects")) == subjects
    assert all(isinstance(record["comms"], list) for record in records if "comms" in record)
    in_file = {record["seq"]: record for record in fastavro.reader(io.BytesIO(file)) if isinstance(record, dict)}
    assert all(in_file[record["seq"]] == record for record in records)
