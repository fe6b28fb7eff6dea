"""What the operator chose, as frozen values: all that a service ever sees of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from routed.plumbing.amqp_settings import AmqpSettings
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.maps import Limits
    from routed.plumbing.names import NameTemplate
    from routed.plumbing.registry_settings import RegistryUrl
    from routed.wire.bgp.codepoints import Role


class DumpFormat(Enum):
    """The encodings of records."""

    JSON = auto()
    MRT = auto()
    AVRO = auto()
    AVRO_JSON = auto()


class TimestampLayout(Enum):
    """The ways to write a time in a record."""

    PLAIN = auto()  # 2026-11-20 15:10:56.904753
    RFC9557 = auto()  # 2026-11-20T15:10:56.904753+01:00
    SINCE_EPOCH = auto()  # 1795187456.904753


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where peers connect to, and who may.

    `address` is `None` for every address of both families. `gtsm_hops` of 0 leaves the time to live alone;
    `batch` peers are admitted per `batch_interval` seconds, 0 for no limit. `proxy_header`: connections begin with a
    PROXY protocol header; `probes_silent`: TCP finds out whether a peer that says nothing is still there. `keys` begins
    the names of the keys that say so.
    """

    address: IPv4Address | IPv6Address | None
    port: int
    ipv6_only: bool
    interface: str | None
    ip_precedence: int
    receive_buffer: int | None
    gtsm_hops: int
    max_peers: int
    batch: int
    batch_interval: int
    compare_ports: bool
    allow_file: Path | None
    md5_file: Path | None
    neighbors_file: Path | None = None
    proxy_header: bool = False
    probes_silent: bool = False
    keys: str = "bgp_daemon_"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSettings:
    """How we present ourselves to BGP peers, and what we hold of them.

    `asn` of 0 mirrors the peer's; `max_routes` of 0 is no limit. Units: seconds.
    """

    asn: int
    router_id: IPv4Address
    hold_time: int
    role: Role | None
    hostname: str | None
    add_path: bool
    check_router_id: bool
    graceful_restart: bool
    stale_time: int
    max_routes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSettings:
    """How messages of BMP routers are taken.

    `set_pd`: peer distinguishers are shown as `pd`. `backlog`: octets of messages of one router that may wait.
    `keeps_events`: dumps repeat them, statistics only unless `excludes_statistics`.
    """

    set_pd: bool
    backlog: int
    keeps_events: bool
    excludes_statistics: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """How records are written."""

    as_path_as_array: bool
    communities_as_array: bool
    communities_numeric: bool
    origin_as_integer: bool
    label_as_map: bool
    peer_id: bool
    extra_attributes: bool
    timestamps: TimestampLayout
    utc: bool
    validates_origins: bool = False  # records of routes say how


class SpoolPolicy(Enum):
    """What happens when queue and spool are full."""

    WAIT = auto()  # producers are paused
    DROP = auto()  # what comes is dropped and counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """What waits on disk for a broker. `directory`: None for no spool. Units: octets."""

    directory: Path | None
    size: int
    policy: SpoolPolicy = SpoolPolicy.WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One destination at a broker, whatever it speaks.

    `label`: names the sink, in the log and in the spool's directory. `target`: topic or routing key. `key`: record key.
    `transport`: what the carrier has to know. `output`: the encoding of the records. `registry`: the addresses of a
    schema registry that numbers their schemas, none for plain Avro. Units: octets of the queue.
    """

    label: str
    target: NameTemplate
    key: NameTemplate | None
    transport: KafkaSettings | AmqpSettings
    queue_size: int
    spool: SpoolSettings
    output: DumpFormat = DumpFormat.JSON
    registry: tuple[RegistryUrl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLogSettings:
    """The log of messages, to one or several places.

    `schema_file`: what the names of files with its Avro schemas begin with. `container`: its files are Avro containers.
    Units: octets of the queue of a file.
    """

    file: NameTemplate | None
    label_filter: tuple[str, ...] | None
    queue_size: int
    skips_unchanged: bool = False
    output: DumpFormat = DumpFormat.JSON
    schema_file: Path | None = None
    container: bool = False
    brokers: tuple[BrokerSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpSettings:
    """The dumps of tables: peers are spread over `time_slots` dumps every `refresh_time` seconds."""

    file: NameTemplate | None
    latest_file: NameTemplate | None
    output: DumpFormat
    refresh_time: int
    time_slots: int
    schema_file: Path | None = None
    container: bool = False
    brokers: tuple[BrokerSettings, ...] = ()

    @property
    def period(self) -> int:
        """Return the seconds from one dump to the next."""
        return self.refresh_time // self.time_slots


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value is another one in the configuration now; only live ones are taken over without a restart."""

    key: str
    before: str
    after: str
    live: bool

    def __str__(self) -> str:
        """Say what is different, and whether it takes a restart."""
        return f"{self.key}: {self.before} -> {self.after}" + ("" if self.live else " takes a restart")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload came to; with problems nothing has changed."""

    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Say it in a line."""
        if self.problems:
            return "reload refused: nothing has changed"
        live = sum(change.live for change in self.changes)
        waiting = len(self.changes) - live
        restart = f", {waiting} more take{'s' if waiting == 1 else ''} a restart" if waiting else ""
        return f"maps and configuration reloaded: {live} key{'' if live == 1 else 's'} changed{restart}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """A capture that is played instead of listening. Units: seconds; `times` of 0 is for ever."""

    file: Path
    delay: int
    times: int
    filter: str | None
    stays: bool  # when the capture has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings:
    """The map that tags peers, the one of sessions to pass on, and how maps are read."""

    tag_map: Path | None
    refresh: bool
    limits: Limits
    recirculate: bool
    xconnect_map: Path | None = None
