"""Plugins of a flow daemon: what `plugins: print[a], ...` and the keys of each say, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowcorr.correlate.aggregate import Aggregate, AggregateError, parse_aggregate
from flowcorr.correlate.aggregation import MOST_ENTRIES, AggregationSettings
from flowcorr.correlate.bins import Length, parse_length
from flowcorr.daemon.broker_plugins import KINDS as BROKERS
from flowcorr.daemon.broker_plugins import BrokerPlugin, broker_plugin, check_name
from flowcorr.daemon.correlation_settings import own_columns
from flowcorr.daemon.key_problem import KeyProblemError
from flowcorr.service import _pieces as r
from flowcorr.service._checks import BYTES, BYTES_A_PACKET, FLOWS, PACKETS, PACKETS_A_FLOW, Check
from flowcorr.service.memory_plugin import MemorySettings
from flowcorr.service.print_settings import PrintSettings
from flowcorr.service.render import Output, RowSettings
from routed.plumbing.names import FLOW_VARIABLES, WRITER_VARIABLES, NameTemplate, Variable, parse_name
from routed.plumbing.statements import Kind, Problem
from routed.plumbing.suggest import nearest
from routed.plumbing.values import parse_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowcorr.columns.column import Column
    from flowcorr.wire.custom_primitive import CustomPrimitive
    from routed.plumbing.config import Configuration
    from routed.plumbing.output_file import Owner

#: Kinds that there are, those that will come, and those that only probes have.
BUILT: Final = ("memory", "print", *BROKERS)
TO_COME: Final = ("mysql", "pgsql", "sqlite3", "tee")
OF_PROBES: Final = ("nfprobe", "sfprobe")
#: What a value of `print_cache_entries` stands for: pmacct's buckets have room for as many entries each.
ENTRIES_OF_BUCKET: Final = 10
#: Formats of another name.
_OUTPUTS: Final = {"avro_bin": "avro"}
_WRITER_ID: Final = parse_name("$proc_name/$writer_pid", WRITER_VARIABLES)
_SEPARATORS: Final = {"\\t": "\t", "\\s": " "}
#: Bounds of `*_preprocess`.
_CHECKS: Final[Mapping[str, tuple[int, bool]]] = {
    "minp": (PACKETS, False),
    "minb": (BYTES, False),
    "minf": (FLOWS, False),
    "minbpp": (BYTES_A_PACKET, False),
    "minppf": (PACKETS_A_FLOW, False),
    "maxp": (PACKETS, True),
    "maxb": (BYTES, True),
    "maxf": (FLOWS, True),
    "maxbpp": (BYTES_A_PACKET, True),
    "maxppf": (PACKETS_A_FLOW, True),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """An item of `plugins`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """Everything that one instance is told."""

    declared: Declared
    aggregate: Aggregate
    aggregation: AggregationSettings
    rows: RowSettings
    output: PrintSettings | MemorySettings | BrokerPlugin
    most_waiting: int
    writer_id: NameTemplate
    trigger: tuple[str, ...] | None
    trigger_waits: bool

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that it needs in a layout."""
        return (*self.aggregate.columns, *self.aggregation.columns)


#: What there is where nothing is configured.
DEFAULT: Final = Declared("memory", "default_memory")


@dataclass(frozen=True, slots=True)
class Understood:
    """What a configuration says about plugins; with a fatal problem, `plugins` is not to be used."""

    plugins: tuple[PluginSettings, ...]
    problems: tuple[Problem, ...]


def plugin_settings(c: Configuration, daemon: str, custom: Mapping[str, CustomPrimitive], owner: Owner) -> Understood:
    """Understand the plugins of a configuration; all problems are found."""
    found: list[PluginSettings] = []
    problems: list[Problem] = []
    declared, wrong = declared_plugins(c, daemon)
    problems += wrong
    for one in declared:
        of_plugin = c.for_plugin(one.name)
        try:
            settings = _settings(of_plugin, one, daemon, custom, owner)
            settings = replace(settings, aggregate=settings.aggregate.over(own_columns(c, daemon, one.name)))
            _refuse_second(found, settings)
        except KeyProblemError as error:
            where = of_plugin.where(error.key) if of_plugin.is_set(error.key) else f"[{one.name}]"
            problems.append(Problem(Kind.BAD_VALUE, f"{where} {error.key}[{one.name}]: {error.why}"))
        else:
            found.append(settings)
            problems += [Problem(Kind.ADVICE, f"[{one.name}] {text}") for text in _warnings(of_plugin, settings)]
    return Understood(tuple(found), tuple(problems))


def declared_plugins(c: Configuration, daemon: str) -> tuple[list[Declared], list[Problem]]:
    """Return the items of `plugins` in their order, and what is wrong with others."""
    if not c.is_set("plugins"):
        return [DEFAULT], [Problem(Kind.ADVICE, "plugins is not set: memory, which the command pmacct asks")]
    declared: dict[str, Declared] = {}
    problems = []
    for item in c.of("plugins", tuple):
        kind, _, rest = str(item).partition("[")
        kind = kind.strip().lower()
        name = rest.rstrip("]").strip() or f"default_{kind}"
        why = _refusal(kind, daemon)
        if why:
            problems.append(Problem(Kind.BAD_VALUE, f"{c.where('plugins')} plugins: {item}: {why}"))
        elif name in declared:
            text = f"{c.where('plugins')} plugins: {name} is declared twice: the first one counts"
            problems.append(Problem(Kind.ADVICE, text))
        else:
            declared[name] = Declared(kind, name)
    return list(declared.values()), problems


def _refusal(kind: str, daemon: str) -> str:
    """Say why a kind cannot be had; nothing when it can."""
    if kind in BUILT:
        return ""
    if kind in TO_COME:
        return f"plugins of the kind {kind} are not built yet; valid is {', '.join(BUILT)}"
    if kind in OF_PROBES:
        return f"{kind} is for probes, not for {daemon}"
    meant = nearest(kind, (*BUILT, *TO_COME))
    return f"no plugin is of the kind {kind}; valid is {', '.join(BUILT)}" + (
        f"; did you mean {meant}?" if meant else ""
    )


def _settings(
    c: Configuration, declared: Declared, daemon: str, custom: Mapping[str, CustomPrimitive], owner: Owner
) -> PluginSettings:
    """Build what one instance is told.

    Raises: KeyProblemError.
    """
    try:
        aggregate = parse_aggregate(c.maybe("aggregate", str) or "", daemon, custom)
    except AggregateError as error:
        raise KeyProblemError("aggregate", str(error)) from error
    aggregation = _aggregation(c, daemon)
    rows = _rows(c, declared.kind, aggregation)
    words = tuple((c.maybe("print_trigger_exec", str) or "").split())
    if c.of("proc_sandbox", bool) and words:
        raise KeyProblemError("print_trigger_exec", "proc_sandbox lets no program run")
    return PluginSettings(
        declared=declared,
        aggregate=aggregate,
        aggregation=aggregation,
        rows=rows,
        output=_output(c, declared, aggregate, aggregation, rows, owner),
        most_waiting=c.of("print_max_writers", int),
        writer_id=c.maybe("writer_id_string", NameTemplate) or _WRITER_ID,
        trigger=words or None,
        trigger_waits=not c.of("print_trigger_exec_async", bool),
    )


def _aggregation(c: Configuration, daemon: str) -> AggregationSettings:
    history, offset = _history(c), c.of("print_history_offset", int)
    if history is not None and offset >= history.nominal:
        raise KeyProblemError(
            "print_history_offset", f"{offset} is not below the length of a bin, {history.nominal} seconds"
        )
    stitching = c.of(f"{daemon}_stitching", bool)
    pro_rating = daemon == "nfacctd" and c.of("nfacctd_pro_rating", bool)
    if stitching and pro_rating:
        raise KeyProblemError("nfacctd_pro_rating", f"does not go with {daemon}_stitching")
    buckets = c.maybe("print_cache_entries", int)
    return AggregationSettings(
        refresh=c.of("print_refresh_time", int),
        startup_delay=c.of("print_startup_delay", int),
        history=history,
        offset=offset,
        roundoff=c.maybe("print_history_roundoff", str) or "",
        zone=UTC if c.of("timestamps_utc", bool) else None,
        whole_seconds=c.of("timestamps_secs", bool),
        dscp=c.of("tos_encode_as_dscp", bool),
        stitching=stitching,
        pro_rating=pro_rating and history is not None,
        most_entries=MOST_ENTRIES if buckets is None else ENTRIES_OF_BUCKET * buckets,
        replays=c.is_set("pcap_savefile"),
    )


def _history(c: Configuration) -> Length | None:
    text = c.maybe("print_history", str)
    if text is None:
        return None
    try:
        return parse_length(text)
    except ValueError as error:
        raise KeyProblemError("print_history", str(error)) from error


def _rows(c: Configuration, kind: str, aggregation: AggregationSettings) -> RowSettings:
    output = c.of(f"{kind}_output" if kind in BROKERS else "print_output", str)
    if output == "custom":
        raise KeyProblemError("print_output", "custom loads libraries made for another program: it is refused")
    layout = r.RFC9557 if c.of("timestamps_rfc9557", bool) else r.PLAIN
    separator = c.of("print_output_separator", str)
    return RowSettings(
        output=Output(_OUTPUTS.get(output, output)),
        separator=_SEPARATORS.get(separator, separator),
        time_layout=r.SINCE_EPOCH if c.of("timestamps_since_epoch", bool) else layout,
        utc=c.of("timestamps_utc", bool),
        whole_seconds=c.of("timestamps_secs", bool),
        protocols_numeric=c.of("print_num_protos", bool),
        flags_as_array=c.of("tcpflags_encode_as_array", bool),
        status_as_text=c.of("fwd_status_encode_as_string", bool),
        stack_as_array=c.of("mpls_label_stack_encode_as_array", bool),
        communities_as_array=c.of("bgp_comms_encode_as_array", bool),
        as_path_as_array=c.of("as_path_encode_as_array", bool),
        label_as_map=c.of("pre_tag_label_encode_as_map", bool),
        has_history=aggregation.history is not None,
        has_spell=aggregation.stitching,
        checks=_checks(c.maybe("print_preprocess", str) or ""),
        all_checks=c.of("print_preprocess_type", str) == "all",
    )


def _checks(text: str) -> tuple[Check, ...]:
    found = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, bound = (part.strip() for part in item.partition("="))
        if name not in _CHECKS:
            meant = nearest(name, _CHECKS)
            advice = f"; did you mean {meant}?" if meant else ""
            raise KeyProblemError("print_preprocess", f"'{name}' is none of {', '.join(_CHECKS)}{advice}")
        try:
            number = parse_integer(bound)
        except ValueError:
            number = 0
        if not 0 < number < 1 << 63:
            raise KeyProblemError("print_preprocess", f"'{item}' has no number above 0")
        what, is_maximum = _CHECKS[name]
        found.append(Check(what, number, is_maximum))
    return tuple(found)


def _refuse_second(found: Iterable[PluginSettings], settings: PluginSettings) -> None:
    """Refuse the socket of another instance.

    Raises: KeyProblemError.
    """
    if isinstance(settings.output, MemorySettings):
        for other in found:
            if isinstance(other.output, MemorySettings) and other.output.path == settings.output.path:
                raise KeyProblemError(
                    "imt_path", f"{settings.output.path} is the socket of [{other.declared.name}] already"
                )


def _memory(c: Configuration, owner: Owner) -> MemorySettings:
    """Build what a memory plugin is told: pools of so many octets each bound it, where they are set."""
    pools = c.of("imt_mem_pools_number", int)
    is_bounded = pools and (c.is_set("imt_mem_pools_number") or c.is_set("imt_mem_pools_size"))
    return MemorySettings(
        path=Path(c.of("imt_path", str)),
        most_octets=pools * c.of("imt_mem_pools_size", int) if is_bounded else None,
        owner=owner,
    )


def _output(  # noqa: PLR0917 (what is known of an instance)
    c: Configuration,
    declared: Declared,
    aggregate: Aggregate,
    aggregation: AggregationSettings,
    rows: RowSettings,
    owner: Owner,
) -> PrintSettings | MemorySettings | BrokerPlugin:
    if declared.kind == "memory":
        return _memory(c, owner)
    if declared.kind in BROKERS:
        return broker_plugin(c, declared.kind, declared.name, aggregate, owner)
    return _print(c, declared, aggregate, aggregation, rows, owner)


def _print(  # noqa: PLR0917 (what is known of an instance)
    c: Configuration,
    declared: Declared,
    aggregate: Aggregate,
    aggregation: AggregationSettings,
    rows: RowSettings,
    owner: Owner,
) -> PrintSettings:
    file = _name(c, "print_output_file", aggregate, dated=True)
    latest = _name(c, "print_latest_file", aggregate, dated=False)
    if latest is not None and "%" in latest.text:
        raise KeyProblemError("print_latest_file", "takes no % of strftime: it is one link")
    if file is None and c.of("daemonize", bool):
        raise KeyProblemError("print_output_file", "must be set with daemonize: there is no standard output")
    return PrintSettings(
        name=declared.name,
        output=rows.output,
        file=file,
        append=c.of("print_output_file_append", bool),
        latest=latest,
        lock_file=c.path("print_output_lock_file"),
        empty_files=c.of("print_write_empty_file", bool),
        markers=c.of("print_markers", bool),
        schema_file=c.path("avro_schema_file"),
        owner=owner,
        zone=aggregation.zone,
        refresh=aggregation.refresh,
        history=0 if aggregation.history is None else aggregation.history.nominal,
        post_tag=c.maybe("post_tag", int) or 0,
        post_tag2=c.maybe("post_tag2", int) or 0,
    )


def _name(c: Configuration, key: str, aggregate: Aggregate, *, dated: bool) -> NameTemplate | None:
    text = c.maybe(key, str)
    if text is None:
        return None
    name = parse_name(text, FLOW_VARIABLES, dated=dated)
    check_name(name, key, aggregate)
    if not dated and Variable.TIME_ZONE in name.variables:
        raise KeyProblemError(key, "$tzone belongs to a name with a time")
    return name


def _warnings(c: Configuration, settings: PluginSettings) -> Iterator[str]:
    """Go through what an operator should know about a plugin."""
    yield from settings.aggregate.warnings
    if isinstance(settings.output, MemorySettings):
        return
    for template in settings.output.names:
        if template is not None and template.unknown:
            yield f"{template.text}: {', '.join(template.unknown)} stays as it is: no such variable"
    if settings.aggregation.history is not None and not settings.aggregation.roundoff:
        yield "print_history without print_history_roundoff: bins begin at the minute of the start"
    if settings.aggregation.history is None and c.is_set("nfacctd_pro_rating") and c.of("nfacctd_pro_rating", bool):
        yield "nfacctd_pro_rating needs print_history: no record is spread"
