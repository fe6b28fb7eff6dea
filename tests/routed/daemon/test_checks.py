from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routed.daemon.settings import problem_lines, read_configuration
from routed.plumbing.log import Level
from routed.plumbing.statements import Kind, parse_statements

if TYPE_CHECKING:
    from routed.plumbing.config import Configuration


NET = "49.0001.0000.0000.00aa.00"
ISIS = ("isis_daemon: true", f"isis_daemon_net: {NET}", "isis_daemon_ip: 192.0.2.1")


def read(*lines: str) -> Configuration:
    return read_configuration(parse_statements("\n".join(lines), "f"))


def of_kind(configuration: Configuration, kind: Kind) -> list[str]:
    return [problem.text for problem in configuration.problems if problem.kind is kind]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ["bgp_table_dump_output: mrt", "bgp_table_dump_kafka_topic: t", "bgp_table_dump_refresh_time: 60"],
            (
                "[f:2] bgp_table_dump_kafka_topic: bgp_table_dump_output: mrt and bgp_table_dump_kafka_topic "
                "exclude each other"
            ),
        ),
        (
            ["bmp_dump_kafka_route_key: true", "bmp_dump_kafka_multi_values: 1000"],
            (
                "[f:1] bmp_dump_kafka_route_key: bmp_dump_kafka_route_key and bmp_dump_kafka_multi_values "
                "exclude each other"
            ),
        ),
        (
            ["isis_daemon: true", "isis_daemon_ip: 192.0.2.1", "isis_daemon_iface: gre0"],
            "[f:1] isis_daemon: isis_daemon_net is missing",
        ),
        (
            ["igp_daemon: true", f"igp_daemon_net: {NET}", "isis_daemon_gre: 192.0.2.1,192.0.2.2"],
            "[f:1] isis_daemon: isis_daemon_ip is missing",
        ),
        (
            ["isis_daemon: true", f"isis_daemon_net: {NET}", "isis_daemon_ip: 192.0.2.1"],
            "[f:1] isis_daemon: isis_daemon_iface, isis_daemon_gre or igp_daemon_map is missing",
        ),
        (
            [*ISIS, "igp_daemon_map: /m", "isis_daemon_iface: gre0"],
            "[f:4] igp_daemon_map: igp_daemon_map and isis_daemon_iface exclude each other",
        ),
        (
            [*ISIS, f"isis_daemon_iface: {','.join(f'e{n}' for n in range(16))}", "isis_daemon_gre: ::1,::2"],
            "[f:5] isis_daemon_gre: isis_daemon_iface and isis_daemon_gre are more than 16",
        ),
        (
            ["bgp_daemon_xconnect_map: /m", "bgp_daemon_msglog_file: /x"],
            "[f:2] bgp_daemon_msglog_file: bgp_daemon_xconnect_map and bgp_daemon_msglog_file exclude each other",
        ),
        (
            ["bgp_table_dump_file: /x", "bgp_table_dump_refresh_time: 60", "bgp_daemon_xconnect_map: /m"],
            "[f:1] bgp_table_dump_file: bgp_daemon_xconnect_map and bgp_table_dump_file exclude each other",
        ),
        (
            [
                "bgp_daemon_msglog_kafka_avro_schema_registry: http://r",
                "bgp_daemon_msglog_kafka_topic: $peer_src_ip",
                "bgp_daemon_msglog_output: avro",
            ],
            "[f:2] bgp_daemon_msglog_kafka_topic: a schema registry needs a topic without variables",
        ),
        (
            [
                "bgp_table_dump_kafka_avro_schema_registry: http://r",
                "bgp_table_dump_kafka_topic: t-%H",
                "bgp_table_dump_output: avro",
            ],
            "[f:2] bgp_table_dump_kafka_topic: a schema registry needs a topic without variables",
        ),
        (
            ["bgp_daemon_msglog_output: avro_json", "bgp_daemon_msglog_kafka_avro_schema_registry: http://r"],
            "[f:2] bgp_daemon_msglog_kafka_avro_schema_registry: needs bgp_daemon_msglog_output: avro",
        ),
        (
            ["bmp_dump_kafka_multi_values: 1000", "bmp_dump_output: avro"],
            (
                "[f:1] bmp_dump_kafka_multi_values: bmp_dump_kafka_multi_values and bmp_dump_output: avro exclude "
                "each other"
            ),
        ),
        (
            ["bmp_dump_avro_container: true", "bmp_dump_file: /f"],
            "[f:1] bmp_dump_avro_container: needs bmp_dump_output: avro",
        ),
        (
            ["bgp_daemon_msglog_output: avro", "bgp_daemon_msglog_avro_container: true"],
            "[f:2] bgp_daemon_msglog_avro_container: needs bgp_daemon_msglog_file",
        ),
        (
            ["bmp_dump_amqp_tls_ca_file: /ca"],
            "[f:1] bmp_dump_amqp_tls_ca_file: needs bmp_dump_amqp_tls: true",
        ),
        (
            ["bgp_table_dump_amqp_tls: true", "bgp_table_dump_amqp_tls_key_file: /key"],
            (
                "[f:2] bgp_table_dump_amqp_tls_key_file: bgp_table_dump_amqp_tls_certificate_file and "
                "bgp_table_dump_amqp_tls_key_file need each other"
            ),
        ),
        (
            ["bgp_table_dump_refresh_time: 60", "bgp_table_dump_time_slots: 61"],
            "[f:2] bgp_table_dump_time_slots: 61 slots do not fit into bgp_table_dump_refresh_time of 60 seconds",
        ),
        (
            ["rpki_roas_file: /r", "rpki_rtr_cache: 192.0.2.1:323"],
            "[f:2] rpki_rtr_cache: rpki_roas_file and rpki_rtr_cache exclude each other",
        ),
        (
            ["rpki_rtr_cache: 192.0.2.1:324", "rpki_rtr_tls_ca_file: /a", "rpki_rtr_tls_certificate_file: /c"],
            "[f:3] rpki_rtr_tls_certificate_file: rpki_rtr_tls_key_file is missing",
        ),
        (
            ["rpki_rtr_cache: 192.0.2.1:324", "rpki_rtr_tls_key_file: /k"],
            "[f:2] rpki_rtr_tls_key_file: rpki_rtr_tls_certificate_file is missing",
        ),
        (
            [
                "rpki_rtr_cache: 192.0.2.1:324",
                "rpki_rtr_tls_certificate_file: /c",
                "rpki_rtr_tls_key_file: /k",
            ],
            "[f:2] rpki_rtr_tls_certificate_file: rpki_rtr_tls_ca_file is missing",
        ),
        (["redis_host: 192.0.2.1:6379"], "[f:1] redis_host: cluster_name is missing"),
        (
            ["bmp_dump_refresh_time: 60", "bmp_dump_time_slots: 61"],
            "[f:2] bmp_dump_time_slots: 61 slots do not fit into bmp_dump_refresh_time of 60 seconds",
        ),
        (
            ["bmp_daemon_tls_certificate_file: /c"],
            "[f:1] bmp_daemon_tls_certificate_file: bmp_daemon_tls_key_file is missing",
        ),
        (
            ["bmp_daemon_tls_key_file: /k"],
            "[f:1] bmp_daemon_tls_key_file: bmp_daemon_tls_certificate_file is missing",
        ),
        (
            ["bmp_daemon_tls_key_file: /k", "bmp_daemon_tls_ca_file: /a"],
            "[f:1] bmp_daemon_tls_key_file: bmp_daemon_tls_certificate_file is missing",
        ),
        (
            ["bmp_daemon_ip: 192.0.2.1", "pcap_savefile: /c"],
            "[f:2] pcap_savefile: pcap_savefile and bmp_daemon_ip exclude each other",
        ),
        (["bmp_daemon_ha: true"], "[f:1] bgp_daemon_ha: bgp_daemon_ha_cluster_name is missing"),
    ],
)
def test_keys_that_exclude_each_other_are_errors(lines: list[str], text: str) -> None:
    configuration = read(*lines)
    assert of_kind(configuration, Kind.CONFLICT) == [text]
    assert not configuration.is_usable


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ["bgp_daemon_batch: 5"],
            "[f:1] bgp_daemon_batch: bgp_daemon_batch and bgp_daemon_batch_interval need each other. Both are off.",
        ),
        (
            ["bgp_daemon_batch_interval: 5"],
            (
                "[f:1] bgp_daemon_batch_interval: bgp_daemon_batch and bgp_daemon_batch_interval need each other. "
                "Both are off."
            ),
        ),
        (
            ["bmp_daemon_batch: 5"],
            "[f:1] bmp_daemon_batch: bmp_daemon_batch and bmp_daemon_batch_interval need each other. Both are off.",
        ),
        (
            ["bmp_dump_file: /x"],
            "[f:1] bmp_dump_file: bmp_dump_refresh_time is not set. The dump is disabled.",
        ),
        (
            ["bgp_table_dump_file: /x"],
            "[f:1] bgp_table_dump_file: bgp_table_dump_refresh_time is not set. The dump is disabled.",
        ),
        (
            ["isis_dump_file: /x"],
            "[f:1] isis_dump_file: isis_dump_refresh_time is not set. The dump is disabled.",
        ),
        (["igp_daemon_map: /m"], "[f:1] igp_daemon_map: isis_daemon is not true. No effect."),
        (
            ["igp_daemon_map_msglog: /c"],
            "[f:1] igp_daemon_map_msglog: igp_daemon_map is not set. No effect.",
        ),
        (
            ["bgp_table_dump_refresh_time: 100", "bgp_table_dump_time_slots: 7"],
            "[f:2] bgp_table_dump_time_slots: 7 does not divide bgp_table_dump_refresh_time of 100 seconds.",
        ),
        (
            ["bgp_daemon_msglog_file: /x-$router"],
            "[f:1] bgp_daemon_msglog_file: unknown variable $router stays as it is.",
        ),
    ],
)
def test_keys_that_miss_each_other_are_warnings(lines: list[str], text: str) -> None:
    configuration = read(*lines)
    assert of_kind(configuration, Kind.ADVICE) == [text]
    assert configuration.passes_check


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["bgp_daemon_batch: 5", "bgp_daemon_batch_interval: 10"],
        ["bgp_daemon_msglog_file: /x", "bgp_table_dump_file: /y", "bgp_table_dump_refresh_time: 60"],
        ["bgp_table_dump_file: /y", "bgp_table_dump_refresh_time: 240", "bgp_table_dump_time_slots: 8"],
        ["bgp_table_dump_file: /y", "bgp_table_dump_refresh_time: 60", "bgp_table_dump_output: mrt"],
        ["files_uid: 0", "files_gid: root"],
        [
            "bmp_daemon_msglog_file: /x",
            "bmp_dump_file: /y",
            "bmp_dump_refresh_time: 60",
            "bmp_dump_exclude_stats: true",
        ],
        ["bmp_daemon_tls_certificate_file: /c", "bmp_daemon_tls_key_file: /k", "bmp_daemon_tls_ca_file: /a"],
        ["pcap_savefile: /c", "pcap_savefile_wait: true", "pcap_filter: tcp", "bmp_daemon_port: 1791"],
        ["bmp_table_peer_buckets: 100", "bmp_daemon_parse_proxy_header: true", "bmp_daemon_set_pd: true"],
        ["bgp_table_attr_hash_buckets: 999999", "bgp_table_per_peer_hash: mpls_vpn_rd", "maps_index: true"],
        ["bgp_peer_src_as_type: bgp", "nfacctd_net: bgp", "pre_tag_map: /m", "print_output[x]: json"],
        ["tmp_bgp_daemon_route_refresh: true", "timestamps_secs: true", "timestamps_rfc3339: true"],
    ],
)
def test_sound_configurations_have_no_problems(lines: list[str]) -> None:
    assert read(*lines).problems == ()


