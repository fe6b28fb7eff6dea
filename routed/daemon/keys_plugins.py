"""Keys of plugins: what they aggregate, when they write, and what `print` writes.

Keys that all plugins have are set by any of their prefixes: `print_history`, `kafka_history` and `sql_history` are one.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from routed.daemon.keys_brokers import amqp_keys, kafka_keys, queue_keys
from routed.daemon.values import FLOW_KEY, FLOW_TARGET
from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.names import parse_name
from routed.plumbing.values import (
    BOOLEAN,
    OFF,
    PATH,
    TEXT,
    Parser,
    at_least,
    between,
    one_of,
    word,
)

#: Longest refresh: a year. Units: seconds.
MAX_REFRESH: Final = 366 * 86_400
#: Prefixes that keys of all plugins may have instead of `print_`.
PREFIXES: Final = ("kafka_", "amqp_", "sql_")

_key = partial(Key, daemons=Daemons.FLOW, status=Status.FLOW, is_global=False)


def _shared(ending: str, parser: Parser[Any], default: object, meaning: str, *others: str) -> Key:
    """Declare a key of all plugins."""
    return _key(f"print_{ending}", parser, default, meaning, aliases=(*(p + ending for p in PREFIXES), *others))


def _matching(pattern: str, valid: str) -> Parser[str]:
    whole = re.compile(pattern)

    def parse(text: str) -> str:
        if whole.fullmatch(text) is None:
            raise ValueError
        return text

    return Parser(valid, parse)


LENGTH: Final = _matching(r"0*[1-9][0-9]*[smhdwM]?", "a number with s, m, h, d, w or M behind it, of seconds without")
ROUNDOFF: Final = _matching(
    r"(?!.*w.*[dM])(?!.*[dM].*w)[mhdwM]+", "letters of m, h, d, w and M; w goes with neither d nor M"
)
SEPARATOR: Final = _matching(r"\\t|\\s|[\x21-\x7e]", "one character, \\t or \\s")
OUTPUTS: Final = ("formatted", "csv", "json", "avro", "avro_bin", "avro_json", "event_formatted", "event_csv", "custom")

AGGREGATION: Final = Group(
    "Aggregation",
    "What a plugin sums flows by, and when it writes. Each may be set for one plugin, `key[name]`; the primitives are "
    "listed in [primitives.md](primitives.md).",
    (
        _key("aggregate", TEXT, None, "primitives that flows are summed by (`src_host` when unset)"),
        _shared("refresh_time", between(1, MAX_REFRESH), 60, "seconds between two flushes"),
        _shared("startup_delay", at_least(0), 0, "seconds that flushes are later; whole bins of it are held back"),
        _shared("history", LENGTH, None, "length of time bins"),
        _shared("history_offset", at_least(0), 0, "seconds that bins begin earlier"),
        _shared(
            "history_roundoff", ROUNDOFF, None, "units that are cut off the start for the base", "amqp_time_roundoff"
        ),
        _shared("cache_entries", between(1, 2**31 // 10 - 1), None, "a tenth of the keys that are held in memory"),
        _shared("max_writers", at_least(1), 10, "flushes that may wait for a destination that fails"),
        _shared("num_protos", BOOLEAN, OFF, "protocols as numbers"),
        _shared("preprocess", TEXT, None, "bounds that a row must pass: `minp=2, minb=1000`"),
        _shared("preprocess_type", one_of("any", "all"), "any", "how many of them"),
        _shared("trigger_exec", TEXT, None, "program that is run after each flush, with its arguments"),
        _shared("trigger_exec_async", BOOLEAN, OFF, "do not wait for it"),
        _key("tcpflags_encode_as_array", BOOLEAN, OFF, "TCP flags as a list of names (JSON, Avro)"),
        _key("fwd_status_encode_as_string", BOOLEAN, OFF, "forwarding status by name", source="RFC 7270 section 4.12"),
        _key("mpls_label_stack_encode_as_array", BOOLEAN, OFF, "labels as a list (JSON, Avro)"),
        _key("tos_encode_as_dscp", BOOLEAN, OFF, "the six bits of DSCP instead of the octet", source="RFC 2474"),
    ),
)

PRINT: Final = Group(
    "Print plugin",
    "Rows in files, FIFOs or on standard output. A file appears whole; later rows of its time bin are added.",
    (
        _key("print_output", one_of(*OUTPUTS), "formatted", "format of rows"),
        _key(
            "print_output_file",
            PATH,
            None,
            "file, with strftime and `$peer_src_ip`, `$tag`, `$tag2`, `$post_tag`, `$post_tag2`, `$ref`, `$hst`, "
            "`$tzone`; standard output when unset",
        ),
        _key("print_output_file_append", BOOLEAN, OFF, "add to files that exist"),
        _key("print_output_lock_file", PATH, None, "lock that daemons share that write to one standard output"),
        _key("print_latest_file", PATH, None, "link to the latest file, with the same `$` variables"),
        _key("print_write_empty_file", BOOLEAN, OFF, "make a file where there is nothing to write"),
        _key("print_output_separator", SEPARATOR, ",", "between columns of CSV"),
        _key(
            "print_markers",
            BOOLEAN,
            OFF,
            "lines that begin and end what a flush writes",
            aliases=("kafka_markers", "amqp_markers"),
        ),
        _key(
            "avro_schema_file",
            PATH,
            None,
            "where the Avro schema is written at start, with `-acct_data` behind the name",
            aliases=("avro_schema_output_file",),
        ),
        _key("print_output_custom_lib", PATH, None, "refused: libraries of other programs"),
        _key("print_output_custom_cfg_file", PATH, None, "refused: libraries of other programs"),
    ),
)

_BROKER_OUTPUT: Final = word({"json": "json", "avro": "avro", "avro_bin": "avro", "avro_json": "avro_json"})

BROKERS: Final = Group(
    "Kafka and AMQP plugins",
    "Rows as messages. What a broker does not take waits, in memory and then on disk; nothing is lost by a restart.",
    (
        _key("kafka_topic", FLOW_TARGET, parse_name("pmacct.acct", {}), "Kafka topic"),
        *kafka_keys(_key, "kafka_"),
        _key("kafka_output", _BROKER_OUTPUT, "json", "encoding; `avro` is the binary one"),
        _key(
            "kafka_multi_values",
            at_least(0),
            0,
            "octets of a message that has several rows of JSON, a newline between two, or the number of records of "
            "Avro; 0 is a message for each",
        ),
        _key(
            "kafka_partition",
            at_least(-1),
            -1,
            "partition; -1 is that of the record key, or without one the next in turn for every few hundred rows",
        ),
        _key("kafka_partition_key", FLOW_KEY, None, "key of the records"),
        _key("kafka_partition_dynamic", BOOLEAN, OFF, "insist on a key, and on no other choice of the partition"),
        _key("amqp_routing_key", FLOW_TARGET, parse_name("acct", {}), "AMQP routing key"),
        *amqp_keys(_key, "amqp_"),
        _key("amqp_output", _BROKER_OUTPUT, "json", "encoding; `avro` is the binary one"),
        _key("amqp_multi_values", at_least(0), 0, "as `kafka_multi_values`"),
        *queue_keys(_key, "plugin_"),
    ),
)

MEMORY: Final = Group(
    "Memory plugin",
    "A table that counts until it is erased, and that the command `pmacct` asks over a socket.",
    (
        _key("imt_path", PATH, "/tmp/collect.pipe", "socket that the command `pmacct` connects to"),  # noqa: S108 (pmacct's)
        _key(
            "imt_mem_pools_number",
            at_least(0),
            16,
            "pools that entries may fill; unset with `imt_mem_pools_size`, or 0: two million entries",
        ),
        _key("imt_mem_pools_size", between(1, 2**40), 8_192, "octets of a pool"),
        _key("imt_buckets", at_least(1), 32_771, "accepted; the table grows by itself"),
    ),
)
