from collections.abc import Mapping
from typing import Literal, TypeAlias

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect._exporters import Exporters
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts

Event: TypeAlias = Literal[
    "done", "full", "unknown exporter", "templates", "options", "unknown template", "sequence", "counters"
]

EVENTS: Mapping[Event, int]
REASONS: tuple[str, ...]

class Walk:
    """Reads the records of datagrams into rows; what needs Python is an event. Each protocol has one of its own."""

    exporters: Exporters
    set_id: int
    domain: int
    version: int
    expected: int
    received: int
    walked: int
    walked_octets: int
    rows: int
    unknown_sets: int
    samples_skipped: int
    def __init__(self, exporters: Exporters, texts: Texts, settings: IntakeSettings) -> None: ...
    def start(self, datagrams: Datagrams) -> None:
        """Begin with a vector of datagrams, which must stay as it is up to the event "done"."""
    def walk(self, batch: Batch) -> int:
        """Go on up to the next event and return its number."""
    def refuse(self) -> None:
        """Leave the datagram of an unknown exporter."""
    def leave(self) -> bool:
        """Leave the datagram at hand, which something failed for; False when there is none."""
    @property
    def octets(self) -> bytes:
        """What the set of the last event holds."""
    @property
    def offset(self) -> int:
        """Where it stands in its message."""
    @property
    def header(self) -> bytes:
        """Return the header of its message."""
    @property
    def sender(self) -> tuple[bytes, int, int]:
        """Address and port of who sent the datagram, and when it came."""
    @property
    def address(self) -> bytes:
        """Address of its exporter: of sFlow the agent's, or else the sender's."""
    @property
    def exporter(self) -> int:
        """The slot of its exporter."""
    @property
    def refused(self) -> Mapping[str, int]:
        """Datagrams, sets and records that were refused, by reason."""
