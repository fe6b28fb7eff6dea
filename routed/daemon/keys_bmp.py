"""Keys of the BMP side and of origin validation."""

from __future__ import annotations

from functools import partial
from typing import Final

from routed.daemon.keys_bgp import looking_glass
from routed.daemon.values import CACHES, PRECEDENCE, SOCKET_BUFFER, TABLE_HASH
from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.values import ADDRESS, BOOLEAN, OFF, PATH, PORT, TEXT, at_least, between

_ALL: Final = Daemons.PMBGPD | Daemons.PMBMPD | Daemons.FLOW
_key = partial(Key, daemons=Daemons.PMBMPD | Daemons.FLOW)
_ours = partial(_key, ours=True)
_tls = partial(_ours, reload=True)
_unbuilt = partial(_key, status=Status.NOT_BUILT)
_ignored = partial(Key, daemons=Daemons.PMBMPD | Daemons.FLOW, status=Status.NO_EFFECT)
_rpki = partial(Key, daemons=_ALL)
_our_rpki = partial(_rpki, ours=True)

LISTENER: Final = Group(
    "BMP",
    "Sessions of routers that report what their peers say (RFC 7854).",
    (
        _ignored("bmp_daemon", BOOLEAN, OFF, "switch BMP on in a flow daemon; `pmbmpd` is always on"),
        _key("bmp_daemon_ip", ADDRESS, None, "address to listen at (every address when unset)"),
        _key("bmp_daemon_port", PORT, 1_790, "TCP port to listen at"),
        _key("bmp_daemon_ipv6_only", BOOLEAN, OFF, "an IPv6 listener takes no IPv4 connections"),
        _key("bmp_daemon_interface", TEXT, None, "network interface or VRF device to listen at"),
        _key("bmp_daemon_ipprec", PRECEDENCE, 0, "IP precedence of what we send"),
        _key("bmp_daemon_pipe_size", SOCKET_BUFFER, None, "receive buffer of the sockets, octets"),
        _key("bmp_daemon_max_peers", at_least(1), 10, "routers at a time", live=True),
        _key("bmp_daemon_batch", at_least(0), 0, "routers admitted per interval; 0 is no limit", live=True),
        _key(
            "bmp_daemon_batch_interval",
            at_least(0, unit="seconds"),
            0,
            "seconds that `bmp_daemon_batch` counts over",
            live=True,
        ),
        _key("bmp_daemon_allow_file", PATH, None, "addresses and prefixes that may connect", reload=True, live=True),
        _ours(
            "bmp_daemon_md5_file",
            PATH,
            None,
            "keys of TCP-MD5 by address or prefix of routers",
            source="RFC 2385",
            reload=True,
            live=True,
        ),
        _tls("bmp_daemon_tls_certificate_file", PATH, None, "our certificate and its chain, PEM: TLS only"),
        _tls("bmp_daemon_tls_key_file", PATH, None, "private key of our certificate, PEM"),
        _tls("bmp_daemon_tls_ca_file", PATH, None, "authorities of whom routers must have a certificate, PEM"),
        _ours(
            "bmp_daemon_backlog",
            at_least(1, unit="octets"),
            67_108_864,
            "octets of a router's messages that wait for a slow file or a long sweep before the router is not read",
            live=True,
        ),
        _key(
            "bmp_daemon_tag_map",
            PATH,
            None,
            "rules that give routers and routes a `tag` or a `label`",
            reload=True,
            live=True,
        ),
        _key("bmp_daemon_set_pd", BOOLEAN, OFF, "the peer distinguisher as `pd` instead of `rd`"),
        _key("bmp_daemon_parse_proxy_header", BOOLEAN, OFF, "connections start with a PROXY protocol header"),
        _unbuilt("bmp_daemon_rp_ebpf_prog", PATH, None, "eBPF program that spreads connections over a cluster"),
        _ignored("bmp_table_peer_buckets", between(1, 1_000), 13, "buckets of a prefix"),
        _ignored("bmp_table_per_peer_buckets", between(1, 128), 1, "buckets of a peer within those"),
        _ignored("bmp_table_attr_hash_buckets", between(1, 1_000_000), 65_535, "buckets of attribute sets"),
        _ignored("bmp_table_per_peer_hash", TABLE_HASH, "path_id", "what chooses among the buckets of a peer"),
        _key("pcap_savefile", PATH, None, "capture to replay instead of listening"),
        _key("pcap_savefile_wait", BOOLEAN, OFF, "stay when the capture has been played"),
        _key("pcap_savefile_delay", at_least(0, unit="seconds"), 0, "seconds to wait before the replay"),
        _key("pcap_savefile_replay", at_least(0), 1, "how often to replay; 0 is for ever"),
        _key("pcap_filter", TEXT, None, "packets of the capture to take, as a libpcap expression"),
    ),
)

LOOKING_GLASS: Final = looking_glass("bmp_daemon_", "BMP looking glass", Daemons.PMBMPD | Daemons.FLOW)

RPKI: Final = Group(
    "Origin validation",
    "Where validated prefix origins come from (RFC 6811).",
    (
        _rpki("rpki_roas_file", PATH, None, "export of a validator, JSON", reload=True),
        _rpki("rpki_rtr_cache", CACHES, None, "caches to connect to, the preferred one first", source="RFC 8210"),
        _rpki(
            "rpki_rtr_cache_version",
            between(0, 2),
            None,
            "version of the protocol; the newest that a cache speaks when unset",
        ),
        _rpki("rpki_rtr_cache_pipe_size", SOCKET_BUFFER, None, "receive buffer of the socket, octets"),
        _rpki("rpki_rtr_cache_ipprec", PRECEDENCE, 0, "IP precedence of what we send"),
        _our_rpki(
            "rpki_rtr_md5_file",
            PATH,
            None,
            "keys of TCP-MD5 by address or prefix of caches",
            source="RFC 2385",
            reload=True,
        ),
        _our_rpki("rpki_rtr_tls_ca_file", PATH, None, "authorities of whom caches must have a certificate: TLS only"),
        _our_rpki("rpki_rtr_tls_certificate_file", PATH, None, "our certificate for caches that ask for one, PEM"),
        _our_rpki("rpki_rtr_tls_key_file", PATH, None, "private key of that certificate, PEM"),
        _our_rpki(
            "rpki_slurm_file", PATH, None, "local exceptions to what is received", source="RFC 8416", reload=True
        ),
        _our_rpki(
            "rpki_msglog_changes", BOOLEAN, OFF, "log routes whose status changes because payloads do, as `roa` records"
        ),
        _our_rpki("rpki_aspa", BOOLEAN, OFF, "say in records whether the providers of its ASes allow a path"),
    ),
)
