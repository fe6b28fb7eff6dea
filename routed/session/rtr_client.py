"""The router's side of a session with an RPKI cache (RFC 6810, RFC 8210, draft-ietf-sidrops-8210bis).

A session asks for everything, or, when it may go on where an earlier one ended, for what changed since.  What comes is
reported in order; nothing of it counts before `ResponseEnded`, so that whoever keeps the payloads changes from one
consistent set to the next.

Versions: the first query states the newest version that may be spoken.  A cache that speaks only older ones answers in
its own, which then holds for the session, or refuses: `refused` then says which version to try in a new session.  With
one version pinned, neither happens.

Whatever breaks the protocol is answered by an Error Report, once, and the end of the session; whoever drives it waits
before he connects again.  A cache that falls silent in the middle of an answer, or of a PDU, has `PATIENCE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from routed.model.event import Event, SessionDown
from routed.model.rtr_event import AspaReceived, ErrorReported, PrefixRun, ResponseBegun, ResponseEnded
from routed.octets import WireError
from routed.session.errors import ProtocolViolation
from routed.wire.rtr._stream import Stream
from routed.wire.rtr.codepoints import QUERIES, VERSIONS, ErrorCode, PduType
from routed.wire.rtr.pdu import (
    AspaPdu,
    CacheReset,
    CacheResponse,
    EndOfData,
    ErrorReport,
    Intervals,
    Pdu,
    ProviderListError,
    ResetQuery,
    SerialNotify,
    SerialQuery,
    UnknownTypeError,
    decode_pdu,
    encode_pdu,
)

#: What holds before a cache has said something else (RFC 8210 section 6).
DEFAULT_INTERVALS: Final = Intervals(3_600, 600, 7_200)
#: The least and the most of each interval (RFC 8210 section 6). Units: seconds.
REFRESH_BOUNDS: Final = (1, 86_400)
RETRY_BOUNDS: Final = (1, 7_200)
EXPIRE_BOUNDS: Final = (600, 172_800)
#: How long a cache may say nothing while an answer is owed. Units: seconds.
PATIENCE: Final = 60.0


#: How PDUs that cannot be read are reported, if not as corrupt data (RFC 8210 section 12).
CODES: Final[Mapping[type[WireError], ErrorCode]] = {
    UnknownTypeError: ErrorCode.UNSUPPORTED_PDU_TYPE,
    ProviderListError: ErrorCode.ASPA_PROVIDER_LIST_ERROR,
}


class State(Enum):
    """Where a session is."""

    NEW = auto()
    QUERIED = auto()  # nothing of the answer has come
    RECEIVING = auto()
    SYNCED = auto()
    WAITING = auto()  # the cache has no data yet
    CLOSED = auto()


class Input(Enum):
    """What can happen to it."""

    START = auto()
    NOTIFY = auto()
    RESPONSE = auto()
    PAYLOAD = auto()
    END_OF_DATA = auto()
    RESET = auto()
    NO_DATA = auto()
    ERROR = auto()
    DUE = auto()  # the time for the next query has come
    FAILURE = auto()  # broken octets, silence, the end of the stream


#: Every legal step; a pair that is absent is a violation of the protocol.
STEPS: Final[Mapping[tuple[State, Input], State]] = {
    (State.NEW, Input.START): State.QUERIED,
    (State.QUERIED, Input.NOTIFY): State.QUERIED,  # RFC 8210 7: to be ignored, whatever its version
    (State.QUERIED, Input.RESPONSE): State.RECEIVING,
    (State.QUERIED, Input.RESET): State.QUERIED,  # RFC 8210 5.9: everything is asked for instead
    (State.QUERIED, Input.NO_DATA): State.WAITING,  # RFC 8210 8.4
    (State.RECEIVING, Input.NOTIFY): State.RECEIVING,  # RFC 8210 5.2: its news is asked for at the next refresh
    (State.RECEIVING, Input.PAYLOAD): State.RECEIVING,
    (State.RECEIVING, Input.END_OF_DATA): State.SYNCED,
    (State.SYNCED, Input.NOTIFY): State.QUERIED,  # RFC 8210 8.2
    (State.SYNCED, Input.DUE): State.QUERIED,
    (State.WAITING, Input.NOTIFY): State.QUERIED,
    (State.WAITING, Input.DUE): State.QUERIED,
    **{(state, Input.ERROR): State.CLOSED for state in State if state not in {State.NEW, State.CLOSED}},
    **{(state, Input.FAILURE): State.CLOSED for state in State if state not in {State.NEW, State.CLOSED}},
}


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a session may go on: what an earlier one with the same cache, in the same version, ended with."""

    version: int
    session_id: int
    serial: int


class ClosedError(Exception):
    """The session ends; nothing that came behind is read."""

    def __init__(self, code: ErrorCode, reason: str, pdu: bytes = b"") -> None:
        super().__init__(code, reason)
        self.code, self.reason, self.pdu = code, reason, pdu


