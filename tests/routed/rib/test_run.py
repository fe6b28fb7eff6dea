"""Runs of UPDATEs in steps: bounded work and output, and nothing left behind by a run that is given up."""

import gc
from typing import Final

import pytest

from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._rows import Rows
from routed.rib._update import Run, apply

FULL_ROWS: Final = 1 << 20
ORIGIN_IGP: Final = b"\x40\x01\x01\x00"
AS_PATH: Final = b"\x40\x02\x06\x02\x01\x00\x00\xfd\xe9"
NEXT_HOP: Final = b"\x40\x03\x04\xc0\x00\x02\x01"


def update(attributes: bytes, nlri: bytes) -> bytes:
    body = b"\0\0" + len(attributes).to_bytes(2, "big") + attributes + nlri
    return b"\xff" * 16 + (19 + len(body)).to_bytes(2, "big") + b"\x02" + body


def withdrawal(nlri: bytes) -> bytes:
    body = len(nlri).to_bytes(2, "big") + nlri + b"\0\0"
    return b"\xff" * 16 + (19 + len(body)).to_bytes(2, "big") + b"\x02" + body


def communities(count: int) -> bytes:
    value = b"".join((0xFDE90000 | n).to_bytes(4, "big") for n in range(count))
    return b"\xd0\x08" + len(value).to_bytes(2, "big") + value


def wide(first: int, count: int, community_count: int) -> bytes:
    """One UPDATE whose rows are many times as long as it is."""
    nlri = b"".join(bytes([24]) + n.to_bytes(3, "big") for n in range(first, first + count))
    return update(ORIGIN_IGP + AS_PATH + NEXT_HOP + communities(community_count), nlri)


def rows() -> Rows:
    made = Rows()
    made.log(b"now", b'"peer_ip_src": "192.0.2.1", ', b"")
    return made


def test_output_of_a_step_is_bounded_and_none_is_lost() -> None:
    octets = b"".join(wide(1000 * n, 400, 500) for n in range(8))
    at_once, in_steps = rows(), rows()
    expected = apply(PeerRib(Rib(1)), octets, at_once)
    run, taken, applied = Run(PeerRib(Rib(1)), octets), b"", None
    while applied is None:
        applied = run.step(in_steps)
        assert len(in_steps) < FULL_ROWS + 10_000
        taken += in_steps.take()
    assert applied == expected
    assert taken == at_once.take()
    assert len(taken) > 10 * FULL_ROWS


@pytest.mark.parametrize("families", [0, 1, 8, 9, 200])
def test_families_that_are_not_stored_are_counted_and_the_first_ones_named(families: int) -> None:
    """AFI 25 and any SAFI: routes, withdrawals, and both of one family in an UPDATE, which counts once."""
    octets = b""
    for safi in range(families):
        reach = b"\x80\x0e\x0a\x00\x19" + bytes([safi]) + b"\x04\xc0\x00\x02\x01\x00\xaa"
        unreach = b"\x80\x0f\x04\x00\x19" + bytes([safi]) + b"\xaa"
        octets += update(ORIGIN_IGP + AS_PATH + reach + unreach, b"") + update(unreach, b"")
    applied = apply(PeerRib(Rib(1)), octets + update(ORIGIN_IGP + AS_PATH + NEXT_HOP, b"\x08\x0a"))
    assert (applied.passed_over, applied.announced) == (2 * families, 1)
    assert applied.other_families == [(25, safi) for safi in range(min(families, 8))]


def test_work_of_a_step_is_bounded() -> None:
    octets = b"".join(update(ORIGIN_IGP + AS_PATH + NEXT_HOP, bytes([8, 10]) * 1000) for _ in range(50))
    run, steps = Run(PeerRib(Rib(1)), octets), 0
    while (applied := run.step()) is None:
        steps += 1
    assert steps == 48
    assert (applied.announced, applied.unchanged) == (1, 49_999)


def test_runs_of_several_peers_may_be_under_way_at_once() -> None:
    rib = Rib(1)
    peers = [PeerRib(rib) for _ in range(3)]
    runs = [Run(peer, wide(5000 * n, 900, 3) * 20) for n, peer in enumerate(peers)]
    done: list[int] = []
    while len(done) < 3:
        for n, run in enumerate(runs):
            if n not in done and run.step() is not None:
                done.append(n)
    assert [len(peer) for peer in peers] == [900, 900, 900]


def test_a_run_that_is_given_up_leaves_no_references() -> None:
    rib = Rib(1)
    peer = PeerRib(rib)
    run = Run(peer, wide(0, 400, 500) * 8)
    assert run.step(rows()) is None
    del run
    gc.collect()
    for family, table in peer.detach():
        while not sweep_all(rib, family, table, 1000):
            pass
    assert len(rib.paths) == 0


def test_a_run_in_a_cycle_of_garbage_leaves_no_references_either() -> None:
    rib = Rib(1)
    peer = PeerRib(rib)
    run = Run(peer, wide(0, 400, 500) * 8)
    run.step(rows())
    cycle: list[object] = [run, peer]
    cycle.append(cycle)
    tables = peer.detach()
    del run, peer, cycle
    gc.collect()
    for family, table in tables:
        while not sweep_all(rib, family, table, 1000):
            pass
    assert len(rib.paths) == 0


def test_what_updates_came_to_is_counted_by_family_until_that_begins_anew() -> None:
    peer = PeerRib(Rib(1))
    apply(peer, wide(0, 3, 2) + wide(0, 3, 2) + withdrawal(bytes([8, 10])))
    assert (peer.counted(), peer.counts(0)) == ([0], (3, 3, 0, 1, 0))
    assert peer.counts(4) == (0, 0, 0, 0, 0)
    peer.begin_counts()
    assert (peer.counted(), peer.counts(0)) == ([0], (0, 0, 0, 0, 0))
    for family in (-1, 8, 1 << 20):
        with pytest.raises(IndexError):
            peer.counts(family)


@pytest.mark.parametrize("kept", [1, 18, 22, 23, 40])
def test_octets_that_are_no_whole_update_are_never_read(kept: int) -> None:
    whole = wide(0, 3, 2)
    with pytest.raises(ValueError, match=f"octet {len(whole)} starts no whole UPDATE"):
        apply(PeerRib(Rib(1)), whole + whole[:kept])
