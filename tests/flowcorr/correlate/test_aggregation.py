"""Aggregation beside a slow one of dictionaries."""

import gc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.columns.record_type import FIRST_WITHOUT_COUNTERS, RecordType
from flowcorr.correlate._groupby import ALL_TIME, GroupBy
from flowcorr.correlate.aggregate import KeyPlan, parse_aggregate
from flowcorr.correlate.aggregation import (
    CROWD_PATIENCE,
    MOST_BINS,
    SECOND,
    Aggregation,
    AggregationSettings,
    Finished,
)
from flowcorr.correlate.bins import Length

BIN = 60
MINUTES = Length(seconds=BIN)
START = 6_000


class Bench:
    """An aggregation with a batch to fill."""

    def __init__(self, primitives: str, now: float = START, **settings: Any) -> None:
        aggregate = parse_aggregate(primitives, "nfacctd")
        self.settings = AggregationSettings(**settings)
        self.layout = Layout([*ALWAYS, *aggregate.columns, *self.settings.columns])
        self.texts = Texts()
        self.aggregation = Aggregation(self.layout, aggregate, self.texts, self.settings, now)
        self.batch = Batch(self.layout, 4096)

    def add(self, *rows: dict[str, Any], now: float = START, mask: Iterable[int] | None = None) -> None:
        for row in rows:
            self.batch.append(**row)
        self.aggregation.add(self.batch, None if mask is None else np.array(list(mask), np.uint8), now)
        self.batch.clear()
        self.texts.sweep()

    def key(self, entry: bytes, name: str) -> int:
        column, place = self.layout.columns[name], self.aggregation.plan.places[name]
        return int.from_bytes(entry[place : place + column.kind.width], "little")

    def found(self, flushes: Iterable[Finished], *names: str) -> dict[tuple[int, ...], tuple[int, int, int]]:
        """Return packets, bytes and flows by the start of the bin in seconds and the columns named."""
        found: dict[tuple[int, ...], tuple[int, int, int]] = {}
        for flush in flushes:
            for bin_ in flush.bins:
                for key, packets, octets, flows, *_ in bin_.entries():
                    where = (bin_.start // SECOND, *(self.key(key, name) for name in names))
                    sums = found.get(where, (0, 0, 0))
                    found[where] = (sums[0] + packets, sums[1] + octets, sums[2] + flows)
        return found


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "dst_as": st.integers(0, 9),
            "tos": st.integers(0, 3),
            "packets": st.integers(0, 2**40),
            "bytes": st.integers(0, 2**40),
            "flows": st.integers(0, 3),
            "bin_time": st.one_of(st.just(0), st.integers((START - 200) * SECOND, (START + 200) * SECOND)),
            "record_type": st.sampled_from([RecordType.IPV4, RecordType.IPV6, RecordType.EVENT]),
        }
    ),
    max_size=300,
)


@given(ROWS, st.integers(1, 40), st.data())
def test_sums_are_those_of_a_dictionary(rows: list[dict[str, int]], most: int, data: st.DataObject) -> None:
    bench = Bench("dst_as, tos", history=MINUTES, roundoff="m", most_entries=most)
    mask = data.draw(st.one_of(st.none(), st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows))))
    bench.add(*rows, mask=mask)
    flushes = bench.aggregation.take_all()
    expected: dict[tuple[int, ...], tuple[int, int, int]] = {}
    for row, taken in zip(rows, mask or [1] * len(rows), strict=True):
        if taken:
            seconds = (row["bin_time"] or START * SECOND) // SECOND
            where = (seconds // BIN * BIN, row["dst_as"], row["tos"])
            sums = expected.get(where, (0, 0, 0))
            expected[where] = (sums[0] + row["packets"], sums[1] + row["bytes"], sums[2] + row["flows"])
    assert bench.found(flushes, "dst_as", "tos") == expected
    assert all(len(flush) <= most for flush in flushes)
    assert bench.aggregation.entries == sum(map(len, flushes))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=200), st.integers(1, 50))
def test_texts_live_as_long_as_their_entries(texts: list[bytes], slice_: int) -> None:
    bench = Bench("as_path, std_comm")
    bench.add(*({"as_path": bench.texts.id_of(text), "packets": 1} for text in texts))
    kept = {text for text in texts if text}
    assert bench.texts.count == len(kept)
    [flush] = bench.aggregation.take_all()
    named = {bench.texts.octets_of(bench.key(entry[0], "as_path")) for entry in flush.bins[0].entries()}
    assert named == set(texts)
    while not flush.release(slice_):
        pass
    assert bench.texts.count == 0
    assert bench.aggregation.entries == 0


def test_entries_that_are_dropped_let_go_of_their_texts() -> None:
    bench = Bench("as_path")
    bench.add({"as_path": bench.texts.id_of(b"64500")})
    del bench.aggregation
    gc.collect()
    assert bench.texts.count == 0


