"""A table that is looked at while it counts, beside a dictionary that is copied."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.columns.record_type import RecordType
from flowcorr.correlate._key_search import MOST_SHAPES
from flowcorr.correlate._live import Snapshot
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.live_table import LiveTable

Sums = dict[tuple[int, str], tuple[int, int, int]]


class Bench:
    """A table of AS numbers and AS paths."""

    def __init__(self, most_entries: int = 1 << 20) -> None:
        aggregate = parse_aggregate("dst_as, as_path", "nfacctd")
        self.layout = Layout([*ALWAYS, *aggregate.columns])
        self.texts = Texts()
        self.table = LiveTable(self.layout, aggregate, self.texts, most_entries)
        self.batch = Batch(self.layout, 4096)
        self.wanted: Sums = {}

    def add(self, *numbers: int) -> None:
        for number in numbers:
            path = str(number).encode()
            self.batch.append(
                dst_as=number, as_path=self.texts.id_of(path), packets=1, bytes=number, flows=1, record_type=4
            )
        self.table.add(self.batch, None, 0.0)
        self.batch.clear()
        self.texts.sweep()

    def expect(self, *numbers: int) -> None:
        for number in numbers:
            packets, octets, flows = self.wanted.get((number, str(number)), (0, 0, 0))
            self.wanted[number, str(number)] = packets + 1, octets + number, flows + 1

    def seen(self, snapshot: Snapshot) -> Sums:
        numbers = snapshot.listed()
        kept = set(range(len(snapshot)) if numbers is None else numbers.tolist())
        return {
            (self.value(key, "dst_as"), self.texts.octets_of(self.value(key, "as_path")).decode()): (packets, *more[:2])
            for number, (key, packets, *more) in enumerate(snapshot.entries())
            if number in kept
        }

    def value(self, key: bytes, name: str) -> int:
        at = self.table.plan.places[name]
        return int.from_bytes(key[at : at + 4], "little")

    def query(self, **values: int) -> tuple[bytes, bytes]:
        mask, wanted = bytearray(self.table.plan.octets), bytearray(self.table.plan.octets)
        for name, value in values.items():
            at = self.table.plan.places[name]
            mask[at : at + 4] = b"\xff" * 4
            wanted[at : at + 4] = value.to_bytes(4, "little")
        return bytes(mask), bytes(wanted)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.integers(0, 400), max_size=300)),
        st.tuples(st.sampled_from(["snapshot", "close", "erase", "release"]), st.integers(0, 9)),
        st.tuples(st.just("clear"), st.lists(st.integers(0, 400), max_size=20)),
    ),
    max_size=40,
)


class Play:
    """A table with snapshots of it, and what each of them has to show."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.taken: list[tuple[Snapshot, Sums]] = []

    def add(self, numbers: list[int]) -> None:
        self.bench.add(*numbers)
        self.bench.expect(*numbers)

    def snapshot(self, _: int) -> None:
        self.taken.append((self.bench.table.snapshot(), dict(self.bench.wanted)))

    def close(self, which: int) -> None:
        if self.taken:
            self.taken.pop(which % len(self.taken))[0].close()

    def erase(self, _: int) -> None:
        self.bench.table.erase()
        self.bench.wanted.clear()

    def release(self, most: int) -> None:
        self.bench.table.release(most)

    def clear(self, numbers: list[int]) -> None:
        now = self.bench.table.snapshot()
        pairs = now.matches([self.bench.query(dst_as=number) for number in numbers])
        self.bench.table.sums.clear(now, np.ascontiguousarray(pairs[:, 1]))
        now.close()
        for number in numbers:
            self.bench.wanted.pop((number, str(number)), None)

    def check(self) -> None:
        for snapshot, wanted in self.taken:
            assert self.bench.seen(snapshot) == wanted


@given(STEPS)
def test_snapshots_show_the_moment_of_their_taking(steps: list[tuple[str, Any]]) -> None:
    play = Play()
    for step, value in steps:
        getattr(play, step)(value)
        play.check()
    while play.taken:
        play.close(0)
    bench = play.bench
    assert bench.table.sums.looked_at == 0
    last = bench.table.snapshot()
    assert bench.seen(last) == bench.wanted
    last.close()
    bench.table.erase()
    while not bench.table.release(100):
        pass
    bench.texts.sweep()
    assert bench.texts.count == 0
    assert bench.table.sums.entries == 0


