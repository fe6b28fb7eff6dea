from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from routed.daemon.settings import (
    DEFAULT_ROUTER_ID,
    BgpSettings,
    BmpSettings,
    pmbgpd_settings,
    pmbmpd_settings,
    process_settings,
    read_configuration,
)
from routed.plumbing.maps import Limits
from routed.plumbing.output_file import Owner
from routed.plumbing.statements import parse_statements
from routed.service.settings import DumpFormat, ReplaySettings, StationSettings, TimestampLayout
from routed.service.tls import TlsFiles
from routed.wire.bgp.codepoints import Role


def settings(*lines: str) -> BgpSettings:
    return pmbgpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))


def test_nothing_configured_is_a_listener_on_the_port_of_bgp() -> None:
    everything = settings()
    listener = everything.listener
    assert (listener.address, listener.port, listener.max_peers) == (None, 179, 10)
    assert (listener.batch, listener.batch_interval, listener.gtsm_hops) == (0, 0, 0)
    assert (listener.allow_file, listener.md5_file, listener.neighbors_file) == (None, None, None)
    assert (everything.message_log, everything.dump, everything.dry_run) == (None, None, None)
    assert everything.process.name == "default"
    assert (everything.process.umask, everything.process.owner) == (0o077, Owner())


def test_a_speaker_mirrors_and_helps_unless_told_otherwise() -> None:
    speaker = settings().speaker
    assert (speaker.asn, speaker.router_id, speaker.hold_time) == (0, DEFAULT_ROUTER_ID, 180)
    assert (speaker.role, speaker.hostname, speaker.max_routes, speaker.stale_time) == (None, None, 0, 3600)
    assert (speaker.add_path, speaker.check_router_id, speaker.graceful_restart) == (True, True, True)
    told = settings(
        "bgp_daemon_as: 4200000000",
        "bgp_daemon_hold_time: 9",
        "bgp_daemon_role: rs",
        "bgp_daemon_hostname: collector",
        "bgp_daemon_add_path_ignore: true",
        "bgp_disable_router_id_check: true",
        "bgp_daemon_graceful_restart: false",
        "bgp_daemon_stale_time: 60",
        "bgp_daemon_max_routes: 1000",
    ).speaker
    assert (told.asn, told.hold_time, told.role, told.hostname) == (4200000000, 9, Role.ROUTE_SERVER, "collector")
    assert (told.add_path, told.check_router_id, told.graceful_restart) == (False, False, False)
    assert (told.stale_time, told.max_routes) == (60, 1000)


@pytest.mark.parametrize(
    ("lines", "router_id"),
    [
        ([], "1.2.3.4"),
        (["bgp_daemon_ip: 192.0.2.1"], "192.0.2.1"),
        (["bgp_daemon_ip: 192.0.2.1", "bgp_daemon_id: 192.0.2.9"], "192.0.2.9"),
        (["bgp_daemon_ip: 2001:db8::1"], "1.2.3.4"),
        (["bgp_daemon_ip: 0.0.0.0"], "1.2.3.4"),
    ],
)
def test_the_router_id_is_the_one_set_or_the_ipv4_address_or_the_last_resort(lines: list[str], router_id: str) -> None:
    assert settings(*lines).speaker.router_id == ip_address(router_id)


def test_half_a_batch_is_none() -> None:
    assert settings("bgp_daemon_batch: 5").listener.batch == 0
    assert settings("bgp_daemon_batch_interval: 5").listener.batch_interval == 0
    whole = settings("bgp_daemon_batch: 5", "bgp_daemon_batch_interval: 10").listener
    assert (whole.batch, whole.batch_interval) == (5, 10)


