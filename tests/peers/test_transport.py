"""What carries a session: IPv6, both versions on one listener, TCP-MD5 (RFC 2385), and what peers insist on."""

from functools import partial
from pathlib import Path

import pytest

from routed.wire.family import IPV4_UNICAST, IPV4_VPN, IPV6_UNICAST
from tests.peers.bird import Bird
from tests.peers.collector import AS, PATIENCE
from tests.peers.conftest import Collect, Recruit
from tests.peers.exabgp import ExaBgp
from tests.peers.frr import Frr
from tests.peers.network import counter
from tests.peers.openbgpd import OpenBgpd
from tests.peers.route import Route, described
from tests.peers.speaker import Link, Speaker
from tests.peers.waiting import eventually

BOTH = (IPV4_UNICAST, IPV6_UNICAST)


@pytest.mark.parametrize(
    ("kind", "next_hop", "med"),
    [
        (Bird, "2001:db8::11", None),
        (ExaBgp, "2001:db8::11", None),
        (Frr, "fd00::11", 0),  # always its own address, and always a MED
        (OpenBgpd, "fd00::11", None),  # always its own address
    ],
)
def test_ipv6_carries_a_session(
    recruit: Recruit, collect: Collect, kind: type[Speaker], next_hop: str, med: int | None
) -> None:
    """The peer is named by its IPv6 address."""
    route = Route(family=IPV6_UNICAST, prefix="fd16:1::/48", next_hop=next_hop, local_pref=100, med=med)
    speaker = recruit(kind, Link(local="fd00::11", families=BOTH))
    speaker.announce(route)
    with collect() as daemon:
        speaker.start()
        updates = daemon.wait_for("fd00::11", log_type="update")
    assert described(updates, ids_are_picked=False) == [route.row()]


@pytest.mark.usefixtures("not_pmacct")
def test_ipv4_routes_may_have_ipv6_next_hops(recruit: Recruit, collect: Collect) -> None:
    """RFC 8950: agreed where the peer offers it, for unicast and for VPN routes."""
    routes = [
        Route(prefix="10.16.1.0/24", next_hop="2001:db8::11", local_pref=100),
        Route(
            family=IPV4_VPN, prefix="10.16.2.0/24", next_hop="2001:db8::11", local_pref=100, rd="65000:1", labels=(16,)
        ),
    ]
    speaker = recruit(Bird, Link(local="fd00::11", families=(IPV4_UNICAST, IPV4_VPN), extended_next_hop=True))
    speaker.announce(*routes)
    with collect() as daemon:
        speaker.start()
        updates = daemon.wait_for("fd00::11", count=len(routes), log_type="update")
    assert described(updates, ids_are_picked=False) == described(
        (route.row() for route in routes), ids_are_picked=False
    )


def test_one_listener_serves_both_versions(recruit: Recruit, collect: Collect) -> None:
    """IPv4 peers of the dual-stack listener are logged as IPv4, not as mapped addresses."""
    route = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100)
    speakers = [recruit(Bird, Link(local="127.0.0.11")), recruit(ExaBgp, Link(local="fd00::12"))]
    with collect() as daemon:
        for speaker in speakers:
            speaker.announce(route)
            speaker.start()
        for speaker in speakers:
            daemon.wait_for(speaker.link.local, log_type="update", ip_prefix=route.prefix)
    assert {row["peer_ip_src"] for row in daemon.rows()} == {"127.0.0.11", "fd00::12"}


@pytest.mark.parametrize("peer", ["127.0.0.11", "fd00::11"])
@pytest.mark.parametrize("kind", [Bird, Frr, OpenBgpd, ExaBgp], ids=lambda kind: kind.package)
def test_right_key_is_let_in(
    recruit: Recruit, collect: Collect, tmp_path: Path, kind: type[Speaker], peer: str
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"! keys of peers\n{peer}, open-sesame\n")
    speaker = recruit(kind, Link(local=peer, password="open-sesame"))
    speaker.announce(Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100))
    with collect(bgp_daemon_md5_file=keys) as daemon:
        speaker.start()
        daemon.wait_for(peer, log_type="update", ip_prefix="10.16.1.0/24")


@pytest.mark.usefixtures("not_pmacct")
def test_wrong_key_and_missing_key_are_kept_out(recruit: Recruit, collect: Collect, tmp_path: Path) -> None:
    """The kernel drops what is not signed right; a peer that no key is configured for is not affected.

    A key may be for all of a prefix that have no key of their own.
    """
    keys = tmp_path / "keys"
    keys.write_text("127.0.0.0/28, open-sesame\n127.0.0.12, open-barley\nfd00::/64, open-oats\n")
    wrong = recruit(Bird, Link(local="127.0.0.11", password="open-barley"))
    missing = recruit(ExaBgp, Link(local="127.0.0.13"))
    let_in = [
        recruit(Frr, Link(local="127.0.0.17")),
        recruit(Bird, Link(local="127.0.0.12", password="open-barley")),
        recruit(Bird, Link(local="127.0.0.14", password="open-sesame")),
        recruit(Bird, Link(local="fd00::14", password="open-oats")),
    ]
    for speaker in let_in:
        speaker.announce(Route(prefix="10.16.1.0/24", next_hop="192.0.2.16"))
    with collect(bgp_daemon_md5_file=keys) as daemon:
        for speaker in (wrong, missing, *let_in):
            speaker.start()
        for name in ("TCPMD5Failure", "TCPMD5NotFound"):
            eventually(partial(counter, daemon.pid, name), PATIENCE, f"the kernel to count {name}")
        for speaker in let_in:
            daemon.wait_for(speaker.link.local, log_type="update")
        assert {row["peer_ip_src"] for row in daemon.rows()} == {speaker.link.local for speaker in let_in}


@pytest.mark.usefixtures("not_pmacct")
def test_cautious_peers_get_what_they_insist_on(recruit: Recruit, collect: Collect) -> None:
    """The role that faces theirs (RFC 9234, strict), and packets that no router has passed on (RFC 5082)."""
    kinds = (Bird, Frr, OpenBgpd)
    speakers = [
        recruit(kind, Link(local=f"127.0.0.{11 + number}", local_as=65011 + number, role="customer", near=True))
        for number, kind in enumerate(kinds)
    ]
    far = recruit(ExaBgp, Link(local="127.0.0.20"))  # a router somewhere: its packets do not come with the highest TTL
    with collect(bgp_daemon_as=AS, bgp_daemon_role="provider", bgp_daemon_gtsm=1) as daemon:
        far.start()
        for speaker in speakers:
            speaker.announce(Route(prefix="10.16.1.0/24", next_hop="192.0.2.16"))
            speaker.start()
        for speaker in speakers:
            daemon.wait_for(speaker.link.local, log_type="update")
        eventually(partial(counter, daemon.pid, "TCPMinTTLDrop"), PATIENCE, "the kernel to drop what comes from afar")
        assert {row["peer_ip_src"] for row in daemon.rows()} == {speaker.link.local for speaker in speakers}
