"""Where one dump goes to: a file, a broker, or several of them at once.

Each row is rendered once. The walk goes at the pace of the slowest place; one that takes nothing for `PATIENCE` or
fails is left behind, and the others get the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from twisted.internet.defer import Deferred, succeed

from routed.plumbing.sink import TEXT, Framing, Lane, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.metrics import SinkCounters
    from routed.plumbing.sink_broker import BrokerSink
    from routed.service.outlet import Addresses
    from routed.service.records import PeerText

#: How long a place may take nothing before the dump goes on without it: slow disks take megabytes meanwhile.
#: Units: seconds.
PATIENCE: Final = 60.0


class DumpPlace(Protocol):
    """One place that a dump goes to. `error`: why it takes nothing any more."""

    error: SinkError | None

    @property
    def counters(self) -> SinkCounters:
        """Return what tells whether it takes anything."""

    @property
    def name(self) -> str:
        """Return the name under which people know it."""

    def lane(self, text: PeerText) -> Lane:
        """Return the way of a peer's rows to it."""

    def ready(self) -> Deferred[None]:
        """Return what fires when there is room, or when it has failed."""

    async def commit(self) -> None:
        """Let the dump be seen whole.

        Raises: SinkError.
        """

    async def abort(self) -> None:
        """Give the dump up."""


class BrokerDump:
    """A dump to a broker, whose sink all dumps share. What is under way when a dump is given up is delivered.

    Args:
        when: the time of the dump.
    """

    error: SinkError | None = None

    def __init__(self, name: str, sink: BrokerSink, addresses: Addresses, when: datetime) -> None:
        self.name, self.counters = name, sink.counters
        self._sink, self._addresses, self._when = sink, addresses, when

    def lane(self, text: PeerText) -> Lane:
        """Return the way to the address of a peer."""
        return self._sink.lane(self._addresses.of(text, self._when))

    def ready(self) -> Deferred[None]:
        """Return what fires when the sink has room."""
        return self._sink.ready() or succeed(None)

    async def commit(self) -> None:
        """Do nothing: the last record says that the dump is whole, and the sink sees to it that it arrives."""

    async def abort(self) -> None:
        """Do nothing: that the last record does not come says that the dump is not whole."""


class Everywhere:
    """All places of one dump.

    Args:
        on_failure: told why a place was left behind.
    """

    def __init__(self, places: Sequence[DumpPlace], clock: IReactorTime, on_failure: Callable[[str], None]) -> None:
        self._places, self._clock, self._on_failure = list(places), clock, on_failure

    def __bool__(self) -> bool:
        return bool(self._places)

    def lane(self, text: PeerText) -> Lane:
        """Return the way of a peer's rows to every place."""
        return _Lanes(self._places, text)

    async def ready(self) -> None:
        """Wait until every place has room; leave those behind that have failed."""
        for place in tuple(self._places):
            try:
                await self._wait(place)
                if place.error is not None:
                    raise place.error
            except SinkError as error:
                await self._leave(place, error)

    async def commit(self) -> int:
        """Let the dump be seen whole; in how many places it is."""
        for place in tuple(self._places):
            try:
                await place.commit()
            except SinkError as error:
                await self._leave(place, error)
        return len(self._places)

    async def abort(self) -> None:
        """Give the dump up everywhere."""
        for place in self._places:
            await place.abort()

    async def _wait(self, place: DumpPlace) -> None:
        def give_up(_: object, seconds: float) -> NoReturn:
            raise SinkError(f"{place.name}: nothing could be written for {seconds:.0f} s")

        while True:
            before = place.counters.octets_written
            try:
                await place.ready().addTimeout(PATIENCE, self._clock, give_up)
            except SinkError:
                if place.counters.octets_written == before:
                    raise
            else:
                return

    async def _leave(self, place: DumpPlace, error: SinkError) -> None:
        self._places.remove(place)
        self._on_failure(str(error))
        await place.abort()


class _Lanes:
    """One peer's ways to several places, of which some may be left behind meanwhile."""

    def __init__(self, places: list[DumpPlace], text: PeerText) -> None:
        self._places = places
        self._lanes = [(place, place.lane(text)) for place in places]

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Take a buffer of whole rows."""
        for place, lane in self._lanes:
            if place in self._places:
                lane.write(octets, rows, framing)