def test_a_listener_gets_all_of_its_keys() -> None:
    listener = settings(
        "bgp_daemon_ip: ::1",
        "bgp_daemon_port: 1179",
        "bgp_daemon_ipv6_only: true",
        "bgp_daemon_interface: vrf0",
        "bgp_daemon_ipprec: 6",
        "bgp_daemon_pipe_size: 65536",
        "bgp_daemon_gtsm: 1",
        "bgp_daemon_max_peers: 600",
        "bgp_daemon_allow_file: /a",
        "bgp_daemon_md5_file: /m",
        "bgp_neighbors_file: /n",
        "tmp_bgp_lookup_compare_ports: true",
    ).listener
    assert (listener.address, listener.port, listener.ipv6_only) == (ip_address("::1"), 1179, True)
    assert (listener.interface, listener.ip_precedence, listener.receive_buffer) == ("vrf0", 6, 65536)
    assert (listener.gtsm_hops, listener.max_peers, listener.compare_ports) == (1, 600, True)
    assert (listener.allow_file, listener.md5_file, listener.neighbors_file) == (Path("/a"), Path("/m"), Path("/n"))


@pytest.mark.parametrize(
    ("lines", "layout"),
    [
        ([], TimestampLayout.PLAIN),
        (["timestamps_rfc9557: true"], TimestampLayout.RFC9557),
        (["timestamps_rfc3339: true"], TimestampLayout.RFC9557),
        (["timestamps_since_epoch: true"], TimestampLayout.SINCE_EPOCH),
        (["timestamps_since_epoch: true", "timestamps_rfc9557: true"], TimestampLayout.SINCE_EPOCH),
    ],
)
def test_seconds_since_the_epoch_win_over_other_layouts(lines: list[str], layout: TimestampLayout) -> None:
    assert settings(*lines).render.timestamps is layout


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("as_path_encode_as_array", "as_path_as_array"),
        ("bgp_comms_encode_as_array", "communities_as_array"),
        ("bgp_comms_num", "communities_numeric"),
        ("tmp_bgp_daemon_origin_type_int", "origin_as_integer"),
        ("pre_tag_label_encode_as_map", "label_as_map"),
        ("tmp_bgp_lookup_compare_ports", "peer_id"),
        ("bgp_daemon_extra_attributes", "extra_attributes"),
        ("timestamps_utc", "utc"),
    ],
)
def test_each_option_of_records_is_a_key(key: str, field: str) -> None:
    assert getattr(settings().render, field) is False
    assert getattr(settings(f"{key}: true").render, field) is True


def test_a_dump_needs_a_file_and_a_time() -> None:
    assert settings("bgp_table_dump_file: /d").dump is None
    assert settings("bgp_table_dump_refresh_time: 60").dump is None
    dump = settings(
        "bgp_table_dump_file: /d/$peer_src_ip-%H%M",
        "bgp_table_dump_latest_file: /d/latest-$peer_src_ip",
        "bgp_table_dump_refresh_time: 240",
        "bgp_table_dump_time_slots: 8",
        "bgp_table_dump_output: mrt",
    ).dump
    assert dump is not None
    assert (dump.output, dump.refresh_time, dump.time_slots, dump.period) == (DumpFormat.MRT, 240, 8, 30)
    assert dump.file.follows_time
    assert dump.latest_file is not None
    assert dump.latest_file.expand_for_peer("192.0.2.1", 1) == "/d/latest-192_0_2_1"


def test_a_message_log_needs_a_file() -> None:
    assert settings("bgp_daemon_msglog_label_filter: a").message_log is None
    log = settings(
        "bgp_daemon_msglog_file: /l",
        "bgp_daemon_msglog_label_filter: a, -b",
        "bgp_daemon_msglog_queue_size: 4096",
    ).message_log
    assert log is not None
    assert (log.label_filter, log.queue_size) == (("a", "-b"), 4096)
    plain = settings("bgp_daemon_msglog_file: /l").message_log
    assert plain is not None
    assert (plain.label_filter, plain.queue_size) == (None, 67_108_864)