class RtrClient:
    """One session with a cache.

    Args:
        versions: those that may be spoken, the newest first.
        resume: where to go on, if that is possible.
    """

    def __init__(self, versions: Sequence[int] = VERSIONS, resume: Resumption | None = None) -> None:
        self.state = State.NEW
        self.versions = tuple(versions)
        self.version = self.versions[0]  # that is spoken, or offered
        self.refused: int | None = None  # a version that the cache would rather hear
        self.answers = False  # the cache has said something else than that it refuses
        self.resumes = True  # nothing has happened after which everything must be asked for again
        self.intervals = DEFAULT_INTERVALS
        self._resume = resume if resume is not None and resume.version == self.version else None
        self._is_negotiated = False
        self._asks_all = False  # the query that is under way
        self._session_id: int | None = None
        self._serial = 0
        self._stream = Stream()
        self._outbox = bytearray()
        self._due: float | None = None  # of the next query, or the end of patience

    def start(self, now: float) -> list[Event]:
        """Ask the first time."""
        self._step(Input.START)
        if self._resume is not None:
            self._session_id, self._serial = self._resume.session_id, self._resume.serial
        self._ask(now)
        return []

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take in octets, cut anywhere."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        if self.state in {State.QUERIED, State.RECEIVING}:
            self._due = now + PATIENCE
        try:
            for kind, pdu, count in self._stream.feed(octets):
                events += self._take(PduType(kind), pdu, count, now)
        except ClosedError as end:
            return [*events, self._close(end.code, end.reason, end.pdu)]
        if self._stream.error is not None:
            events.append(self._close(ErrorCode.CORRUPT_DATA, str(self._stream.error), self._stream.bad or b""))
        return events

    def timeout(self, now: float) -> list[Event]:
        """Ask again, or give a silent cache up."""
        if self._due is None or now < self._due:
            return []
        if self.state in {State.QUERIED, State.RECEIVING}:
            return [
                self._close(ErrorCode.INTERNAL_ERROR, f"nothing came for {PATIENCE:.0f} s while an answer was owed")
            ]
        self._step(Input.DUE)
        self._ask(now)
        return []

    def end_of_stream(self, now: float) -> list[Event]:  # noqa: ARG002 (the session contract)
        """Learn that the connection is gone."""
        return [] if self.state is State.CLOSED else [self._end("connection closed by the cache")]

    def stop(self, now: float) -> list[Event]:  # noqa: ARG002
        """End the session."""
        return [] if self.state is State.CLOSED else [self._end("shut down")]

    def refuse(self, code: ErrorCode, reason: str, pdu: bytes) -> list[Event]:
        """End the session because of what a payload says."""
        return [] if self.state is State.CLOSED else [self._close(code, reason, pdu)]

    def deadline(self) -> float | None:
        """Return when `timeout` wants to be called."""
        return self._due

    def take_outbox(self) -> bytes:
        """Return, once, the octets to send."""
        octets, self._outbox = bytes(self._outbox), bytearray()
        return octets

    # -- PDUs -------------------------------------------------------------------------------------------------------

    def _take(self, kind: PduType, octets: bytes, count: int, now: float) -> list[Event]:
        """Take a run of prefixes, or one other PDU."""
        first = octets if not count else octets[: int.from_bytes(octets[4:8], "big")]
        if kind is PduType.SERIAL_NOTIFY and not self._is_negotiated:
            return []
        self._check_version(kind, first)
        if count:
            self._allow(Input.PAYLOAD, first)
            return [PrefixRun(octets, count)]
        try:
            pdu = decode_pdu(octets)
        except WireError as error:
            code = CODES.get(type(error), ErrorCode.CORRUPT_DATA)
            raise ClosedError(code, str(error), octets) from error
        if kind in QUERIES:
            raise ClosedError(ErrorCode.INVALID_REQUEST, f"{kind.name} is for caches", octets)
        return self._act(pdu, octets, now)

    def _check_version(self, kind: PduType, octets: bytes) -> None:
        """Let the first PDU of the cache settle the version (RFC 8210 section 7)."""
        version = octets[0]
        if kind is PduType.ERROR_REPORT:
            return
        if not self._is_negotiated:
            if version not in self.versions or version > self.version:
                reason = f"the cache answers in version {version}"
                raise ClosedError(ErrorCode.UNSUPPORTED_VERSION, reason, octets)
            self._is_negotiated = self.answers = True
            self.version = version
        if version != self.version:
            reason = f"version {version} in a session of version {self.version}"
            raise ClosedError(ErrorCode.UNEXPECTED_VERSION, reason, octets)

    def _act(self, pdu: Pdu, octets: bytes, now: float) -> list[Event]:
        match pdu:
            case SerialNotify():
                return self._notified(pdu, octets, now)
            case CacheResponse():
                return self._answered(pdu, octets)
            case EndOfData():
                return self._ended(pdu, octets, now)
            case ErrorReport():
                return self._reported(pdu, octets, now)
            case CacheReset():
                return self._reset(octets, now)
            case _:  # a payload that is no prefix; keys are of no use here
                self._allow(Input.PAYLOAD, octets)
                aspa = pdu if isinstance(pdu, AspaPdu) else None
                return [] if aspa is None else [AspaReceived(aspa.is_announced, aspa.customer, aspa.providers, octets)]

    def _notified(self, pdu: SerialNotify, octets: bytes, now: float) -> list[Event]:
        is_idle = self.state in {State.SYNCED, State.WAITING}
        if is_idle and (pdu.session_id, pdu.serial) == (self._session_id, self._serial):
            return []
        self._allow(Input.NOTIFY, octets)
        if is_idle:
            if pdu.session_id != self._session_id:  # another life of the cache: nothing can be gone on with
                self._session_id = None
            self._ask(now)
        return []

    def _answered(self, pdu: CacheResponse, octets: bytes) -> list[Event]:
        self._allow(Input.RESPONSE, octets)
        if not self._asks_all and pdu.session_id != self._session_id:
            reason = f"session {pdu.session_id} in answer to a query in session {self._session_id}"
            raise ClosedError(ErrorCode.CORRUPT_DATA, reason, octets)
        self._session_id = pdu.session_id
        return [ResponseBegun(self._asks_all)]

    def _reset(self, octets: bytes, now: float) -> list[Event]:
        self._allow(Input.RESET, octets)
        if self._asks_all:
            raise ClosedError(ErrorCode.CORRUPT_DATA, "Cache Reset in answer to a Reset Query", octets)
        self._session_id = None
        self._ask(now)
        return []

    def _ended(self, pdu: EndOfData, octets: bytes, now: float) -> list[Event]:
        self._allow(Input.END_OF_DATA, octets)
        if pdu.session_id != self._session_id:
            reason = f"End of Data of session {pdu.session_id} in session {self._session_id}"
            raise ClosedError(ErrorCode.CORRUPT_DATA, reason, octets)
        self._serial = pdu.serial
        self.intervals = DEFAULT_INTERVALS if pdu.intervals is None else bounded(pdu.intervals)
        self._due = now + self.intervals.refresh
        return [
            ResponseEnded(version=self.version, session_id=pdu.session_id, serial=pdu.serial, intervals=self.intervals)
        ]

    def _reported(self, pdu: ErrorReport, octets: bytes, now: float) -> list[Event]:
        """Act on an Error Report, which is never answered by another one (RFC 8210 section 5.11)."""
        text = f"{pdu.code.name.lower().replace('_', ' ')} ({int(pdu.code)})" + (f": {pdu.text}" if pdu.text else "")
        if pdu.code is ErrorCode.NO_DATA_AVAILABLE and (self.state, Input.NO_DATA) in STEPS:
            self._is_negotiated = self.answers = True
            self._step(Input.NO_DATA)
            self._due = now + self.intervals.retry
            return [ErrorReported(text)]
        self._allow(Input.ERROR, octets)
        self.resumes = False
        if pdu.code is ErrorCode.UNSUPPORTED_VERSION and not self._is_negotiated:
            older = [version for version in self.versions if version < self.version]
            offered = [version for version in older if version == octets[0]]
            self.refused = next(iter(offered or older), None)
        return [ErrorReported(text), self._end(f"the cache reports {text}")]

    # -- steps ------------------------------------------------------------------------------------------------------

    def _step(self, taken: Input) -> None:
        if (self.state, taken) not in STEPS:
            raise ProtocolViolation(self.state, taken)
        self.state = STEPS[self.state, taken]

    def _allow(self, taken: Input, octets: bytes) -> None:
        """Take a step because of a PDU; one that is not allowed now ends the session."""
        try:
            self._step(taken)
        except ProtocolViolation as violation:
            raise ClosedError(ErrorCode.CORRUPT_DATA, str(violation), octets) from violation

    def _ask(self, now: float) -> None:
        self._asks_all = self._session_id is None
        query = ResetQuery() if self._session_id is None else SerialQuery(self._session_id, self._serial)
        self._outbox += encode_pdu(self.version, query)
        self._due = now + PATIENCE

    def _close(self, code: ErrorCode, reason: str, pdu: bytes = b"") -> SessionDown:
        """End the session with an Error Report."""
        self.resumes = False
        self._outbox += encode_pdu(self.version, ErrorReport(code, pdu, reason))
        return self._end(f"{reason}, Error Report {int(code)} sent")

    def _end(self, reason: str) -> SessionDown:
        if self.state is not State.CLOSED:  # else a PDU has led there
            self._step(Input.FAILURE)
        self._due = None
        return SessionDown(reason=reason)


def bounded(intervals: Intervals) -> Intervals:
    """Return intervals inside their bounds; data outlives the next questions (RFC 8210 section 6)."""
    refresh, retry, expire = (
        min(max(value, least), most)
        for value, (least, most) in zip(
            (intervals.refresh, intervals.retry, intervals.expire),
            (REFRESH_BOUNDS, RETRY_BOUNDS, EXPIRE_BOUNDS),
            strict=True,
        )
    )
    return Intervals(refresh, retry, max(expire, refresh + 1, retry + 1))
