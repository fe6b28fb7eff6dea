"""Keys of the flow daemons: those that read the routing plane, checked, and the names of all the others.

A stand-alone routing daemon accepts them without a word, because one configuration may serve several daemons.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.values import (
    ANYTHING,
    BOOLEAN,
    LIST,
    OFF,
    PATH,
    PREFIX,
    TEXT,
    at_least,
    between,
    list_of,
    one_of,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_key = partial(Key, daemons=Daemons.FLOW, status=Status.FLOW)
_map = partial(_key, reload=True)
_plugin = partial(_key, is_global=False)
_plugin_map = partial(_map, is_global=False)
_METHODS: Final = ("netflow", "sflow", "file", "bgp", "bmp", "longest", "fallback")
_PREFIX_METHODS: Final = (*_METHODS, "mask", "igp", "bgp-ls")
_PATTERNS: Final = list_of(TEXT, 16)

CORRELATION: Final = Group(
    "Routes of flows",
    "What a flow daemon takes from the routing plane. `pmbgpd` and `pmbmpd` accept these keys and do nothing with "
    "them.",
    (
        *(
            _key(
                f"{daemon}_as",
                words_of(*_METHODS, synonyms={"false": protocol, "true": "file"}),
                None,
                "where AS numbers of flows come from",
                aliases=(f"{daemon}_as_new",),
            )
            for daemon, protocol in (("nfacctd", "netflow"), ("sfacctd", "sflow"))
        ),
        *(
            _key(f"{daemon}_as", words_of(*_METHODS), None, "where AS numbers of flows come from")
            for daemon in ("pmacctd", "uacctd")
        ),
        *(
            _key(
                f"{daemon}_net",
                words_of(*_PREFIX_METHODS),
                None,
                "where prefixes of flows come from",
                is_global=False,
            )
            for daemon in ("nfacctd", "sfacctd", "pmacctd", "uacctd")
        ),
        _key("use_ip_next_hop", BOOLEAN, OFF, "the IP next hop of a flow when it has no BGP next hop"),
        _map("bgp_agent_map", PATH, None, "peer whose routes apply to an exporter", aliases=("bmp_agent_map",)),
        _map("flow_to_rd_map", PATH, None, "route distinguisher of a flow"),
        _key(
            "flow_to_rd_map_fallback", BOOLEAN, OFF, "flows of a VRF without tables follow the global ones", ours=True
        ),
        _map("bgp_peer_dst_ip_map", PATH, None, "other addresses of BGP next hops"),
        _key("bgp_follow_default", at_least(0), 0, "default routes to follow to the next hop's own table"),
        _key("bgp_follow_nexthop", list_of(PREFIX, 32), None, "prefixes whose next hops are followed"),
        _key("bgp_follow_nexthop_external", BOOLEAN, OFF, "the next hop that the last followed router has"),
        _key("bgp_aspath_radius", at_least(1), None, "AS numbers kept of a path"),
        _key("bgp_stdcomm_pattern", _PATTERNS, None, "communities to keep"),
        _key("bgp_extcomm_pattern", _PATTERNS, None, "extended communities to keep"),
        _key("bgp_lrgcomm_pattern", _PATTERNS, None, "large communities to keep"),
        _key("bgp_stdcomm_pattern_to_asn", _PATTERNS, None, "communities that hold AS numbers"),
        _key("bgp_lrgcomm_pattern_to_asn", _PATTERNS, None, "large communities that hold AS numbers"),
        _key(
            "bgp_peer_as_skip_subas",
            BOOLEAN,
            OFF,
            "the neighbour AS is the first outside the confederation",
            source="RFC 5065",
        ),
        _key(
            "bgp_peer_src_as_type",
            words_of("netflow", "sflow", "map", "bgp", "fallback", "longest"),
            None,
            "where the AS that a flow came from is taken from",
        ),
        _map("bgp_peer_src_as_map", PATH, None, "AS that a flow came from"),
        *(
            _key(f"bgp_src_{what}_type", one_of("bgp"), None, f"{text} of the source address")
            for what, text in (
                ("std_comm", "communities"),
                ("ext_comm", "extended communities"),
                ("lrg_comm", "large communities"),
                ("as_path", "AS path"),
                ("roa", "origin validation"),
            )
        ),
        *(
            _key(f"bgp_src_{what}_type", one_of("map", "bgp"), None, f"{text} of the source address")
            for what, text in (("local_pref", "local preference"), ("med", "multi-exit discriminator"))
        ),
        _map("bgp_src_local_pref_map", PATH, None, "local preference of a source"),
        _map("bgp_src_med_map", PATH, None, "multi-exit discriminator of a source"),
        _map("pre_tag_map", PATH, None, "tags of flows", is_global=False),
        _plugin(
            "aggregate_filter", TEXT, None, "flows that a plugin takes: expressions of tcpdump, of which one must hold"
        ),
        _plugin("pre_tag_filter", TEXT, None, "tags of the flows that a plugin takes: `N`, `N-M`, `-N`, 0 for none"),
        _plugin("pre_tag2_filter", TEXT, None, "the same of second tags"),
        _plugin("pre_tag_label_filter", TEXT, None, "labels of the flows that a plugin takes: `null` for none"),
        _plugin("post_tag", between(1, 2**64 - 1), None, "tag of all records of a plugin, whatever maps say"),
        _plugin("post_tag2", between(1, 2**64 - 1), None, "second tag of all records of a plugin"),
        _plugin_map("networks_file", PATH, None, "AS numbers, prefixes and next hops, as pmacct or pyasn write them"),
        _plugin("networks_file_filter", BOOLEAN, OFF, "hosts and networks that the networks_file lacks are left out"),
        _plugin("networks_file_no_lpm", BOOLEAN, OFF, "what the networks_file has wins whatever the length"),
        _plugin("networks_no_mask_if_zero", BOOLEAN, OFF, "the network of mask 0 is the whole address"),
        _plugin("networks_mask", between(0, 128), None, "mask of all addresses where `*_net` says `mask`"),
        Key(
            "networks_cache_entries",
            at_least(1),
            None,
            "room of a cache that there is no need for",
            daemons=Daemons.FLOW,
            status=Status.NO_EFFECT,
            is_global=False,
        ),
        _plugin_map("ports_file", PATH, None, "ports that matter, one a line: others become 0"),
        _plugin_map("protos_file", PATH, None, "protocols that matter, one a line: others become 255"),
        _plugin_map("tos_file", PATH, None, "types of service that matter, one a line: others become 255"),
        _key("plugins", LIST, None, "outputs: `print[name], kafka[other]`"),
        _key("propagate_signals", BOOLEAN, OFF, "pass signals on to plugins"),
        _key("plugin_exit_any", BOOLEAN, OFF, "end when any plugin ends"),
    ),
)


def _names(prefix: str, endings: str) -> Iterable[str]:
    return (prefix + ending for ending in endings.split())


_COLLECTOR: Final = "kafka_broker_host kafka_broker_port kafka_config_file kafka_topic nonroot rp_ebpf_prog zmq_address"
_PROBE: Final = (
    "conntrack_buffer_size ext_sampling_rate flow_buffer_buckets flow_buffer_size flow_lifetime flow_tcp_lifetime "
    "force_frag_handling frag_buffer_size renormalize stitching"
)
_AMQP: Final = (
    "amqp_exchange amqp_exchange_type amqp_frame_max amqp_heartbeat_interval amqp_host amqp_passwd "
    "amqp_persistent_msg amqp_port amqp_routing_key amqp_routing_key_rr amqp_user amqp_vhost"
)
_KAFKA: Final = (
    "kafka_avro_schema_registry kafka_broker_host kafka_broker_port kafka_config_file kafka_partition "
    "kafka_partition_key kafka_topic kafka_topic_rr"
)
_PROBE_PLUGIN: Final = "receiver source_ip ipprec direction ifindex ifindex_override peer_as"

#: Every other name of the flow daemons, by what it begins with.
_NAMES: Final[Mapping[str, str]] = {
    "nfacctd_": f"""
        {_COLLECTOR} dtls_port
    """,
    "sfacctd_": _COLLECTOR,
    "sfacctd_counter_": f"{_AMQP} amqp_retry {_KAFKA} kafka_retry",
    "pmacctd_": f"{_PROBE} nonroot pipe_size time_new",
    "uacctd_": f"{_PROBE} direction group nl_size threshold",
    "pcap_": """
        arista_trailer_flag_value arista_trailer_offset direction ifindex interface interface_wait
        interfaces_map protocol
    """,
    "classifier_": """
        giveup_proto_other giveup_proto_tcp giveup_proto_udp idle_max_time idle_scan_budget idle_scan_period
        max_flows num_roots proto_guess
    """,
    "amqp_": "avro_schema_routing_key avro_schema_refresh_time",
    "sql_": """
        multi_values db host port user passwd conn_ca_file table table_version table_type data
        table_schema dont_try_update use_copy delimiter locking_style optimize_clauses num_hosts
        recovery_backup_host backup_host trigger_time
    """,
    "tee_": "receivers transparent source_ip ipprec pipe_size max_receiver_pools max_receivers kafka_config_file",
    "nfprobe_": f"""
        {_PROBE_PLUGIN} version engine timeouts maxflows hoplimit dont_cache tstamp_usec dtls
        dtls_verify_cert
    """,
    "sfprobe_": f"{_PROBE_PLUGIN} agentip agentsubid ifspeed",
    "plugin_": "buffer_size pipe_size pipe_zmq pipe_zmq_hwm pipe_zmq_profile pipe_zmq_retry",
    "telemetry_": "daemon",
    "telemetry_daemon_": """
        ip interface ipv6_only port_tcp port_udp decoder max_peers peer_timeout allow_file tag_map pipe_size
        udp_notif_ip udp_notif_port udp_notif_interface udp_notif_ipv6_only udp_notif_nmsgs
        grpc_collector_conf zmq_address rp_ebpf_prog kafka_broker_host kafka_broker_port kafka_config_file
        kafka_topic
    """,
    "telemetry_daemon_msglog_": f"file output {_AMQP} amqp_retry {_KAFKA} kafka_retry",
    "telemetry_dump_": f"file output refresh_time time_slots workers latest_file {_AMQP} {_KAFKA}",
    "tmp_": "telemetry_decode_cisco_v1_json_string",
    "": """
        avro_buffer_size
        dtls_path geoip_ipv4_file
        geoip_ipv6_file geoipv2_file promisc sampling_rate
        snaplen
    """,
}

OTHERS: Final = Group(
    "Flows and plugins",
    "Accepted unread by `pmbgpd` and `pmbmpd`.",
    tuple(
        _key(name, ANYTHING, None, "", is_global=False)
        for prefix, endings in _NAMES.items()
        for name in _names(prefix, endings)
    ),
)
