from dataclasses import replace
from typing import Any

import pytest

from routed.model.event import SessionDown
from routed.wire.bgp.capability import GracefulRestart, PreservedFamily
from routed.wire.bgp.notification import Notification
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.routed.service.collector_rig import (
    END_OF_RIB,
    KEPT,
    LOST,
    NO_LLGR,
    SPEAKER,
    Rig,
    announce,
    announce_ipv6,
    grace,
    long_life,
    paused,
    two_routes_a_turn,
)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


# -- how long --------------------------------------------------------------------------------------------------------

SILENT = SessionDown(reason="silent", notification_sent=Notification(4), graceful=True)
GRACE: dict[str, Any] = {"graceful": grace(IPV4_UNICAST)}


def long_lived(seconds: int) -> dict[str, Any]:
    return {"graceful": grace(IPV4_UNICAST, seconds=0), "long_lived": long_life(ipv4=seconds)}


@pytest.mark.parametrize(
    ("stale_time", "facts", "down", "seconds"),
    [
        (3600, GRACE, KEPT, 120),
        (30, GRACE, KEPT, 30),
        (3600, long_lived(150), KEPT, 150),
        (150, long_lived(100_000), KEPT, 150),
        (3600, {}, SILENT, 360),
        (3600, GRACE, SILENT, 360),
    ],
    ids=[
        "its restart time",
        "what the operator allows of it",
        "its long life",
        "what the operator allows of that",
        "two hold times where it fell silent",
        "the same with grace",
    ],
)
def test_routes_of_a_lost_peer_stay_so_long(
    stale_time: int, facts: dict[str, Any], down: SessionDown, seconds: int
) -> None:
    rig = Rig(replace(SPEAKER, stale_time=stale_time))
    peer = rig.connect(**facts)
    rig.send(peer, announce(1))
    rig.collector.closed(peer, down)
    rig.clock.advance(0)
    rig.wait(seconds - 1)
    assert rig.routes == 1
    rig.wait(2)
    assert rig.is_empty


# -- graceful restart (RFC 4724) --------------------------------------------------------------------------------------


def test_a_peer_that_returns_in_time_loses_what_it_does_not_announce_again() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 10)))
    rig.new_rows()
    rig.collector.closed(peer, KEPT)
    assert rig.new_rows() == ["1000 log_close"]
    assert rig.routes == 9
    rig.clock.advance(119)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    assert not paused(peer)
    rig.send(peer, announce(2, 5))
    rig.clock.advance(100)
    assert rig.routes == 9
    rig.new_rows()
    rig.send(peer, END_OF_RIB)
    assert paused(peer)
    rig.settle()
    assert not paused(peer)
    assert rig.new_rows() == ["2000 end-of-rib", *(f"2000 delete 10.{n}.0.0/16" for n in (1, 3, 4, 6, 7, 8, 9))]
    assert rig.routes == 2
    rig.clock.advance(4000)
    assert (rig.routes, rig.new_rows()) == (2, [])


def test_a_peer_that_does_not_return_loses_its_routes() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(119.9)
    assert rig.routes == 3
    rig.new_rows()
    rig.wait(0.2)
    assert rig.new_rows() == [f"1000 delete 10.{n}.0.0/16" for n in (1, 2, 3)]
    assert rig.is_empty


def test_a_peer_that_comes_back_without_grace_starts_afresh() -> None:
    """RFC 4724 4.2: the capability is not there, so all stale routes go at once."""
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000)
    assert paused(peer)
    rig.settle()
    assert rig.deletes() == [f"2000 delete 10.{n}.0.0/16" for n in (1, 2, 3)]
    rig.send(peer, announce(7))
    assert rig.routes == 1


def test_families_without_preserved_forwarding_go_when_the_peer_is_back() -> None:
    rig = Rig()
    both = GracefulRestart(
        restart_time=120, families=(PreservedFamily(IPV4_UNICAST, True), PreservedFamily(IPV6_UNICAST, False))
    )
    peer = rig.connect(graceful=both)
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    assert rig.routes == 2
    rig.connect(2000, graceful=both)
    rig.settle()
    assert rig.deletes() == ["2000 delete 2001:db8:1::/48"]
    assert rig.routes == 1


def test_families_that_are_not_in_the_capability_go_when_the_session_is_lost() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert rig.deletes() == ["1000 delete 2001:db8:1::/48"]
    assert rig.routes == 1


def test_a_peer_that_never_says_that_it_is_done_is_not_waited_for_for_ever() -> None:
    rig = Rig(replace(SPEAKER, stale_time=300))
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(100)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.clock.advance(299)
    assert rig.routes == 2
    rig.wait(2)
    assert rig.routes == 1
    assert rig.rows()[-1] == "2000 delete 10.2.0.0/16"


def test_no_stale_time_is_no_grace() -> None:
    rig = Rig(replace(SPEAKER, stale_time=0))
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert rig.rows()[-2:] == ["1000 delete 10.1.0.0/16", "1000 log_close"]
    assert rig.is_empty


