"""Flushes as messages of a broker: the blocking half of the `kafka` and `amqp` plugins.

Rows are rendered in a thread and handed over in the reactor's, a buffer at a time, to a sink that keeps them until the
broker has confirmed them: in memory, then on disk. Where it has no room the thread waits, and after `PATIENCE` the
flush goes on later from where it was.

Departs: pmacct connects for each flush, and loses what the broker does not take at once.
"""

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple, NoReturn, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from flowcorr.correlate.aggregate import Aggregate, KeyPlan
from flowcorr.correlate.aggregation import Finished
from flowcorr.service.entry_names import Names, Share
from flowcorr.service.formats import make_renderer, schema_of
from flowcorr.service.markers import CLOSE, INIT, Markers
from flowcorr.service.render import Output, RowSettings
from routed.plumbing._message_ends import bundle_ends, row_ends, stamp
from routed.plumbing.avro import Schema
from routed.plumbing.names import NameTemplate, Variable
from routed.plumbing.parcel import Address, ending_of
from routed.plumbing.sink import TEXT, Framing

T = TypeVar("T")

#: How long a full sink is waited for before the flush is put off. Units: seconds.
PATIENCE: Final = 20.0


class BrokerPlace(Protocol):
    """The sink of a broker, as a plugin sees it; all of it happens in the reactor's thread."""

    def take(self, address: Address, octets: bytes, rows: int, framing: Framing) -> None:
        """Take a buffer of whole rows for an address."""

    def ready(self) -> Deferred[None] | None:
        """Return what fires when there is room; None when there is now."""

    def reopen(self) -> None:
        """Go on with a fresh connection."""

    def close(self) -> Deferred[None]:
        """Deliver what the broker takes, and keep the rest on disk."""


