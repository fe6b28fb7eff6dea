"""The stores as the UPDATE path fills them: what they hold, what they give back, and what stays when routes go."""

import random
from array import array

import pytest

from routed.rib._prefixes import PrefixIndex
from routed.rib._rib import DOOMED, SHORT_LIVED, PeerRib, Rib, sweep_all, sweep_stale
from routed.rib._rows import Rows
from routed.rib._table import Table
from routed.rib._update import apply
from routed.rib.families import FAMILIES, INDEX, bits_of
from routed.wire.family import Family
from tests.oracles.build import attribute, label_stack, mp_reach, mp_unreach, prefix, segments, update

IPV4, IPV6 = Family(1, 1), Family(2, 1)
LABELLED, VPN, VPN6 = Family(1, 4), Family(1, 128), Family(2, 128)
ORIGIN, NEXT_HOP = attribute(1, b"\0"), attribute(3, bytes([192, 0, 2, 1]))
MANY = 120_000
MAX_PATHS = 256


def as_path(*numbers: int) -> bytes:
    return attribute(2, segments((2, list(numbers))))


def med(value: int) -> bytes:
    return attribute(4, value.to_bytes(4, "big"))


def slash_24(number: int) -> bytes:
    return prefix((number << 8).to_bytes(4, "big"), 24)


def announce(nlri: bytes, *more: bytes, asn: int = 65001) -> bytes:
    return update([ORIGIN, as_path(asn), NEXT_HOP, *more], nlri)


def announce_many(numbers: list[int], *more: bytes) -> bytes:
    """UPDATEs of at most 4,096 octets that announce a /24 for each number."""
    step = 1000
    return b"".join(
        announce(b"".join(map(slash_24, numbers[at : at + step])), *more) for at in range(0, len(numbers), step)
    )


def withdraw_many(numbers: list[int]) -> bytes:
    return b"".join(
        update(withdrawn=b"".join(map(slash_24, numbers[at : at + 1000]))) for at in range(0, len(numbers), 1000)
    )


def sweep_out(rib: Rib, tables: list[tuple[int, Table]], routes: int = 1000, rows: Rows | None = None) -> int:
    """Empty tables; how many slices that took."""
    slices = 0
    for family, table in tables:
        slices += 1
        while not sweep_all(rib, family, table, routes, rows):
            slices += 1
    return slices


def stored(rib: Rib) -> tuple[int, int]:
    return sum(len(index) for index in rib.prefixes), len(rib.paths)


def test_an_empty_rib_holds_next_to_nothing() -> None:
    rib = Rib(1)
    assert stored(rib) == (0, 0)
    assert sum(rib.memory.values()) < 64 * 1024


def test_routes_that_go_in_random_order_give_their_memory_back() -> None:
    rib, empty = Rib(2), Rib(2).memory
    peer = PeerRib(rib)
    numbers = list(range(MANY))
    random.Random(7).shuffle(numbers)
    applied = apply(peer, announce_many(numbers))
    assert (applied.announced, applied.dropped, len(peer)) == (MANY, 0, MANY)
    assert stored(rib) == (MANY, 1)
    full = rib.memory
    assert full["prefixes"] < 20 * MANY
    random.Random(8).shuffle(numbers)
    half = MANY // 2
    assert apply(peer, withdraw_many(numbers[:half])).withdrawn == half
    assert stored(rib) == (MANY - half, 1)
    left = set(numbers[half:])
    applied = apply(peer, withdraw_many(list(range(MANY))))
    assert (applied.withdrawn, applied.unknown) == (len(left), half)
    assert (stored(rib), len(peer)) == ((0, 0), 0)
    assert rib.memory["paths"] == empty["paths"]
    assert rib.memory["prefixes"] < empty["prefixes"] + 8 * 1024  # the directory of the hash stays wide
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    assert table.memory < full["prefixes"]


def test_a_full_table_costs_a_cell_for_each_route_of_another_peer() -> None:
    rib = Rib(3)
    run = announce_many(list(range(MANY)))
    first, second = PeerRib(rib), PeerRib(rib)
    apply(first, run)
    before = rib.memory
    apply(second, run)
    assert rib.memory == before
    table = second.family_table(INDEX[IPV4])
    assert table is not None
    assert table.memory < 8 * MANY


