"""Keys of the input of flow daemons: sockets, exporters, templates, sampling and times."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from routed.daemon.values import PEER_NAME, SOCKET_BUFFER, VXLAN_PORT
from routed.plumbing.config import Daemons, Group, Key, Status
from routed.plumbing.values import (
    ADDRESS,
    BOOLEAN,
    ENDPOINT,
    OFF,
    ON,
    OWN_ENDPOINT,
    PATH,
    PORT,
    TEXT,
    at_least,
    between,
    list_of,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_key = partial(Key, daemons=Daemons.FLOW, status=Status.FLOW)
_file = partial(_key, reload=True, live=True)
_ours = partial(_key, ours=True)

#: Groups that one daemon may listen to.
MAX_GROUPS: Final = 20
MAX_RATE: Final = 2**32 - 1
#: Other collectors that one asks for templates: each takes a socket and a question a second.
MAX_TEMPLATE_PEERS: Final = 64


def _of_both(daemon: str, port: int) -> Iterator[Key]:
    """Yield the keys that both collectors have."""
    yield _key(f"{daemon}_ip", ADDRESS, None, "address to listen at (every address when unset)")
    yield _key(f"{daemon}_port", PORT, port, "UDP port to listen at")
    yield _key(f"{daemon}_ipv6_only", BOOLEAN, OFF, "an IPv6 socket takes no IPv4 datagrams")
    yield _key(f"{daemon}_interface", TEXT, None, "network interface or VRF device to listen at")
    yield _key(f"{daemon}_pipe_size", SOCKET_BUFFER, None, "receive buffer of the socket, octets")
    yield _key(f"{daemon}_mcast_groups", list_of(ADDRESS, MAX_GROUPS), None, "multicast groups to listen to")
    yield _file(f"{daemon}_allow_file", PATH, None, "addresses and prefixes that may send")
    yield _key(f"{daemon}_time_new", BOOLEAN, OFF, "time bins go by the arrival of flows, not by their own times")
    yield _key(f"{daemon}_renormalize", BOOLEAN, OFF, "multiply packets and bytes by the sampling rate")
    yield _key(f"{daemon}_ext_sampling_rate", between(1, MAX_RATE), None, "sampling rate of all exporters")
    yield _key(
        f"{daemon}_ignore_exporter_address",
        BOOLEAN,
        OFF,
        "`peer_src_ip` is who sent the datagram, whatever records and options say",
    )
    yield _key(
        f"{daemon}_disable_sanity_checks",
        BOOLEAN,
        ON,
        "sequence jumps are counted, not logged",
        aliases=(f"{daemon}_disable_checks",),
    )
    yield _key(
        f"{daemon}_peer_as", BOOLEAN, OFF, "AS numbers of the protocol are those of the neighbours", is_global=False
    )
    yield _key(
        f"{daemon}_stitching", BOOLEAN, OFF, "show the first and the last moment of what was summed", is_global=False
    )


NETFLOW: Final = Group(
    "NetFlow and IPFIX",
    "What `nfacctd` reads: NetFlow v5 and v9 (RFC 3954) and IPFIX (RFC 7011) over UDP.",
    (
        *_of_both("nfacctd", 2_100),
        _ours("nfacctd_tcp_port", PORT, None, "TCP port for IPFIX", source="RFC 7011 section 10.4"),
        _key("nfacctd_time_secs", BOOLEAN, OFF, "uptimes of NetFlow v5 and v9 are in seconds"),
        _key(
            "nfacctd_uptime_from_options",
            BOOLEAN,
            OFF,
            "uptimes of IPFIX count from the start that options told, not from the header's time",
            ours=True,
        ),
        _key("nfacctd_account_options", BOOLEAN, OFF, "records of options are counted too"),
        _key("nfacctd_disable_opt_scope_check", BOOLEAN, OFF, "options hold for all domains of their exporter"),
        _key("nfacctd_pre_processing_checks", BOOLEAN, OFF, "refuse sets whose padding is not zero"),
        _key("nfacctd_templates_file", PATH, None, "templates are kept here over a restart"),
        _key("nfacctd_templates_port", PORT, None, "UDP port for templates that other collectors pass on"),
        _key(
            "nfacctd_templates_receiver",
            ENDPOINT,
            None,
            "templates are passed on to this place over UDP in the name of their exporter, which takes CAP_NET_RAW",
        ),
        _ours("nfacctd_templates_zmq_address", OWN_ENDPOINT, None, "other collectors ask here for templates (ZeroMQ)"),
        _ours(
            "nfacctd_templates_zmq_peers",
            list_of(ENDPOINT, MAX_TEMPLATE_PEERS),
            None,
            "collectors that are asked for templates (ZeroMQ); the own address is left out",
        ),
        _ours("nfacctd_templates_zmq_user", TEXT, None, "user that all of them know (PLAIN), with the next key"),
        _ours("nfacctd_templates_zmq_passwd", TEXT, None, "their password"),
        _ours(
            "nfacctd_templates_zmq_curve_key_file",
            PATH,
            None,
            "CURVE certificate with its secret key that all of them have, instead of a user: all is encrypted",
            source="CurveZMQ",
        ),
        _key("nfacctd_pro_rating", BOOLEAN, OFF, "spread long flows over the time bins they last", is_global=False),
        _ours(
            "nfacctd_split_biflows",
            BOOLEAN,
            ON,
            "what a record counts of the reverse direction is a row of its own",
            source="RFC 5103",
        ),
        _ours("nfacctd_precise_uptime", BOOLEAN, OFF, "times from uptimes of NetFlow keep their milliseconds"),
        _key("tmp_asa_bi_flow", BOOLEAN, OFF, "counters of both directions as bytes and packets"),
    ),
)

SFLOW: Final = Group(
    "sFlow",
    "What `sfacctd` reads: sFlow v2, v4 and v5 over UDP.",
    (
        *_of_both("sfacctd", 6_343),
        _key(
            "sfacctd_counter_file",
            PEER_NAME,
            None,
            "file that counter samples are appended to; variables: one per agent",
        ),
        _key("sfacctd_counter_output", one_of("json"), "json", "their encoding"),
        _key("tunnel_0", VXLAN_PORT, None, "UDP port of the VXLAN whose inner frames are what counts"),
        _key("aggregate_unknown_etype", BOOLEAN, OFF, "sampled packets other than IP count too"),
    ),
)

EXPORTERS: Final = Group(
    "Exporters",
    "What both collectors know of their exporters.",
    (
        _file("sampling_map", PATH, None, "sampling rates of exporters"),
        _key("aggregate_primitives", PATH, None, "primitives of your own"),
        _ours("nfacctd_max_exporters", at_least(1), 65_536, "exporters that are known at a time"),
    ),
)
