"""From configuration to settings: what each part of a daemon is told, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from routed.daemon.accounts import ACCOUNT_CHECKS, files_owner, process_identity
from routed.daemon.checks import CHECKS, daemon_passes_on
from routed.daemon.keys import KEYS
from routed.daemon.settings_brokers import broker_settings, spool_name
from routed.daemon.settings_glass import GlassSettings, http_settings, looking_glass_settings
from routed.daemon.settings_isis import isis_settings
from routed.daemon.settings_maps import map_limits, map_settings
from routed.daemon.settings_rpki import rpki_settings
from routed.daemon.written import written_folders
from routed.plumbing.config import Configuration, Daemons, configure
from routed.plumbing.log import Level, LogLine, LogSettings
from routed.plumbing.names import WRITER_VARIABLES, NameTemplate, parse_name
from routed.plumbing.process import ProcessSettings
from routed.service.settings import (
    DumpFormat,
    DumpSettings,
    ListenerSettings,
    MapSettings,
    MessageLogSettings,
    RenderSettings,
    ReplaySettings,
    SpeakerSettings,
    StationSettings,
    TimestampLayout,
)
from routed.service.tls import TlsFiles
from routed.wire.bgp.codepoints import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from routed.daemon.rpki import RpkiSettings
    from routed.daemon.settings_isis import IsisPlaneSettings
    from routed.plumbing.http_settings import HttpSettings
    from routed.plumbing.statements import Problem, Statements
    from routed.plumbing.zeromq_settings import ZmqSettings

#: The router id of last resort, the same as that of the compatible implementation.
DEFAULT_ROUTER_ID: Final = IPv4Address("1.2.3.4")
#: Who wrote a record, when nobody says otherwise.
DEFAULT_WRITER_ID: Final = parse_name("$proc_name/$writer_pid", WRITER_VARIABLES)
#: Looks at keys together.
Check: TypeAlias = "Callable[[Configuration], Iterable[Problem]]"


class DaemonSettings(Protocol):
    """What a command needs to know of the settings of its daemon."""

    @property
    def process(self) -> ProcessSettings:
        """Return how the process runs."""

    @property
    def log(self) -> LogSettings:
        """Return where log lines go."""

    @property
    def dry_run(self) -> str | None:
        """Return what is to be tried instead of running."""

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """What every daemon that collects routes is told, however it gets them."""

    process: ProcessSettings
    log: LogSettings
    listener: ListenerSettings
    writer_id: NameTemplate
    render: RenderSettings
    maps: MapSettings
    message_log: MessageLogSettings | None
    dump: DumpSettings | None
    looking_glass: ZmqSettings | None
    http: HttpSettings | None
    rpki: RpkiSettings | None
    isis: IsisPlaneSettings | None
    folds_next_hops: bool  # an IPv4 next hop and the same one mapped into IPv6 are shown as what came first
    dry_run: str | None

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time."""
        return self.listener.max_peers + self.questioners

    @property
    def glass(self) -> GlassSettings:
        """Return what a looking glass is told."""
        return GlassSettings(looking_glass=self.looking_glass, http=self.http, render=self.render)

    @property
    def questioners(self) -> int:
        """Return how many descriptors those take who ask."""
        return self.glass.questioners


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpSettings(CommonSettings):
    """Everything that `pmbgpd` is told."""

    speaker: SpeakerSettings

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time: one that is passed on is two."""
        return self.listener.max_peers * (1 if self.maps.xconnect_map is None else 2) + self.questioners


@dataclass(frozen=True, slots=True, kw_only=True)
class BmpSettings(CommonSettings):
    """Everything that `pmbmpd` is told."""

    station: StationSettings
    tls: TlsFiles | None
    replay: ReplaySettings | None


def read_configuration(
    statements: Statements, kind: Daemons | None = None, checks: Iterable[Check] = ()
) -> Configuration:
    """Understand the statements of a daemon, each alone and then together."""
    passes_on: Check = partial(daemon_passes_on, kind=kind)
    together = (*CHECKS, *ACCOUNT_CHECKS, passes_on, *checks)
    has_plugins = kind is Daemons.FLOW
    configuration = configure(KEYS, statements.statements, statements.problems, together, has_plugins=has_plugins)
    return replace(configuration, file=statements.file)


def with_checks(configuration: Configuration, checks: Iterable[Check] = ()) -> Configuration:
    """Return the configuration with what is wrong with keys together, once it has been put together of two."""
    together = (*CHECKS, *ACCOUNT_CHECKS, *checks)
    return configuration.with_problems(problem for check in together for problem in check(configuration))


def problem_lines(configuration: Configuration) -> Iterator[LogLine]:
    """Return the problems as lines of the log."""
    for problem in configuration.problems:
        yield LogLine(Level.ERROR if problem.is_fatal else Level.WARN, problem.text)


def pmbgpd_settings(configuration: Configuration) -> BgpSettings:
    """Build the settings of `pmbgpd` from a usable configuration."""
    return BgpSettings(
        **_common(configuration, "pmbgpd", "bgp"),
        dump=dump_settings(configuration, "bgp_table_dump_"),
        speaker=speaker_settings(configuration),
    )


def pmbmpd_settings(configuration: Configuration) -> BmpSettings:
    """Build the settings of `pmbmpd` from a usable configuration."""
    return BmpSettings(
        **_common(configuration, "pmbmpd", "bmp"),
        dump=dump_settings(configuration, "bmp_dump_"),
        station=station_settings(configuration),
        tls=tls_files(configuration),
        replay=replay_settings(configuration),
    )


def keeps_tables(c: Configuration, protocol: str) -> bool:
    """Tell whether pmacct would keep tables, and with them one next hop for an address in two forms."""
    dump = dump_settings(c, {"bgp": "bgp_table_dump_", "bmp": "bmp_dump_"}[protocol])
    return dump is not None or c.of(f"{protocol}_daemon_lg", bool) or c.is_set("plugins")


def _common(configuration: Configuration, command: str, protocol: str) -> dict[str, Any]:
    """Build what the daemons have in common, but for dumps; `protocol` begins the names of their keys."""
    assert configuration.is_usable, "a configuration with errors was to be refused"
    return {
        "process": process_settings(configuration),
        "log": log_settings(configuration, command),
        "listener": listener_settings(configuration, protocol),
        "writer_id": configuration.maybe("writer_id_string", NameTemplate) or DEFAULT_WRITER_ID,
        "render": render_settings(configuration),
        "maps": map_settings(configuration, protocol),
        "message_log": message_log_settings(configuration, protocol),
        "looking_glass": looking_glass_settings(configuration, protocol),
        "http": http_settings(configuration, protocol),
        "rpki": rpki_settings(configuration),
        "isis": isis_settings(
            configuration,
            render_settings(configuration),
            process_settings(configuration).owner,
            map_limits(configuration),
        ),
        "folds_next_hops": keeps_tables(configuration, protocol),
        "dry_run": configuration.maybe("dry_run", str),
    }


def process_settings(c: Configuration) -> ProcessSettings:
    """Tell how the process runs; usable for what remains of a configuration with errors, too."""
    identity = process_identity(c)
    return ProcessSettings(
        name=c.of("core_proc_name", str),
        daemonize=c.of("daemonize", bool),
        pidfile=c.path("pidfile"),
        priority=c.of("proc_priority", int),
        umask=c.of("files_umask", int),
        owner=files_owner(c, identity),
        identity=identity,
        writes_below=written_folders(c) if c.of("proc_sandbox", bool) else None,
        stop_patience=c.of("proc_stop_patience", int),
        spool_name=spool_name(c),
    )


def log_settings(c: Configuration, command: str) -> LogSettings:
    """Tell where log lines go; usable for what remains of a configuration with errors, too.

    A mere check of the configuration answers on the terminal, where it was asked, and creates no file.
    """
    is_check = c.maybe("dry_run", str) == "config"
    return LogSettings(
        process=c.of("core_proc_name", str),
        debug=c.of("debug", bool),
        file=None if is_check else c.path("logfile"),
        facility=None if is_check else c.maybe("syslog", str),
        ident=c.maybe("syslog_ident", str) or command,
        stderr_timestamps=c.of("log_stderr_tstamp", bool),
        utc=c.of("timestamps_utc", bool),
        json=c.of("log_format", str) == "json",
    )


def listener_settings(c: Configuration, protocol: str) -> ListenerSettings:
    """Tell where peers connect to, and who may."""
    daemon, is_bgp = f"{protocol}_daemon", protocol == "bgp"
    batch, interval = c.of(f"{daemon}_batch", int), c.of(f"{daemon}_batch_interval", int)
    whole = bool(batch and interval)
    return ListenerSettings(
        address=_address(c, f"{daemon}_ip"),
        port=c.of(f"{daemon}_port", int),
        ipv6_only=c.of(f"{daemon}_ipv6_only", bool),
        interface=c.maybe(f"{daemon}_interface", str),
        ip_precedence=c.of(f"{daemon}_ipprec", int),
        receive_buffer=c.maybe(f"{daemon}_pipe_size", int),
        gtsm_hops=c.of("bgp_daemon_gtsm", int) if is_bgp else 0,
        max_peers=c.of(f"{daemon}_max_peers", int),
        batch=batch if whole else 0,
        batch_interval=interval if whole else 0,
        compare_ports=is_bgp and c.of("tmp_bgp_lookup_compare_ports", bool),
        allow_file=c.path(f"{daemon}_allow_file"),
        md5_file=c.path(f"{daemon}_md5_file"),
        neighbors_file=c.path("bgp_neighbors_file") if is_bgp else None,
        proxy_header=not is_bgp and c.of("bmp_daemon_parse_proxy_header", bool),
        probes_silent=not is_bgp or c.is_set("bgp_daemon_xconnect_map"),
        keys=f"{daemon}_",
    )


def speaker_settings(c: Configuration) -> SpeakerSettings:
    """Tell how we present ourselves, and what we hold of a peer."""
    return SpeakerSettings(
        asn=c.of("bgp_daemon_as", int),
        router_id=router_id(c),
        hold_time=c.of("bgp_daemon_hold_time", int),
        role=c.maybe("bgp_daemon_role", Role),
        hostname=c.maybe("bgp_daemon_hostname", str),
        add_path=not c.of("bgp_daemon_add_path_ignore", bool),
        check_router_id=not c.of("bgp_disable_router_id_check", bool),
        graceful_restart=c.of("bgp_daemon_graceful_restart", bool),
        stale_time=c.of("bgp_daemon_stale_time", int),
        max_routes=c.of("bgp_daemon_max_routes", int),
    )


def router_id(c: Configuration) -> IPv4Address:
    """Return the router id: the one configured, the listener's IPv4 address, or that of last resort."""
    configured = c.maybe("bgp_daemon_id", IPv4Address)
    if configured is not None:
        return configured
    address = _address(c, "bgp_daemon_ip")
    return address if isinstance(address, IPv4Address) and not address.is_unspecified else DEFAULT_ROUTER_ID