def test_ids_that_were_freed_are_used_again() -> None:
    rib = Rib(4)
    peer = PeerRib(rib)
    apply(peer, announce_many(list(range(5000))))
    held = rib.memory
    for round_number in range(1, 6):
        apply(peer, withdraw_many(list(range(1, 5000))))
        apply(peer, announce_many([round_number * 10_000 + n for n in range(4999)]))
        assert stored(rib) == (5000, 1)
        apply(peer, withdraw_many([round_number * 10_000 + n for n in range(4999)]))
        apply(peer, announce_many(list(range(1, 5000))))
    assert sum(rib.memory.values()) <= 2 * sum(held.values())


def test_many_attribute_sets_come_and_go() -> None:
    rib, empty = Rib(5), Rib(5).memory
    peer = PeerRib(rib)
    sets = 30_000
    apply(peer, b"".join(announce(slash_24(n), med(n)) for n in range(sets)))
    assert stored(rib) == (sets, sets)
    apply(peer, b"".join(announce(slash_24(n), med(n % 7)) for n in range(sets)))
    assert stored(rib) == (sets, 7)
    apply(peer, withdraw_many(list(range(sets))))
    assert stored(rib) == (0, 0)
    assert rib.memory["paths"] <= empty["paths"] + 8 * 1024


def test_compaction_moves_sets_and_routes_read_as_before() -> None:
    rib = Rib(6)
    peer = PeerRib(rib)
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(60)))
    sets = 16_000
    apply(peer, b"".join(announce(slash_24(n), med(n), communities) for n in range(sets)))
    assert rib.paths.dead_octets == 0
    assert rib.paths.compact(1 << 30) == 0
    kept = [n for n in range(sets) if n % 16 == 0]
    apply(peer, withdraw_many([n for n in range(sets) if n % 16]))
    before, held = rib.paths.live_octets, rib.paths.memory
    moved = 0
    while step := rib.paths.compact(64 * 1024):
        moved += step
    assert moved > 0
    assert rib.paths.live_octets == before
    assert rib.paths.memory < held / 2
    again = apply(peer, b"".join(announce(slash_24(n), med(n), communities) for n in kept))
    assert (again.unchanged, again.announced) == (len(kept), 0)
    assert stored(rib) == (len(kept), len(kept))


def test_labels_are_kept_over_shared_attributes() -> None:
    rib = Rib(7)
    peer = PeerRib(rib)
    nlri = b"".join(prefix(bytes([10, n, 0, 0]), 16, labels=label_stack(100 + n)) for n in range(50))
    apply(peer, update([ORIGIN, as_path(1), mp_reach(LABELLED, bytes([192, 0, 2, 1]), nlri)]))
    assert stored(rib) == (50, 51)
    withdrawn = b"".join(prefix(bytes([10, n, 0, 0]), 16, labels=b"\x80\0\0") for n in range(50))
    assert apply(peer, update([mp_unreach(LABELLED, withdrawn)])).withdrawn == 50
    assert stored(rib) == (0, 0)


def test_a_row_shows_the_labels_of_its_own_route_although_ids_are_used_again() -> None:
    rib, rows = Rib(8), Rows()
    peer = PeerRib(rib)
    rows.log(b"0", b"", b"")

    def labelled(third: int, label: int) -> bytes:
        nlri = prefix(bytes([10, third, 0, 0]), 16, labels=label_stack(label))
        return update([ORIGIN, as_path(1), mp_reach(LABELLED, bytes([192, 0, 2, 1]), nlri)])

    gone = update([mp_unreach(LABELLED, prefix(bytes([10, 1, 0, 0]), 16, labels=b"\x80\0\0"))])
    apply(peer, labelled(9, 9) + labelled(1, 111) + gone + labelled(2, 222), rows)
    labels = [line.split(b'"mpls_label": "')[1].split(b'"')[0] for line in rows.take().splitlines()]
    assert labels == [b"9", b"111", b"111", b"222"]


@pytest.mark.parametrize("family", [VPN, VPN6], ids=["IPv4", "IPv6"])
def test_a_prefix_of_two_route_distinguishers_is_two_prefixes(family: Family) -> None:
    rib = Rib(9)
    peer = PeerRib(rib)
    width = 4 if family.afi == 1 else 16
    rds = [bytes([0, 0, 0, 1, 0, 0, 0, n]) for n in range(3)]
    nlri = b"".join(prefix(b"\x20" * width, 16, labels=label_stack(16), rd=rd) for rd in rds)
    apply(peer, update([ORIGIN, as_path(1), mp_reach(family, b"\x01" * width, nlri)]))
    assert len(rib.prefixes[INDEX[family]]) == len(peer) == 3
    one = prefix(b"\x20" * width, 16, labels=b"\x80\0\0", rd=rds[1])
    assert apply(peer, update([mp_unreach(family, one)])).withdrawn == 1
    assert apply(peer, update([mp_unreach(family, one)])).unknown == 1
    assert len(peer) == 2