def test_flags_are_collected_and_no_key() -> None:
    bench = Bench("tcpflags, tunnel_tcpflags, proto")
    bench.add({"tcpflags": 2, "proto": 6}, {"tcpflags": 0x90, "tunnel_tcpflags": 4, "proto": 6})
    [flush] = bench.aggregation.take_all()
    [entry] = flush.bins[0].entries()
    assert entry[4:6] == (0x92, 4)


def test_events_share_no_entry_with_flows() -> None:
    assert FIRST_WITHOUT_COUNTERS == RecordType.EVENT
    bench = Bench("proto")
    bench.add({"proto": 6, "record_type": RecordType.SRV6_IPV6}, {"proto": 6, "record_type": RecordType.EVENT})
    assert bench.aggregation.open_entries == 2


def test_both_directions_count_on_one_key() -> None:
    bench = Bench("sum_as, flows")
    bench.add({"src_as": 1, "dst_as": 2, "packets": 5}, {"src_as": 2, "dst_as": 3, "packets": 7})
    found = bench.found(bench.aggregation.take_all(), "src_as")
    assert {key[1]: sums[0] for key, sums in found.items()} == {1: 5, 2: 12, 3: 7}


def test_both_directions_where_the_table_is_full_between_them() -> None:
    bench = Bench("sum_host, tag", most_entries=1)
    source, destination = b"\x01" * 16, b"\x02" * 16
    bench.add({"src_host": source, "dst_host": destination, "packets": 5})
    flushes = bench.aggregation.take_all()
    assert [len(flush) for flush in flushes] == [1, 1]
    assert [flush.is_early for flush in flushes] == [True, False]


def test_a_full_table_is_written_early_and_nothing_is_lost() -> None:
    bench = Bench("dst_as", most_entries=3)
    bench.add(*({"dst_as": number % 5, "packets": 1} for number in range(100)))
    assert bench.aggregation.due(START)
    early = bench.aggregation.take_finished(START)
    assert all(flush.is_early and len(flush) == 3 for flush in early)
    assert bench.aggregation.flushed_early == len(early)
    sums = bench.found([*early, *bench.aggregation.take_all()], "dst_as")
    assert sum(packets for packets, _, _ in sums.values()) == 100


def test_times_over_centuries_open_a_bounded_number_of_bins() -> None:
    bench = Bench("dst_as", history=Length(seconds=1), replays=True)
    for first in range(0, 3 * MOST_BINS, 1024):
        rows = ({"bin_time": (number * 977 + 1) * SECOND, "packets": 1} for number in range(first, first + 1024))
        bench.add(*rows)
    assert bench.aggregation.flushed_early == 2
    sums = bench.found(bench.aggregation.take_all())
    assert len(sums) == 3 * MOST_BINS


def over_centuries(bench: Bench, numbers: range, now: float) -> None:
    for number in numbers:
        bench.batch.append(bin_time=(number * 977 + 1) * SECOND, packets=1)
        if len(bench.batch) == bench.batch.capacity or number == numbers[-1]:
            bench.add(now=now)


def test_an_exporter_without_a_clock_cannot_have_bins_written_again_and_again() -> None:
    """Each is a file. The first crowd may be a coincidence; of the next one records count when they come."""
    bench = Bench("dst_as", history=MINUTES)
    over_centuries(bench, range(2 * MOST_BINS), START)
    over_centuries(bench, range(2 * MOST_BINS, 5 * MOST_BINS), START + BIN - 1)
    assert (bench.aggregation.flushed_early, bench.aggregation.misdated) == (1, 3 * MOST_BINS)
    flushes = bench.aggregation.take_finished(START + BIN - 1)
    sums = bench.found([*flushes, *bench.aggregation.take_all()])
    assert len(sums) == 2 * MOST_BINS + 1
    assert sums[START,] == (3 * MOST_BINS, 0, 0)


def test_after_a_while_a_crowd_of_bins_is_written_once_more() -> None:
    bench = Bench("dst_as", history=MINUTES)
    over_centuries(bench, range(MOST_BINS + 1), START)
    over_centuries(bench, range(MOST_BINS + 1, 2 * MOST_BINS + 1), START + CROWD_PATIENCE)
    assert (bench.aggregation.flushed_early, bench.aggregation.misdated) == (2, 0)


def test_a_crowd_ends_when_bins_are_written() -> None:
    bench = Bench("dst_as", history=MINUTES)
    over_centuries(bench, range(2 * MOST_BINS + 7), START)
    assert bench.aggregation.misdated == 7
    bench.aggregation.take_finished(START + BIN)
    over_centuries(bench, range(9, 12), START + BIN)
    assert bench.aggregation.misdated == 7