def station_settings(c: Configuration) -> StationSettings:
    """Tell how messages of BMP routers are taken."""
    return StationSettings(
        set_pd=c.of("bmp_daemon_set_pd", bool),
        backlog=c.of("bmp_daemon_backlog", int),
        keeps_events=dump_settings(c, "bmp_dump_") is not None,
        excludes_statistics=c.of("bmp_dump_exclude_stats", bool),
    )


def tls_files(c: Configuration) -> TlsFiles | None:
    """Tell who we are for TLS clients, if we have any."""
    certificate, key = c.path("bmp_daemon_tls_certificate_file"), c.path("bmp_daemon_tls_key_file")
    if certificate is None or key is None:
        return None
    return TlsFiles(certificate, key, c.path("bmp_daemon_tls_ca_file"))


def replay_settings(c: Configuration) -> ReplaySettings | None:
    """Tell which capture is played, if one is."""
    file = c.path("pcap_savefile")
    if file is None:
        return None
    return ReplaySettings(
        file=file,
        delay=c.of("pcap_savefile_delay", int),
        times=c.of("pcap_savefile_replay", int),
        filter=c.maybe("pcap_filter", str),
        stays=c.of("pcap_savefile_wait", bool),
    )


def render_settings(c: Configuration) -> RenderSettings:
    """Tell how records are written."""
    return RenderSettings(
        as_path_as_array=c.of("as_path_encode_as_array", bool),
        communities_as_array=c.of("bgp_comms_encode_as_array", bool),
        communities_numeric=c.of("bgp_comms_num", bool),
        origin_as_integer=c.of("tmp_bgp_daemon_origin_type_int", bool),
        label_as_map=c.of("pre_tag_label_encode_as_map", bool),
        peer_id=c.of("tmp_bgp_lookup_compare_ports", bool),
        extra_attributes=c.of("bgp_daemon_extra_attributes", bool),
        timestamps=_timestamps(c),
        utc=c.of("timestamps_utc", bool),
        validates_origins=rpki_settings(c) is not None,
    )