def test_paths_of_a_prefix_have_a_ceiling() -> None:
    rib = Rib(10)
    peer = PeerRib(rib, add_path=bits_of([IPV4]))

    def paths(numbers: range) -> bytes:
        return b"".join(announce(prefix(bytes([10, 0, 0, 0]), 8, path_id=n), med(n % 5)) for n in numbers)

    applied = apply(peer, paths(range(MAX_PATHS)))
    assert (applied.announced, applied.dropped) == (MAX_PATHS, 0)
    applied = apply(peer, paths(range(MAX_PATHS, MAX_PATHS + 3)))
    assert (applied.announced, applied.dropped, len(peer)) == (0, 3, MAX_PATHS)
    assert apply(peer, paths(range(10))).unchanged == 10
    gone = update(withdrawn=prefix(bytes([10, 0, 0, 0]), 8, path_id=200))
    assert apply(peer, gone).withdrawn == 1
    assert apply(peer, gone).unknown == 1
    assert apply(peer, paths(range(MAX_PATHS, MAX_PATHS + 1))).announced == 1
    order = list(range(MAX_PATHS + 1))
    random.Random(1).shuffle(order)
    applied = apply(peer, b"".join(update(withdrawn=prefix(bytes([10, 0, 0, 0]), 8, path_id=n)) for n in order))
    assert (applied.withdrawn, applied.unknown) == (MAX_PATHS, 1)
    assert (stored(rib), len(peer)) == ((0, 0), 0)


def test_chains_of_many_prefixes_share_pages_of_nodes() -> None:
    rib = Rib(11)
    peer = PeerRib(rib, add_path=bits_of([IPV4]))
    runs = [
        announce(b"".join(prefix((n << 8).to_bytes(4, "big"), 24, path_id=k) for n in range(400)), med(k))
        for k in range(6)
    ]
    apply(peer, b"".join(runs))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    assert (len(table), stored(rib)) == (2400, (400, 6))
    full = table.memory
    tables = peer.detach()
    assert sweep_out(rib, tables, 100) > 20
    assert (len(table), stored(rib)) == (0, (0, 0))
    assert table.memory < full / 4


def test_a_swept_table_is_empty_and_the_slices_are_bounded() -> None:
    rib, rows = Rib(12), Rows()
    peer = PeerRib(rib)
    apply(peer, announce_many(list(range(10_000))))
    rows.log(b"0", b"", b"")
    tables = peer.detach()
    assert peer.families() == []
    [(family, table)] = tables
    slices = 0
    while not sweep_all(rib, family, table, 1000, rows):
        slices += 1
        assert rows.count <= 1000
        assert rows.take().count(b'"log_type": "delete"') <= 1000
    assert slices == 10
    assert (len(table), stored(rib)) == (0, (0, 0))


def test_what_is_announced_again_outlives_the_sweep_of_the_stale() -> None:
    rib = Rib(13)
    peer = PeerRib(rib)
    apply(peer, announce_many(list(range(3000))))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    assert table.age()
    assert table.stale == 3000
    again = apply(peer, announce_many(list(range(0, 3000, 3))))
    assert (again.unchanged, table.stale) == (1000, 2000)
    apply(peer, withdraw_many([1]) + announce_many([2], med(9)))
    assert table.stale == 1998
    assert not sweep_stale(rib, INDEX[IPV4], table, 500)
    apply(peer, announce_many([2999, 2998]))  # between two slices, ahead of the sweep
    while not sweep_stale(rib, INDEX[IPV4], table, 500):
        assert table.stale < 1998
    assert (len(table), table.stale) == (1003, 0)
    assert table.age()
    while not sweep_stale(rib, INDEX[IPV4], table, 500):
        pass
    assert (len(table), stored(rib)) == (0, (0, 0))


def test_epochs_come_round_and_old_routes_stay_apart() -> None:
    rib = Rib(14)
    peer = PeerRib(rib)
    apply(peer, announce_many(list(range(100))))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    for left in range(99, 89, -1):
        assert table.age()
        apply(peer, announce_many(list(range(left))))
        assert sweep_stale(rib, INDEX[IPV4], table, 10_000)
        assert (len(table), table.stale) == (left, 0)


