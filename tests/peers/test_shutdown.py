"""Clean ends of sessions, with a text for the operator (RFC 9003)."""

import re

import pytest

from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.exabgp import ExaBgp
from tests.peers.frr import Frr
from tests.peers.gobgp import GoBgp
from tests.peers.openbgpd import OpenBgpd
from tests.peers.route import Route, described
from tests.peers.speaker import Link, Speaker

PEER = "127.0.0.11"
ROUTE = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100)
REASON = "planned work, back at 05:00"


@pytest.mark.parametrize("kind", [Bird, Frr, GoBgp, OpenBgpd], ids=lambda kind: kind.package)
def test_reason_of_a_peer_is_logged_and_its_routes_go(recruit: Recruit, collect: Collect, kind: type[Speaker]) -> None:
    speaker = recruit(kind, Link(local=PEER))
    speaker.announce(ROUTE)
    with collect() as daemon:
        speaker.start()
        updates = daemon.wait_for(PEER, log_type="update")
        speaker.shut_down(REASON)
        daemon.wait_for(PEER, event_type="log_close")
        daemon.wait_for_text(f". Shutdown Message: '{REASON}'")
    # RFC 8538 section 3.1: where it is agreed, the shutdown travels inside a Hard Reset (6, 9)
    assert re.search(r"BGP_NOTIFICATION received \(6, [29]\)\. Shutdown Message: ", daemon.text)
    deletes = daemon.routes(PEER, "delete")
    assert described(deletes, ids_are_picked=False) == described(updates, ids_are_picked=False)
    assert [row["event_type"] for row in daemon.rows(PEER)][-1] == "log_close"


def test_peer_that_gives_no_reason_is_closed_all_the_same(recruit: Recruit, collect: Collect) -> None:
    speaker = recruit(ExaBgp, Link(local=PEER))
    speaker.announce(ROUTE)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, log_type="update")
        speaker.shut_down("")
        daemon.wait_for_text("BGP_NOTIFICATION received (6, 2)")
        daemon.wait_for(PEER, event_type="log_close")
