"""Keys that do not go together: the checks of a start, once every key has been understood alone."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from routed.daemon.keys_sinks import DUMP_PREFIXES, LOG_PREFIXES, SINKS
from routed.daemon.values import MAX_CIRCUITS
from routed.plumbing.names import NameTemplate
from routed.plumbing.statements import Kind, Problem
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.plumbing.config import Configuration, Daemons

PREFIXES: Final = (*LOG_PREFIXES, *DUMP_PREFIXES)
#: What keys of brokers need: a module, and the package that brings it.
LIBRARIES: Final = {"amqp_routing_key": ("pika", "pika"), "kafka_topic": ("confluent_kafka", "confluent-kafka")}


def sinks_set(configuration: Configuration, prefix: str) -> list[str]:
    """Return the keys that name where the records of one kind go."""
    return [prefix + sink for sink in SINKS if configuration.is_set(prefix + sink)]


def mrt_is_for_files(configuration: Configuration) -> Iterator[Problem]:
    """Refuse a format that is a file to brokers, which take records."""
    for prefix in DUMP_PREFIXES:
        if configuration.of(f"{prefix}output", DumpFormat) is DumpFormat.MRT:
            for sink in sinks_set(configuration, prefix):
                if not sink.endswith("file"):
                    yield _conflict(configuration, sink, f"{prefix}output: mrt and {sink} exclude each other")


def messages_have_one_key(configuration: Configuration) -> Iterator[Problem]:
    """Refuse messages of several routes that shall have the key of their route."""
    for prefix in PREFIXES:
        key, other = f"{prefix}kafka_route_key", f"{prefix}kafka_multi_values"
        if configuration.of(key, bool):
            if configuration.of(other, int):
                yield _conflict(configuration, key, f"{key} and {other} exclude each other")
            if configuration.of(f"{prefix}output", DumpFormat) is not DumpFormat.JSON:
                yield _conflict(configuration, key, f"{key} needs {prefix}output: json")


def passing_on_excludes_records(configuration: Configuration) -> Iterator[Problem]:
    """Refuse to pass sessions on and to look into them as well."""
    if configuration.is_set("bgp_daemon_xconnect_map"):
        for prefix in ("bgp_daemon_msglog_", "bgp_table_dump_"):
            for sink in sinks_set(configuration, prefix):
                yield _conflict(configuration, sink, f"bgp_daemon_xconnect_map and {sink} exclude each other")


def daemon_passes_on(configuration: Configuration, kind: Daemons | None) -> Iterator[Problem]:
    """Refuse to pass BGP sessions on in a daemon that has none to pass on."""
    key = "bgp_daemon_xconnect_map"
    if kind is not None and configuration.is_set(key) and not configuration.registry[key].daemons & kind:
        yield _conflict(configuration, key, "only pmbgpd passes sessions on")


def registry_fits(configuration: Configuration) -> Iterator[Problem]:
    """Refuse a schema registry for records that are not Avro's binary ones, and for topics that are not one."""
    for prefix in PREFIXES:
        if not configuration.is_set(f"{prefix}kafka_avro_schema_registry"):
            continue
        if configuration.of(f"{prefix}output", DumpFormat) is not DumpFormat.AVRO:
            yield _conflict(configuration, f"{prefix}kafka_avro_schema_registry", f"needs {prefix}output: avro")
        topic = configuration.maybe(f"{prefix}kafka_topic", NameTemplate)
        if topic is not None and (topic.variables or topic.follows_time):
            yield _conflict(configuration, f"{prefix}kafka_topic", "a schema registry needs a topic without variables")


def containers_have_records(configuration: Configuration) -> Iterator[Problem]:
    """Refuse an Avro container without a file, or of records that are not Avro's binary ones."""
    for prefix in PREFIXES:
        key = f"{prefix}avro_container"
        if not configuration.of(key, bool):
            continue
        if configuration.of(f"{prefix}output", DumpFormat) is not DumpFormat.AVRO:
            yield _conflict(configuration, key, f"needs {prefix}output: avro")
        if not configuration.is_set(f"{prefix}file"):
            yield _conflict(configuration, key, f"needs {prefix}file")


def lines_can_be_joined(configuration: Configuration) -> Iterator[Problem]:
    """Refuse several records in a message where no newline tells them apart."""
    for prefix in PREFIXES:
        key = f"{prefix}kafka_multi_values"
        if configuration.of(key, int) and configuration.of(f"{prefix}output", DumpFormat) is DumpFormat.AVRO:
            yield _conflict(configuration, key, f"{key} and {prefix}output: avro exclude each other")