def test_what_is_stale_for_the_second_time_is_swept_alone() -> None:
    """RFC 4724 4.2: routes that a restarted peer did not announce again go when it restarts once more."""
    rib = Rib(17)
    peer = PeerRib(rib)
    apply(peer, announce_many(list(range(100))))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    assert table.age()
    apply(peer, announce_many(list(range(30))))
    assert table.doomed == 0
    assert table.age()
    assert (table.stale, table.doomed) == (100, 70)
    assert sweep_stale(rib, INDEX[IPV4], table, 10_000, which=DOOMED)
    assert (len(table), table.stale, table.doomed) == (30, 30, 0)
    assert sweep_stale(rib, INDEX[IPV4], table, 10_000)
    assert (len(table), stored(rib)) == (0, (0, 0))


def test_a_table_ages_until_no_epoch_is_free() -> None:
    rib = Rib(18)
    peer = PeerRib(rib)
    for first in range(0, 40, 10):
        apply(peer, announce_many(list(range(first, first + 10))))
        table = peer.family_table(INDEX[IPV4])
        assert table is not None
        assert table.age() is (first < 30)
    assert (table.stale, table.doomed) == (30, 20)


def test_routes_that_may_not_live_long_are_swept_alone() -> None:
    """RFC 9494 4.2: NO_LLGR."""
    rib = Rib(15)
    peer = PeerRib(rib)
    no_llgr = attribute(8, (0xFFFF0007).to_bytes(4, "big"))
    apply(peer, announce_many(list(range(10))) + announce_many([50, 51], no_llgr))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    table.age()
    assert sweep_stale(rib, INDEX[IPV4], table, 10_000, which=SHORT_LIVED)
    assert (len(table), table.stale) == (10, 10)


def test_stale_paths_of_a_prefix_go_one_by_one() -> None:
    rib = Rib(16)
    peer = PeerRib(rib, add_path=bits_of([IPV4]))

    def path(number: int, value: int) -> bytes:
        return announce(prefix(bytes([10, 0, 0, 0]), 8, path_id=number), med(value))

    apply(peer, b"".join(path(n, n) for n in range(6)))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    table.age()
    apply(peer, path(0, 0) + path(3, 30) + path(7, 7))
    assert table.stale == 4
    rows = Rows()
    rows.log(b"0", b"", b"")
    assert sweep_stale(rib, INDEX[IPV4], table, 100, rows)
    gone = [int(line.split(b'"as_path_id": ')[1].split(b",")[0]) for line in rows.take().splitlines()]
    assert sorted(gone) == [1, 2, 4, 5]
    assert len(table) == 3


def test_a_sweep_can_tell_that_another_one_began() -> None:
    table = Table(False)
    number = table.begin_sweep()
    assert table.sweep_number == number
    table.age()
    assert table.sweep_number != number


def test_renewal_takes_out_what_cannot_be_told_apart_any_more() -> None:
    rib = Rib(17)
    peer = PeerRib(rib)
    nlri6 = prefix(b"\x20\x01" + bytes(14), 32)
    apply(peer, announce(slash_24(1)) + update([ORIGIN, as_path(1), mp_reach(IPV6, b"\x20" * 16, nlri6)]))
    assert peer.families() == [INDEX[IPV4], INDEX[IPV6]]
    gone = peer.renew(as4=False, external=True, add_path=bits_of([IPV6]))
    assert [family for family, _ in gone] == [INDEX[IPV6]]
    assert (peer.as4, peer.external, peer.add_path) == (False, True, bits_of([IPV6]))
    assert len(peer) == 1
    sweep_out(rib, gone)
    assert stored(rib) == (1, 1)
    assert peer.renew(as4=True, external=False, add_path=bits_of([IPV6])) == []


def test_tables_of_kept_families_stay() -> None:
    rib = Rib(18)
    peer = PeerRib(rib)
    apply(peer, announce(slash_24(1)))
    assert peer.detach(bits_of([IPV4])) == []
    assert peer.rib is rib
    assert [family for family, _ in peer.detach(bits_of([IPV6]))] == [INDEX[IPV4]]
    assert peer.family_table(INDEX[IPV4]) is None


def test_families_have_bits_in_the_order_of_dumps() -> None:
    assert [bits_of([family]) for family in FAMILIES] == [1 << n for n in range(8)]
    assert bits_of([IPV4, IPV4, Family(25, 70)]) == 1


@pytest.mark.parametrize("wrong", [None, 5])
def test_arguments_of_other_types_are_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        PeerRib(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        apply(PeerRib(Rib(0)), wrong)  # type: ignore[arg-type]


def test_an_index_alone_is_empty() -> None:
    assert len(PrefixIndex(4, True, 1)) == 0
    assert array("I").itemsize == 4  # of the ids that look-ups return
