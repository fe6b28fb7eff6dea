"""Label stacks of more than one label, which pmacct cannot read (RFC 8277 section 2.3), and segment identifiers."""

from collections.abc import Iterator
from typing import Final

import pytest

from routed.wire.family import IPV4_LABELED, IPV4_VPN
from tests.peers.bird import Bird
from tests.peers.conftest import Collect, Recruit
from tests.peers.exabgp import ExaBgp
from tests.peers.frr_srv6 import LOCATOR, RD, FrrSrv6
from tests.peers.network import SPEAKERS_6
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


class Segments(ExaBgp):
    """One that announces prefix SIDs."""

    def _facts(self, route: Route) -> Iterator[str]:
        yield from super()._facts(route)
        yield SEGMENTS[route.prefix][0]


#: What ExaBGP is told of a prefix, and what a row has for it. Its SID is that of a draft of RFC 9252, without sub-TLVs.
SEGMENTS: Final[dict[str, tuple[str, Row]]] = {
    "10.16.3.0/24": (
        "bgp-prefix-sid [ 7, [ ( 16000,8000 ) , ( 400000,1 ) ] ]",
        {"psid_li": 7, "srgb": [{"base": 16_000, "size": 8_000}, {"base": 400_000, "size": 1}]},
    ),
    "10.16.4.0/24": (
        "bgp-prefix-sid-srv6 ( l3vpn 2001:db8:1:1:: )",
        {"prefix_sid_tlvs": [{"type": 5, "value": "0020010db800010001000000000000000000ffff00"}]},
    ),
}


def test_prefix_sids_are_shown_in_full(recruit: Recruit, collect: Collect) -> None:
    """SRGB of a segment-routing router (RFC 8669); what cannot be read as it is."""
    routes = [
        Route(family=IPV4_LABELED, prefix=network, next_hop="192.0.2.16", local_pref=100, labels=(16,))
        for network in SEGMENTS
    ]
    speaker = recruit(Segments, Link(local=PEER, families=(IPV4_LABELED,)))
    speaker.announce(*routes)
    with collect(bgp_daemon_extra_attributes="true") as daemon:
        speaker.start()
        updates = daemon.wait_for(PEER, count=len(routes), log_type="update")
    expected = [{**route.row(), **SEGMENTS[route.prefix][1]} for route in routes]
    assert described(updates, ids_are_picked=False) == described(expected, ids_are_picked=False)


def test_sids_of_a_vpn_are_shown_and_put_together(recruit: Recruit, collect: Collect) -> None:
    """RFC 9252: a SID of SRv6 whose function travels as the label of the route."""
    peer = SPEAKERS_6[0]
    speaker = recruit(FrrSrv6, Link(local=peer, families=(IPV4_VPN,)))
    assert isinstance(speaker, FrrSrv6)
    speaker.announce(Route(prefix="10.16.5.0/24", next_hop=peer))
    with collect(bgp_daemon_extra_attributes="true") as daemon:
        speaker.start()
        update, *_ = daemon.wait_for(peer, log_type="update")
        function = speaker.function()
    assert (update["ip_prefix"], update["rd"], update["ecomms"]) == ("10.16.5.0/24", f"0:{RD}", f"RT:{RD}")
    [sid] = update["srv6_sids"]
    structure = sid.pop("sid_structure")
    assert (sid["service"], sid["sid"], sid["whole_sid"]) == ("l3", LOCATOR.partition("/")[0], function)
    assert sid["whole_sid"] != sid["sid"]
    assert (structure["function_length"], structure["transposition_length"]) == (16, 16)
    assert structure["transposition_offset"] == 64
