"""From configuration to where flows come from and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowcorr.collect.settings import IntakeSettings
from flowcorr.service.udp_socket import UdpSettings
from flowcorr.wire.decode_settings import DecodeSettings
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcorr.wire.custom_primitive import CustomPrimitive
    from routed.plumbing.config import Configuration

#: What each daemon reads.
WHAT: Final = {"nfacctd": "NetFlow/IPFIX", "sfacctd": "sFlow"}
#: Ends of keys whose input comes later, and what that input is.
LATER: Final = {
    "kafka_broker_host": "Kafka",
    "kafka_topic": "Kafka",
    "zmq_address": "ZeroMQ",
    "dtls_port": "DTLS",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """A capture that is played. `times` 0 is for ever; with `stays` the daemon does not end with it."""

    file: Path
    delay: int
    times: int
    filter: str | None
    stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSettings:
    """Where flows come from; a capture takes the place of all sockets."""

    what: str  # that is read, in words
    udp: UdpSettings
    tcp_port: int | None
    capture: CaptureSettings | None


def input_settings(c: Configuration, daemon: str) -> InputSettings:
    """Tell where flows come from; `daemon` begins the names of its keys."""
    address = c.maybe(f"{daemon}_ip", object)
    assert address is None or isinstance(address, IPv4Address | IPv6Address)
    return InputSettings(
        what=WHAT[daemon],
        udp=UdpSettings(
            port=c.of(f"{daemon}_port", int),
            address=address,
            ipv6_only=c.of(f"{daemon}_ipv6_only", bool),
            interface=c.maybe(f"{daemon}_interface", str),
            receive_buffer=c.maybe(f"{daemon}_pipe_size", int),
            groups=c.maybe(f"{daemon}_mcast_groups", tuple) or (),
            keys=f"{daemon}_",
        ),
        tcp_port=c.maybe("nfacctd_tcp_port", int) if daemon == "nfacctd" else None,
        capture=_capture(c),
    )


def intake_settings(c: Configuration, daemon: str, custom: Sequence[CustomPrimitive]) -> IntakeSettings:
    """Tell how datagrams are read."""
    is_netflow = daemon == "nfacctd"
    return IntakeSettings(
        is_sflow=not is_netflow,
        wants_counters=not is_netflow and c.is_set("sfacctd_counter_file"),
        decode=DecodeSettings(
            use_ip_next_hop=c.of("use_ip_next_hop", bool),
            asa_bi_flow=c.of("tmp_asa_bi_flow", bool),
            time_from_uptime_seconds=is_netflow and c.of("nfacctd_time_secs", bool),
            uptime_from_options=is_netflow and c.of("nfacctd_uptime_from_options", bool),
            time_of_arrival=c.of(f"{daemon}_time_new", bool),
            ignore_exporter_address=c.of(f"{daemon}_ignore_exporter_address", bool),
            renormalize=c.of(f"{daemon}_renormalize", bool),
            external_rate=c.maybe(f"{daemon}_ext_sampling_rate", int) or 0,
            precise_uptime=is_netflow and c.of("nfacctd_precise_uptime", bool),
            split_biflows=c.of("nfacctd_split_biflows", bool),
            accept_any_type=c.of("aggregate_unknown_etype", bool),
            rebase_port=c.maybe("tunnel_0", int) or 0,
            custom=tuple(custom),
        ),
        account_options=is_netflow and c.of("nfacctd_account_options", bool),
        options_are_global=is_netflow and c.of("nfacctd_disable_opt_scope_check", bool),
        check_padding=is_netflow and c.of("nfacctd_pre_processing_checks", bool),
        report_sequence=not c.of(f"{daemon}_disable_sanity_checks", bool),
        report_templates=is_netflow and c.is_set("nfacctd_templates_receiver"),
        most_exporters=c.of("nfacctd_max_exporters", int),
    )


def input_is_built(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Refuse inputs that come later, by name."""
    for end, what in LATER.items():
        key = f"{daemon}_{end}"
        if c.registry.find(key) is not None and c.is_set(key):
            yield Problem(Kind.CONFLICT, f"{c.where(key)} {key}: {what} input is not built yet")
    if c.is_set("pcap_savefile") and c.is_set(f"{daemon}_ip"):
        text = f"pcap_savefile and {daemon}_ip exclude each other"
        yield Problem(Kind.CONFLICT, f"{c.where('pcap_savefile')} pcap_savefile: {text}")


def _capture(c: Configuration) -> CaptureSettings | None:
    file = c.maybe("pcap_savefile", str)
    if file is None:
        return None
    return CaptureSettings(
        file=Path(file),
        delay=c.of("pcap_savefile_delay", int),
        times=c.of("pcap_savefile_replay", int),
        filter=c.maybe("pcap_filter", str),
        stays=c.of("pcap_savefile_wait", bool),
    )
