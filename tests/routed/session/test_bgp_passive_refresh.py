"""Route refresh (RFC 2918, RFC 7313) of passive BGP sessions, and the End-of-RIBs of graceful ones."""

import pytest

from routed.model.event import RouteRefresh
from routed.session.bgp_passive import State
from routed.wire.bgp.capability import GracefulRestart, Multiprotocol
from routed.wire.bgp.capability import RouteRefresh as RouteRefreshCapability
from routed.wire.bgp.codepoints import MessageType, RefreshSubtype
from routed.wire.bgp.header import encode_message
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.routed.session.bgp_passive_rig import (
    KEEPALIVE,
    REFRESH,
    REFRESHABLE,
    assert_refused,
    established,
    messages_in,
    open_octets,
    started,
)


def test_a_refresh_of_a_wrong_length_is_answered_with_it():
    """RFC 7313 section 5."""
    session = established(*REFRESHABLE)
    octets = encode_message(MessageType.ROUTE_REFRESH, b"\x00\x01\x01")
    assert_refused(session, session.receive(octets, 1.0), 7, 1, octets)


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
