from __future__ import annotations

from typing import Final

import pytest

from routed.daemon.keys import KEYS
from routed.plumbing.config import Key, Status
from routed.plumbing.names import NameTemplate

#: Every control-plane key of the reference implementation, by prefix.
CONTROL_PLANE: Final = {
    "bgp_daemon_msglog_": """
        amqp_exchange amqp_exchange_type amqp_frame_max amqp_heartbeat_interval amqp_host amqp_passwd
        amqp_persistent_msg amqp_port amqp_retry amqp_routing_key amqp_routing_key_rr amqp_user amqp_vhost
        avro_schema_file file kafka_avro_schema_registry kafka_broker_host kafka_broker_port kafka_config_file
        kafka_partition kafka_partition_key kafka_retry kafka_topic kafka_topic_rr label_filter output
    """,
    "bgp_table_dump_": """
        amqp_exchange amqp_exchange_type amqp_frame_max amqp_heartbeat_interval amqp_host amqp_passwd
        amqp_persistent_msg amqp_port amqp_routing_key amqp_routing_key_rr amqp_user amqp_vhost avro_schema_file
        file kafka_avro_schema_registry kafka_broker_host kafka_broker_port kafka_config_file kafka_partition
        kafka_partition_key kafka_topic kafka_topic_rr latest_file output refresh_time time_slots workers
    """,
    "bmp_daemon_msglog_": """
        amqp_exchange amqp_exchange_type amqp_frame_max amqp_heartbeat_interval amqp_host amqp_passwd
        amqp_persistent_msg amqp_port amqp_retry amqp_routing_key amqp_routing_key_rr amqp_user amqp_vhost
        avro_schema_file file kafka_avro_schema_registry kafka_broker_host kafka_broker_port kafka_config_file
        kafka_partition kafka_partition_key kafka_retry kafka_topic kafka_topic_rr label_filter output
    """,
    "bmp_dump_": """
        amqp_exchange amqp_exchange_type amqp_frame_max amqp_heartbeat_interval amqp_host amqp_passwd
        amqp_persistent_msg amqp_port amqp_routing_key amqp_routing_key_rr amqp_user amqp_vhost avro_schema_file
        exclude_stats file kafka_avro_schema_registry kafka_broker_host kafka_broker_port kafka_config_file
        kafka_partition kafka_partition_key kafka_topic kafka_topic_rr latest_file output refresh_time
        time_slots workers
    """,
    "bgp_blackhole_": """
        dump_amqp_routing_key dump_file dump_kafka_topic dump_latest_file msglog_amqp_routing_key msglog_file
        msglog_kafka_topic stdcomm_list
    """,
    "bgp_daemon_": """
        add_path_ignore allow_file as batch batch_interval ha ha_cluster_id ha_cluster_name ha_queue_max_size
        ha_queue_message_timeout id interface ip ipprec ipv6_only lg lg_ip lg_passwd lg_port lg_threads lg_user
        max_peers md5_file pipe_size port rp_ebpf_prog tag_map xconnect_map
    """,
    "bmp_daemon_": """
        allow_file batch batch_interval ha ha_cluster_id ha_cluster_name ha_queue_max_size
        ha_queue_message_timeout interface ip ipprec ipv6_only max_peers parse_proxy_header pipe_size port
        rp_ebpf_prog set_pd tag_map
    """,
    "bmp_": """
        agent_map daemon table_attr_hash_buckets table_peer_buckets table_per_peer_buckets table_per_peer_hash
    """,
    "bgp_": """
        agent_map aspath_radius comms_encode_as_array comms_num daemon disable_router_id_check extcomm_pattern
        follow_default follow_nexthop follow_nexthop_external lrgcomm_pattern lrgcomm_pattern_to_asn
        neighbors_file peer_as_skip_subas peer_dst_ip_map peer_src_as_map peer_src_as_type src_as_path_type
        src_ext_comm_type src_local_pref_map src_local_pref_type src_lrg_comm_type src_med_map src_med_type
        src_roa_type src_std_comm_type stdcomm_pattern stdcomm_pattern_to_asn table_attr_hash_buckets
        table_peer_buckets table_per_peer_buckets table_per_peer_hash
    """,
    "rpki_": """
        roas_file rtr_cache rtr_cache_ipprec rtr_cache_pipe_size rtr_cache_version
    """,
    "tmp_bgp": """
        _daemon_origin_type_int _daemon_route_refresh _lookup_compare_ports
    """,
    "": """
        bgp_daemon bmp_daemon as_path_encode_as_array cluster_id cluster_name core_proc_name daemonize debug
        debug_internal_msg dry_run files_gid files_uid files_umask flow_to_rd_map log_stderr_tstamp logfile
        maps_entries maps_index maps_refresh maps_row_len nfacctd_as nfacctd_net pcap_filter pcap_savefile
        pcap_savefile_delay pcap_savefile_replay pcap_savefile_wait pidfile plugin_exit_any plugins pmacctd_as
        pmacctd_net pre_tag_label_encode_as_map pre_tag_map pre_tag_map_dont_recirculate proc_priority
        propagate_signals redis_db redis_host sfacctd_as sfacctd_net syslog syslog_ident thread_stack
        timestamps_rfc3339 timestamps_rfc9557 timestamps_secs timestamps_since_epoch timestamps_utc uacctd_as
        uacctd_net use_ip_next_hop writer_id_string
    """,
}
REFERENCE_NAMES: Final = frozenset(
    prefix + suffix for prefix, suffixes in CONTROL_PLANE.items() for suffix in suffixes.split()
)
#: Names of the reference implementation's older releases and documents.
OTHER_REFERENCE_NAMES: Final = [
    "redis_passwd",
    "isis_daemon",
    "isis_daemon_ip",
    "isis_daemon_net",
    "isis_daemon_iface",
    "isis_daemon_mtu",
    "isis_daemon_msglog",
    "igp_daemon",
    "igp_daemon_map",
    "igp_daemon_map_msglog",
]
PLUGIN_NAMES: Final = [
    "aggregate",
    "aggregate_filter",
    "nfacctd_port",
    "nfacctd_time_new",
    "sfacctd_ip",
    "print_output",
    "print_output_file",
    "print_refresh_time",
    "kafka_topic",
    "kafka_output",
    "amqp_routing_key",
    "sql_table",
    "sql_host",
    "imt_path",
    "imt_buckets",
    "tee_receivers",
    "nfprobe_receiver",
    "sfprobe_agentip",
    "plugin_pipe_zmq",
    "networks_file",
    "pmacctd_flow_lifetime",
    "uacctd_group",
    "telemetry_daemon_port_tcp",
    "telemetry_dump_file",
    "classifier_num_roots",
    "sfacctd_counter_file",
    "pcap_interface",
    "sampling_rate",
    "tcpflags_encode_as_array",
    "pre_tag_filter",
]


