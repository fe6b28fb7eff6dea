"""The passive BGP session: the way up, every step, every refusal of octets, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, data, integers, lists

from routed.model.event import NotificationReceived, NotificationSent, OpenReceived, PeerUp, SessionDown, UpdateRun
from routed.octets import Cursor
from routed.session.bgp_passive import STEPS, VIOLATIONS, Input, State
from routed.session.contract import Session
from routed.session.errors import ProtocolViolation
from routed.wire.bgp.capability import ExtendedMessage, FourOctetAs, GracefulRestart
from routed.wire.bgp.codepoints import CeaseSubcode, MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.notification import cease
from routed.wire.bgp.open import decode_open
from tests.routed.session.bgp_passive_rig import (
    KEEPALIVE,
    NOTIFICATION,
    PRESERVED,
    REFRESH,
    REFRESHABLE,
    UPDATE,
    assert_refused,
    established,
    in_state,
    messages_in,
    open_octets,
    started,
)

OCTETS = {
    Input.OPEN: open_octets(),
    Input.UPDATE: UPDATE,
    Input.NOTIFICATION: NOTIFICATION,
    Input.KEEPALIVE: KEEPALIVE,
    Input.ROUTE_REFRESH: REFRESH,
}


# The way up


def test_it_is_a_session_like_any_other():
    assert isinstance(started(), Session)


def test_nothing_is_sent_before_the_peer_has_spoken():
    assert started().take_outbox() == b""


def test_our_open_and_keepalive_answer_the_open_in_one_write():
    session = started()
    (event,) = session.receive(open_octets(FourOctetAs(65000)), 1.0)
    assert event == OpenReceived(event.open_message)
    assert event.open_message.asn == 65000
    (first, body), second = messages_in(session.take_outbox())
    assert first == MessageType.OPEN
    assert decode_open(Cursor(body)) == session.agreement.local_open
    assert second == (MessageType.KEEPALIVE, b"")
    assert session.take_outbox() == b""
    assert session.state is State.OPEN_CONFIRM


def test_the_first_keepalive_establishes():
    session = in_state(State.OPEN_CONFIRM, FourOctetAs(65000))
    (up,) = session.receive(KEEPALIVE, 2.0)
    assert isinstance(up, PeerUp)
    assert (up.hold_time, up.context, up.graceful_restart) == (90, session.context, None)
    assert (up.local_open, up.remote_open) == (session.agreement.local_open, session.agreement.remote_open)
    assert session.receive(KEEPALIVE, 3.0) == []


def test_a_peer_may_say_everything_at_once():
    session = started()
    events = session.receive(open_octets() + KEEPALIVE + UPDATE * 3 + KEEPALIVE + UPDATE, 0.0)
    assert [type(event) for event in events] == [OpenReceived, PeerUp, UpdateRun, UpdateRun]
    assert events[2:] == [UpdateRun(UPDATE * 3, 3), UpdateRun(UPDATE, 1)]
    assert {kind.name: count for kind, count in session.received.items()} == {
        "OPEN": 1,
        "UPDATE": 4,
        "NOTIFICATION": 0,
        "KEEPALIVE": 2,
        "ROUTE_REFRESH": 0,
    }
    assert session.sent[MessageType.OPEN] == session.sent[MessageType.KEEPALIVE] == 1


def test_extended_messages_count_from_the_open_on_even_in_the_same_segment():
    """RFC 8654 section 4."""
    long_update = encode_message(MessageType.UPDATE, bytes(5000))
    events = started().receive(open_octets(ExtendedMessage()) + KEEPALIVE + long_update, 0.0)
    assert events[-1] == UpdateRun(long_update, 1)
    session = started()
    assert_refused(session, session.receive(open_octets() + KEEPALIVE + long_update, 0.0), 1, 2, b"\x13\x9b")


def test_an_open_may_be_refused_for_reasons_of_ours():
    rejection = cease(CeaseSubcode.CONNECTION_REJECTED)
    seen = []
    session = started(admit=lambda message: seen.append(message) or rejection)
    events = session.receive(open_octets() + KEEPALIVE, 0.0)
    assert [event.open_message for event in events[:1]] == seen
    assert len(events) == 3
    assert session.sent[MessageType.OPEN] == 0
    assert session.agreement is session.context is session.hold_time is None
    assert_refused(session, events, 6, 5)


# The table


@pytest.mark.parametrize("received", Input, ids=lambda received: received.name)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_every_input_in_every_state_is_decided(state, received):
    session = in_state(state)
    events = session.receive(OCTETS[received], 1.0) if received in OCTETS else session.end_of_stream(1.0)
    if state is State.CLOSED:
        assert (events, session.take_outbox(), session.state) == ([], b"", State.CLOSED)
    elif (state, received) in STEPS:
        assert session.state is STEPS[state, received]
        assert not any(isinstance(event, NotificationSent) for event in events)
        assert isinstance(events[-1], SessionDown) if session.state is State.CLOSED else True
    else:
        assert_refused(session, events, 5, VIOLATIONS[state])
        assert events[-1].reason == str(ProtocolViolation(state, received))


def test_only_the_closed_state_ends_a_session():
    assert {state for state, _ in STEPS} == set(VIOLATIONS) == set(State) - {State.CLOSED}
    assert all((state, Input.END_OF_STREAM) in STEPS for state in VIOLATIONS)


@pytest.mark.parametrize(("state", "subcode"), [(State.OPEN_WAIT, 1), (State.OPEN_CONFIRM, 2)])
def test_an_update_too_early_is_an_fsm_error(state, subcode):
    """RFC 6608 section 3."""
    session = in_state(state)
    assert_refused(session, session.receive(UPDATE, 1.0), 5, subcode)


def test_a_second_open_is_an_fsm_error():
    session = established()
    assert_refused(session, session.receive(open_octets(), 1.0), 5, 3)


def test_nothing_follows_the_end():
    session = established()
    events = session.receive(UPDATE + NOTIFICATION + UPDATE + KEEPALIVE, 1.0)
    assert [type(event) for event in events] == [UpdateRun, NotificationReceived, SessionDown]
    assert session.receive(UPDATE, 2.0) == session.timeout(999.0) == session.end_of_stream(3.0) == []
    assert session.stop(4.0) == session.reset(cease(CeaseSubcode.OUT_OF_RESOURCES), 4.0) == []
    assert session.take_outbox() == b""


# Octets that break the rules


@pytest.mark.parametrize(
    ("octets", "code", "subcode", "answered"),
    [
        (b"\x00" * 19, 1, 1, b""),
        (b"\xff" * 16 + b"\x00\x12\x04", 1, 2, b"\x00\x12"),
        (b"\xff" * 16 + b"\x00\x14\x04", 1, 2, b"\x00\x14"),
        (b"\xff" * 16 + b"\x00\x1c\x01", 1, 2, b"\x00\x1c"),
        (b"\xff" * 16 + b"\x10\x01\x02", 1, 2, b"\x10\x01"),
        (b"\xff" * 16 + b"\x00\x13\x09", 1, 3, b"\x09"),
        (encode_message(MessageType.OPEN, b"\x03" + bytes(9)), 2, 1, b"\x00\x04"),
        (open_octets(my_as=0), 2, 2, b""),
        (open_octets(bgp_identifier=bytes(4)), 2, 3, b""),
        (encode_message(MessageType.OPEN, bytes.fromhex("04fde800b40a000001" + "020100")), 2, 4, b""),
        (open_octets(hold_time=2), 2, 6, b""),
        (encode_message(MessageType.OPEN, bytes.fromhex("04fde800b40a000001" + "ff")), 2, 0, b""),
        (encode_message(MessageType.OPEN, bytes.fromhex("04fde800b40a000001" + "0402020104")), 2, 0, b""),
    ],
)
def test_what_is_wrong_before_an_open_is_accepted(octets, code, subcode, answered):
    """RFC 4271 sections 6.1 and 6.2."""
    session = started()
    assert_refused(session, session.receive(octets, 0.0), code, subcode, answered)


def test_a_malformed_open_says_where():
    session = started()
    octets = encode_message(MessageType.OPEN, bytes.fromhex("04fde800b40a000001" + "0402020104"))
    assert session.receive(octets, 0.0)[-1].reason == "4 octets wanted, 0 remain at octet 33"


def test_what_came_before_a_bad_header_is_reported():
    session = established()
    events = session.receive(UPDATE * 2 + b"\x00" * 19, 1.0)
    assert events[0] == UpdateRun(UPDATE * 2, 2)
    assert_refused(session, events, 1, 1)


@given(octets=binary(max_size=80))
def test_any_octets_are_survived(octets):
    session = started()
    session.receive(octets, 0.0)
    assert session.state in State
    established_session = established()
    established_session.receive(octets, 1.0)
    assert established_session.state in {State.ESTABLISHED, State.CLOSED}


@given(drawn=data())
def test_a_mutated_open_is_answered_or_refused(drawn):
    octets = bytearray(open_octets(*REFRESHABLE, FourOctetAs(65000), GracefulRestart(families=PRESERVED)))
    for _ in range(drawn.draw(integers(1, 4))):
        octets[drawn.draw(integers(19, len(octets) - 1))] = drawn.draw(integers(0, 255))
    session = started()
    events = session.receive(bytes(octets), 0.0)
    sent = [kind for kind, _ in messages_in(session.take_outbox())]
    if session.state is State.OPEN_CONFIRM:
        assert sent == [MessageType.OPEN, MessageType.KEEPALIVE]
    else:
        assert sent == [MessageType.NOTIFICATION]
        assert events[-1].notification_sent.code == 2


@settings(max_examples=50)
@given(cuts=lists(integers(0, 400)))
def test_segmentation_is_invisible(cuts):
    octets = open_octets(*REFRESHABLE, ExtendedMessage()) + KEEPALIVE + UPDATE * 3 + REFRESH + UPDATE * 2 + NOTIFICATION
    parts = [octets[a:b] for a, b in pairwise([0, *sorted(cuts), len(octets)])]
    whole, cut = started(), started()
    at_once = whole.receive(octets, 0.0)
    in_parts = [event for part in parts for event in cut.receive(part, 0.0)]
    assert flat(in_parts) == flat(at_once)
    assert cut.take_outbox() == whole.take_outbox()
    assert cut.received == whole.received


def flat(events):
    """Return events with every UPDATE on its own: where a run is cut does not matter."""
    each = []
    for event in events:
        each += [UPDATE] * event.count if isinstance(event, UpdateRun) else [event]
        assert not isinstance(event, UpdateRun) or event.octets == UPDATE * event.count
    return each
