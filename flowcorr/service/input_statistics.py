"""What the input counts: for the metrics of the daemon, and as lines of its log when somebody asks (SIGUSR1)."""

from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv6Address
from itertools import islice
from typing import Final

from flowcorr.collect.exporter import Exporter
from flowcorr.collect.intake import Intake
from routed.plumbing.metrics import MAX_READINGS, Kind, Labels, Metric, Reading, Registry, labels_of

#: Name, kind, meaning, and what of an intake it is.
_NUMBERS: Final[tuple[tuple[str, Kind, str, Callable[[Intake], float]], ...]] = (
    ("datagrams", Kind.COUNTER, "datagrams that were read", lambda intake: intake.walked),
    ("bytes", Kind.COUNTER, "octets of them", lambda intake: intake.walked_octets),
    ("flows", Kind.COUNTER, "records and samples that became flows", lambda intake: intake.rows),
    ("sets_without_template", Kind.COUNTER, "sets that came before their template", lambda i: i.unknown_sets),
    (
        "samples_skipped",
        Kind.COUNTER,
        "samples of sFlow of other kinds, such as discarded packets",
        lambda i: i.samples_skipped,
    ),
    ("exporters", Kind.GAUGE, "exporters that are known", lambda intake: len(intake.exporters)),
    ("exporters_met", Kind.COUNTER, "exporters that were ever met", lambda intake: intake.met),
    ("templates", Kind.GAUGE, "templates that are known", lambda intake: intake.templates.count),
    ("template_fields", Kind.GAUGE, "fields of them", lambda intake: intake.templates.fields),
    ("parked_bytes", Kind.GAUGE, "octets that wait for a template", lambda intake: intake.parking.octets),
    ("parked", Kind.COUNTER, "sets that waited for a template", lambda intake: intake.parking.parked),
    ("parked_read", Kind.COUNTER, "sets whose template came", lambda intake: intake.parking.read),
    ("parked_expired", Kind.COUNTER, "sets that waited in vain", lambda intake: intake.parking.expired),
)
#: Name, meaning, and which counter of an exporter it is.
_OF_EXPORTERS: Final = (
    ("exporter_datagrams", "datagrams of an exporter", "datagrams"),
    ("exporter_flows", "records and samples of an exporter", "records"),
    ("exporter_missing", "datagrams (v9, sFlow) or records (v5, IPFIX) that its sequence numbers miss", "missing"),
    ("exporter_jumps_forward", "times that its sequence numbers left something out", "jumps_forward"),
    ("exporter_jumps_backward", "times that its sequence numbers went back", "jumps_backward"),
    ("exporter_unknown_template", "sets of an exporter that came before their template", "unknown_template"),
    ("exporter_refused", "datagrams, sets and records of an exporter that were refused", "refused"),
)
#: Exporters that are told of in the log: telling takes a moment in which nothing is read.
MOST_LINES: Final = 10_000
#: Versions of sFlow are that much more, in an exporter.
_SFLOW: Final = 100


def register(registry: Registry, intake: Intake, dropped: Callable[[], int]) -> None:
    """Let a registry ask for all numbers of an input; `dropped` tells the datagrams that the system dropped."""
    for name, kind, meaning, read in _NUMBERS:
        _measure(registry, name, kind, meaning, partial(_one, partial(read, intake)))
    _measure(
        registry,
        "dropped",
        Kind.COUNTER,
        "datagrams that the system dropped because they were not fetched in time",
        partial(_one, dropped),
    )
    _measure(
        registry,
        "refused",
        Kind.COUNTER,
        "datagrams, sets, records and samples that were refused, by reason",
        lambda: (Reading(labels_of({"reason": why}), count) for why, count in intake.refused.items()),
    )
    labels = _Labels()
    for name, meaning, counter in _OF_EXPORTERS:
        _measure(registry, name, Kind.COUNTER, meaning, partial(_by_exporter, intake, labels, counter))


def status_lines(intake: Intake, collector: str, now: float) -> Iterator[str]:
    """Iterate over the lines that tell the state of each exporter; `collector` is where they send to."""
    yield "+++"
    for slot, exporter in islice(intake.exporters.items(), MOST_LINES):
        counted = intake.statistics(slot)
        good = counted["datagrams"] - counted["jumps_forward"] - counted["jumps_backward"]
        yield (
            f"stats [{collector}] agent={_text(exporter.address)}:{exporter.domain} time={int(now)} "
            f"packets={counted['datagrams']} bytes={counted['octets']} seq_good={good} "
            f"seq_jmp_fwd={counted['jumps_forward']} seq_jmp_bck={counted['jumps_backward']}"
        )
    if len(intake.exporters) > MOST_LINES:
        yield f"stats [{collector}] {len(intake.exporters) - MOST_LINES} more exporters: /metrics has them all"
    yield f"stats [{collector}] time={int(now)} discarded_packets={sum(intake.refused.values())}"
    yield "---"


def _measure(registry: Registry, name: str, kind: Kind, meaning: str, read: Callable[[], Iterator[Reading]]) -> None:
    ending = "_total" if kind is Kind.COUNTER else ""
    registry.measure(Metric(f"flowcorr_input_{name}{ending}", kind, meaning), read)


def _one(read: Callable[[], float]) -> Iterator[Reading]:
    yield Reading((), read())


class _Labels:
    """Labels of exporters, made once: many metrics have them, each time somebody asks."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Exporter, Labels]] = {}  # by slot, which another exporter may have later

    def of(self, exporter: Exporter) -> Labels:
        known = self._known.get(exporter.slot)
        if known is None or known[0] is not exporter:
            known = self._known[exporter.slot] = (exporter, _labels_of(exporter))
        return known[1]


def _labels_of(exporter: Exporter) -> Labels:
    version = exporter.version
    labels = {
        "exporter": _text(exporter.address),
        "protocol": f"sflow{version - _SFLOW}" if version > _SFLOW else f"v{version}",
        "domain": str(exporter.domain),
    }
    return labels_of(labels)


def _by_exporter(intake: Intake, labels: _Labels, counter: str) -> Iterator[Reading]:
    for slot, exporter in islice(intake.exporters.items(), MAX_READINGS + 1):  # one more says that there are more
        yield Reading(labels.of(exporter), intake.statistics(slot)[counter])


def _text(address: bytes) -> str:
    full = IPv6Address(address)
    return str(full.ipv4_mapped or full)