def test_certificates_that_are_missing_are_both_named() -> None:
    assert of_kind(read("bmp_daemon_tls_ca_file: /a"), Kind.CONFLICT) == [
        "[f:1] bmp_daemon_tls_ca_file: bmp_daemon_tls_certificate_file is missing",
        "[f:1] bmp_daemon_tls_ca_file: bmp_daemon_tls_key_file is missing",
    ]


def test_an_owner_of_files_has_to_exist() -> None:
    assert of_kind(read("files_uid: no-such-user-here"), Kind.BAD_VALUE) == [
        "[f:1] files_uid: no-such-user-here is not known to the system"
    ]
    assert not read("files_gid: no-such-group-here").is_usable


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("bgp_default_follow", "bgp_follow_default"),
        ("bmp_dump_config_file", "bmp_dump_kafka_config_file"),
        ("bgp_deamon_port", "bgp_daemon_port"),
        ("bgp_daemon_maxpeers", "bgp_daemon_max_peers"),
        ("bgp_max_peers", "bgp_daemon_max_peers"),
        ("bmp_daemon_maxpeers", "bmp_daemon_max_peers"),
        ("bmp_dump_exclude_statistics", "bmp_dump_exclude_stats"),
        ("bgp_daemon_msglog_kafka_topics", "bgp_daemon_msglog_kafka_topic"),
        ("bgp_table_dump_refresh", "bgp_table_dump_refresh_time"),
    ],
)
def test_a_misspelt_key_gets_the_one_it_was_meant_to_be(key: str, meant: str) -> None:
    """The first two are misspelt in the quick start of the reference implementation itself."""
    configuration = read(f"{key}: 1")
    assert of_kind(configuration, Kind.UNKNOWN_KEY) == [f"[f:1] Unknown key: {key}. Ignored. Did you mean {meant}?"]
    assert (configuration.is_usable, configuration.passes_check) == (True, False)


def test_problems_become_lines_of_the_log() -> None:
    lines = list(problem_lines(read("xyz: 1", "bgp_daemon_port: 0", "bgp_daemon_rp_ebpf_prog: f", "broken")))
    assert [(line.level, line.text.split()[0]) for line in lines] == [
        (Level.ERROR, "[f:4]"),
        (Level.WARN, "[f:1]"),
        (Level.ERROR, "[f:2]"),
        (Level.WARN, "[f:3]"),
    ]


@pytest.mark.parametrize(
    ("line", "module", "package"),
    [
        ("bmp_dump_amqp_routing_key: k", "pika", "pika"),
        ("bmp_dump_kafka_topic: t", "confluent_kafka", "confluent-kafka"),
    ],
)
def test_a_library_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, line: str, module: str, package: str
) -> None:
    monkeypatch.setattr("routed.daemon.checks.find_spec", lambda name: None if name == module else name)
    key = line.partition(":")[0]
    text = f"[f:1] {key}: {module} is not installed: pip install {package}"
    assert of_kind(read(line), Kind.CONFLICT) == [text]
