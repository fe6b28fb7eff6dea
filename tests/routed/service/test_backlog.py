import pytest

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.model.event import Event
from routed.service.backlog import EVENT_OCTETS, Backlog, weight
from routed.wire.bmp.initiation import Initiation

RUN = MonitoringRun(bytes(100), 1)
MESSAGE = MessageReceived(Initiation(()), 50)
DISCARDED = MessageDiscarded("malformed", "why", bytes(30), 1_000)


def test_the_first_in_is_the_first_out_with_the_time_at_which_it_came() -> None:
    backlog = Backlog()
    assert not backlog
    backlog.put(RUN, 1.0)
    backlog.put(MESSAGE, 2.0)
    assert backlog
    assert [backlog.take(), backlog.take()] == [(RUN, 1.0), (MESSAGE, 2.0)]
    assert not backlog


@pytest.mark.parametrize(
    ("event", "octets"),
    [(RUN, 100), (MESSAGE, 4 * 50), (DISCARDED, 30), (Event(), 0)],
    ids=["routes", "message", "discarded", "other"],
)
def test_an_event_weighs_what_is_kept_of_it(event: Event, octets: int) -> None:
    assert weight(event) == EVENT_OCTETS + octets


def test_a_backlog_weighs_what_is_in_it() -> None:
    backlog = Backlog()
    for event in (RUN, MESSAGE, DISCARDED, RUN):
        backlog.put(event, 0.0)
    assert backlog.octets == 4 * EVENT_OCTETS + 100 + 200 + 30 + 100
    backlog.take()
    assert backlog.octets == 3 * EVENT_OCTETS + 200 + 30 + 100
    backlog.clear()
    assert (backlog.octets, bool(backlog)) == (0, False)
    backlog.put(RUN, 0.0)
    backlog.take()
    assert backlog.octets == 0
