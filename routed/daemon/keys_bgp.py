"""Keys of the BGP side: listener, speaker, rendering, tables, looking glass."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address
from typing import Final

from routed.daemon.values import (
    AS_NUMBER,
    COMMUNITIES,
    GTSM_HOPS,
    HOLD_TIME,
    HOSTNAME,
    PRECEDENCE,
    ROLE,
    ROUTER_ID,
    SOCKET_BUFFER,
    TABLE_HASH,
)
from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.values import ADDRESS, BOOLEAN, OFF, ON, PATH, PORT, TEXT, at_least, between

_key = partial(Key, daemons=Daemons.PMBGPD | Daemons.FLOW)
_ours = partial(_key, ours=True)
_map = partial(_key, reload=True)
_unbuilt = partial(_key, status=Status.NOT_BUILT)
_ignored = partial(_key, status=Status.NO_EFFECT)
_both = partial(Key, daemons=Daemons.PMBGPD | Daemons.PMBMPD | Daemons.FLOW, is_global=False)

LISTENER: Final = Group(
    "BGP listener",
    "Where routers connect to, how many of them, and which.",
    (
        _ignored("bgp_daemon", BOOLEAN, OFF, "switch BGP on in a flow daemon; `pmbgpd` is always on"),
        _key(
            "bgp_daemon_ip",
            ADDRESS,
            None,
            "address to listen at (every address when unset); an IPv4 address is "
            "the router id too unless `bgp_daemon_id` is set",
        ),
        _key("bgp_daemon_port", PORT, 179, "TCP port to listen at", source="RFC 4271 8.2.1"),
        _key("bgp_daemon_ipv6_only", BOOLEAN, OFF, "an IPv6 listener takes no IPv4 connections", source="RFC 3493 5.3"),
        _key("bgp_daemon_interface", TEXT, None, "network interface or VRF device to listen at"),
        _key("bgp_daemon_ipprec", PRECEDENCE, 0, "IP precedence of what we send", source="RFC 791 3.1"),
        _key(
            "bgp_daemon_pipe_size",
            SOCKET_BUFFER,
            None,
            "receive buffer of the sockets, octets (the system's when unset)",
        ),
        _key("bgp_daemon_max_peers", at_least(1), 10, "sessions at a time", live=True),
        _key(
            "bgp_daemon_batch",
            at_least(0),
            0,
            "sessions admitted per `bgp_daemon_batch_interval`; 0 is no limit",
            live=True,
        ),
        _key(
            "bgp_daemon_batch_interval",
            at_least(0, unit="seconds"),
            0,
            "seconds that `bgp_daemon_batch` counts over",
            live=True,
        ),
        _map(
            "bgp_daemon_allow_file", PATH, None, "addresses and prefixes that may connect (all when unset)", live=True
        ),
        _map(
            "bgp_daemon_md5_file",
            PATH,
            None,
            "keys of TCP-MD5 by address or prefix of peers",
            source="RFC 2385",
            live=True,
        ),
        _ours("bgp_daemon_gtsm", GTSM_HOPS, 0, "routers may be at most so many hops away; 0 is off", source="RFC 5082"),
        _key("bgp_neighbors_file", PATH, None, "file that lists the addresses of the peers in session"),
        _key(
            "tmp_bgp_lookup_compare_ports",
            BOOLEAN,
            OFF,
            "a peer is an address with a port, so that several "
            "sessions may come from one address; routes then show `peer_id`",
        ),
        _unbuilt("bgp_daemon_rp_ebpf_prog", PATH, None, "eBPF program that spreads connections over a cluster"),
        Key(
            "bgp_daemon_xconnect_map",
            PATH,
            None,
            "sessions to pass on, and the collectors that they go to; no tables, dumps or message log then",
            daemons=Daemons.PMBGPD,
            reload=True,
        ),
    ),
)

SPEAKER: Final = Group(
    "BGP speaker",
    "How we present ourselves, and what we hold of a peer.",
    (
        _key(
            "bgp_daemon_as", AS_NUMBER, 0, "AS number; 0 mirrors the one of each peer", source="RFC 4271 4.2", live=True
        ),
        _key(
            "bgp_daemon_id",
            ROUTER_ID,
            None,
            "router id (`bgp_daemon_ip` if that is IPv4, else 1.2.3.4)",
            source="RFC 6286",
            live=True,
        ),
        _ours(
            "bgp_daemon_hold_time",
            HOLD_TIME,
            180,
            "longest hold time that we propose, s; 0 keeps silent peers",
            source="RFC 4271 4.2",
            live=True,
        ),
        _ours("bgp_daemon_role", ROLE, None, "role that we announce", source="RFC 9234 4.1", live=True),
        _ours("bgp_daemon_hostname", HOSTNAME, None, "host name that we announce (the FQDN capability)", live=True),
        _ours(
            "bgp_daemon_graceful_restart",
            BOOLEAN,
            ON,
            "keep the routes of a peer that restarts",
            source="RFC 4724 4.2",
            live=True,
        ),
        _ours(
            "bgp_daemon_stale_time",
            at_least(0, unit="seconds"),
            3_600,
            "longest time that routes of a lost peer are kept, s",
            source="RFC 9494 4.2",
            live=True,
        ),
        _ours(
            "bgp_daemon_max_routes",
            at_least(0),
            0,
            "routes of one peer; more end the session; 0 is no limit",
            source="RFC 4486 4",
            live=True,
        ),
        _key(
            "bgp_daemon_add_path_ignore",
            BOOLEAN,
            OFF,
            "do not agree to several paths per prefix",
            source="RFC 7911 4",
            live=True,
        ),
        _ignored(
            "tmp_bgp_daemon_route_refresh",
            BOOLEAN,
            OFF,
            "answer the route refresh capability: we always do",
            source="RFC 2918",
        ),
        _key("bgp_disable_router_id_check", BOOLEAN, OFF, "let several peers have one router id", live=True),
    ),
)

RECORDS: Final = Group(
    "BGP records",
    "What lines of logs and dumps look like.",
    (
        _both("as_path_encode_as_array", BOOLEAN, OFF, "`as_path` as an array"),
        _both("bgp_comms_encode_as_array", BOOLEAN, OFF, "`comms`, `ecomms` and `lcomms` as arrays"),
        _both("bgp_comms_num", BOOLEAN, OFF, "communities as numbers, without well-known names"),
        _both("tmp_bgp_daemon_origin_type_int", BOOLEAN, OFF, "`origin` as 0, 1, 2 instead of i, e, u", is_global=True),
        _ours("bgp_daemon_extra_attributes", BOOLEAN, OFF, "further attributes that the compatible format leaves out"),
        _map("bgp_daemon_tag_map", PATH, None, "rules that give peers and routes a `tag` or a `label`", live=True),
    ),
)

TABLES: Final = Group(
    "BGP tables",
    "Sizes that other implementations need to be told. Ours grow as they fill.",
    (
        _ignored("bgp_table_peer_buckets", between(1, 1_000), 13, "buckets of a prefix"),
        _ignored("bgp_table_per_peer_buckets", between(1, 128), 1, "buckets of a peer within those"),
        _ignored("bgp_table_attr_hash_buckets", between(1, 1_000_000), 65_535, "buckets of attribute sets"),
        _ignored("bgp_table_per_peer_hash", TABLE_HASH, "path_id", "what chooses among the buckets of a peer"),
    ),
)


def looking_glass(prefix: str, title: str, daemons: Daemons) -> Group:
    """Return the keys of a looking glass."""
    key = partial(Key, daemons=daemons)
    ours = partial(key, ours=prefix.startswith("bmp"))
    http = partial(key, ours=True)
    return Group(
        title,
        "Questions to the tables, over ZeroMQ and HTTP.",
        (
            ours(f"{prefix}lg", BOOLEAN, OFF, "answer questions"),
            ours(f"{prefix}lg_ip", ADDRESS, IPv4Address("127.0.0.1"), "address to listen at"),
            ours(f"{prefix}lg_port", PORT, 17_900, "TCP port to listen at"),
            ours(
                f"{prefix}lg_threads", at_least(1), 8, "threads that answer: ours needs none", status=Status.NO_EFFECT
            ),
            ours(f"{prefix}lg_user", TEXT, None, "name that clients must give, together with a password"),
            ours(f"{prefix}lg_passwd", TEXT, None, "password that clients must give"),
            key(
                f"{prefix}lg_curve_server_key_file",
                PATH,
                None,
                "our CURVE certificate with its secret key; connections are encrypted, and no password is asked for",
                ours=True,
                source="CurveZMQ",
            ),
            key(
                f"{prefix}lg_curve_client_keys",
                PATH,
                None,
                "folder of the CURVE public keys of clients; all clients may ask when unset",
                ours=True,
            ),
            http(f"{prefix}lg_http", BOOLEAN, OFF, "answer over HTTP, and serve `/metrics`, `/health`, `/ready`"),
            http(f"{prefix}lg_http_ip", ADDRESS, IPv4Address("127.0.0.1"), "address to listen at for HTTP"),
            http(f"{prefix}lg_http_port", PORT, 17_980, "TCP port to listen at for HTTP"),
            http(
                f"{prefix}lg_http_token_file",
                PATH,
                None,
                "bearer tokens, one a line, of which HTTP clients must have one; none is needed when unset",
                source="RFC 6750",
                reload=True,
            ),
            http(f"{prefix}lg_http_rate", at_least(0), 100, "HTTP requests of one client a second; 0 is no limit"),
            http(f"{prefix}lg_http_max_connections", at_least(1), 256, "HTTP connections at a time"),
            http(
                f"{prefix}lg_http_ready_time",
                at_least(0, unit="seconds"),
                300,
                "seconds after which `/ready` says so although no peer has sent an End-of-RIB",
            ),
        ),
    )


LOOKING_GLASS: Final = looking_glass("bgp_daemon_", "Looking glass", Daemons.PMBGPD | Daemons.FLOW)

BLACKHOLES: Final = Group(
    "Blackholes",
    "Routes with a blackhole community, logged and dumped apart.",
    (
        _unbuilt(
            "bgp_blackhole_stdcomm_list", COMMUNITIES, None, "communities that ask for a blackhole", source="RFC 7999"
        ),
        *(
            _unbuilt(f"bgp_blackhole_{name}", TEXT, None, f"{sink} of the {what}")
            for what, prefix in (("log", "msglog_"), ("dump", "dump_"))
            for name, sink in (
                (f"{prefix}file", "file"),
                (f"{prefix}amqp_routing_key", "AMQP routing key"),
                (f"{prefix}kafka_topic", "Kafka topic"),
            )
        ),
        _unbuilt("bgp_blackhole_dump_latest_file", TEXT, None, "link to the newest dump"),
    ),
)
