"""A carrier whose records begin with the numbers that a schema registry has for their schemas.

Until the registry has told all of them nothing is sent: to the sink that looks as if the broker were away, so it keeps
everything. Records of a schema that is not registered, left in a spool by a run with other options, are refused.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from routed.plumbing.carrier import Carrier, Reports
from routed.plumbing.sink import prefixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.defer import Deferred

    from routed.plumbing.parcel import Parcel
    from routed.plumbing.schema_registry import SchemaRegistry


class RegisteredCarrier:
    """Puts the numbers of schemas in front of records on their way to another carrier.

    Args:
        key: of the configuration, which the registry's troubles are told with.
    """

    def __init__(self, carrier: Carrier, registry: SchemaRegistry, key: str) -> None:
        self._carrier, self._registry, self._key = carrier, registry, key
        self._held: deque[Parcel] = deque()
        self._reports: Reports | None = None
        self._is_up = False

    def start(self, reports: Reports) -> None:
        """Begin to connect, and to ask the registry."""
        self._reports = reports
        inner = Reports(delivered=reports.delivered, refused=reports.refused, up=self._on_up, down=self._on_down)
        self._carrier.start(inner)
        self._registry.start(self._on_known, lambda reason: reports.down(f"{self._key}: {reason}"))

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels, in order."""
        self._held.extend(parcels)
        if self._registry.is_known:
            self._send_held()

    def reopen(self) -> None:
        """Go on with a fresh connection to the broker."""
        self._carrier.reopen()

    def close(self) -> Deferred[None]:
        """Let go of everything."""
        self._registry.close()
        return self._carrier.close()

    def _on_known(self) -> None:
        self._send_held()
        if self._is_up and self._reports is not None:
            self._reports.up()

    def _on_up(self) -> None:
        self._is_up = True
        if self._registry.is_known and self._reports is not None:
            self._reports.up()

    def _on_down(self, reason: str) -> None:
        self._is_up = False
        assert self._reports is not None
        self._reports.down(reason)

    def _send_held(self) -> None:
        assert self._reports is not None
        framed = []
        while self._held:
            parcel = self._held.popleft()
            frame = self._registry.frame_of(parcel.framing.schema)
            if frame is None:
                what = f"{self._key}: records of the schema {parcel.framing.schema} of an earlier run"
                self._reports.refused(parcel.number, parcel.rows, what)
                self._reports.delivered([parcel.number])
            else:
                framed.append(with_frames(parcel, frame))
        if framed:
            self._carrier.send(framed)


def with_frames(parcel: Parcel, frame: bytes) -> Parcel:
    """Return a parcel with a frame in front of each of its records."""
    octets, framing = prefixed(parcel.octets, parcel.framing, frame)
    return parcel._replace(octets=octets, framing=framing)
