"""Route refresh in the middle of a session (RFC 2918, RFC 7313)."""

from typing import Final

import pytest

from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.frr import Frr
from tests.peers.openbgpd import OpenBgpd
from tests.peers.route import Route
from tests.peers.speaker import Link

PEER: Final = "127.0.0.11"
FIRST: Final = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100)
SECOND: Final = Route(prefix="10.16.2.0/24", next_hop="192.0.2.16", local_pref=100)


@pytest.mark.parametrize("kind", [Bird, Frr, OpenBgpd], ids=lambda kind: kind.package)
def test_request_is_taken_and_the_session_goes_on(
    recruit: Recruit, collect: Collect, kind: type[Bird | Frr | OpenBgpd]
) -> None:
    """A collector has no routes to send, but must not mind being asked for them."""
    speaker = recruit(kind, Link(local=PEER))
    assert isinstance(speaker, kind)
    speaker.announce(FIRST)
    with collect(tmp_bgp_daemon_route_refresh="true") as daemon:
        speaker.start()
        daemon.wait_for(PEER, log_type="update", ip_prefix=FIRST.prefix)
        speaker.ask_again()
        speaker.announce(SECOND)
        daemon.wait_for(PEER, log_type="update", ip_prefix=SECOND.prefix)
        assert [row["event_type"] for row in daemon.rows(PEER)].count("log_init") == 1
        assert daemon.rows(PEER, event_type="log_close") == []


@pytest.mark.parametrize("kind", [Bird, Frr], ids=lambda kind: kind.package)
def test_route_that_is_sent_again_is_logged_again_and_held_once(
    recruit: Recruit, collect: Collect, kind: type[Bird | Frr]
) -> None:
    speaker = recruit(kind, Link(local=PEER))
    assert isinstance(speaker, kind)
    speaker.announce(FIRST)
    with collect() as daemon:
        speaker.start()
        daemon.wait_for(PEER, log_type="update")
        speaker.send_again()
        daemon.wait_for(PEER, count=2, log_type="update", ip_prefix=FIRST.prefix)
        speaker.withdraw(FIRST)
        daemon.wait_for(PEER, log_type="withdraw")
        speaker.shut_down("")
        daemon.wait_for(PEER, event_type="log_close")
        assert daemon.routes(PEER, "delete") == []
