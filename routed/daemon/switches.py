"""The command lines of the daemons, switch by switch."""

from __future__ import annotations

from typing import Final

from routed.plumbing.cli import COMMON, Program, Switch

PMBGPD: Final = Program(
    "pmbgpd",
    "passive BGP collector",
    "hVL:l:f:dDS:F:o:O:i:gm:T:",
    (
        Switch("L", "bgp_daemon_ip", "address that peers connect to", "ADDRESS"),
        Switch("l", "bgp_daemon_port", "TCP port that peers connect to", "PORT"),
        Switch("o", "bgp_daemon_msglog_file", "log messages to this file", "FILE"),
        Switch("O", "bgp_table_dump_file", "dump tables to this file", "FILE"),
        Switch("i", "bgp_table_dump_refresh_time", "seconds between table dumps", "SECONDS"),
        Switch("g", "bgp_daemon_lg", "start the looking glass"),
        Switch("m", "bgp_daemon_xconnect_map", "map of connections to pass on to other collectors", "FILE"),
        *COMMON,
    ),
)
