"""The router's side of the RPKI to Router protocol."""

import itertools
from collections.abc import Sequence

import pytest

from routed.model.event import Event, SessionDown
from routed.model.rtr_event import AspaReceived, ErrorReported, PrefixRun, ResponseBegun, ResponseEnded
from routed.session.errors import ProtocolViolation
from routed.session.rtr_client import (
    DEFAULT_INTERVALS,
    PATIENCE,
    STEPS,
    Input,
    Resumption,
    RtrClient,
    State,
    bounded,
)
from routed.wire.rtr.codepoints import MAX_PDU, ErrorCode
from routed.wire.rtr.pdu import (
    AspaPdu,
    CacheReset,
    CacheResponse,
    EndOfData,
    ErrorReport,
    Intervals,
    Pdu,
    ResetQuery,
    RouterKey,
    SerialNotify,
    SerialQuery,
    decode_pdu,
    encode_pdu,
)

INTERVALS = Intervals(100, 20, 7_200)
PREFIX = bytes.fromhex("020400000000001401181800c00002000000fde9")


def prefix(version: int = 2) -> bytes:
    """Write an announcement of 192.0.2.0/24, AS 65001."""
    return bytes((version,)) + PREFIX[1:]


def sent(client: RtrClient) -> list[Pdu]:
    """Return what the session sends."""
    octets, pdus = client.take_outbox(), []
    while octets:
        length = int.from_bytes(octets[4:8], "big")
        pdus.append(decode_pdu(octets[:length]))
        octets = octets[length:]
    return pdus


def tell(client: RtrClient, *pdus: Pdu | bytes, version: int = 2, now: float = 0.0) -> list[Event]:
    """Let the cache say something."""
    octets = b"".join(pdu if isinstance(pdu, bytes) else encode_pdu(version, pdu) for pdu in pdus)
    return list(client.receive(octets, now))


def end(serial: int = 7, session_id: int = 5, intervals: Intervals | None = INTERVALS) -> EndOfData:
    """Write the end of an answer."""
    return EndOfData(session_id, serial, intervals)


def synced(versions: Sequence[int] = (2, 1, 0), version: int = 2) -> RtrClient:
    """Make a session that has everything."""
    client = RtrClient(versions)
    client.start(0.0)
    tell(client, CacheResponse(5), prefix(version), end(intervals=INTERVALS if version else None), version=version)
    client.take_outbox()
    assert client.state is State.SYNCED
    return client


def test_a_session_asks_for_everything_and_reports_it_in_order() -> None:
    """RFC 8210 section 8.1."""
    client = RtrClient()
    assert client.start(0.0) == []
    assert sent(client) == [ResetQuery()]
    aspa = AspaPdu(True, 65001, (65002, 65003))
    key = RouterKey(True, bytes(24))
    events = tell(client, CacheResponse(5), prefix() * 2, key, aspa, end())
    assert events == [
        ResponseBegun(True),
        PrefixRun(prefix() * 2, 2),
        AspaReceived(True, 65001, (65002, 65003), encode_pdu(2, aspa)),
        ResponseEnded(version=2, session_id=5, serial=7, intervals=INTERVALS),
    ]
    assert client.deadline() == INTERVALS.refresh


def test_however_the_stream_is_cut_the_payloads_are_the_same() -> None:
    """TCP may cut anywhere."""
    octets = b"".join((encode_pdu(2, CacheResponse(5)), prefix() * 3, encode_pdu(2, end())))
    for size in (1, 7, 19, 33):
        client = RtrClient()
        client.start(0.0)
        events = [e for at in range(0, len(octets), size) for e in client.receive(octets[at : at + size], 0.0)]
        assert b"".join(e.octets for e in events if isinstance(e, PrefixRun)) == prefix() * 3
        assert isinstance(events[-1], ResponseEnded)


def test_refresh_asks_for_what_changed() -> None:
    """RFC 8210 section 8.2."""
    client = synced()
    assert client.timeout(INTERVALS.refresh - 1) == []
    assert sent(client) == []
    client.timeout(INTERVALS.refresh)
    assert sent(client) == [SerialQuery(5, 7)]
    assert tell(client, CacheResponse(5), end(8))[0] == ResponseBegun(False)


def test_news_is_asked_for_at_once() -> None:
    """RFC 8210 section 8.2; a notify of what is known is no news."""
    client = synced()
    assert tell(client, SerialNotify(5, 7)) == []
    assert sent(client) == []
    tell(client, SerialNotify(5, 8))
    assert sent(client) == [SerialQuery(5, 7)]
    tell(client, SerialNotify(5, 9))
    assert sent(client) == []


def test_a_notify_of_another_session_has_everything_asked_for() -> None:
    """RFC 8210 section 5.1: the cache has another life, and what it had said is of no use."""
    client = synced()
    tell(client, SerialNotify(6, 1))
    assert sent(client) == [ResetQuery()]


