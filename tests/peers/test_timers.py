"""Hold and keepalive timers by the clock (RFC 4271 sections 6.5 and 10)."""

import pytest

from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.route import Route, described
from tests.peers.speaker import Link
from tests.peers.waiting import steadily

pytestmark = pytest.mark.usefixtures("not_pmacct")

#: Short, and twice what RFC 4271 section 4.2 allows: a machine with much else to do may be late with a keepalive.
HOLD_TIME = 6


def test_silent_peer_is_torn_down_when_its_hold_time_expires(recruit: Recruit, collect: Collect) -> None:
    """A frozen peer loses its session and in the end its routes, and reads Hold Timer Expired when it wakes up.

    Before that, the collector's own keepalives have kept the peer content for longer than a hold time.
    """
    routes = [Route(prefix=f"10.16.{n}.0/24", next_hop="192.0.2.16", local_pref=100) for n in range(3)]
    speaker = recruit(Bird, Link(local="127.0.0.11", hold_time=HOLD_TIME))
    speaker.announce(*routes)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for("127.0.0.11", count=len(routes), log_type="update")
        steadily(
            lambda: not daemon.rows("127.0.0.11", event_type="log_close"), HOLD_TIME + 1, "a session with keepalives"
        )
        speaker.freeze()
        daemon.wait_for("127.0.0.11", event_type="log_close")
        speaker.thaw()
        speaker.wait_for_text("Received: Hold timer expired")
        daemon.wait_for("127.0.0.11", count=len(routes), log_type="delete")  # it is back, or was given up for good
    assert described(daemon.routes("127.0.0.11", "delete")[: len(routes)], ids_are_picked=False) == described(
        (route.row() for route in routes), ids_are_picked=False
    )
