"""Keys of the message logs and table dumps: four prefixes, one set of endings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from routed.daemon.keys_brokers import amqp_keys, kafka_keys, queue_keys
from routed.daemon.values import DATED_NAME, DUMP_OUTPUT, LABEL_FILTER, LOG_OUTPUT, PEER_NAME, REFRESH_TIME
from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.values import BOOLEAN, OFF, ON, PATH, at_least, between
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.names import NameTemplate
    from routed.plumbing.values import Parser

BGP: Final = Daemons.PMBGPD | Daemons.FLOW
BMP: Final = Daemons.PMBMPD | Daemons.FLOW

#: What names a sink; there may be several.
SINKS: Final = ("file", "amqp_routing_key", "kafka_topic")
LOG_PREFIXES: Final = ("bgp_daemon_msglog_", "bmp_daemon_msglog_")
DUMP_PREFIXES: Final = ("bgp_table_dump_", "bmp_dump_")


def _kafka(prefix: str, daemons: Daemons, name: Parser[NameTemplate]) -> Iterator[Key]:
    key = partial(Key, daemons=daemons)
    yield key(f"{prefix}kafka_topic", name, None, "Kafka topic")
    yield from kafka_keys(key, f"{prefix}kafka_")
    yield key(
        f"{prefix}kafka_partition",
        at_least(-1),
        -1,
        "partition; -1 is that of the record key, or without one the same for all records of a peer",
    )
    yield key(f"{prefix}kafka_partition_key", PEER_NAME, None, "key of the records")
    yield key(
        f"{prefix}kafka_multi_values",
        at_least(0, unit="octets"),
        0,
        "octets of a message that has several records, a newline between two; 0 is a message for each",
        ours=True,
    )
    yield key(
        f"{prefix}kafka_route_key",
        BOOLEAN,
        OFF,
        "records have the key of their route, so that a compacted topic holds the table; a message without a value "
        "follows a route that is gone",
        ours=True,
    )


def _brokers(prefix: str, daemons: Daemons, name: Parser[NameTemplate]) -> Iterator[Key]:
    key = partial(Key, daemons=daemons)
    yield key(f"{prefix}avro_schema_file", PATH, None, "where Avro schemas are written at start, a file for each")
    yield key(
        f"{prefix}avro_container",
        BOOLEAN,
        OFF,
        "files of Avro records are object container files, which have their schemas with them",
        ours=True,
    )
    yield from _kafka(prefix, daemons, name)
    yield key(f"{prefix}amqp_routing_key", name, None, "AMQP routing key")
    yield from amqp_keys(key, f"{prefix}amqp_")


def _log(prefix: str, daemons: Daemons) -> Iterator[Key]:
    key = partial(Key, daemons=daemons)
    yield key(f"{prefix}file", PEER_NAME, None, "file to append to; variables make a file for each peer")
    yield key(f"{prefix}output", LOG_OUTPUT, DumpFormat.JSON, "encoding; `avro` is the binary one")
    yield key(
        f"{prefix}label_filter",
        LABEL_FILTER,
        None,
        "labels of the records to log: `-x` is every label but x; records without a label are left out",
        is_global=False,
        live=True,
    )
    yield from _brokers(prefix, daemons, PEER_NAME)
    yield from queue_keys(key, prefix)
    yield key(
        f"{prefix}kafka_retry",
        at_least(0, unit="seconds"),
        60,
        "seconds before a producer that failed for good is made anew; lost connections heal by themselves",
    )
    yield key(
        f"{prefix}amqp_retry",
        at_least(0, unit="seconds"),
        60,
        "longest wait before the broker is tried again; the first is a second",
    )


def _dump(prefix: str, daemons: Daemons) -> Iterator[Key]:
    key = partial(Key, daemons=daemons)
    output = DUMP_OUTPUT if prefix == "bgp_table_dump_" else LOG_OUTPUT
    yield key(f"{prefix}file", DATED_NAME, None, "file to write, with the time of the dump in its name")
    yield key(
        f"{prefix}output",
        output,
        DumpFormat.JSON,
        "encoding; `avro` is the binary one, `mrt` (ours, BGP only) is RFC 6396",
    )
    yield key(f"{prefix}refresh_time", REFRESH_TIME, 0, "seconds between dumps; 0 is none", live=True)
    yield key(
        f"{prefix}time_slots",
        between(1, 86_400),
        1,
        "dumps that the peers are spread over in that time; divides `refresh_time`",
        live=True,
    )
    yield key(f"{prefix}latest_file", PEER_NAME, None, "link to the newest dump")
    yield key(f"{prefix}workers", at_least(1), 1, "threads that write: ours needs none", status=Status.NO_EFFECT)
    yield from _brokers(prefix, daemons, DATED_NAME)
    yield from queue_keys(key, prefix)


BGP_LOG: Final = Group(
    "BGP message log",
    "A record for every session that starts or ends and for every route that is announced or withdrawn. File, Kafka "
    "topic and AMQP routing key each switch it on; several of them get the same records.",
    tuple(_log("bgp_daemon_msglog_", BGP)),
)
BGP_DUMP: Final = Group(
    "BGP table dump",
    "All routes of all peers, every so often. File, Kafka topic and AMQP routing key, together with a refresh time, "
    "each switch it on; several of them get the same records.",
    tuple(_dump("bgp_table_dump_", BGP)),
)
BMP_LOG: Final = Group(
    "BMP message log",
    "As the BGP message log; and a line for every event of a router and its peers.",
    (
        *_log("bmp_daemon_msglog_", BMP),
        Key(
            "bmp_daemon_msglog_unchanged",
            BOOLEAN,
            ON,
            "log routes that are announced again as they are already",
            daemons=BMP,
            ours=True,
        ),
    ),
)
BMP_DUMP: Final = Group(
    "BMP dump",
    "As the BGP table dump; and behind the routes of a router its events: what still holds of earlier ones, and all "
    "since the last dump.",
    (
        *_dump("bmp_dump_", BMP),
        Key("bmp_dump_exclude_stats", BOOLEAN, OFF, "statistics are logged but not dumped", daemons=BMP),
    ),
)
