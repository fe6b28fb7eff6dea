"""When a passive BGP session acts by itself, and when it gives its peer up."""

import pytest

from routed.model.event import UpdateRun
from routed.session.bgp_passive import State
from routed.wire.bgp.codepoints import MessageType
from tests.routed.session.bgp_passive_rig import (
    KEEPALIVE,
    REFRESH,
    REFRESHABLE,
    UPDATE,
    assert_refused,
    established,
    in_state,
    open_octets,
    started,
)


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
