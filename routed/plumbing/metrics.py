"""Counters that everything which moves has, and the one place that can list them all.

A component owns a small dataclass of integers and counts with `+= 1`; the registry only remembers where they are, so
that counting costs nothing and an exporter (Prometheus, a looking glass, a last line in the log) can walk them. What is
no counter of somebody's (how long a table is, how much memory a store takes) is measured when somebody wants to know.

How to take part, and how names are made, is in docs/metrics.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

#: Readings of one metric that are listed: whoever stores them pays for each for weeks.
MAX_READINGS: Final = 10_000
#: What the names of metrics begin with, unless their group says that they are of the flow side.
NAMESPACE: Final = "routed"
FLOW_NAMESPACE: Final = "flowcorr"

_KIND: Final = "kind"
_MEANING: Final = "meaning"


class Kind(Enum):
    """How a number behaves."""

    COUNTER = "counter"  # only grows, until its owner begins anew
    GAUGE = "gauge"


class Counters(Protocol):
    """A dataclass whose fields are integers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def counter(meaning: str) -> Any:
    """Declare a field that only grows; a plain integer is one too, but has no explanation."""
    return field(default=0, metadata={_KIND: Kind.COUNTER, _MEANING: meaning})


def gauge(meaning: str) -> Any:
    """Declare a field that goes up and down."""
    return field(default=0, metadata={_KIND: Kind.GAUGE, _MEANING: meaning})


@dataclass(slots=True)
class SinkCounters:
    """What went through one sink."""

    rows_written: int = 0
    octets_written: int = 0
    rows_lost: int = 0
    failures: int = 0  # attempts that the system refused, retries included


@dataclass(slots=True)
class DaemonCounters:
    """What concerns the whole process."""

    bugs_total: int = 0  # exceptions from our own code, each of which cost one session
    connections_accepted: int = 0
    connections_not_allowed: int = 0
    connections_throttled: int = 0
    connections_unintroduced: int = 0  # no PROXY header, no TLS handshake
    connections_without_slot: int = 0
    connections_duplicate: int = 0
    sessions_replaced: int = 0


Labels: TypeAlias = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One counter at one moment."""

    name: str  # group and field: sink_rows_written
    labels: Labels
    value: int


class Reading(NamedTuple):
    """One number of a metric."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Metric:
    """What is counted or measured, by the name that Prometheus knows it by."""

    name: str
    kind: Kind
    meaning: str


class Family(NamedTuple):
    """A metric and its readings at this moment; `is_cut` when there are more than are listed."""

    metric: Metric
    readings: tuple[Reading, ...]
    is_cut: bool = False


class Registry:
    """Remembers every set of counters by group and labels, and everything that can be measured."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, Labels], Counters] = {}
        self._measures: dict[str, tuple[Metric, Callable[[], Iterable[Reading]]]] = {}

    def add(self, group: str, counters: Counters, labels: Mapping[str, str] | None = None) -> None:
        """Register counters; the same group and labels replace what was there."""
        self._sets[group, labels_of(labels)] = counters

    def remove(self, group: str, labels: Mapping[str, str] | None = None) -> None:
        """Forget counters whose owner is gone."""
        self._sets.pop((group, labels_of(labels)), None)

    def measure(self, metric: Metric, read: Callable[[], Iterable[Reading]]) -> None:
        """Register what is asked whenever somebody wants to know; the same name replaces what was there.

        `read` returns quickly, and no two readings with the same labels; all of them have the same names of labels.
        """
        self._measures[metric.name] = metric, read

    def walk(self) -> Iterator[Sample]:
        """Iterate over all counters, in the order of registration."""
        for (group, labels), counters in list(self._sets.items()):
            for each in fields(counters):
                yield Sample(f"{group}_{each.name}", labels, getattr(counters, each.name))

    def families(self) -> Iterator[Family]:
        """Iterate over all metrics; each is read when it is come to."""
        groups: dict[tuple[str, type], list[tuple[Labels, Counters]]] = {}
        for (group, labels), counters in self._sets.items():
            groups.setdefault((group, type(counters)), []).append((labels, counters))
        for (group, kind), members in groups.items():
            for each in fields(kind):
                readings = (Reading(labels, getattr(counters, each.name)) for labels, counters in members)
                yield _family(metric_of(group, kind, each), readings)
        for metric, read in list(self._measures.values()):
            yield _family(metric, read())


def labels_of(labels: Mapping[str, str] | None) -> Labels:
    """Return labels in the order that makes equal ones equal."""
    return tuple(sorted((labels or {}).items()))


def metric_of(group: str, counters: type, member: "Field[Any]") -> Metric:
    """Return what a field of a group's counters is to Prometheus.

    Octets are bytes there, units come last, and what counts says `total`.
    """
    kind = member.metadata.get(_KIND, Kind.COUNTER)
    words = [*group.split("_"), *member.name.removesuffix("_total").split("_")]
    if words[0] not in {NAMESPACE, FLOW_NAMESPACE}:
        words.insert(0, NAMESPACE)
    if "octets" in words:
        words.remove("octets")
        words.append("bytes")
    if kind is Kind.COUNTER:
        words.append("total")
    about = (counters.__doc__ or "").partition("\n")[0].rstrip(".")
    meaning = member.metadata.get(_MEANING, f"{about}: {member.name.replace('_', ' ')}")
    return Metric("_".join(words), kind, meaning)


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    taken = tuple(islice(readings, MAX_READINGS + 1))
    return Family(metric, taken[:MAX_READINGS], len(taken) > MAX_READINGS)
