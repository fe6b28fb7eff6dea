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


def _flow_collector(name: str, summary: str) -> Program:
    """Make the command line of a flow collector, whose name begins those of its keys."""
    return Program(
        name,
        summary,
        "haVL:l:f:dDS:F:P:c:n:t:RI:Z:WY:r:O:o:MAE:up:b:m:s:T:",
        (
            Switch("L", f"{name}_ip", "address that exporters send to", "ADDRESS"),
            Switch("l", f"{name}_port", "UDP port that exporters send to", "PORT"),
            Switch("P", "plugins", "outputs", "PLUGIN[NAME],..."),
            Switch("c", "aggregate", "primitives that flows are summed by", "PRIMITIVE,..."),
            Switch("n", "networks_file", "networks, their AS numbers and next hops", "FILE"),
            Switch("t", "ports_file", "ports that are told apart", "FILE"),
            Switch("R", f"{name}_renormalize", "multiply counters by the sampling rate"),
            Switch("I", "pcap_savefile", "play this capture instead of listening", "FILE"),
            Switch("Z", "pcap_savefile_delay", "seconds to wait before the capture is played", "SECONDS"),
            Switch("W", "pcap_savefile_wait", "do not end with the capture"),
            Switch("Y", "pcap_savefile_replay", "how often to play it; 0 is for ever", "TIMES"),
            Switch("r", "print_refresh_time", "seconds between outputs", "SECONDS"),
            Switch("O", "print_output", "form of the output", "formatted|csv|json|..."),
            Switch("o", "print_output_file", "write to this file", "FILE"),
            Switch("M", "print_markers", "mark beginning and end of each output"),
            Switch("A", "print_output_file_append", "append to the file"),
            Switch("E", "print_output_separator", "what divides columns of CSV", "CHARACTER"),
            Switch("u", "print_num_protos", "protocols as numbers"),
            Switch("p", "imt_path", "socket that the memory plugin is asked over", "PATH"),
            Switch("b", "imt_buckets", "accepted; the table grows by itself", "NUMBER"),
            Switch("m", "imt_mem_pools_number", "pools that bound the memory plugin", "NUMBER"),
            Switch("s", "imt_mem_pools_size", "octets of a pool", "OCTETS"),
            *COMMON,
        ),
        lists="the primitives that `-c` may have",
    )


NFACCTD: Final = _flow_collector("nfacctd", "NetFlow and IPFIX collector")
SFACCTD: Final = _flow_collector("sfacctd", "sFlow collector")

#: The daemons that are built.
PROGRAMS: Final = (PMBGPD, PMBMPD, NFACCTD, SFACCTD)
