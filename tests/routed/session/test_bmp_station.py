"""The station: what becomes of each message, what costs only itself, and what ends the session."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.model.event import Event, SessionDown
from routed.session.bmp_station import SAMPLE_OCTETS, BmpStation
from routed.wire.bmp.header import MAX_MESSAGE
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.termination import Termination
from routed.wire.bmp.tlv import Tlv
from tests.oracles.bmp_build import (
    INITIATION,
    PEER_DOWN,
    PEER_UP,
    ROUTE_MONITORING,
    TERMINATION,
    frame,
    peer,
    tlv,
)
from tests.oracles.build import update

ROUTES: Final = frame(ROUTE_MONITORING, peer() + update())
NAME: Final = frame(INITIATION, tlv(2, b"r1"))
BYE: Final = frame(TERMINATION, tlv(1, b"\0\0"))
NAMED: Final = MessageReceived(Initiation((Tlv(2, b"r1"),)), len(NAME))
TERMINATED: Final = [
    MessageReceived(Termination((Tlv(1, b"\0\0"),)), len(BYE)),
    SessionDown(reason="the router terminated the session"),
]


def receive(*octets: bytes, most: int = MAX_MESSAGE) -> list[Event]:
    station = BmpStation(most)
    assert station.start(0.0) == []
    return [event for each in octets for event in station.receive(each, 0.0)]


def test_messages_are_decoded_and_routes_stay_octets_in_runs() -> None:
    """RFC 7854 section 4.1; nobody decodes a route in Python."""
    assert receive(NAME + ROUTES + ROUTES + NAME + ROUTES) == [
        NAMED, MonitoringRun(ROUTES * 2, 2), NAMED, MonitoringRun(ROUTES, 1),
    ]  # fmt: skip


def test_an_initiation_need_not_be_first_and_may_come_again() -> None:
    """Departs: RFC 7854 section 4.3 has it come first; what a router sends without it is taken all the same."""
    assert receive(ROUTES, NAME, NAME) == [MonitoringRun(ROUTES, 1), NAMED, NAMED]


@pytest.mark.parametrize(
    ("octets", "kind", "reason"),
    [
        (frame(PEER_UP, peer()), "malformed", "16 octets wanted, 0 remain at octet 48"),
        (frame(PEER_DOWN, peer()[:-1]), "malformed", "4 octets wanted, 3 remain at octet 44"),
        (frame(INITIATION, b"\0\0\0\5r1"), "malformed", "5 octets wanted, 2 remain at octet 10"),
        (frame(99, b"what"), "unknown", "unknown message type (99)"),
    ],
)
def test_a_message_that_is_no_good_costs_itself(octets: bytes, kind: str, reason: str) -> None:
    discarded, after = receive(octets + NAME)
    assert discarded == MessageDiscarded(kind, reason, octets, len(octets))
    assert after == NAMED


def test_of_a_message_that_is_discarded_a_sample_is_kept() -> None:
    octets = frame(99, bytes(1000))
    (discarded,) = receive(octets)
    assert isinstance(discarded, MessageDiscarded)
    assert (discarded.octets, discarded.size) == (octets[:SAMPLE_OCTETS], 1006)


@pytest.mark.parametrize("kind", [ROUTE_MONITORING, INITIATION])
def test_a_message_that_is_too_long_is_stepped_over(kind: int) -> None:
    fits, too_long = frame(INITIATION, tlv(2, bytes(86))), frame(kind, bytes(95))
    events = receive(fits + too_long[:50], too_long[50:] + NAME, most=100)
    assert [type(event) for event in events] == [MessageReceived, MessageDiscarded, MessageReceived]
    assert isinstance(events[1], MessageDiscarded)
    assert (events[1].kind, events[1].size, events[1].octets) == ("too long", 101, too_long[:48])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"\2\0\0\0\6\4", "BMP version 2 is not 3 or 4 at octet 0 (RFC 7854 4.1)"),
        (b"\3\0\0\0\5\4", "length 5 is below 6 at octet 1 (RFC 7854 4.1)"),
    ],
)
def test_where_no_message_can_be_found_any_more_the_session_ends(header: bytes, reason: str) -> None:
    station = BmpStation()
    *before, down = station.receive(NAME + header + NAME, 0.0)
    assert (before, down) == ([NAMED], SessionDown(reason=reason))
    assert station.is_closed
    assert station.receive(NAME, 0.0) == []


def test_termination_ends_the_session_and_nothing_behind_it_counts() -> None:
    """RFC 7854 section 4.5."""
    station = BmpStation()
    assert station.receive(ROUTES + BYE + NAME + BYE, 0.0) == [MonitoringRun(ROUTES, 1), *TERMINATED]
    assert station.receive(NAME, 0.0) == station.end_of_stream(0.0) == station.stop(0.0) == []


def test_a_session_ends_once_with_its_reason() -> None:
    for end, reason in ((BmpStation.end_of_stream, "connection closed by the router"), (BmpStation.stop, "shut down")):
        station = BmpStation()
        station.receive(ROUTES[:9], 0.0)
        assert end(station, 1.0) == [SessionDown(reason=reason)]
        assert end(station, 2.0) == []


def test_a_station_never_writes_and_has_no_timers() -> None:
    """RFC 7854 section 3.2."""
    station = BmpStation()
    station.receive(NAME + ROUTES, 0.0)
    assert (station.take_outbox(), station.deadline(), station.timeout(1e9)) == (b"", None, [])


SESSION: Final = NAME + ROUTES * 2 + frame(99, b"x") + NAME + ROUTES + BYE


@given(cuts=lists(integers(0, len(SESSION))))
def test_segmentation_is_invisible(cuts: list[int]) -> None:
    places = sorted({0, len(SESSION), *cuts})
    assert joined(receive(*(SESSION[a:b] for a, b in pairwise(places)))) == joined(receive(SESSION))


def joined(events: list[Event]) -> list[Event]:
    """Runs that meet, as one."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, MonitoringRun) and isinstance(last, MonitoringRun):
            found[-1] = MonitoringRun(last.octets + event.octets, last.count + event.count)
        else:
            found.append(event)
    return found
