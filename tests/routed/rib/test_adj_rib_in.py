from collections.abc import Sequence

from routed.rib._rib import Rib, sweep_all, sweep_stale
from routed.rib._update import apply
from routed.rib.adj_rib_in import AdjRibIn
from routed.rib.families import INDEX
from routed.wire.bgp.context import DecodeContext
from routed.wire.family import IPV4_MULTICAST, IPV4_UNICAST, IPV6_UNICAST, Family
from tests.oracles.build import MANDATORY, mp_reach, prefix, update

CONTEXT = DecodeContext(as4=True)
HOP6 = bytes.fromhex("20010db8") + bytes(11) + b"\1"


def announce(*numbers: int) -> bytes:
    return update(MANDATORY, b"".join(prefix(bytes([10, n, 0, 0]), 16) for n in numbers))


def announce_ipv6() -> bytes:
    return update([*MANDATORY[:2], mp_reach(IPV6_UNICAST, HOP6, prefix(HOP6, 64))])


def filled() -> AdjRibIn:
    table = AdjRibIn(Rib(1), CONTEXT)
    apply(table.rib, announce(1, 2) + announce_ipv6())
    return table


def families(gone: Sequence[tuple[int, object]]) -> list[int]:
    return [family for family, _ in gone]


def test_a_context_becomes_what_updates_are_read_by() -> None:
    table = AdjRibIn(Rib(1), DecodeContext(as4=False, external=False, add_path=frozenset({IPV4_MULTICAST})))
    assert (table.rib.as4, table.rib.external, table.rib.add_path) == (False, False, 1 << INDEX[IPV4_MULTICAST])
    assert len(table) == 0


def test_ageing_keeps_some_families_and_takes_out_the_others() -> None:
    table = filled()
    gone = table.age([IPV4_UNICAST, Family(25, 70)])
    assert families(gone) == [INDEX[IPV6_UNICAST]]
    assert list(table.stale_families()) == [IPV4_UNICAST]
    assert len(table) == 2


def test_what_is_stale_already_has_no_second_life() -> None:
    table = filled()
    both = [IPV4_UNICAST, IPV6_UNICAST]
    assert table.age(both) == []
    apply(table.rib, announce_ipv6())
    assert table.age(both) == []
    assert table.stale_families() == both
    assert table.doomed_families() == [IPV4_UNICAST]


def test_a_family_whose_epochs_are_all_in_use_goes() -> None:
    table = filled()
    both = [IPV4_UNICAST, IPV6_UNICAST]
    for number in range(3):
        assert table.age(both) == []
        apply(table.rib, announce(10 + number) + announce_ipv6())
    assert families(table.age(both)) == [INDEX[IPV4_UNICAST]]


def test_a_new_session_keeps_what_it_says_and_what_can_be_told_apart() -> None:
    table = filled()
    table.age([IPV4_UNICAST, IPV6_UNICAST])
    assert families(table.renew(CONTEXT, [IPV4_UNICAST])) == [INDEX[IPV6_UNICAST]]
    wider = DecodeContext(as4=False, add_path=frozenset({IPV4_UNICAST}))
    gone = table.renew(wider, [IPV4_UNICAST])
    assert families(gone) == [INDEX[IPV4_UNICAST]]
    assert (table.rib.as4, len(table)) == (False, 0)
    [(family, taken)] = gone
    assert sweep_all(table.rib.rib, family, taken, 100)
    assert len(taken) == 0


def test_a_refresh_begins_once_and_only_where_there_are_routes() -> None:
    """RFC 7313 4."""
    table = filled()
    table.begin_refresh(IPV4_UNICAST)
    apply(table.rib, announce(1))
    table.begin_refresh(IPV4_UNICAST)
    table.begin_refresh(IPV4_MULTICAST)
    table.begin_refresh(Family(25, 70))
    stale = table.table(IPV4_UNICAST)
    assert stale is not None
    assert stale.stale == 1
    assert sweep_stale(table.rib.rib, INDEX[IPV4_UNICAST], stale, 100)
    assert list(table.stale_families()) == []
    assert len(table) == 2


def test_everything_can_be_taken_out() -> None:
    table = filled()
    assert families(table.detach()) == [INDEX[IPV4_UNICAST], INDEX[IPV6_UNICAST]]
    assert table.detach() == []
    assert table.table(IPV4_UNICAST) is None
    assert table.table(Family(25, 70)) is None