def test_a_cache_that_cannot_say_what_changed_is_asked_for_everything() -> None:
    """RFC 8210 section 8.3."""
    client = RtrClient(resume=Resumption(2, 5, 7))
    client.start(0.0)
    assert sent(client) == [SerialQuery(5, 7)]
    tell(client, CacheReset())
    assert sent(client) == [ResetQuery()]
    assert tell(client, CacheResponse(9), end(1, 9))[0] == ResponseBegun(True)


def test_a_cache_without_data_is_asked_again() -> None:
    """RFC 8210 section 8.4."""
    client = RtrClient()
    client.start(0.0)
    client.take_outbox()
    report = ErrorReport(ErrorCode.NO_DATA_AVAILABLE, b"", "soon")
    assert tell(client, report) == [ErrorReported("no data available (2): soon")]
    assert client.deadline() == DEFAULT_INTERVALS.retry
    client.timeout(DEFAULT_INTERVALS.retry)
    assert sent(client) == [ResetQuery()]


@pytest.mark.parametrize("version", [1, 0])
def test_an_older_cache_answers_in_its_version(version: int) -> None:
    """RFC 8210 section 7: that version then holds."""
    client = RtrClient()
    client.start(0.0)
    events = tell(client, CacheResponse(5), prefix(version), end(7, 5, INTERVALS if version else None), version=version)
    assert events[-1] == ResponseEnded(
        version=version, session_id=5, serial=7, intervals=INTERVALS if version else DEFAULT_INTERVALS
    )
    assert client.take_outbox()[:1] == b"\x02"
    tell(client, SerialNotify(5, 8), version=version)
    assert client.take_outbox()[0] == version


def test_a_cache_that_refuses_says_what_to_try() -> None:
    """RFC 8210 section 7: Error Report 4, in the version that it speaks."""
    client = RtrClient()
    client.start(0.0)
    events = tell(client, ErrorReport(ErrorCode.UNSUPPORTED_VERSION, b"", ""), version=0)
    assert isinstance(events[-1], SessionDown)
    assert client.refused == 0
    other = RtrClient()
    other.start(0.0)
    tell(other, ErrorReport(ErrorCode.UNSUPPORTED_VERSION, b"", ""), version=2)
    assert other.refused == 1


def test_a_pinned_version_is_not_negotiated() -> None:
    """Neither by an answer nor by a refusal."""
    client = RtrClient((1,))
    client.start(0.0)
    client.take_outbox()
    events = tell(client, CacheResponse(5), version=0)
    assert isinstance(events[-1], SessionDown)
    assert [report.code for report in sent(client)] == [ErrorCode.UNSUPPORTED_VERSION]  # type: ignore[union-attr]
    other = RtrClient((1,))
    other.start(0.0)
    tell(other, ErrorReport(ErrorCode.UNSUPPORTED_VERSION, b"", ""), version=0)
    assert other.refused is None


def test_a_notify_before_the_version_is_settled_is_ignored() -> None:
    """RFC 8210 section 7."""
    client = RtrClient()
    client.start(0.0)
    assert tell(client, SerialNotify(1, 1), version=0) == []
    assert tell(client, CacheResponse(5)) == [ResponseBegun(True)]