def libraries_are_there(configuration: Configuration) -> Iterator[Problem]:
    """Refuse a broker whose library, which not everybody needs, is not installed."""
    for prefix in PREFIXES:
        for key, (module, package) in LIBRARIES.items():
            if configuration.is_set(prefix + key) and find_spec(module) is None:
                text = f"{module} is not installed: pip install {package}"
                yield _conflict(configuration, prefix + key, text)


def broker_tls_is_whole(configuration: Configuration) -> Iterator[Problem]:
    """Refuse half an identity for a broker, and files that nobody would read."""
    for prefix in PREFIXES:
        key, other = f"{prefix}amqp_tls_certificate_file", f"{prefix}amqp_tls_key_file"
        files = [name for name in (f"{prefix}amqp_tls_ca_file", key, other) if configuration.is_set(name)]
        if files and not configuration.of(f"{prefix}amqp_tls", bool):
            yield _conflict(configuration, files[0], f"needs {prefix}amqp_tls: true")
        if configuration.is_set(key) != configuration.is_set(other):
            yield _conflict(configuration, files[-1], f"{key} and {other} need each other")


def batch_is_whole(configuration: Configuration) -> Iterator[Problem]:
    """Tell that admission in batches is off when half of it is missing."""
    for prefix in ("bgp_daemon_", "bmp_daemon_"):
        keys = (f"{prefix}batch", f"{prefix}batch_interval")
        on = [key for key in keys if configuration.of(key, int)]
        if len(on) == 1:
            yield _advice(configuration, on[0], f"{keys[0]} and {keys[1]} need each other. Both are off.")


def dump_has_time(configuration: Configuration) -> Iterator[Problem]:
    """Tell about dumps that never come, or come at odd times."""
    for prefix in DUMP_PREFIXES:
        sinks = sinks_set(configuration, prefix)
        refresh_time = configuration.of(f"{prefix}refresh_time", int)
        time_slots = configuration.of(f"{prefix}time_slots", int)
        if sinks and not refresh_time and configuration.is_usable:  # or it may be set, and wrong
            yield _advice(configuration, sinks[0], f"{prefix}refresh_time is not set. The dump is disabled.")
        elif refresh_time and time_slots > refresh_time:
            text = f"{time_slots} slots do not fit into {prefix}refresh_time of {refresh_time} seconds"
            yield _conflict(configuration, f"{prefix}time_slots", text)
        elif refresh_time % time_slots:
            text = f"{time_slots} does not divide {prefix}refresh_time of {refresh_time} seconds."
            yield _advice(configuration, f"{prefix}time_slots", text)


def variables_are_known(configuration: Configuration) -> Iterator[Problem]:
    """Tell about variables in names that are not ours: they stay as they are written."""
    for name, setting in configuration.settings.items():
        if isinstance(setting.value, NameTemplate):
            for variable in setting.value.unknown:
                yield _advice(configuration, name, f"unknown variable {variable} stays as it is.")


def one_source_of_origins(configuration: Configuration) -> Iterator[Problem]:
    """Refuse two sources of validated origins."""
    if configuration.is_set("rpki_roas_file") and configuration.is_set("rpki_rtr_cache"):
        yield _conflict(configuration, "rpki_rtr_cache", "rpki_roas_file and rpki_rtr_cache exclude each other")


def cache_keys_go_together(configuration: Configuration) -> Iterator[Problem]:
    """Refuse half of what a TLS client needs, and tell about keys of caches without a cache."""
    keys = ("rpki_rtr_tls_ca_file", "rpki_rtr_tls_certificate_file", "rpki_rtr_tls_key_file")
    authorities, certificate, private_key = map(configuration.is_set, keys)
    if certificate != private_key:
        have, lack = (keys[1], keys[2]) if certificate else (keys[2], keys[1])
        yield _conflict(configuration, have, f"{lack} is missing")
    elif certificate and not authorities:
        yield _conflict(configuration, keys[1], f"{keys[0]} is missing")
    for key in ("rpki_rtr_cache_version", "rpki_rtr_md5_file", *keys):
        if configuration.is_set(key) and not configuration.is_set("rpki_rtr_cache"):
            yield _advice(configuration, key, "rpki_rtr_cache is not set. No effect.")
    for key in ("rpki_slurm_file", "rpki_msglog_changes", "rpki_aspa"):
        sources = ("rpki_rtr_cache", "rpki_roas_file")
        if configuration.is_set(key) and not any(map(configuration.is_set, sources)):
            yield _advice(configuration, key, "neither rpki_rtr_cache nor rpki_roas_file is set. No effect.")


