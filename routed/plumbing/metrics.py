"""Counters that everything which moves has, and the one place that can list them all.

A component owns a small dataclass of integers and counts with `+= 1`; the registry only remembers where they are, so
that counting costs nothing and an exporter (Prometheus, a looking glass, a last line in the log) can walk them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol


class Counters(Protocol):
    """A dataclass whose fields are integers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


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


class Sample(NamedTuple):
    """One counter at one moment."""

    name: str  # group and field: sink_rows_written
    labels: tuple[tuple[str, str], ...]
    value: int


class Registry:
    """Remembers every set of counters by group and labels."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, tuple[tuple[str, str], ...]], Counters] = {}

    def add(self, group: str, counters: Counters, labels: Mapping[str, str] | None = None) -> None:
        """Register counters; the same group and labels replace what was there."""
        self._sets[group, _key(labels)] = counters

    def remove(self, group: str, labels: Mapping[str, str] | None = None) -> None:
        """Forget counters whose owner is gone."""
        self._sets.pop((group, _key(labels)), None)

    def walk(self) -> Iterator[Sample]:
        """Iterate over all counters, in the order of registration."""
        for (group, labels), counters in list(self._sets.items()):
            for field in fields(counters):
                yield Sample(f"{group}_{field.name}", labels, getattr(counters, field.name))


def _key(labels: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((labels or {}).items()))