def keys() -> list[Key]:
    return list(KEYS)


def accepts(key: Key, text: str) -> bool:
    try:
        key.parser.parse(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", sorted([*REFERENCE_NAMES, *OTHER_REFERENCE_NAMES, *PLUGIN_NAMES]))
def test_every_key_of_the_reference_implementation_is_known(name: str) -> None:
    assert KEYS.find(name) is not None


def test_every_control_plane_key_is_documented() -> None:
    assert [name for name in REFERENCE_NAMES if not KEYS[name].meaning] == []


#: What our own keys may extend.
OUR_PREFIXES = (
    "amqp_",
    "bgp_daemon_",
    "bgp_table_dump_",
    "bmp_daemon_",
    "bmp_dump_",
    "isis_daemon_",
    "isis_dump_",
    "flow_to_rd_map_",
    "log_",
    "nfacctd_",
    "plugin_",
    "proc_",
    "rpki_",
)
#: Keys of the reference that both flow collectors have, and those of one of them.
COLLECTOR_NAMES = """
    allow_file ext_sampling_rate ignore_exporter_address interface ip ipv6_only mcast_groups peer_as pipe_size port
    proc_name renormalize stitching time_new disable_sanity_checks
""".split()  # noqa: SIM905 (a table)
PLUGIN_NAMES = """
    kafka_topic kafka_topic_rr kafka_broker_host kafka_broker_port kafka_config_file kafka_avro_schema_registry
    kafka_output kafka_multi_values kafka_partition kafka_partition_key kafka_partition_dynamic
    amqp_routing_key amqp_routing_key_rr amqp_host amqp_port amqp_vhost amqp_user amqp_passwd amqp_exchange
    amqp_exchange_type amqp_persistent_msg amqp_frame_max amqp_heartbeat_interval amqp_output amqp_multi_values
    imt_path imt_buckets imt_mem_pools_number imt_mem_pools_size
    aggregate print_refresh_time print_startup_delay print_history print_history_offset print_history_roundoff
    print_cache_entries print_max_writers print_num_protos print_preprocess print_preprocess_type print_trigger_exec
    print_trigger_exec_async tcpflags_encode_as_array fwd_status_encode_as_string mpls_label_stack_encode_as_array
    tos_encode_as_dscp print_output print_output_file print_output_file_append print_output_lock_file
    print_latest_file print_write_empty_file print_output_separator print_markers print_output_custom_lib
    print_output_custom_cfg_file avro_schema_file
"""
FLOW_NAMES = set(PLUGIN_NAMES.split()) | {
    *(f"{daemon}_{name}" for daemon in ("nfacctd", "sfacctd") for name in COLLECTOR_NAMES),
    *(
        f"nfacctd_{name}"
        for name in (
            "time_secs",
            "account_options",
            "disable_opt_scope_check",
            "pre_processing_checks",
            "templates_file",
            "templates_port",
            "templates_receiver",
            "pro_rating",
        )
    ),
    *("tmp_asa_bi_flow", "sampling_map", "aggregate_primitives", "aggregate_unknown_etype", "tunnel_0"),
    *("sfacctd_counter_file", "sfacctd_counter_output"),
    *(
        f"networks_{name}"
        for name in ("file", "file_filter", "file_no_lpm", "mask", "no_mask_if_zero", "cache_entries")
    ),
    *("ports_file", "protos_file", "tos_file", "aggregate_filter", "post_tag", "post_tag2"),
    *("pre_tag_filter", "pre_tag2_filter", "pre_tag_label_filter"),
}


def test_keys_of_ours_extend_a_prefix_and_take_no_name_of_the_reference() -> None:
    ours = [key for key in keys() if key.ours]
    assert ours
    for key in ours:
        assert key.name.startswith(OUR_PREFIXES)
        assert key.name not in REFERENCE_NAMES


def test_keys_that_are_not_ours_are_all_of_the_reference() -> None:
    """A key of ours that is not marked would be taken for a compatible one."""
    known = REFERENCE_NAMES | set(OTHER_REFERENCE_NAMES) | FLOW_NAMES
    stray = [key.name for key in keys() if key.meaning and not key.ours and key.name not in known]
    assert stray == []


@pytest.mark.parametrize("key", [key for key in KEYS if key.default is not None], ids=lambda key: key.name)
def test_a_default_is_what_its_text_would_be_parsed_to(key: Key) -> None:
    if isinstance(key.default, bool):
        text = str(key.default).lower()
    elif key.name == "files_umask":
        text = "077"
    elif isinstance(key.default, int | str):
        text = str(key.default)
    elif isinstance(key.default, NameTemplate):
        text = key.default.text
    else:
        text = getattr(key.default, "name", str(key.default))
    assert key.parser.parse(text) == key.default


@pytest.mark.parametrize("key", [key for key in KEYS if key.meaning], ids=lambda key: key.name)
def test_an_empty_value_is_never_valid(key: Key) -> None:
    assert not accepts(key, "")


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("bgp_daemon_port", ["1", "179", "65535"], ["0", "65536", "-1", "179abc", "0x50", "1e3", "\u0661"]),
        ("bgp_daemon_as", ["0", "65000", "4294967295"], ["4294967296", "1.10", "65000x"]),
        ("bgp_daemon_id", ["192.0.2.1"], ["0.0.0.0", "2001:db8::1", "192.0.2", "192.0.2.1/32"]),
        ("bgp_daemon_ip", ["192.0.2.1", "::", "2001:db8::1"], ["localhost", "192.0.2.1:179"]),
        ("bgp_daemon_ipprec", ["0", "7"], ["8", "-1"]),
        ("bgp_daemon_max_peers", ["1", "2000"], ["0", "-4", "many"]),
        ("bgp_daemon_hold_time", ["0", "3", "65535"], ["1", "2", "65536"]),
        ("bgp_daemon_gtsm", ["0", "1", "254"], ["255", "-1"]),
        ("bgp_daemon_role", ["provider", "RS-client"], ["rs_client", "0"]),
        ("bgp_daemon_hostname", ["a", "x" * 64], ["x" * 65]),
        ("bgp_table_dump_refresh_time", ["0", "60", "86400"], ["59", "86401"]),
        ("bgp_table_dump_time_slots", ["1", "86400"], ["0", "86401"]),
        ("bgp_table_dump_output", ["json", "MRT", "avro", "avro_bin", "avro_json"], ["jsn", "mrt2"]),
        ("bgp_daemon_msglog_output", ["json", "avro"], ["mrt"]),
        ("bgp_table_per_peer_hash", ["path_id", "mpls_vpn_rd"], ["rd"]),
        ("bgp_table_peer_buckets", ["1", "1000"], ["0", "1001"]),
        ("files_umask", ["002", "077", "777"], ["001", "1000", "88", "-2"]),
        ("files_uid", ["0", "nobody"], [""]),
        ("syslog", ["daemon", "LOCAL7"], ["local8", "syslogd"]),
        ("debug", ["true", "False", "TRUE"], ["yes", "1", "on"]),
        ("dry_run", ["config", "setup"], ["true"]),
        ("rpki_rtr_cache", ["192.0.2.1:323", "[2001:db8::1]:323", "cache.example:323"], ["192.0.2.1", "::1:323", ":1"]),
        ("rpki_rtr_cache_version", ["0", "2"], ["3"]),
        ("proc_priority", ["-20", "19"], ["20"]),
        ("writer_id_string", ["$proc_name/$writer_pid", "x"], ["$nobody"]),
        ("bgp_follow_nexthop", ["192.0.2.0/24", "192.0.2.0/24, 2001:db8::/32"], ["192.0.2.1/24", "x", "1.0.0.0/8,"]),
        ("bgp_peer_src_as_type", ["bgp", "map, bgp"], ["bmpp"]),
        ("networks_mask", ["0", "24", "128"], ["-1", "129", "/24"]),
        ("nfacctd_as", ["bgp", "longest", "netflow, bgp"], ["ospf"]),
        ("isis_daemon_net", ["49.0001.0100.0000.1001.00"], ["49.0001", "49.0001.0100.0000.1001.01", "xx"]),
        (
            "isis_daemon_iface",
            ["gre0", "gre0, gre1", ",".join(f"e{n}" for n in range(16))],
            ["", "a/b", "a,a", "x" * 16],
        ),
        (
            "isis_daemon_gre",
            ["192.0.2.1,192.0.2.2", "::1, ::2; ::1,::3", "::1,::2;::1,::2,0;::1,::2,4294967295"],
            ["192.0.2.1", "::1,192.0.2.2", "::1,::1", "x", "::1,::2,4294967296", "::1,::2,1,2", "::1,::2,", "::1,::2;"],
        ),
        ("isis_daemon_mtu", ["576", "65535"], ["575", "65536"]),
        ("isis_daemon_auth_type", ["text", "md5", "sha256"], ["sha3", ""]),
        ("isis_daemon_auth_key_id", ["0", "65535"], ["65536"]),
        ("isis_daemon_domain_password", ["x", "x" * 254], ["", "x" * 255]),
        ("isis_daemon_hello_interval", ["1", "600"], ["0", "601"]),
        ("isis_daemon_hello_multiplier", ["2", "100"], ["1", "101"]),
        ("isis_dump_file", ["/x-%Y-$tzone"], ["", "/x\0"]),
        ("bgp_daemon_msglog_kafka_partition", ["-1", "0", "7"], ["-2"]),
        ("bgp_daemon_msglog_amqp_exchange_type", ["direct", "topic"], ["round"]),
        ("bgp_daemon_msglog_amqp_frame_max", ["4096"], ["4095"]),
        ("bgp_daemon_msglog_label_filter", ["a,-b,null", ",".join("a" * 96)], ["a,,b", ",".join("a" * 97)]),
        (
            "bgp_blackhole_stdcomm_list",
            ["65000:666", "65000:1, 65535:65535"],
            ["65536:1", "1:65536", "no-export", "1:2:3"],
        ),
        ("bmp_daemon_port", ["1", "1790", "65535"], ["0", "65536"]),
        ("bmp_daemon_max_peers", ["1", "2000"], ["0"]),
        ("bmp_daemon_backlog", ["1", "67108864"], ["0", "-1", "64M"]),
        ("bmp_daemon_batch", ["0", "5"], ["-1"]),
        ("bmp_dump_refresh_time", ["0", "60", "86400"], ["59", "86401"]),
        ("bmp_dump_time_slots", ["1", "86400"], ["0", "86401"]),
        ("bmp_dump_output", ["json", "avro"], ["mrt"]),
        ("pcap_savefile_replay", ["0", "3"], ["-1"]),
        ("pcap_savefile_delay", ["0", "3"], ["-1", "1.5"]),
        ("pidfile", ["/x", "x y"], ["", "/x\0y"]),
        ("bgp_table_dump_file", ["/x-%Y"], ["", "/x\0"]),
    ],
)
def test_ranges_hold_on_both_sides(name: str, valid: list[str], invalid: list[str]) -> None:
    assert [text for text in valid if not accepts(KEYS[name], text)] == []
    assert [text for text in invalid if accepts(KEYS[name], text)] == []


def test_names_of_logs_hold_peers_and_names_of_dumps_time_too() -> None:
    log = KEYS["bgp_daemon_msglog_file"].parser.parse("/d/$peer_src_ip-%Y")
    dump = KEYS["bgp_table_dump_file"].parser.parse("/d/$peer_src_ip-%Y")
    assert isinstance(log, NameTemplate)
    assert isinstance(dump, NameTemplate)
    assert (log.follows_time, dump.follows_time) == (False, True)


def test_the_documented_limit_of_peers_is_the_default() -> None:
    assert KEYS["bgp_daemon_max_peers"].default == KEYS["bmp_daemon_max_peers"].default == 10


@pytest.mark.parametrize(
    "suffix", ["allow_file", "md5_file", "tag_map", "tls_certificate_file", "tls_key_file", "tls_ca_file"]
)
def test_maps_and_certificates_of_bmp_are_read_again(suffix: str) -> None:
    assert KEYS[f"bmp_daemon_{suffix}"].reload


@pytest.mark.parametrize("name", ["bgp_daemon_rp_ebpf_prog"])
def test_what_is_not_built_says_so(name: str) -> None:
    assert KEYS[name].status is Status.NOT_BUILT
