"""What every destination of rows has in common: a file or a broker, of message logs, dumps and flow records.

A sink takes buffers of whole rows, never blocks its caller and never raises for a downstream that fails: it keeps the
rows, retries, and counts what it had to drop. Three conditions are told apart:

- *slow*: the queue fills while the downstream still takes rows; the producer is asked to wait (`Watch.on_full`);
- *failing*: the downstream refuses; the producer goes on, rows are queued until the bound and then lost and counted;
- *well*: neither.

Every call and every callback happens in the reactor's thread.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from routed.plumbing.output_file import Owner
from routed.plumbing.queue import Bounds

if TYPE_CHECKING:
    from routed.plumbing.avro_container import Container
    from routed.plumbing.log import Log

T = TypeVar("T")

_log = Logger()


class InThread(Protocol):
    """Run blocking work in some thread and bring its result back, as `threads.deferToThread` does."""

    def __call__(self, work: Callable[[], T], /) -> Deferred[T]:
        """Start the work; fires in the reactor's thread."""


class PoolThreads:
    """The reactor's own pool as the place for blocking work."""

    def __init__(self, reactor: IReactorThreads) -> None:
        self._reactor = reactor

    def __call__(self, work: Callable[[], T], /) -> Deferred[T]:
        """Start the work in a thread; fires in the reactor's."""
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


class SinkError(Exception):
    """A downstream refused and the work is given up; the cause is chained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """What a sink reports when its condition changes, for the log."""

    name: str
    failing: bool
    reason: str = ""  # why it is failing, or what the operator should know although it is not
    rows_queued: int = 0
    rows_lost: int = 0  # since the sink exists


def _ignore(*_: object) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a sink tells its owner; `on_full` and `on_drained` alternate, and only a slow downstream causes them."""

    on_state: Callable[[SinkState], None] = _ignore
    on_full: Callable[[], None] = _ignore
    on_drained: Callable[[], None] = _ignore


NO_WATCH: Final = Watch()


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Who owns new files, how many octets may wait for one, and whether its records are in an Avro container."""

    owner: Owner = Owner()  # noqa: RUF009 (frozen)
    bounds: Bounds = Bounds()  # noqa: RUF009 (frozen)
    container: "Container | None" = None


DEFAULT_OPTIONS: Final = FileOptions()


def log_bug(bug: Failure | Exception, where: str) -> None:
    """Log, with its traceback, an exception that is no failing of the downstream, and whose work it hit."""
    failure = bug if isinstance(bug, Failure) else Failure(bug)  # type: ignore[no-untyped-call]  # bare in Twisted
    _log.failure("bug in {where}", failure, where=where)


def reason_of(error: Exception) -> str:
    """Say why a file did not take something: in the system's words, or with the kind of exception."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


class Framing(NamedTuple):
    """How the rows of a buffer are told apart.

    `ends`: where each row ends in the buffer, as native u32; empty for text, where a newline ends each. `schema`: the
    name of the Avro schema of all of them; empty for text.
    """

    ends: bytes = b""
    schema: str = ""


TEXT: Final = Framing()


def prefixed(octets: bytes, framing: Framing, prefix: bytes) -> tuple[bytes, Framing]:
    """Put a few octets in front of each binary row of a buffer."""
    ends = array("I", framing.ends)
    rows = [octets[start:end] for start, end in pairwise([0, *ends])]
    moved = array("I", [end + at * len(prefix) for at, end in enumerate(ends, 1)])
    return prefix + prefix.join(rows), framing._replace(ends=moved.tobytes())


class Lane(Protocol):
    """A way to a destination for the rows of one source; what one lane takes keeps its order."""

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Take a buffer of whole rows."""


class Sink(Lane, Protocol):
    """A destination of rows."""

    def reopen(self) -> None:
        """Send the rows that follow to a fresh file or connection; those before still reach the old one."""

    def close(self) -> Deferred[None]:
        """Flush and close; fires when nothing more will be written, and never fails."""


def report_sink(log: "Log", state: SinkState) -> None:
    """Say that the condition of a destination has changed."""
    if state.failing:
        log.error(f"[{state.name}] {state.reason}: retrying, {state.rows_queued} rows wait, {state.rows_lost} lost")
    elif state.reason:
        log.warning(f"[{state.name}] {state.reason}, {state.rows_lost} rows lost")
    else:
        log.info(f"[{state.name}] written again, {state.rows_lost} rows lost")