@given(st.lists(st.integers(0, 50), max_size=100), st.lists(st.integers(0, 60), min_size=1, max_size=10))
def test_queries_find_what_a_loop_finds(numbers: list[int], asked: list[int]) -> None:
    bench = Bench()
    bench.add(*numbers)
    order = list(dict.fromkeys(numbers))
    everything = (bytes(bench.table.plan.octets),) * 2
    queries = [*(bench.query(dst_as=number) for number in asked), everything]
    snapshot = bench.table.snapshot()
    wanted = {(asked.index(number), order.index(number)) for number in asked if number in order}
    wanted |= {(len(asked), number) for number in range(len(order))}
    found = [tuple(pair) for pair in snapshot.matches(queries).tolist()]
    assert sorted(found) == sorted(wanted)
    assert [entry for _, entry in found] == sorted(entry for _, entry in found)
    snapshot.close()


def test_counters_are_those_of_the_entries() -> None:
    bench = Bench()
    bench.add(5, 7, 7)
    snapshot = bench.table.snapshot()
    assert snapshot.counters().tolist() == [[1, 2], [5, 14], [1, 2]]
    assert snapshot.counters(np.array([1], np.uint32)).tolist() == [[2], [14], [2]]
    with pytest.raises(IndexError):
        snapshot.counters(np.array([2], np.uint32))
    snapshot.close()


def test_what_finds_no_room_is_counted_and_the_rest_goes_on() -> None:
    bench = Bench(most_entries=2)
    bench.add(1, 2, 3, 3, 1)
    sums = bench.table.sums
    assert (len(bench.table), sums.refused_records, sums.refused_packets, sums.refused_bytes) == (2, 2, 2, 6)
    snapshot = bench.table.snapshot()
    assert bench.seen(snapshot) == {(1, "1"): (2, 2, 2), (2, "2"): (1, 2, 1)}
    snapshot.close()
    assert bench.texts.count == 2


def test_a_page_is_copied_once_and_only_while_it_is_looked_at() -> None:
    bench = Bench()
    bench.add(*range(300))
    bench.add(*range(300))
    assert bench.table.sums.copied_pages == 0
    snapshot = bench.table.snapshot()
    bench.add(*range(300))
    bench.add(*range(300))
    assert bench.table.sums.copied_pages == 3
    snapshot.close()
    bench.add(*range(300))
    assert bench.table.sums.copied_pages == 3


def test_an_erased_table_stays_as_long_as_it_is_looked_at() -> None:
    bench = Bench()
    bench.add(1, 2)
    bench.expect(1, 2)
    snapshot = bench.table.snapshot()
    bench.table.erase()
    bench.table.erase()
    assert bench.table.release(1_000)
    assert bench.seen(snapshot) == bench.wanted
    bench.table.sums.clear(snapshot, np.array([0], np.uint32))  # of a table that is no more
    bench.add(3)
    assert len(bench.table) == 1
    snapshot.close()
    assert bench.table.release(1_000)
    assert bench.texts.count == 1


def test_records_without_counters_have_entries_of_their_own() -> None:
    bench = Bench()
    bench.add(1)
    bench.batch.append(dst_as=1, as_path=0, record_type=RecordType.EVENT)
    bench.table.add(bench.batch, None, 0.0)
    snapshot = bench.table.snapshot()
    assert len(snapshot) == 2
    assert snapshot.listed() is None
    snapshot.close()


def test_queries_have_bounds() -> None:
    bench = Bench()
    snapshot = bench.table.snapshot()
    octets = bench.table.plan.octets

    def shapes(count: int) -> list[tuple[bytes, bytes]]:
        return [(bytes([number]) + bytes(octets - 1), bytes(octets)) for number in range(1, count + 1)]

    assert len(snapshot.matches(shapes(MOST_SHAPES))) == 0
    with pytest.raises(ValueError, match="different choices"):
        snapshot.matches(shapes(MOST_SHAPES + 1))
    with pytest.raises(ValueError, match="octets"):
        snapshot.matches([(b"", b"")])
    assert len(snapshot.matches([])) == 0
    snapshot.close()


def test_numbers_of_entries_have_bounds() -> None:
    bench = Bench()
    bench.add(1)
    snapshot = bench.table.snapshot()
    with pytest.raises(IndexError):
        bench.table.sums.clear(snapshot, np.array([1], np.uint32))
    snapshot.close()


def test_all_may_be_forgotten_at_once() -> None:
    bench = Bench()
    bench.add(*range(300))
    snapshot = bench.table.snapshot()
    bench.add(*range(300))
    assert len(snapshot) == 300
    del bench, snapshot
    gc.collect()