@pytest.mark.parametrize("lasts", [1, 10 * BIN])
def test_records_that_are_spread_find_one_bin_in_a_crowd(lasts: int) -> None:
    bench = Bench("dst_as", history=MINUTES, pro_rating=True)
    over_centuries(bench, range(2 * MOST_BINS), START)
    for start in (START - 3 * BIN, START, START + 100 * BIN):
        bench.add({"bin_time": start * SECOND, "time_end": (start + lasts) * SECOND, "packets": 10, "flows": 1})
    sums = bench.found(bench.aggregation.take_all())
    assert sums[START,] == (30, 0, 3)


@pytest.mark.parametrize("when", [-1, 7_258_118_400 * SECOND, 2**63 - 1])
def test_a_time_that_is_none_counts_at_the_arrival(when: int) -> None:
    bench = Bench("dst_as", history=MINUTES)
    bench.add({"bin_time": when, "packets": 1}, {"bin_time": 7_258_118_400 * SECOND - 1, "packets": 1})
    assert sorted(bench.found(bench.aggregation.take_all())) == [(START,), (7_258_118_340,)]


def test_a_refresh_within_a_bin_writes_what_there_is() -> None:
    bench = Bench("dst_as", history=MINUTES, refresh=20)
    bench.add({"packets": 1})
    [flush] = bench.aggregation.take_finished(START + 20)
    assert len(flush) == 1


