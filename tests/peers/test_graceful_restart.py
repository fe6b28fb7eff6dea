"""A peer that dies and comes back keeps its routes in between; what it does not announce again is swept (RFC 4724)."""

import pytest

from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.frr import Frr
from tests.peers.route import Route, described
from tests.peers.speaker import Link, Speaker

pytestmark = pytest.mark.usefixtures("not_pmacct")

PEER = "127.0.0.11"
#: Seconds after which routes count as kept for good.
LATE = 30
STAYS = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100)
GOES = Route(prefix="10.16.2.0/24", next_hop="192.0.2.16", local_pref=100)


def prepared(recruit: Recruit, restart_time: int, long_lived_time: int = 0) -> Speaker:
    speaker = recruit(Bird, Link(local=PEER, restart_time=restart_time, long_lived_time=long_lived_time))
    speaker.announce(STAYS, GOES)
    return speaker


def test_only_what_did_not_come_back_is_deleted(recruit: Recruit, collect: Collect) -> None:
    speaker = prepared(recruit, restart_time=60)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, count=2, log_type="update")
        speaker.kill()
        daemon.wait_for(PEER, event_type="log_close")
        assert daemon.routes(PEER, "delete") == []
        speaker.withdraw(GOES)
        speaker.start()
        daemon.wait_for(PEER, count=2, event_type="log_init")
        deleted = daemon.wait_for(PEER, log_type="delete")
        assert described(deleted, ids_are_picked=False) == [GOES.row()]
        speaker.shut_down("")
        deleted = daemon.wait_for(PEER, count=2, log_type="delete")
        assert described(deleted, ids_are_picked=False) == [STAYS.row(), GOES.row()]


def test_all_is_deleted_when_the_peer_does_not_come_back_in_time(recruit: Recruit, collect: Collect) -> None:
    speaker = prepared(recruit, restart_time=3)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, count=2, log_type="update")
        speaker.kill()
        closed = daemon.wait_for(PEER, event_type="log_close")[0]
        deleted = daemon.wait_for(PEER, count=2, log_type="delete")
    assert described(deleted, ids_are_picked=False) == [STAYS.row(), GOES.row()]
    waited = float(deleted[0]["timestamp"]) - float(closed["timestamp"])
    assert 2 <= waited < LATE, f"stale routes were kept for {waited} s of a restart time of 3 s"


def test_long_lived_peer_gets_more_time(recruit: Recruit, collect: Collect) -> None:
    """RFC 9494 section 4.2: the long-lived stale time begins when the restart time has passed."""
    speaker = prepared(recruit, restart_time=1, long_lived_time=4)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, count=2, log_type="update")
        speaker.kill()
        closed = daemon.wait_for(PEER, event_type="log_close")[0]
        deleted = daemon.wait_for(PEER, count=2, log_type="delete")
    waited = float(deleted[0]["timestamp"]) - float(closed["timestamp"])
    assert 4 <= waited < LATE, f"stale routes were kept for {waited} s of 1 s and 4 s"


def test_a_reset_that_is_not_hard_costs_no_route(recruit: Recruit, collect: Collect) -> None:
    """RFC 8538 section 4: a NOTIFICATION ends a session and not the grace, where both sides say so."""
    speaker = recruit(Frr, Link(local=PEER, restart_time=120))
    assert isinstance(speaker, Frr)
    speaker.announce(STAYS, GOES)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, log_type="end-of-rib")
        speaker.control(f"clear bgp {speaker.link.remote}")
        daemon.wait_for_text("BGP_NOTIFICATION received (6, 4).")
        daemon.wait_for(PEER, count=2, event_type="log_init")
        daemon.wait_for(PEER, count=2, log_type="end-of-rib")
        assert daemon.routes(PEER, "delete") == daemon.routes(PEER, "withdraw") == []
        assert len(daemon.routes(PEER, "update")) >= 4  # both, and both again


def test_nothing_is_kept_for_a_peer_that_says_good_bye(recruit: Recruit, collect: Collect) -> None:
    """An administrative shutdown is no restart: the routes go with the session (RFC 4724 section 4)."""
    speaker = prepared(recruit, restart_time=60)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, count=2, log_type="update")
        speaker.shut_down("not coming back")
        daemon.wait_for(PEER, event_type="log_close")
        deleted = daemon.wait_for(PEER, count=2, log_type="delete")
    assert described(deleted, ids_are_picked=False) == [STAYS.row(), GOES.row()]
