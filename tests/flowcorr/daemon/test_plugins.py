"""Plugins from a configuration."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregation import MOST_ENTRIES
from flowcorr.correlate.bins import Length
from flowcorr.daemon.broker_plugins import BrokerPlugin
from flowcorr.daemon.plugin_settings import Declared, PluginSettings, plugin_settings
from flowcorr.daemon.plugins import make_plugin
from flowcorr.service import _pieces as r
from flowcorr.service._checks import BYTES_A_PACKET, PACKETS, Check
from flowcorr.service.memory_plugin import MemorySettings
from flowcorr.service.render import Output
from flowcorr.service.trigger import Trigger
from routed.daemon.keys import KEYS
from routed.plumbing.config import configure
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.log import Level, Log, LogSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.statements import parse_statements

T = TypeVar("T")


def understand(text: str, daemon: str = "nfacctd") -> tuple[tuple[PluginSettings, ...], list[str], list[str]]:
    """Return the plugins, what is fatal and what is advice."""
    configuration = configure(KEYS, parse_statements(text, "c").statements)
    assert configuration.is_usable, configuration.problems
    understood = plugin_settings(configuration, daemon, {}, Owner())
    fatal = [problem.text for problem in understood.problems if problem.is_fatal]
    return understood.plugins, fatal, [problem.text for problem in understood.problems if not problem.is_fatal]


def one(text: str, daemon: str = "nfacctd") -> PluginSettings:
    [plugin], fatal, _ = understand(f"plugins: print[a]\n{text}", daemon)
    assert fatal == []
    return plugin


def test_each_instance_has_keys_of_its_own() -> None:
    plugins, fatal, _ = understand(
        "plugins: print[a], print[b], print\n"
        "aggregate: src_host\naggregate[b]: dst_as\n"
        "print_output: json\nprint_output[a]: csv\nprint_refresh_time[b]: 10\n"
    )
    assert fatal == []
    assert [plugin.declared for plugin in plugins] == [
        Declared("print", "a"),
        Declared("print", "b"),
        Declared("print", "default_print"),
    ]
    assert [plugin.aggregate.primitives for plugin in plugins] == [("src_host",), ("dst_as",), ("src_host",)]
    assert [plugin.rows.output for plugin in plugins] == [Output.CSV, Output.JSON, Output.JSON]
    assert [plugin.aggregation.refresh for plugin in plugins] == [60, 10, 60]


def test_any_prefix_sets_what_all_plugins_have_and_the_last_one_wins() -> None:
    plugin = one("kafka_refresh_time: 10\nsql_history: 5m\nprint_refresh_time: 20\namqp_time_roundoff: m")
    assert (plugin.aggregation.refresh, plugin.aggregation.history) == (20, Length(seconds=300))
    assert plugin.aggregation.roundoff == "m"


def test_brokers_have_their_defaults_and_each_instance_its_own() -> None:
    plugins, fatal, _ = understand(
        "plugins: kafka[k], amqp\nkafka_multi_values: 1000\namqp_multi_values: 7\namqp_output: avro\n"
        "kafka_broker_host[k]: 192.0.2.1\nplugin_spool_size[k]: 0\npost_tag: 5\nkafka_markers: true\n"
    )
    assert fatal == []
    kafka, amqp = (plugin.output for plugin in plugins)
    assert isinstance(kafka, BrokerPlugin)
    assert isinstance(amqp, BrokerPlugin)
    transport = KafkaSettings(servers="192.0.2.1:9092", keys="kafka_", multi_values=1000, in_bulk=True)
    assert (kafka.broker.label, kafka.broker.transport, kafka.broker.target.text) == (
        "kafka-k",
        transport,
        "pmacct.acct",
    )
    assert (kafka.output.bundle, kafka.output.markers, kafka.output.post_tag) == (0, True, 5)
    assert kafka.broker.spool.directory is None
    assert (amqp.broker.label, amqp.broker.target.text) == ("amqp-default_amqp", "acct")
    assert (amqp.output.bundle, amqp.output.output, plugins[1].rows.output) == (7, Output.AVRO, Output.AVRO)
    assert amqp.broker.spool.directory == Path("/var/spool/routed")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "plugins: pgsql[x]",
            "[c:1] plugins: pgsql[x]: plugins of the kind pgsql are not built yet; valid is ",
        ),
        (
            "plugins: kafka[x]\nkafka_topic: flows_$peer_src_ip",
            "[c:2] kafka_topic[x]: $peer_src_ip needs peer_src_ip in aggregate",
        ),
        (
            "plugins: kafka[x]\naggregate: proto\nkafka_partition_key: $dst_host",
            "[c:3] kafka_partition_key[x]: $dst_host needs dst_host in aggregate",
        ),
        ("plugins: kafka[x]\nkafka_partition_dynamic: true", "kafka_partition_dynamic[x]: needs kafka_partition_key"),
        (
            "plugins: kafka[x]\nkafka_partition_dynamic: true\nkafka_partition_key: k\nkafka_partition: -1",
            "[c:2] kafka_partition_dynamic[x]: does not go with kafka_partition",
        ),
        (
            "plugins: kafka[x]\nkafka_avro_schema_registry: http://127.0.0.1",
            "kafka_avro_schema_registry[x]: is for records of Avro",
        ),
        (
            "plugins: kafka[x]\nkafka_avro_schema_registry: http://[::1]\nkafka_output: avro\nkafka_multi_values: 9",
            "kafka_avro_schema_registry[x]: has a number for each record",
        ),
        (
            "plugins: kafka\nkafka_avro_schema_registry: http://[::1]\nkafka_output: avro\nkafka_topic: f_$post_tag",
            "kafka_avro_schema_registry[default_kafka]: names schemas",
        ),
        ("plugins: amqp[x]\namqp_routing_key: $tag2", "[c:2] amqp_routing_key[x]: $tag2 needs tag2 in aggregate"),
        ("plugins: memory[a], memory[b]", "imt_path[b]: /tmp/collect.pipe is the socket of [a] already"),
        ("plugins: nfprobe[x]", "nfprobe is for probes, not for nfacctd"),
        ("plugins: prnt[x]", "no plugin is of the kind prnt; valid is memory, print, kafka, amqp; did you mean print?"),
        ("plugins: print[x]\naggregate[x]: src_hots", "[c:2] aggregate[x]: Unknown primitive 'src_hots'; did you mean"),
        ("plugins: print[x]\naggregate: src_host_country", "[c:2] aggregate[x]: primitive 'src_host_country': GeoIP"),
        ("plugins: print[x]\nprint_history: 500d", "[c:2] print_history[x]: 500d is longer than a year"),
        ("plugins: print[x]\nprint_history: 1m\nprint_history_offset: 60", "60 is not below the length of a bin"),
        ("plugins: print[x]\nprint_output: custom", "refused"),
        ("plugins: print[x]\nprint_latest_file: x%H", "takes no % of strftime"),
        ("plugins: print[x]\nprint_output_file: x-$tag2", "$tag2 needs tag2 in aggregate"),
        ("plugins: print[x]\ndaemonize: true", "must be set with daemonize"),
        ("plugins: print[x]\nprint_preprocess: minpp=3", "'minpp' is none of minp"),
        ("plugins: print[x]\nprint_preprocess: minp=0", "'minp=0' has no number above 0"),
        ("plugins: print[x]\nnfacctd_pro_rating: true\nnfacctd_stitching: true", "does not go with nfacctd_stitching"),
    ],
)
def test_what_cannot_be_is_named_with_its_key_and_place(text: str, problem: str) -> None:
    _, fatal, _ = understand(text)
    assert len(fatal) == 1
    assert problem in fatal[0]


@pytest.mark.parametrize("letters", ["s", "wd", "Mw", "x", "m h", "H"])
def test_what_is_no_roundoff(letters: str) -> None:
    configuration = configure(KEYS, parse_statements(f"print_history_roundoff: {letters}", "c").statements)
    [problem] = configuration.problems
    assert "w goes with neither d nor M" in problem.text


def test_all_problems_are_told_at_once() -> None:
    _, fatal, _ = understand("plugins: print[a], pgsql, print[b]\naggregate[a]: x\naggregate[b]: y")
    assert len(fatal) == 3


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("plugins: print[a], print[a]", "a is declared twice"),
        ("aggregate: src_host", "plugins is not set: memory"),
        ("plugins: print[a]\nprint_output_file: x-$tga", "$tga stays as it is"),
        ("plugins: print[a]\nprint_history: 5m", "print_history without print_history_roundoff"),
        ("plugins: print[a]\nnfacctd_pro_rating: true", "nfacctd_pro_rating needs print_history"),
        ("plugins: print[a]", "aggregate is empty: src_host"),
        ("plugins: print[a]\naggregate: tunnel_src_mac", "not supported by 'nfacctd'"),
    ],
)
def test_what_an_operator_should_know(text: str, advice: str) -> None:
    _, fatal, advices = understand(text)
    assert fatal == []
    assert any(advice in line for line in advices)


def test_switches_reach_the_rows() -> None:
    plugin = one(
        "aggregate: tos, label\nprint_output: csv\nprint_output_separator: \\t\nprint_history: 1h\n"
        "print_history_roundoff: h\nsfacctd_stitching: true\nfwd_status_encode_as_string: true\n"
        "tos_encode_as_dscp: true\ntimestamps_secs: true\ntimestamps_utc: true\ntimestamps_rfc3339: true\n"
        "print_preprocess: minp=2, maxbpp=9\nprint_preprocess_type: all\nprint_cache_entries: 100\n",
        "sfacctd",
    )
    rows, aggregation = plugin.rows, plugin.aggregation
    assert (rows.separator, rows.time_layout, rows.utc, rows.status_as_text) == ("\t", r.RFC9557, True, True)
    assert (rows.has_history, rows.has_spell, rows.whole_seconds, rows.all_checks) == (True, True, True, True)
    assert rows.checks == (Check(PACKETS, 2), Check(BYTES_A_PACKET, 9, is_maximum=True))
    assert (aggregation.dscp, aggregation.stitching, aggregation.most_entries) == (True, True, 1_000)
    assert {column.name for column in plugin.columns} == {"tos", "label", "time_end"}
    assert one("").aggregation.most_entries == MOST_ENTRIES


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", None),
        ("imt_mem_pools_number: 0", None),
        ("imt_mem_pools_number: 0\nimt_mem_pools_size: 100", None),
        ("imt_mem_pools_number: 2", 2 * 8_192),
        ("imt_mem_pools_size: 1000", 16 * 1_000),
        ("plugins: memory[a]\nimt_mem_pools_number[a]: 3\nimt_mem_pools_size: 10", 30),
    ],
)
def test_pools_bound_a_table_where_they_are_set(text: str, octets: int | None) -> None:
    plugins, fatal, _ = understand(f"imt_path: /x\n{text}")
    assert not fatal
    assert plugins[0].output == MemorySettings(path=Path("/x"), most_octets=octets, owner=Owner())


class Remembering(Log):
    """A log that keeps its lines."""

    def __init__(self) -> None:
        settings = LogSettings(
            process="core", debug=False, file=None, facility=None, ident="x", stderr_timestamps=False, utc=True
        )
        super().__init__(settings, Owner())
        self.lines: list[str] = []

    def write(self, level: Level, text: str, module: str = "core", *, process: str | None = None, **_: object) -> None:  # type: ignore[override]  # facts are of no interest
        self.lines.append(f"{level.name} ( {process}/{module} ): {text}")


def at_once(work: Callable[[], T]) -> Deferred[T]:
    return execute(work)


def test_an_instance_writes_and_runs_its_trigger(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\necho "$PLUGIN $OUTPUT_FILES $1" > $2\n')
    script.chmod(0o755)
    settings = one(
        f"aggregate: tos\nprint_output: csv\nprint_output_file: {tmp_path}/out\ntos_encode_as_dscp: true\n"
        f"print_trigger_exec: {script} first {tmp_path}/ran"
    )
    layout, texts, clock, log = Layout([*ALWAYS, *settings.columns]), Texts(), Clock(), Remembering()
    clock.advance(1_000)
    plugin = make_plugin(settings, layout, texts, clock, at_once, log, clock.seconds)
    plugin.start()
    batch = Batch(layout, 2)
    batch.append(tos=184, packets=1)
    batch.append(tos=185, packets=2)  # the same DSCP
    plugin.take(batch, None)
    for _ in range(61):
        clock.advance(1)
    assert (tmp_path / "out").read_text() == "TOS,PACKETS,BYTES\n46,3,0\n"
    assert (tmp_path / "ran").read_text() == f"a {tmp_path}/out first\n"
    assert log.lines[0].startswith("INFO ( a/print ): *** Purging cache - START (PID: ")


@pytest.mark.parametrize("output", ["avro", "avro_json"])
def test_the_schema_of_rows_is_written_at_the_start(tmp_path: Path, output: str) -> None:
    text = f"aggregate: tos\nprint_output: {output}\nprint_output_file: {tmp_path}/out\n"
    for name in (f"{tmp_path}/schema", f"{tmp_path}/schema-acct_data/x"):
        settings, log = one(f"{text}avro_schema_output_file: {name}"), Remembering()
        layout, clock = Layout([*ALWAYS, *settings.columns]), Clock()
        make_plugin(settings, layout, Texts(), clock, at_once, log, clock.seconds)
        assert len(log.lines) == name.endswith("x")
    schema = json.loads((tmp_path / "schema-acct_data").read_text())
    assert (schema["name"], schema["fields"][0]) == ("acct_data", {"name": "tos", "type": "long"})


def test_a_trigger_that_fails_says_so(tmp_path: Path) -> None:
    def run(*words: str, **options: object) -> str:
        return Trigger(words, "a", lambda: (), **options).run()  # type: ignore[arg-type]  # mixed options

    assert run("true") == ""
    assert run("false") == "false ended with status 1"
    assert run(str(tmp_path / "missing")).endswith("No such file or directory")
    assert "not waited for" in run("sleep", "5", patience=0.01)
    assert run("sleep", "0.01", waits=False) == ""
