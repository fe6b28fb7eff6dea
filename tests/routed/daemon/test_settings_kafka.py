"""Keys of Kafka, with their defaults and with other values, for all that may go there."""

from pathlib import Path

import pytest

from routed.daemon.keys_sinks import DUMP_PREFIXES, LOG_PREFIXES
from routed.daemon.settings import read_configuration
from routed.daemon.settings_brokers import broker_settings
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.statements import parse_statements
from routed.service.settings import BrokerSettings, SpoolPolicy, SpoolSettings


def kafka(prefix: str, **keys: object) -> BrokerSettings:
    lines = "\n".join(f"{prefix}{key}: {value}" for key, value in {"kafka_topic": "t", **keys}.items())
    [settings] = broker_settings(read_configuration(parse_statements(lines, "f")), prefix)
    return settings


@pytest.mark.parametrize("prefix", [*LOG_PREFIXES, *DUMP_PREFIXES])
def test_a_topic_is_enough(prefix: str) -> None:
    settings = kafka(prefix)
    in_bulk = prefix in DUMP_PREFIXES
    wanted = KafkaSettings(servers="127.0.0.1:9092", keys=f"{prefix}kafka_", retry=60, in_bulk=in_bulk)
    assert settings.transport == wanted
    assert (settings.label, settings.target.text, settings.key) == (f"{prefix}kafka", "t", None)
    assert settings.spool == SpoolSettings(directory=Path("/var/spool/routed"), size=1 << 30, policy=SpoolPolicy.WAIT)
    assert settings.queue_size == 64 << 20


def test_every_key_counts() -> None:
    settings = kafka(
        "bmp_daemon_msglog_",
        kafka_topic="bmp.$bmp_router",
        kafka_topic_rr=3,
        kafka_broker_host="a:1,b",
        kafka_broker_port=7,
        kafka_partition=5,
        kafka_partition_key="$bmp_router",
        kafka_retry=2,
        kafka_config_file="/etc/librdkafka.conf",
        kafka_multi_values=10_000,
        queue_size=1_000_000,
        spool_directory="/s",
        spool_size=2_000_000,
        spool_policy="drop",
    )
    assert settings.transport == KafkaSettings(
        servers="a:1,b:9092",
        keys="bmp_daemon_msglog_kafka_",
        config_file=Path("/etc/librdkafka.conf"),
        topics=3,
        partition=5,
        multi_values=10_000,
        retry=2,
    )
    assert settings.key is not None
    assert settings.target.expand_for_peer("2001:db8::1", 1) == "bmp.2001_db8__1"
    assert settings.key.expand_for_peer("192.0.2.1", 1) == "192_0_2_1"
    assert settings.spool == SpoolSettings(directory=Path("/s"), size=2_000_000, policy=SpoolPolicy.DROP)


def test_no_size_is_no_spool() -> None:
    assert kafka("bmp_dump_", spool_size=0).spool.directory is None


def test_a_bad_list_of_brokers_is_told_with_its_key_and_line() -> None:
    read = read_configuration(parse_statements("bgp_table_dump_kafka_broker_host: a:1,,b", "f"))
    [problem] = [problem.text for problem in read.problems if problem.is_fatal]
    assert problem.startswith("[f:1] bgp_table_dump_kafka_broker_host: ")
    assert "names no host" in problem