BROKEN = {
    "zero length": (bytes(8), ErrorCode.CORRUPT_DATA),
    "short": (bytes.fromhex("0203000500000007"), ErrorCode.CORRUPT_DATA),
    "oversized": (bytes.fromhex("0204000000010001"), ErrorCode.CORRUPT_DATA),
    "a length of another type": (bytes.fromhex("020300050000000c00000000"), ErrorCode.CORRUPT_DATA),
    "a prefix of a wrong length": (bytes.fromhex("0204000000000018") + bytes(16), ErrorCode.CORRUPT_DATA),
    "a query": (encode_pdu(2, ResetQuery()), ErrorCode.INVALID_REQUEST),
    "a serial query": (encode_pdu(2, SerialQuery(1, 1)), ErrorCode.INVALID_REQUEST),
    "an unknown type": (bytes.fromhex("0263000000000008"), ErrorCode.UNSUPPORTED_PDU_TYPE),
    "another version": (encode_pdu(1, CacheReset()), ErrorCode.UNEXPECTED_VERSION),
    "a version there is not": (encode_pdu(9, CacheReset()), ErrorCode.UNEXPECTED_VERSION),
    "a payload out of place": (PREFIX, ErrorCode.CORRUPT_DATA),
    "an end out of place": (encode_pdu(2, end()), ErrorCode.CORRUPT_DATA),
    "no providers": (bytes.fromhex("020b01000000000c0000fde9"), ErrorCode.ASPA_PROVIDER_LIST_ERROR),
    "a withdrawal with providers": (bytes.fromhex("020b0000000000100000fde90000fdea"), ErrorCode.CORRUPT_DATA),
    "providers that do not fit": (bytes.fromhex("020b010000000011") + bytes(9), ErrorCode.CORRUPT_DATA),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_is_reported_once_and_ends_the_session(name: str) -> None:
    """RFC 8210 section 5.11: never a loop, and nothing of what follows is read."""
    octets, code = BROKEN[name]
    client = synced()
    events = tell(client, octets + encode_pdu(2, SerialNotify(5, 9)))
    assert isinstance(events[-1], SessionDown)
    (report,) = sent(client)
    assert isinstance(report, ErrorReport)
    assert report.code is code
    assert octets.startswith(report.pdu)
    assert client.state is State.CLOSED
    assert not client.resumes
    assert tell(client, prefix()) == []
    assert client.deadline() is None


def test_the_longest_pdu_is_read_and_a_longer_one_is_not() -> None:
    """The ceiling, from both sides."""
    for length, is_read in ((MAX_PDU, True), (MAX_PDU + 4, False)):
        client = RtrClient()
        client.start(0.0)
        tell(client, CacheResponse(5))
        header = bytes.fromhex("020b0100") + length.to_bytes(4, "big")
        events = list(client.receive(header + bytes(length - 8), 0.0))
        assert isinstance(events[0], AspaReceived) == is_read


@pytest.mark.parametrize("octets", [b"", encode_pdu(2, CacheResponse(5)), encode_pdu(2, CacheResponse(5)) + b"\x02"])
def test_a_cache_that_falls_silent_is_given_up(octets: bytes) -> None:
    """With a query unanswered, in the middle of an answer, and of a PDU."""
    client = RtrClient()
    client.start(0.0)
    if octets:
        client.receive(octets, 10.0)
    due = client.deadline()
    assert due == (10.0 if octets else 0.0) + PATIENCE
    assert client.timeout(due - 1) == []
    (down,) = client.timeout(due)
    assert isinstance(down, SessionDown)


def test_an_answer_of_another_session_is_not_believed() -> None:
    """RFC 8210 section 5.1: what changed since can only be of the session that was asked about."""
    client = RtrClient(resume=Resumption(2, 5, 7))
    client.start(0.0)
    client.take_outbox()
    (down,) = tell(client, CacheResponse(6))
    assert isinstance(down, SessionDown)
    assert not client.resumes


def test_an_end_of_data_of_another_session_is_not_believed() -> None:
    """RFC 8210 section 5.8."""
    client = RtrClient()
    client.start(0.0)
    events = tell(client, CacheResponse(5), end(1, 6))
    assert isinstance(events[-1], SessionDown)


def test_an_error_report_is_not_answered() -> None:
    """RFC 8210 section 5.11."""
    client = synced()
    events = tell(client, ErrorReport(ErrorCode.INTERNAL_ERROR, b"", "gone"))
    assert events[0] == ErrorReported("internal error (1): gone")
    assert isinstance(events[1], SessionDown)
    assert sent(client) == []


def test_what_a_payload_says_may_end_the_session() -> None:
    """Whoever keeps the payloads finds duplicates; only he can."""
    client = synced()
    (down,) = client.refuse(ErrorCode.DUPLICATE_ANNOUNCEMENT, "twice", PREFIX)
    assert isinstance(down, SessionDown)
    assert sent(client) == [ErrorReport(ErrorCode.DUPLICATE_ANNOUNCEMENT, PREFIX, "twice")]
    assert client.refuse(ErrorCode.DUPLICATE_ANNOUNCEMENT, "again", b"") == []


def test_the_end_of_the_stream_leaves_something_to_go_on_with() -> None:
    """A cache that restarts may know its old serial number."""
    client = synced()
    assert isinstance(client.end_of_stream(1.0)[0], SessionDown)
    assert client.resumes
    assert client.end_of_stream(1.0) == []
    assert client.stop(1.0) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Intervals(0, 0, 0), Intervals(1, 1, 600)),
        (Intervals(1 << 31, 1 << 31, 1 << 31), Intervals(86_400, 7_200, 172_800)),
        (Intervals(3_600, 600, 700), Intervals(3_600, 600, 3_601)),
    ],
)
def test_intervals_stay_in_their_bounds(given: Intervals, kept: Intervals) -> None:
    """RFC 8210 section 6, each side of each."""
    assert bounded(given) == kept


@pytest.mark.parametrize(("state", "taken"), list(itertools.product(State, Input)))
def test_every_state_has_an_answer_to_every_input(state: State, taken: Input) -> None:
    """A pair is in the table or raises."""
    client = RtrClient()
    client.state = state
    if (state, taken) in STEPS:
        client._step(taken)
        assert client.state is STEPS[state, taken]
    else:
        with pytest.raises(ProtocolViolation):
            client._step(taken)
        assert client.state is state


def test_every_open_state_can_end() -> None:
    """By an Error Report and by a failure."""
    for state in set(State) - {State.NEW, State.CLOSED}:
        assert STEPS[state, Input.ERROR] is STEPS[state, Input.FAILURE] is State.CLOSED
