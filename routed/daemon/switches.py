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

PMBMPD: Final = Program(
    "pmbmpd",
    "BMP collector",
    "hVL:l:f:dDS:F:o:O:i:I:Z:Y:R:T:",
    (
        Switch("L", "bmp_daemon_ip", "address that routers connect to", "ADDRESS"),
        Switch("l", "bmp_daemon_port", "TCP port that routers connect to", "PORT"),
        Switch("o", "bmp_daemon_msglog_file", "log messages to this file", "FILE"),
        Switch("O", "bmp_dump_file", "dump tables to this file", "FILE"),
        Switch("i", "bmp_dump_refresh_time", "seconds between dumps", "SECONDS"),
        Switch("I", "pcap_savefile", "play this capture instead of listening", "FILE"),
        Switch("Z", "pcap_savefile_delay", "seconds to wait before the capture is played", "SECONDS"),
        Switch("Y", "pcap_savefile_replay", "how often to play it; 0 is for ever", "TIMES"),
        Switch("R", "pcap_filter", "packets of the capture to take", "EXPRESSION"),
        *COMMON,
    ),
)

#: The daemons that are built.
PROGRAMS: Final = (PMBGPD, PMBMPD)
