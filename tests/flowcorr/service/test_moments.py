"""Times in rows, beside those of `datetime`."""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from flowcorr.service import _pieces as r
from tests.flowcorr.service.rows import NOW, SECOND, Rows, one_json


@pytest.mark.parametrize(
    ("layout", "exact", "stamp", "none"),
    [
        (r.PLAIN, "2026-09-21 14:13:20.000007", "2026-09-21 14:13:00", "0000-00-00 00:00:00.000000"),
        (
            r.RFC9557,
            "2026-09-21T14:13:20.000007+00:00",
            "2026-09-21T14:13:00+00:00",
            "0000-00-00T00:00:00.000000+00:00",
        ),
        (r.SINCE_EPOCH, f"{NOW}.000007", str(NOW // 60 * 60), "0.000000"),
    ],
)
def test_layouts_of_times(layout: int, exact: str, stamp: str, none: str) -> None:
    values = {"timestamp_start": NOW * SECOND + 7}
    row = one_json("timestamp_start, timestamp_end", values, time_layout=layout, has_history=True)
    assert (row["timestamp_start"], row["stamp_inserted"], row["timestamp_end"]) == (exact, stamp, none)


def test_whole_seconds_keep_the_layout() -> None:
    row = one_json("timestamp_start", {"timestamp_start": NOW * SECOND + 7}, whole_seconds=True)
    assert row["timestamp_start"] == "2026-09-21 14:13:20.000000"


@pytest.fixture(params=["Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


def test_times_are_those_of_the_zone(zone: ZoneInfo) -> None:
    assert os.environ["TZ"] == zone.key
    moments = [1, NOW, *range(1_774_000_000, 1_806_000_000, 86_399), 4_102_444_799, 7_258_118_399]
    rows = Rows("timestamp_end, timestamp_start")
    for moment in moments:
        rows.add(timestamp_start=moment * SECOND, timestamp_end=(moment + 900) * SECOND)
    shown = rows.json(utc=False, time_layout=r.RFC9557)
    for moment, row in zip(moments, shown, strict=True):
        expected = datetime.fromtimestamp(moment, zone).isoformat(timespec="microseconds")
        assert row["timestamp_start"] == expected[:32]


def test_stitched_records_show_their_spell() -> None:
    rows = Rows("timestamp_arrival, proto", stitching=True)
    rows.add(bin_time=NOW * SECOND, time_end=(NOW + 3) * SECOND + 1)
    [row] = rows.json(has_spell=True)
    assert list(row)[2:] == ["timestamp_arrival", "timestamp_min", "timestamp_max", "packets", "bytes"]
    assert (row["timestamp_min"], row["timestamp_max"]) == ("2026-09-21 14:13:20.000000", "2026-09-21 14:13:23.000001")