def message_log_settings(c: Configuration, protocol: str) -> MessageLogSettings | None:
    """Tell where messages are logged, if they are."""
    prefix = f"{protocol}_daemon_msglog_"
    file, brokers = c.maybe(f"{prefix}file", NameTemplate), broker_settings(c, prefix)
    if file is None and not brokers:
        return None
    return MessageLogSettings(
        file=file,
        label_filter=_labels(c, f"{prefix}label_filter"),
        queue_size=c.of(f"{prefix}queue_size", int),
        skips_unchanged=protocol == "bmp" and not c.of("bmp_daemon_msglog_unchanged", bool),
        output=c.of(f"{prefix}output", DumpFormat),
        schema_file=c.path(f"{prefix}avro_schema_file"),
        container=c.of(f"{prefix}avro_container", bool),
        brokers=brokers,
    )


def dump_settings(c: Configuration, prefix: str) -> DumpSettings | None:
    """Tell where tables are dumped and when, if they are."""
    file, brokers = c.maybe(f"{prefix}file", NameTemplate), broker_settings(c, prefix)
    refresh_time = c.of(f"{prefix}refresh_time", int)
    if (file is None and not brokers) or not refresh_time:
        return None
    return DumpSettings(
        file=file,
        latest_file=c.maybe(f"{prefix}latest_file", NameTemplate),
        output=c.of(f"{prefix}output", DumpFormat),
        refresh_time=refresh_time,
        time_slots=c.of(f"{prefix}time_slots", int),
        schema_file=c.path(f"{prefix}avro_schema_file"),
        container=c.of(f"{prefix}avro_container", bool),
        brokers=brokers,
    )


def _timestamps(c: Configuration) -> TimestampLayout:
    if c.of("timestamps_since_epoch", bool):
        return TimestampLayout.SINCE_EPOCH
    return TimestampLayout.RFC9557 if c.of("timestamps_rfc9557", bool) else TimestampLayout.PLAIN


def _address(c: Configuration, key: str) -> IPv4Address | IPv6Address | None:
    address = c.maybe(key, object)
    assert address is None or isinstance(address, IPv4Address | IPv6Address)
    return address


def _labels(c: Configuration, key: str) -> tuple[str, ...] | None:
    labels = c.maybe(key, tuple)
    return None if labels is None else tuple(str(label) for label in labels)
