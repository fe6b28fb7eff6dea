"""Label stacks of more than one label, which pmacct cannot read (RFC 8277 section 2.3)."""

from typing import Final

import pytest

from routed.wire.family import IPV4_LABELED, IPV4_VPN
from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.exabgp import ExaBgp
from tests.peers.route import Route, Row, described
from tests.peers.speaker import Link, Speaker

pytestmark = pytest.mark.usefixtures("not_pmacct")

PEER: Final = "127.0.0.11"
ROUTES: Final = (
    Route(family=IPV4_LABELED, prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100, labels=(16, 1048575)),
    Route(
        family=IPV4_VPN, prefix="10.16.2.0/24", next_hop="192.0.2.16", local_pref=100, rd="65000:1", labels=(17, 18, 19)
    ),
)


def whole(route: Route) -> Row:
    """The row of a route with its stack, outermost label first, which `bgp_daemon_extra_attributes` adds."""
    return {**route.row(), "mpls_label_stack": [str(label) for label in route.labels]}


@pytest.mark.parametrize("kind", [Bird, ExaBgp], ids=lambda kind: kind.package)
def test_whole_stack_is_read(recruit: Recruit, collect: Collect, kind: type[Speaker]) -> None:
    speaker = recruit(kind, Link(local=PEER, families=(IPV4_LABELED, IPV4_VPN)))
    speaker.announce(*ROUTES)
    with collect(bgp_daemon_extra_attributes="true") as daemon:
        speaker.start()
        updates = daemon.wait_for(PEER, count=len(ROUTES), log_type="update")
        speaker.withdraw(*ROUTES)
        withdraws = daemon.wait_for(PEER, count=len(ROUTES), log_type="withdraw")
    expected = described(map(whole, ROUTES), ids_are_picked=False)
    assert described(updates, ids_are_picked=False) == expected
    assert described(withdraws, ids_are_picked=False) == expected