def test_maps_have_limits() -> None:
    maps = settings("maps_entries: 400000", "maps_row_len: 1000", "bgp_daemon_tag_map: /t", "maps_refresh: false").maps
    assert (maps.tag_map, maps.refresh, maps.limits) == (Path("/t"), False, Limits(400_000, 1_000))
    assert settings().maps.limits == Limits(384, 288)
    assert settings().maps.recirculate
    assert not settings("pre_tag_map_dont_recirculate: true").maps.recirculate


def test_the_process_and_its_log_get_their_keys() -> None:
    everything = settings(
        "core_proc_name: me",
        "daemonize: true",
        "pidfile: /p",
        "proc_priority: -5",
        f"files_uid: {os.getuid()}",
        "files_gid: root",
        "files_umask: 022",
        "logfile: /l",
        "syslog: local3",
        "debug: true",
        "log_stderr_tstamp: true",
        "timestamps_utc: true",
        "dry_run: setup",
    )
    process, log = everything.process, everything.log
    assert (process.name, process.daemonize, process.pidfile, process.priority) == ("me", True, Path("/p"), -5)
    assert (process.umask, process.owner) == (0o022, Owner(os.getuid(), 0))
    assert (log.process, log.file, log.facility, log.ident) == ("me", Path("/l"), "local3", "pmbgpd")
    assert (log.debug, log.stderr_timestamps, log.utc) == (True, True, True)
    assert everything.dry_run == "setup"
    assert settings("syslog_ident: other").log.ident == "other"


def test_a_check_of_the_configuration_answers_on_the_terminal() -> None:
    log = settings("logfile: /l", "syslog: daemon", "dry_run: config").log
    assert (log.file, log.facility) == (None, None)


def test_an_unknown_owner_is_left_alone_until_the_configuration_is_refused() -> None:
    configuration = read_configuration(parse_statements("files_uid: no-such-user-here", "f"))
    assert process_settings(configuration).owner == Owner()


def test_settings_of_a_configuration_with_errors_are_our_mistake() -> None:
    with pytest.raises(AssertionError, match="a configuration with errors was to be refused"):
        settings("bgp_daemon_port: 0")


# -- BMP --------------------------------------------------------------------------------------------------------------


def bmp_settings(*lines: str) -> BmpSettings:
    return pmbmpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))


def test_nothing_configured_is_a_listener_on_the_port_of_bmp() -> None:
    everything = bmp_settings()
    listener = everything.listener
    assert (listener.address, listener.port, listener.max_peers, listener.keys) == (None, 1790, 10, "bmp_daemon_")
    assert (listener.batch, listener.batch_interval, listener.gtsm_hops) == (0, 0, 0)
    assert (listener.proxy_header, listener.probes_silent, listener.compare_ports) == (False, True, False)
    assert (listener.allow_file, listener.md5_file, listener.neighbors_file) == (None, None, None)
    assert (everything.message_log, everything.dump, everything.tls, everything.replay) == (None, None, None, None)
    assert everything.station == StationSettings(
        set_pd=False, backlog=67_108_864, keeps_events=False, excludes_statistics=False
    )
    assert everything.log.ident == "pmbmpd"
    assert everything.connections == 10


def test_a_bmp_listener_gets_all_of_its_keys_and_none_of_bgp() -> None:
    listener = bmp_settings(
        "bmp_daemon_ip: ::1",
        "bmp_daemon_port: 11790",
        "bmp_daemon_ipv6_only: true",
        "bmp_daemon_interface: vrf0",
        "bmp_daemon_ipprec: 6",
        "bmp_daemon_pipe_size: 65536",
        "bmp_daemon_max_peers: 600",
        "bmp_daemon_batch: 5",
        "bmp_daemon_batch_interval: 7",
        "bmp_daemon_allow_file: /a",
        "bmp_daemon_md5_file: /m",
        "bmp_daemon_parse_proxy_header: true",
        "bgp_daemon_port: 1179",
        "bgp_daemon_gtsm: 1",
        "bgp_neighbors_file: /n",
        "tmp_bgp_lookup_compare_ports: true",
    ).listener
    assert (listener.address, listener.port, listener.ipv6_only) == (ip_address("::1"), 11790, True)
    assert (listener.interface, listener.ip_precedence, listener.receive_buffer) == ("vrf0", 6, 65536)
    assert (listener.max_peers, listener.batch, listener.batch_interval) == (600, 5, 7)
    assert (listener.allow_file, listener.md5_file, listener.proxy_header) == (Path("/a"), Path("/m"), True)
    assert (listener.gtsm_hops, listener.compare_ports, listener.neighbors_file) == (0, False, None)


