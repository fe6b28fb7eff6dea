"""The passive BGP session: every step, every refusal, every timer, and what a graceful peer keeps."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, data, integers, lists

from routed.model.event import (
    NotificationReceived,
    NotificationSent,
    OpenReceived,
    PeerUp,
    RouteRefresh,
    SessionDown,
    UpdateRun,
)
from routed.octets import Cursor, Writer
from routed.session.bgp_passive import STEPS, VIOLATIONS, BgpPassive, Input, State
from routed.session.contract import Session
from routed.session.errors import ProtocolViolation
from routed.session.negotiation import LocalSpeaker
from routed.wire.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedMessage,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    PreservedFamily,
)
from routed.wire.bgp.capability import RouteRefresh as RouteRefreshCapability
from routed.wire.bgp.codepoints import CeaseSubcode, MessageType, RefreshSubtype
from routed.wire.bgp.header import decode_message, encode_message
from routed.wire.bgp.notification import Notification, cease, decode_notification, hard_reset
from routed.wire.bgp.open import Capabilities, OpenMessage, decode_open, encode_open
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST

OWN = LocalSpeaker(router_id=b"\x0a\x00\x00\xfe")
KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(4))
NOTIFICATION = encode_message(MessageType.NOTIFICATION, b"\x06\x02\x03bye")
REFRESH = encode_message(MessageType.ROUTE_REFRESH, b"\x00\x01\x00\x01")
REFRESHABLE = (Multiprotocol(IPV4_UNICAST), RouteRefreshCapability(), EnhancedRouteRefresh())
PRESERVED = (PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),)


def open_octets(*capabilities, hold_time=90, my_as=65000, bgp_identifier=b"\x0a\x00\x00\x01"):
    message = OpenMessage(
        my_as=my_as,
        hold_time=hold_time,
        bgp_identifier=bgp_identifier,
        parameters=(Capabilities(capabilities),) if capabilities else (),
    )
    w = Writer()
    encode_open(w, message)
    return encode_message(MessageType.OPEN, bytes(w))


OCTETS = {
    Input.OPEN: open_octets(),
    Input.UPDATE: UPDATE,
    Input.NOTIFICATION: NOTIFICATION,
    Input.KEEPALIVE: KEEPALIVE,
    Input.ROUTE_REFRESH: REFRESH,
}


def admit_all(_open_message):
    return None


def started(local=OWN, admit=admit_all, now=0.0):
    session = BgpPassive(local, admit)
    assert session.start(now) == []
    return session


def in_state(state, *capabilities, now=0.0, **fields):
    session = started(now=now)
    if state is not State.OPEN_WAIT:
        session.receive(open_octets(*capabilities, **fields), now)
    if state is State.ESTABLISHED:
        session.receive(KEEPALIVE, now)
    if state is State.CLOSED:
        session.end_of_stream(now)
    assert session.state is state
    session.take_outbox()
    return session


def established(*capabilities, **fields):
    return in_state(State.ESTABLISHED, *capabilities, **fields)


def messages_in(octets):
    c = Cursor(octets)
    messages = []
    while c.remaining:
        kind, body = decode_message(c)
        messages.append((kind, body.rest()))
    return messages


def assert_refused(session, events, code, subcode, data=b""):
    """The NOTIFICATION is in the outbox, reported, and the session is down for good."""
    *_, (kind, body) = messages_in(session.take_outbox())
    assert kind == MessageType.NOTIFICATION
    sent = decode_notification(Cursor(body))
    assert sent == Notification(code, subcode, data)
    notice, down = events[-2:]
    assert (notice.code, notice.subcode, notice.data) == (code, subcode, data)
    assert isinstance(notice, NotificationSent)
    assert isinstance(down, SessionDown)
    assert (down.notification_sent, down.notification_received) == (sent, None)
    assert session.state is State.CLOSED
    assert session.deadline() is None


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


def test_a_refresh_of_a_wrong_length_is_answered_with_it():
    """RFC 7313 section 5."""
    session = established(*REFRESHABLE)
    octets = encode_message(MessageType.ROUTE_REFRESH, b"\x00\x01\x01")
    assert_refused(session, session.receive(octets, 1.0), 7, 1, octets)


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


# Timers


def test_a_peer_that_never_speaks_is_given_up():
    session = started(now=100.0)
    assert session.deadline() == 160.0
    assert session.timeout(159.9) == []
    assert_refused(session, session.timeout(160.0), 4, 0)


def test_dripping_octets_do_not_put_off_the_end():
    session = started()
    octets = open_octets()
    for at in range(20):
        assert session.receive(octets[at : at + 1], float(at)) == []
    assert session.deadline() == 60.0


def test_keepalives_go_out_by_the_clock():
    """RFC 4271 section 4.4: a third of the hold time."""
    session = in_state(State.ESTABLISHED, now=10.0)
    assert session.deadline() == 40.0
    assert session.timeout(39.9) == []
    assert session.take_outbox() == b""
    assert session.timeout(40.0) == []
    assert session.take_outbox() == KEEPALIVE
    assert session.deadline() == 70.0
    assert session.sent[MessageType.KEEPALIVE] == 2


def test_a_silent_peer_is_torn_down_when_the_hold_time_is_over():
    """RFC 4271 section 6.5."""
    session = established()
    for now in (30.0, 60.0):
        assert session.timeout(now) == []
    assert session.deadline() == 90.0
    session.take_outbox()
    assert_refused(session, session.timeout(90.0), 4, 0)


@pytest.mark.parametrize(
    ("octets", "restarts"),
    [(KEEPALIVE, True), (UPDATE, True), (UPDATE[:-1], False), (REFRESH, False), (UPDATE + KEEPALIVE[:5], True)],
)
def test_keepalive_and_update_restart_the_hold_timer(octets, restarts):
    """RFC 4271 section 8.2.2."""
    session = established(*REFRESHABLE)
    session.receive(octets, 50.0)
    session.timeout(89.0)
    assert session.timeout(90.0) == [] if restarts else session.timeout(90.0) != []
    if restarts:
        assert session.timeout(139.9) == []
        session.take_outbox()
        assert_refused(session, session.timeout(140.0), 4, 0)


def test_an_unconfirmed_session_is_held_no_longer_than_the_hold_time():
    session = in_state(State.OPEN_CONFIRM, hold_time=9)
    assert session.deadline() == 3.0
    assert_refused(session, session.timeout(9.0), 4, 0)


def test_a_hold_time_of_zero_is_a_session_without_timers():
    """RFC 4271 section 4.2; only its beginning is still timed."""
    session = in_state(State.OPEN_CONFIRM, hold_time=0)
    assert session.deadline() == 60.0
    session.receive(KEEPALIVE, 1.0)
    assert session.deadline() is None
    assert session.receive(UPDATE, 2.0) == [UpdateRun(UPDATE, 1)]
    assert session.deadline() is None
    assert session.timeout(1e9) == []
    assert session.hold_time == 0


# The way down


def test_a_notification_is_reported_with_its_text():
    """RFC 9003."""
    notice, down = established().receive(NOTIFICATION, 1.0)
    assert notice == NotificationReceived(6, 2, b"\x03bye", "bye")
    assert down.reason == "peer sent cease/administrative shutdown (6/2)"
    assert down.notification_received == Notification(6, 2, b"\x03bye")
    assert down.notification_sent is None


def test_stopping_tells_the_peer_why():
    """RFC 9003."""
    session = established()
    assert_refused(session, session.stop(1.0, "maintenance"), 6, 2, b"\x0bmaintenance")


def test_stopping_is_a_hard_reset_where_a_notification_would_not_end_the_grace():
    """RFC 8538 section 5."""
    session = established(GracefulRestart(notification=True, families=PRESERVED))
    events = session.stop(1.0, "bye")
    assert not events[-1].graceful
    assert_refused(session, events, 6, 9, b"\x06\x02\x03bye")


def test_a_reset_sends_what_it_is_given():
    session = established()
    events = session.reset(Notification(3, 1, b"\x40\x01"), 1.0)
    assert events[-1].reason == "update message/malformed attribute list (3/1)"
    assert_refused(session, events, 3, 1, b"\x40\x01")


LOST = "the connection is lost"
SENT = Notification(3, 1)
RECEIVED = Notification(6, 4)


@pytest.mark.parametrize(
    ("capability", "end", "graceful"),
    [
        (None, LOST, False),
        (GracefulRestart(), LOST, False),  # a helper has no families to keep
        (GracefulRestart(families=PRESERVED), LOST, True),
        (GracefulRestart(families=PRESERVED), SENT, False),
        (GracefulRestart(families=PRESERVED), RECEIVED, False),
        (GracefulRestart(notification=True, families=PRESERVED), LOST, True),
        (GracefulRestart(notification=True, families=PRESERVED), SENT, True),
        (GracefulRestart(notification=True, families=PRESERVED), RECEIVED, True),
        (GracefulRestart(notification=True, families=PRESERVED), hard_reset(RECEIVED), False),
    ],
    ids=str,
)
def test_who_keeps_routes_when_a_session_ends(capability, end, graceful):
    """RFC 4724 section 4.2, RFC 8538 section 4."""
    session = established(*([] if capability is None else [capability]))
    if end is LOST:
        events = session.end_of_stream(1.0)
    elif end is SENT:
        events = session.reset(end, 1.0)
    else:
        body = bytes([end.code, end.subcode]) + end.data
        events = session.receive(encode_message(MessageType.NOTIFICATION, body), 1.0)
    assert events[-1].graceful is graceful


@pytest.mark.parametrize(
    "capabilities",
    [[], [GracefulRestart(families=PRESERVED)], [GracefulRestart(notification=True, families=PRESERVED)]],
    ids=["no grace", "grace", "grace after notifications"],
)
def test_a_silent_peer_takes_nothing_back(capabilities):
    """RFC 8538 section 4 asks for the N bit; we do not: see `_outlives`."""
    session = established(*capabilities)
    assert session.timeout(90.0)[-1].graceful


def test_a_session_that_never_was_has_no_routes_to_keep():
    session = in_state(State.OPEN_CONFIRM, GracefulRestart(families=PRESERVED))
    assert not session.end_of_stream(1.0)[-1].graceful


# Graceful restart and route refresh


def test_a_graceful_peer_gets_an_end_of_rib_for_each_family():
    """RFC 4724 section 4.1: it waits for them when it restarts."""
    session = started()
    offers = (Multiprotocol(IPV4_UNICAST), Multiprotocol(IPV6_UNICAST), GracefulRestart(restarting=True))
    session.receive(open_octets(*offers) + KEEPALIVE, 0.0)
    updates = [body.hex() for kind, body in messages_in(session.take_outbox()) if kind == MessageType.UPDATE]
    assert updates == ["00000000", "00000006800f03000201"]
    assert session.sent[MessageType.UPDATE] == 2


def test_a_refresh_is_answered_by_its_empty_beginning_and_end():
    """RFC 7313 section 4."""
    session = established(*REFRESHABLE)
    assert session.receive(REFRESH, 1.0) == [RouteRefresh(IPV4_UNICAST, RefreshSubtype.REQUEST)]
    assert messages_in(session.take_outbox()) == [
        (MessageType.ROUTE_REFRESH, b"\x00\x01\x01\x01"),
        (MessageType.ROUTE_REFRESH, b"\x00\x01\x02\x01"),
    ]


@pytest.mark.parametrize("subtype", [RefreshSubtype.BEGIN, RefreshSubtype.END])
def test_the_marks_of_a_refresh_are_reported(subtype):
    session = established(*REFRESHABLE)
    octets = encode_message(MessageType.ROUTE_REFRESH, bytes([0, 1, subtype, 1]))
    assert session.receive(octets, 1.0) == [RouteRefresh(IPV4_UNICAST, subtype)]
    assert session.take_outbox() == b""


@pytest.mark.parametrize(
    ("capabilities", "body"),
    [
        ((), "00010001"),
        ((RouteRefreshCapability(),), "00010101"),
        (REFRESHABLE, "00020001"),
        (REFRESHABLE, "00010301"),
    ],
    ids=["not agreed", "not enhanced", "family not agreed", "unknown subtype"],
)
def test_other_refreshes_are_ignored(capabilities, body):
    """RFC 2918 section 4, RFC 7313 section 5."""
    session = established(*capabilities)
    assert session.receive(encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex(body)), 1.0) == []
    assert session.take_outbox() == b""
    assert session.state is State.ESTABLISHED


def test_a_flood_of_requests_is_answered_once_a_read():
    session = established(*REFRESHABLE)
    session.take_outbox()
    assert session.receive(REFRESH * 2_800, 1.0) == [RouteRefresh(IPV4_UNICAST, RefreshSubtype.REQUEST)]
    answer = session.take_outbox()
    assert len(answer) == 2 * len(REFRESH)
    assert session.received[MessageType.ROUTE_REFRESH] == 2_800
    assert session.receive(REFRESH, 2.0) == [RouteRefresh(IPV4_UNICAST, RefreshSubtype.REQUEST)]
    assert session.take_outbox() == answer


def test_a_plain_refresh_needs_no_answer():
    session = established(RouteRefreshCapability())
    assert session.receive(REFRESH, 1.0) == [RouteRefresh(IPV4_UNICAST, RefreshSubtype.REQUEST)]
    assert session.take_outbox() == b""
