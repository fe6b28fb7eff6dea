"""Keys of IS-IS."""

from __future__ import annotations

from functools import partial
from typing import Final

from routed.daemon.values import (
    HOSTNAME,
    INTERFACES,
    ISO_NET,
    OWN_DATED_NAME,
    REFRESH_TIME,
    SHARED_SECRET,
    TUNNELS,
)
from routed.plumbing.config import Daemons, Group, Key
from routed.plumbing.values import ADDRESS, BOOLEAN, OFF, ON, PATH, between, one_of
from routed.wire.isis.authentication import HASHES

_key = partial(Key, daemons=Daemons.PMBGPD | Daemons.PMBMPD | Daemons.FLOW)
_ours = partial(_key, ours=True)

#: A password in clear text, HMAC-MD5 (RFC 5304), or HMAC of a hash with the number of the key (RFC 5310).
AUTHENTICATION: Final = one_of("text", "md5", *HASHES)

#: What the longest LSP of ours takes: names, 16 neighbours and a password, each as long as it may be, are 566 octets.
MIN_MTU: Final = 576

ISIS: Final = Group(
    "IS-IS",
    "A listener of level 2 (ISO/IEC 10589, RFC 1195): adjacencies over point-to-point circuits, a database, and the "
    "routes that it leads to. It says nothing of its own but that it is there, overloaded, so that no traffic comes.",
    (
        _key("isis_daemon", BOOLEAN, OFF, "switch IS-IS on", aliases=("igp_daemon",)),
        _key(
            "isis_daemon_ip", ADDRESS, None, "our address on the circuits; has to be there", aliases=("igp_daemon_ip",)
        ),
        _key(
            "isis_daemon_net",
            ISO_NET,
            None,
            "our network entity title, with a system id of our own; has to be there",
            aliases=("igp_daemon_net",),
        ),
        _key(
            "isis_daemon_iface",
            INTERFACES,
            None,
            "interfaces of the adjacencies: GRE devices, or point-to-point circuits over Ethernet (RFC 5309)",
            aliases=("igp_daemon_iface",),
        ),
        _ours(
            "isis_daemon_gre",
            TUNNELS,
            None,
            "adjacencies through GRE without a tunnel device: local and remote address of each",
            source="RFC 2784",
        ),
        _key(
            "isis_daemon_mtu",
            between(MIN_MTU, 65_535, unit="octets"),
            1_476,
            "largest PDU, to which hellos are padded",
            aliases=("igp_daemon_mtu",),
        ),
        _key(
            "isis_daemon_msglog",
            BOOLEAN,
            OFF,
            "log LSPs and routes that change; adjacencies are logged in any case",
            aliases=("igp_daemon_msglog",),
            live=True,
        ),
        _ours("isis_daemon_msglog_file", PATH, None, "log all that happens to this file, as JSON"),
        _ours("isis_dump_file", OWN_DATED_NAME, None, "dump adjacencies, database and routes to this file, as JSON"),
        _ours("isis_dump_refresh_time", REFRESH_TIME, 0, "seconds between dumps"),
        _ours("isis_daemon_hostname", HOSTNAME, None, "name that we have in the network", source="RFC 5301", live=True),
        _ours("isis_daemon_hello_interval", between(1, 600, unit="seconds"), 10, "seconds between hellos", live=True),
        _ours("isis_daemon_hello_multiplier", between(2, 100), 3, "hellos that may be missed", live=True),
        _ours(
            "isis_daemon_hello_padding",
            BOOLEAN,
            ON,
            "pad hellos to the largest PDU",
            source="ISO/IEC 10589 8.2.3",
            live=True,
        ),
        _ours(
            "isis_daemon_auth_type",
            AUTHENTICATION,
            "md5",
            "how PDUs are authenticated, where there is a password",
            source="RFC 5304, RFC 5310",
            live=True,
        ),
        _ours(
            "isis_daemon_auth_key_id",
            between(0, 65_535),
            1,
            "number of the key, with a hash",
            source="RFC 5310 3.1",
            live=True,
        ),
        _ours(
            "isis_daemon_hello_password",
            SHARED_SECRET,
            None,
            "secret of hellos; they are not signed without",
            live=True,
        ),
        _ours(
            "isis_daemon_domain_password",
            SHARED_SECRET,
            None,
            "secret of LSPs and sequence numbers PDUs; they are not signed without",
            live=True,
        ),
        _key(
            "igp_daemon_map",
            PATH,
            None,
            "map of a network, read instead of hearing it from a neighbour",
            reload=True,
        ),
        _key("igp_daemon_map_msglog", PATH, None, "write the LSPs that the map makes to this file, as pcap", live=True),
    ),
)