def test_at_the_end_of_a_bin_the_next_one_is_held_back() -> None:
    bench = Bench("dst_as", history=MINUTES)
    ends = START + BIN
    bench.add({"bin_time": START * SECOND}, {"bin_time": (ends + 1) * SECOND}, {"bin_time": (START - 300) * SECOND})
    assert not bench.aggregation.take_finished(ends - 0.1)
    [flush] = bench.aggregation.take_finished(ends)
    assert [bin_.start // SECOND for bin_ in flush.bins] == [START - 300, START]
    [flush] = bench.aggregation.take_finished(ends + BIN)
    assert [bin_.start // SECOND for bin_ in flush.bins] == [ends]


def test_a_start_up_delay_holds_whole_bins_back() -> None:
    bench = Bench("dst_as", history=MINUTES, startup_delay=2 * BIN)
    bench.add(*({"bin_time": (START + number * BIN) * SECOND} for number in range(4)))
    assert bench.aggregation.deadline() == START + 3 * BIN
    [flush] = bench.aggregation.take_finished(START + 3 * BIN)
    assert [bin_.start // SECOND for bin_ in flush.bins] == [START]


def test_an_empty_flush_is_a_flush() -> None:
    bench = Bench("dst_as", refresh=10)
    [flush] = bench.aggregation.take_finished(START + 10)
    assert (len(flush), flush.is_early) == (0, False)
    assert bench.aggregation.take_finished(START + 10.5) == []


def test_without_history_a_flush_takes_everything() -> None:
    bench = Bench("dst_as")
    bench.add({"bin_time": 5}, {"bin_time": (START + 86_400) * SECOND})
    [flush] = bench.aggregation.take_finished(START + 60)
    assert (bench.aggregation.open_entries, flush.bins[0].has_times) == (0, False)
    assert [(bin_.start, bin_.end) for bin_ in flush.bins] == [ALL_TIME]


def test_stitching_keeps_the_first_start_and_the_last_end() -> None:
    bench = Bench("dst_as", stitching=True)
    second = SECOND
    bench.add(
        {"bin_time": 50 * second, "time_end": 60 * second + 900_000},
        {"bin_time": 40 * second, "time_end": 61 * second + 200_000},  # more seconds, fewer microseconds
    )
    bench.add({"dst_as": 1}, now=START + 7)
    [flush] = bench.aggregation.take_all()
    spells = [entry[6:8] for entry in flush.bins[0].entries()]
    assert spells == [(40 * second, 61_200_000), ((START + 7) * second, (START + 7) * second)]


def test_times_are_keys_in_whole_seconds_where_asked_for() -> None:
    rows = [{"timestamp_start": 7 * SECOND + fraction} for fraction in (0, 1, 999_999, SECOND)]
    for whole_seconds, entries in ((True, 2), (False, 4)):
        bench = Bench("timestamp_start", whole_seconds=whole_seconds)
        bench.add(*rows)
        assert bench.aggregation.open_entries == entries


@pytest.mark.parametrize(("dscp", "keys"), [(True, {46, 0}), (False, {184, 186, 0})])
def test_a_type_of_service_may_be_its_code_point(dscp: bool, keys: set[int]) -> None:
    """RFC 2474 section 3: without the two bits that RFC 3168 gave another meaning."""
    bench = Bench("tos", dscp=dscp)
    bench.add({"tos": 184}, {"tos": 186}, {})
    assert {tos for _start, tos in bench.found(bench.aggregation.take_all(), "tos")} == keys


def test_two_hours_over_three_bins() -> None:
    bench = Bench("dst_as", now=36_000, history=Length(seconds=3_600), roundoff="m", pro_rating=True)
    start = 36_000 + 600
    row = {"bin_time": start * SECOND, "time_end": (start + 7_200) * SECOND}
    bench.add({**row, "packets": 120, "bytes": 2**62, "flows": 1})
    found = bench.found(bench.aggregation.take_all())
    assert [sums[0] for _, sums in sorted(found.items())] == [50, 60, 10]
    assert [sums[2] for _, sums in sorted(found.items())] == [1, 0, 0]
    assert sum(sums[1] for sums in found.values()) == 2**62


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(START * SECOND, (START + 500) * SECOND),
    st.integers(0, 3_000 * SECOND),
)
def test_shares_add_up_and_follow_time(packets: int, octets: int, start: int, lasts: int) -> None:
    bench = Bench("dst_as", history=MINUTES, pro_rating=True)
    bench.add({"bin_time": start, "time_end": start + lasts, "packets": packets, "bytes": octets, "flows": 1})
    found = bench.found(bench.aggregation.take_all())
    assert [sum(sums[which] for sums in found.values()) for which in range(3)] == [packets, octets, 1]
    for (bin_start,), sums in found.items():
        overlap = min(start + lasts, (bin_start + BIN) * SECOND) - max(start, bin_start * SECOND)
        if lasts:
            assert abs(sums[1] - octets * overlap / lasts) <= 1 + octets * 1e-9


def test_a_record_over_too_many_bins_counts_where_it_starts() -> None:
    bench = Bench("dst_as", history=Length(seconds=1), pro_rating=True)
    end = START + 1_440
    bench.add({"bin_time": START * SECOND, "time_end": end * SECOND, "packets": 1_440})
    assert len(bench.found(bench.aggregation.take_all())) == 1_440
    bench.add({"bin_time": START * SECOND, "time_end": end * SECOND + 1, "packets": 1_440})
    assert bench.found(bench.aggregation.take_all()) == {(START,): (1_440, 0, 0)}
    assert bench.aggregation.unsplit == 1


def test_a_spread_record_that_finds_no_room_is_written_later_as_a_whole() -> None:
    bench = Bench("dst_as", history=MINUTES, pro_rating=True, most_entries=2)
    row = {"bin_time": START * SECOND, "time_end": (START + 5 * BIN) * SECOND, "packets": 50}
    bench.add({"dst_as": 1, "packets": 1}, row)
    flushes = bench.aggregation.take_all()
    assert [sums[0] for sums in bench.found(flushes[:1]).values()] == [1]
    assert sum(sums[0] for sums in bench.found(flushes).values()) == 51


def test_many_keys_take_little_memory_each() -> None:
    bench = Bench("src_host, dst_host, src_port, dst_port, proto")
    for first in range(0, 65_536, 4_096):
        for number in range(first, first + 4_096):
            bench.batch.append(src_port=number)
        bench.add()
    assert bench.aggregation.entries == 65_536
    assert bench.aggregation.octets / bench.aggregation.entries < 120


def group_by(**changes: Any) -> GroupBy:
    most_entries = changes.pop("most_entries", 10)
    plan = KeyPlan(**{"steps": (), "places": {}, "texts": (), "flag": 0, "octets": 8, **changes})
    return GroupBy(Layout(ALWAYS), Texts(), plan, most_entries)


@pytest.mark.parametrize(
    "changes",
    [
        {"octets": 12},
        {"flag": 8},
        {"most_entries": 0},
        {"most_entries": 2**31},
        {"texts": (5,)},
        {"steps": ((5, 0, (0,)),)},
        {"steps": ((8, 1, (0,)),)},
        {"steps": ((4, 0, (10_000,)),)},
        {"steps": ((4, 0, (-1,)),)},
    ],
)
def test_a_key_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"of a key|entries|of a row"):
        group_by(**changes)


def test_bins_that_overlap_are_refused() -> None:
    groups = group_by()
    groups.open_bin(10, 20)
    groups.open_bin(30, 40)
    for start, end in ((10, 20), (5, 11), (19, 25), (25, 31), (0, 100), (5, 5)):
        with pytest.raises(ValueError, match="no new bin"):
            groups.open_bin(start, end)
    groups.open_bin(20, 30)
    assert groups.open_bins == 3


def test_a_batch_of_another_layout_and_a_short_mask_are_refused() -> None:
    groups = group_by()
    with pytest.raises(ValueError, match="layout"):
        groups.add(Batch(Layout(ALWAYS), 1), None, 0, 0)
    batch = Batch(groups.layout, 2)
    batch.append()
    batch.append()
    with pytest.raises(ValueError, match="mask"):
        groups.add(batch, np.ones(1, np.uint8), 0, 0)
