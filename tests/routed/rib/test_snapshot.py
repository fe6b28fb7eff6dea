"""Snapshots: what a reader sees stays as it was, whatever the writer does meanwhile."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from routed.rib._dump import Snapshot
from routed.rib._rib import PeerRib, Rib, sweep_all, sweep_stale
from routed.rib._rows import Rows
from routed.rib._update import apply
from routed.rib.families import FAMILIES, INDEX, bits_of
from routed.wire.family import Family
from tests.oracles.build import attribute, label_stack, mp_reach, prefix, segments, update

IPV4, IPV6, VPN, VPN6 = Family(1, 1), Family(2, 1), Family(1, 128), Family(2, 128)
HEAD = (attribute(1, b"\0"), attribute(2, segments((2, [65001]))))
NEXT_HOP = bytes([192, 0, 2, 1])

Values = tuple[int, bytes, int, bytes, int | None, bytes, bytes, bytes]


def host(number: int, value: int = 0, path_id: int | None = None) -> bytes:
    """An UPDATE for one /32, with a MED that tells attribute sets apart."""
    attributes = (*HEAD, attribute(3, NEXT_HOP), attribute(4, value.to_bytes(4, "big")))
    return update(attributes, prefix(number.to_bytes(4, "big"), 32, path_id=path_id))


def gone(number: int, path_id: int | None = None) -> bytes:
    return update(withdrawn=prefix(number.to_bytes(4, "big"), 32, path_id=path_id))


def read(snapshot: Snapshot, most: int = 700) -> Iterator[Values]:
    while routes := snapshot.routes(most):
        yield from routes


def seen(snapshot: Snapshot) -> list[tuple[int, int]]:
    """The (address, MED) of each route."""
    return [(int.from_bytes(route[1], "big"), int.from_bytes(route[7][-4:], "big")) for route in read(snapshot)]


def filled(count: int) -> PeerRib:
    peer = PeerRib(Rib(count))
    numbers = list(range(1, count + 1))
    random.Random(count).shuffle(numbers)
    apply(peer, b"".join(host(n, n % 11) for n in numbers))
    return peer


def sweep_everything(peer: PeerRib) -> None:
    for family, table in peer.detach():
        while not sweep_all(peer.rib, family, table, 1000):
            pass


def test_a_snapshot_is_what_was_when_it_was_opened() -> None:
    peer = filled(5000)
    snapshot = Snapshot(peer)
    expected = [(n, n % 11) for n in range(1, 5001)]
    apply(peer, b"".join(gone(n) for n in range(1, 5001, 2)))
    apply(peer, b"".join(host(n, 900 + n) for n in range(2, 5001, 4)))
    apply(peer, b"".join(host(n, 7) for n in range(6000, 8000)))
    assert seen(snapshot) == expected
    assert len(snapshot) == 5000
    after = Snapshot(peer)
    assert len(after) == len(peer) == 4500
    snapshot.close()
    assert dict(seen(after))[2] == 902
    after.close()
    sweep_everything(peer)
    assert len(peer.rib.paths) == 0


def tidy(peer: PeerRib) -> None:
    while peer.rib.tidy():
        pass


def test_a_snapshot_outlives_the_sweep_of_everything() -> None:
    peer = filled(3000)
    snapshot = Snapshot(peer)
    first = snapshot.routes(10)
    sweep_everything(peer)
    assert len(peer.rib.prefixes[INDEX[IPV4]]) == len(peer.rib.paths) == 0
    held = peer.rib.memory
    apply(peer, b"".join(host(100_000 + n, 5) for n in range(3000)))  # nothing of the snapshot is used again
    assert [route[1] for route in first] == [n.to_bytes(4, "big") for n in range(1, 11)]
    assert seen(snapshot) == [(n, n % 11) for n in range(11, 3001)]
    assert peer.rib.memory["prefixes"] > held["prefixes"]
    snapshot.close()
    sweep_everything(peer)
    tidy(peer)
    assert peer.rib.memory["prefixes"] < held["prefixes"]
    assert peer.rib.memory["paths"] < held["paths"]


def test_another_thread_renders_while_the_writer_goes_on() -> None:
    peer = filled(20_000)
    expected = [(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32", n % 11) for n in range(1, 20_001)]

    def render(snapshot: Snapshot) -> list[tuple[str, int]]:
        rows = Rows()
        rows.dump(b"0", b"", b"")
        while snapshot.render(rows, 100):
            pass
        return [(row["ip_prefix"], row["med"]) for row in map(json.loads, rows.take().splitlines())]

    with ThreadPoolExecutor(1) as threads:
        snapshot = Snapshot(peer)
        rendering = threads.submit(render, snapshot)
        for step in range(4):
            apply(peer, b"".join(host(n, 1000 + n % 700) for n in range(1 + step, 20_001, 3)))
            apply(peer, b"".join(gone(n) for n in range(1 + step, 20_001, 5)))
        sweep_everything(peer)
        assert rendering.result() == expected
        snapshot.close()
    assert len(peer.rib.paths) == 0


def test_ids_are_used_again_once_the_last_snapshot_is_closed() -> None:
    peer = filled(4000)
    snapshots = [Snapshot(peer) for _ in range(2)]
    apply(peer, b"".join(gone(n) for n in range(2, 4001)))
    grown = []
    for snapshot in snapshots:
        apply(peer, b"".join(host(1_000_000 + n) for n in range(4000)))
        grown.append(peer.rib.memory["prefixes"])
        apply(peer, b"".join(gone(1_000_000 + n) for n in range(4000)))
        snapshot.close()
    assert grown[1] > grown[0]  # still one open: more ids
    tidy(peer)
    apply(peer, b"".join(host(1_000_000 + n) for n in range(4000)))
    assert peer.rib.memory["prefixes"] == grown[1]


def test_several_snapshots_each_see_their_own_moment() -> None:
    peer = filled(500)
    snapshots, expected = [], []
    for step in range(1, 6):
        snapshots.append(Snapshot(peer))
        expected.append(dict.fromkeys(range(1, 501)) | {n: n % 11 for n in range(1, 501)})
        for before in range(1, step):
            expected[-1].update(dict.fromkeys(range(before, 501, 6), 1000 + before))
        apply(peer, b"".join(host(n, 1000 + step) for n in range(step, 501, 6)))
    order = list(range(5))
    random.Random(3).shuffle(order)
    for at in order:
        assert dict(seen(snapshots[at])) == expected[at]
        snapshots[at].close()
    sweep_everything(peer)
    assert len(peer.rib.paths) == 0


def test_chains_stay_as_they_were() -> None:
    peer = PeerRib(Rib(5), add_path=bits_of([IPV4]))
    apply(peer, b"".join(host(n, k, k) for n in range(1, 200) for k in (3, 1, 2)))
    snapshot = Snapshot(peer)
    apply(peer, b"".join(gone(n, 1) + host(n, 77, 2) + host(n, 4, 4) for n in range(1, 200)))
    table = peer.family_table(INDEX[IPV4])
    assert table is not None
    table.age()
    while not sweep_stale(peer.rib, INDEX[IPV4], table, 50):
        pass
    assert len(peer) == 0
    routes = list(read(snapshot))
    assert [(int.from_bytes(r[1], "big"), r[4]) for r in routes] == [(n, k) for n in range(1, 200) for k in (1, 2, 3)]
    assert all(route[7][-4:] == (route[4] or 0).to_bytes(4, "big") for route in routes)
    snapshot.close()


def test_nothing_moves_while_a_snapshot_is_open() -> None:
    peer = PeerRib(Rib(6))
    communities = attribute(8, bytes(4 * 60))
    attributes = (*HEAD, attribute(3, NEXT_HOP), communities)

    def run(numbers: range) -> bytes:
        return b"".join(
            update((*attributes, attribute(4, n.to_bytes(4, "big"))), prefix(n.to_bytes(4, "big"), 32)) for n in numbers
        )

    apply(peer, run(range(12_000)))
    snapshot = Snapshot(peer)
    apply(peer, b"".join(gone(n) for n in range(12_000) if n % 20))
    held = peer.rib.memory["paths"]
    tidy(peer)
    assert peer.rib.memory["paths"] == held
    assert [med for _, med in seen(snapshot)] == list(range(12_000))
    snapshot.close()
    tidy(peer)
    assert peer.rib.memory["paths"] < held / 2
    now = Snapshot(peer)
    assert seen(now) == [(n, n) for n in range(0, 12_000, 20)]
    now.close()


def test_ipv4_routes_are_in_the_order_of_addresses_the_shorter_first() -> None:
    peer = PeerRib(Rib(7))
    wanted = [(0, 0), (0x0A000000, 8), (0x0A000000, 16), (0x0A000000, 32), (0x0A000001, 32), (0x7FFFFFFF, 32)]
    wanted += [(0x80000000, 1), (0xC0000200, 24), (0xFFFFFFFF, 32)]
    shuffled = wanted[:]
    random.Random(1).shuffle(shuffled)
    nlri = b"".join(prefix(address.to_bytes(4, "big"), length) for address, length in shuffled)
    apply(peer, update([*HEAD, attribute(3, NEXT_HOP)], nlri))
    snapshot = Snapshot(peer)
    assert [(int.from_bytes(route[1], "big"), route[2]) for route in read(snapshot)] == wanted
    snapshot.close()


@pytest.mark.parametrize("family", [IPV6, VPN, VPN6], ids=["IPv6", "VPN", "IPv6 VPN"])
def test_other_routes_are_in_order_too(family: Family) -> None:
    width = 4 if family.afi == 1 else 16
    peer = PeerRib(Rib(8))
    rds = [bytes([0, 0, 0, 1, 0, 0, 0, n]) for n in (1, 2)] if family.safi == 128 else [None]
    labels = label_stack(30) if family.safi == 128 else b""
    addresses = [
        bytes(width),
        b"\x20\x01" + bytes(width - 2),
        b"\x20\x01" + bytes(width - 3) + b"\x01",
        b"\xff" * width,
    ]
    if width == 16:
        addresses.insert(1, bytes(12) + b"\0\0\0\1")
        addresses.insert(1, bytes(8) + b"\0\0\0\0\0\0\0\0")
    wanted = sorted(
        {
            (a, n, rd or b"")
            for a in addresses
            for n in (8 * width - 1, 8 * width)
            for rd in rds
            if a[-1] % 2 == 0 or n == 8 * width
        }
    )
    shuffled = wanted[:]
    random.Random(2).shuffle(shuffled)
    for address, length, rd in shuffled:
        nlri = prefix(address, length, labels=labels, rd=rd or None)
        apply(peer, update([*HEAD, mp_reach(family, b"\x01" * width, nlri)]))
    snapshot = Snapshot(peer)
    routes = list(read(snapshot, 3))
    assert [(route[1], route[2], route[3]) for route in routes] == wanted
    assert {(route[0], route[4], route[5], route[6]) for route in routes} == {
        (INDEX[family], None, b"\x01" * width, labels)
    }
    snapshot.close()


def test_families_come_in_the_order_of_their_numbers() -> None:
    peer = PeerRib(Rib(9))
    for family in reversed(FAMILIES):
        width = 4 if family.afi == 1 else 16
        nlri = prefix(
            b"\x20" * width,
            8,
            labels=label_stack(3) if family.safi >= 4 else b"",
            rd=bytes(8) if family.safi == 128 else None,
        )
        apply(peer, update([*HEAD, mp_reach(family, b"\x01" * width, nlri)]))
    snapshot = Snapshot(peer)
    assert [route[0] for route in read(snapshot, 1)] == list(range(8))
    snapshot.close()
    rows = Rows()
    rows.dump(b"0", b"", b"")
    snapshot = Snapshot(peer)
    while snapshot.render(rows, 5):
        pass
    dumped = [json.loads(line) for line in rows.take().splitlines()]
    assert [(row["afi"], row["safi"]) for row in dumped] == [tuple(family) for family in FAMILIES]
    snapshot.close()


def test_render_takes_as_many_as_it_is_told_and_never_crosses_a_family() -> None:
    peer = filled(10)
    apply(peer, update([*HEAD, mp_reach(IPV6, b"\x01" * 16, prefix(bytes(16), 0))]))
    snapshot = Snapshot(peer)
    rows = Rows()
    rows.dump(b"2026", b'"peer_ip_src": "192.0.2.9", ', b"")
    rows.sequence = 5
    assert [snapshot.render(rows, 4) for _ in range(6)] == [4, 4, 2, 1, 0, 0]
    assert rows.count == 11
    assert {json.loads(line)["seq"] for line in rows.take().splitlines()} == {5}
    snapshot.close()


def test_an_empty_peer_and_a_closed_snapshot_have_nothing() -> None:
    rows = Rows()
    snapshot = Snapshot(PeerRib(Rib(10)))
    assert (len(snapshot), snapshot.routes(5), snapshot.render(rows, 5)) == (0, [], 0)
    snapshot.close()
    snapshot.close()
    peer = filled(3)
    snapshot = Snapshot(peer)
    snapshot.close()
    assert (len(snapshot), snapshot.routes(5), snapshot.render(rows, 5)) == (0, [], 0)
    with pytest.raises(TypeError):
        Snapshot(None)  # type: ignore[arg-type]