def test_stale_routes_have_no_second_life() -> None:
    """RFC 4724 4.2: what was stale when the session is lost again goes."""
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    gone = rig.deletes()
    assert {"2000 delete 10.2.0.0/16", "2000 delete 10.3.0.0/16"} <= set(gone)
    rig.wait(500)
    assert rig.is_empty


def test_tables_of_routers_that_are_away_are_bounded() -> None:
    rig = Rig(max_retained=2)
    for number in (1, 2, 3):
        peer = rig.connect(1000 * number, f"192.0.2.{number}", graceful=grace(IPV4_UNICAST))
        rig.send(peer, announce(number))
        rig.collector.closed(peer, KEPT)
        rig.settle()
    assert rig.deletes() == ["1000 delete 10.1.0.0/16"]
    assert rig.routes == 2


def test_a_second_loss_after_the_end_of_rib_keeps_routes_again() -> None:
    rig = Rig()
    for port in (1000, 2000, 3000):
        peer = rig.connect(port, graceful=grace(IPV4_UNICAST))
        rig.send(peer, announce(1, 2), END_OF_RIB)
        rig.settle()
        rig.collector.closed(peer, KEPT)
        rig.settle()
        assert rig.routes == 2
    assert not rig.deletes()


def test_a_session_lost_during_the_sweep_of_stale_routes_leaves_nothing_behind() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 20)))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 15)), END_OF_RIB)
    rig.clock.turn()
    rig.clock.turn()
    rig.collector.closed(peer, LOST)
    rig.settle()
    gone = [row.split()[-1] for row in rig.deletes()]
    assert sorted(gone) == sorted(f"10.{n}.0.0/16" for n in range(1, 20))
    assert rig.rows()[-1] == "2000 log_close"
    assert rig.is_empty


def test_a_session_lost_when_the_last_stale_route_is_gone_keeps_the_others() -> None:
    rig = Rig()
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(1, 20)))
    rig.collector.closed(peer, KEPT)
    peer = rig.connect(2000, graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(*range(3, 20)), END_OF_RIB)
    rig.clock.turn()  # the two stale ones are gone, the sweep is not through
    assert rig.routes == 17
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert rig.routes == 17


# -- long-lived graceful restart (RFC 9494) ---------------------------------------------------------------------------


def test_long_lived_routes_outlive_the_restart_time_but_not_those_that_must_not() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST), long_lived=long_life(ipv4=1000))
    rig.send(peer, announce(1, 2), announce(3, 4, extra=(NO_LLGR,)))
    rig.collector.closed(peer, KEPT)
    rig.wait(121)
    assert rig.deletes() == ["1000 delete 10.3.0.0/16", "1000 delete 10.4.0.0/16"]
    rig.wait(990)
    assert rig.routes == 2
    rig.wait(20)
    assert rig.is_empty


def test_each_family_lives_as_long_as_it_says() -> None:
    rig = Rig()
    families = grace(IPV4_UNICAST, IPV6_UNICAST)
    peer = rig.connect(graceful=families, long_lived=long_life(ipv4=500, ipv6=200))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(120)
    rig.wait(199)
    assert rig.routes == 2
    rig.wait(2)
    assert rig.deletes() == ["1000 delete 2001:db8:1::/48"]
    rig.wait(298)
    assert rig.routes == 1
    rig.wait(2)
    assert rig.is_empty


def test_a_family_with_no_long_life_goes_with_the_restart_time() -> None:
    rig = Rig()
    families = grace(IPV4_UNICAST, IPV6_UNICAST)
    peer = rig.connect(graceful=families, long_lived=long_life(ipv4=0, ipv6=1000))
    rig.send(peer, announce(1), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.wait(121)
    assert rig.deletes() == ["1000 delete 10.1.0.0/16"]
    assert rig.routes == 1


def test_a_peer_that_returns_to_a_long_life_goes_on_as_after_a_short_one() -> None:
    rig = Rig()
    facts: dict[str, Any] = {"graceful": grace(IPV4_UNICAST), "long_lived": long_life(ipv4=1000)}
    peer = rig.connect(1000, **facts)
    rig.send(peer, announce(1, 2, 3, 4, 5, 6), announce(7, extra=(NO_LLGR,)))
    rig.collector.closed(peer, KEPT)
    rig.clock.advance(120)
    peer = rig.connect(2000, **facts)
    rig.settle()
    assert rig.routes == 6
    rig.send(peer, announce(1), END_OF_RIB)
    rig.settle()
    assert rig.routes == 1
    rig.clock.advance(5000)
    assert rig.routes == 1


def test_forwarding_that_only_the_long_lived_capability_says_is_preserved_counts() -> None:
    rig = Rig()
    facts: dict[str, Any] = {"graceful": grace(IPV4_UNICAST, preserved=False), "long_lived": long_life(ipv4=1000)}
    peer = rig.connect(1000, **facts)
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.connect(2000, **facts)
    rig.settle()
    assert rig.routes == 1