def isis_is_whole(configuration: Configuration) -> Iterator[Problem]:
    """Refuse IS-IS without what it cannot be without."""
    if not configuration.of("isis_daemon", bool):
        return
    for key in ("isis_daemon_ip", "isis_daemon_net"):
        if not configuration.is_set(key):
            yield _conflict(configuration, "isis_daemon", f"{key} is missing")
    circuits = [key for key in ("isis_daemon_iface", "isis_daemon_gre") if configuration.is_set(key)]
    if configuration.is_set("igp_daemon_map"):
        for key in circuits:
            yield _conflict(configuration, "igp_daemon_map", f"igp_daemon_map and {key} exclude each other")
    elif not circuits:
        text = "isis_daemon_iface, isis_daemon_gre or igp_daemon_map is missing"
        yield _conflict(configuration, "isis_daemon", text)
    if sum(len(configuration.of(key, tuple)) for key in circuits) > MAX_CIRCUITS:
        yield _conflict(configuration, circuits[-1], f"{' and '.join(circuits)} are more than {MAX_CIRCUITS}")


def isis_keys_have_effect(configuration: Configuration) -> Iterator[Problem]:
    """Tell about keys of IS-IS that do nothing."""
    if configuration.is_set("igp_daemon_map") and not configuration.of("isis_daemon", bool):
        yield _advice(configuration, "igp_daemon_map", "isis_daemon is not true. No effect.")
    if configuration.is_set("igp_daemon_map_msglog") and not configuration.is_set("igp_daemon_map"):
        yield _advice(configuration, "igp_daemon_map_msglog", "igp_daemon_map is not set. No effect.")
    if configuration.is_set("isis_dump_file") and not configuration.of("isis_dump_refresh_time", int):
        yield _advice(configuration, "isis_dump_file", "isis_dump_refresh_time is not set. The dump is disabled.")


def clusters_have_names(configuration: Configuration) -> Iterator[Problem]:
    """Refuse to join a cluster without a name."""
    if configuration.of("bgp_daemon_ha", bool) and not configuration.is_set("bgp_daemon_ha_cluster_name"):
        yield _conflict(configuration, "bgp_daemon_ha", "bgp_daemon_ha_cluster_name is missing")
    if configuration.is_set("redis_host") and not configuration.is_set("cluster_name"):
        yield _conflict(configuration, "redis_host", "cluster_name is missing")


def tls_is_whole(configuration: Configuration) -> Iterator[Problem]:
    """Refuse to offer TLS with half of what it needs."""
    keys = ("bmp_daemon_tls_certificate_file", "bmp_daemon_tls_key_file")
    on = [key for key in (*keys, "bmp_daemon_tls_ca_file") if configuration.is_set(key)]
    for key in keys:
        if on and key not in on:
            yield _conflict(configuration, on[0], f"{key} is missing")


def replay_excludes_listening(configuration: Configuration) -> Iterator[Problem]:
    """Refuse to play a capture and to listen as well."""
    if configuration.is_set("pcap_savefile") and configuration.is_set("bmp_daemon_ip"):
        yield _conflict(configuration, "pcap_savefile", "pcap_savefile and bmp_daemon_ip exclude each other")


def looking_glass_is_whole(configuration: Configuration) -> Iterator[Problem]:
    """Refuse to leave a looking glass open because half of its lock is missing."""
    for prefix in ("bgp_daemon_lg_", "bmp_daemon_lg_"):
        pairs = (("user", "passwd"), ("passwd", "user"), ("curve_client_keys", "curve_server_key_file"))
        for key, other in pairs:
            if configuration.is_set(prefix + key) and not configuration.is_set(prefix + other):
                yield _conflict(configuration, prefix + key, f"{prefix}{other} is missing")


CHECKS: Final[tuple[Callable[[Configuration], Iterator[Problem]], ...]] = (
    mrt_is_for_files,
    messages_have_one_key,
    passing_on_excludes_records,
    registry_fits,
    containers_have_records,
    lines_can_be_joined,
    broker_tls_is_whole,
    libraries_are_there,
    batch_is_whole,
    dump_has_time,
    variables_are_known,
    one_source_of_origins,
    cache_keys_go_together,
    isis_is_whole,
    isis_keys_have_effect,
    clusters_have_names,
    tls_is_whole,
    looking_glass_is_whole,
    replay_excludes_listening,
)


def _conflict(configuration: Configuration, key: str, text: str) -> Problem:
    return Problem(Kind.CONFLICT, f"{configuration.where(key)} {key}: {text}")


def _advice(configuration: Configuration, key: str, text: str) -> Problem:
    return Problem(Kind.ADVICE, f"{configuration.where(key)} {key}: {text}")