class FromThread(Protocol):
    """Calls something in the reactor's thread and waits for what comes of it, as `blockingCallFromThread` does."""

    def __call__(self, work: Callable[[], Deferred[T]], /) -> T:
        """Call it, and return the result of its Deferred; blocks.

        Raises: what it fails with.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOutput:
    """What the rows of a plugin are at a broker.

    Attributes:
        target: topic or routing key.
        key: of the records, where there is one.
        markers: records begin and end each flush.
        bundle: records of Avro in one message; octets of one message with several records of JSON where the client of
            the broker does not put them together itself. 0: a message for each record.
    """

    output: Output = Output.JSON
    target: NameTemplate
    key: NameTemplate | None = None
    markers: bool = False
    bundle: int = 0
    post_tag: int = 0
    post_tag2: int = 0

    @property
    def values(self) -> dict[Variable, str]:
        """Return what the variables of names stand for that are the same in all of them."""
        return {Variable.POST_TAG: str(self.post_tag), Variable.POST_TAG2: str(self.post_tag2)}


class Load(NamedTuple):
    """A buffer for the sink. `records`: entries of the flush among its rows; markers are none."""

    address: Address
    octets: bytes
    rows: int
    framing: Framing
    records: int


class BrokerWriter:
    """Writes the flushes of one plugin.

    Args:
        place: the sink.
        from_thread: the way from the thread of a job to the sink.
    """

    files: tuple[str, ...] = ()

    def __init__(  # noqa: PLR0917 (what a plugin has)
        self,
        settings: BrokerOutput,
        rows: RowSettings,
        aggregate: Aggregate,
        plan: KeyPlan,
        place: BrokerPlace,
        from_thread: FromThread,
        clock: IReactorTime,
    ) -> None:
        self.settings, self.writer_id = settings, rows.writer_id
        self.renderer = make_renderer(aggregate, plan, rows)
        self.schemas = written_schemas(aggregate, plan, rows)
        self.schema = self.schemas[0].key if settings.output is Output.AVRO else ""
        self.names = Names((settings.target, settings.key), aggregate, plan, settings.values, None)
        self.markers = Markers(settings.output, rows.writer_id)
        self._place, self._from_thread, self._clock = place, from_thread, clock
        self._numbers = count()

    def job(self, finished: Finished, now: float) -> "BrokerJob":
        """Prepare the writing of a flush; does not block."""
        return BrokerJob(self, finished, now)

    def reopen(self) -> None:
        """Go on with a fresh connection."""
        self._place.reopen()

    def close(self) -> None:
        """Have the sink deliver or keep what it has; blocks."""
        self._from_thread(self._place.close)

    def address(self, target: str, key: str | None, *, writer: str = "") -> Address:
        """Return an address for one buffer: without a key, buffers take turns at the partitions of a topic."""
        return Address(target, (key or "").encode(), b"" if key else str(next(self._numbers)).encode(), writer)

    def hand_over(self, load: Load) -> None:
        """Give a buffer to the sink; blocks.

        Raises: OSError when there is no room in a while.
        """
        self._from_thread(lambda: self._take(load))

    def _take(self, load: Load) -> Deferred[None]:
        room = self._place.ready() or succeed(None)
        room.addTimeout(PATIENCE, self._clock, _give_up)
        return room.addCallback(lambda _: self._place.take(load.address, load.octets, load.rows, load.framing))


class BrokerJob:
    """Writes one flush."""

    def __init__(self, writer: BrokerWriter, finished: Finished, now: float) -> None:
        self.rows = self.rows_left_out = self.rows_lost = 0
        self._writer, self._finished, self._now = writer, finished, now
        self._loads = self._make_loads()
        self._next: Load | None = None
        self._began = time.monotonic()

    def run(self) -> None:
        """Write what is not written yet; blocks.

        Raises: OSError, after which it may be called again.
        """
        while True:
            self._next = self._next or next(self._loads, None)
            if self._next is None:
                return
            self._writer.hand_over(self._next)
            self.rows += self._next.records
            self._next = None

    def _make_loads(self) -> Iterator[Load]:
        """Go through all that there is to write."""
        has_markers = self._writer.settings.markers
        begun: dict[str, None] = {}  # targets that have their opening
        if has_markers and not self._writer.names.divides:
            begun[self._writer.names.of_nothing(self._now)[0] or ""] = None
            yield from self._marker(next(iter(begun)), self._writer.markers.opening(), INIT.key)
        for bin_ in self._finished.bins:
            for share in self._writer.names.shares(bin_, self._now):
                target = share.names[0] or ""
                if has_markers and target not in begun:
                    begun[target] = None
                    yield from self._marker(target, self._writer.markers.opening(), INIT.key)
                yield from self._rows(share, target)
        for target in begun:
            seconds = round(time.monotonic() - self._began)
            closing = self._writer.markers.closing(self.rows, len(self._finished), seconds)
            yield from self._marker(target, closing, CLOSE.key)

    def _marker(self, target: str, octets: bytes, schema: str) -> Iterator[Load]:
        is_binary = self._writer.settings.output is Output.AVRO
        framing = Framing(array("I", [len(octets)]).tobytes(), schema) if is_binary else TEXT
        yield Load(self._writer.address(target, None), octets, 1, framing, 0)

    def _rows(self, share: Share, target: str) -> Iterator[Load]:
        renderer, writer = self._writer.renderer, self._writer
        is_json = writer.settings.output is Output.JSON
        at, end = 0, len(share.bin) if share.order is None else len(share.order)
        while at < end:
            left_out = renderer.left_out
            at = renderer.render(share.bin, at, int(self._now), order=share.order)
            self.rows_left_out += renderer.left_out - left_out
            rows, ends = renderer.rows, renderer.ends()
            octets = renderer.take()
            if not rows:
                continue
            framing = TEXT
            if writer.settings.output is Output.AVRO:
                framing = Framing(_every(ends, writer.settings.bundle), writer.schema)
            elif writer.settings.bundle:
                octets, framing = _bundles(octets, writer.writer_id if is_json else "", writer.settings.bundle)
            signed = is_json and framing is TEXT
            address = writer.address(target, share.names[1], writer=writer.writer_id if signed else "")
            yield Load(address, octets, rows, framing, rows)


def written_schemas(aggregate: Aggregate, plan: KeyPlan, rows: RowSettings) -> tuple[Schema, ...]:
    """Return the schemas of everything that a plugin writes in Avro, that of its rows first; none in JSON."""
    return (schema_of(aggregate, plan, rows), INIT, CLOSE) if rows.output.is_avro else ()


def _every(ends: bytes, records: int) -> bytes:
    """Return the ends of messages of so many records each, of those of the records."""
    if records < 2:
        return ends
    of_records = array("I", ends)
    of_messages = of_records[records - 1 :: records]
    if not of_messages or of_messages[-1] != of_records[-1]:
        of_messages.append(of_records[-1])
    return of_messages.tobytes()


def _bundles(octets: bytes, writer: str, most: int) -> tuple[bytes, Framing]:
    """Put lines together to messages of so many octets; each line of JSON gets its writer."""
    octets, ends_of_rows = stamp(octets, ending_of(writer)) if writer else (octets, row_ends(octets))
    start, messages = 0, []
    for end in array("I", bundle_ends(ends_of_rows, most)):
        messages.append(octets[start:end])
        start = end + 1  # behind the newline
    ends, at = array("I"), 0
    for message in messages:
        at += len(message)
        ends.append(at)
    return b"".join(messages), Framing(ends.tobytes())


def _give_up(_: object, seconds: float) -> NoReturn:
    raise OSError(f"the broker has confirmed too little for {seconds:.0f} s, and nothing more can wait for it")