def test_bgp_has_no_proxy_header() -> None:
    assert settings("bmp_daemon_parse_proxy_header: true").listener.proxy_header is False


def test_events_are_kept_where_there_are_dumps() -> None:
    station = bmp_settings(
        "bmp_dump_file: /d",
        "bmp_dump_refresh_time: 60",
        "bmp_dump_exclude_stats: true",
        "bmp_daemon_set_pd: true",
        "bmp_daemon_backlog: 1000",
    ).station
    assert station == StationSettings(set_pd=True, backlog=1000, keeps_events=True, excludes_statistics=True)
    assert not bmp_settings("bmp_dump_file: /d").station.keeps_events
    assert not bmp_settings(
        "bgp_table_dump_file: /d", "bgp_table_dump_refresh_time: 60"
    ).station.keeps_events  # those of BGP


def test_a_dump_of_bmp_has_its_own_keys() -> None:
    dump = bmp_settings("bmp_dump_file: /d", "bmp_dump_refresh_time: 240", "bmp_dump_time_slots: 8").dump
    assert dump is not None
    assert (dump.output, dump.refresh_time, dump.time_slots) == (DumpFormat.JSON, 240, 8)


@pytest.mark.parametrize(("line", "skips"), [("", False), ("bmp_daemon_msglog_unchanged: false", True)])
def test_a_message_log_of_bmp_has_its_own_keys(line: str, skips: bool) -> None:
    log = bmp_settings(
        "bmp_daemon_msglog_file: /l", "bmp_daemon_msglog_label_filter: a", "bmp_daemon_msglog_queue_size: 4096", line
    ).message_log
    assert log is not None
    assert (log.label_filter, log.queue_size, log.skips_unchanged) == (("a",), 4096, skips)
    assert bmp_settings("bgp_daemon_msglog_file: /l").message_log is None
    of_bgp = settings("bgp_daemon_msglog_file: /l", "bmp_daemon_msglog_unchanged: false").message_log
    assert of_bgp is not None
    assert not of_bgp.skips_unchanged


def test_the_tag_map_is_that_of_the_protocol() -> None:
    lines = ("bmp_daemon_tag_map: /bmp", "bgp_daemon_tag_map: /bgp")
    assert (bmp_settings(*lines).maps.tag_map, settings(*lines).maps.tag_map) == (Path("/bmp"), Path("/bgp"))


def test_tls_is_a_certificate_and_its_key() -> None:
    lines = ("bmp_daemon_tls_certificate_file: /c", "bmp_daemon_tls_key_file: /k")
    assert bmp_settings(*lines).tls == TlsFiles(Path("/c"), Path("/k"))
    assert bmp_settings(*lines, "bmp_daemon_tls_ca_file: /a").tls == TlsFiles(Path("/c"), Path("/k"), Path("/a"))


def test_a_replay_has_its_keys() -> None:
    assert bmp_settings("pcap_savefile: /c").replay == ReplaySettings(
        file=Path("/c"), delay=0, times=1, filter=None, stays=False
    )
    assert bmp_settings(
        "pcap_savefile: /c",
        "pcap_savefile_delay: 5",
        "pcap_savefile_replay: 0",
        "pcap_savefile_wait: true",
        "pcap_filter: port 1790",
    ).replay == ReplaySettings(file=Path("/c"), delay=5, times=0, filter="port 1790", stays=True)
    assert bmp_settings("pcap_filter: port 1790").replay is None
