from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.correlate.bins import DAY, HOUR, Bins, Deadlines, Length, parse_length, round_off

ZURICH = ZoneInfo("Europe/Zurich")


def at(text: str, zone: ZoneInfo | None = None) -> float:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=zone or UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("60", Length(seconds=60)),
        ("90", Length(seconds=90)),
        ("90s", Length(seconds=90)),
        ("5m", Length(seconds=300)),
        ("2h", Length(seconds=2 * HOUR)),
        ("1d", Length(days=1)),
        ("2w", Length(days=14)),
        ("3M", Length(months=3)),
    ],
)
def test_lengths(text: str, length: Length) -> None:
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "0", "0m", "m", "5y", "-5m", "5 m", "1.5h", "13M", "367d", "9999999999s", "٣m"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ValueError, match=r"year|unit|length"):
        parse_length(text)


@pytest.mark.parametrize(
    ("letters", "base"),
    [
        ("", "2026-11-20T15:46:00"),
        ("m", "2026-11-20T15:00:00"),
        ("h", "2026-11-20T00:00:00"),
        ("mh", "2026-11-20T00:00:00"),
        ("d", "2026-11-01T00:00:00"),
        ("w", "2026-11-15T00:00:00"),
        ("M", "2026-01-01T00:00:00"),
    ],
)
def test_the_letters_round_off_their_units(letters: str, base: str) -> None:
    assert round_off(at("2026-11-20T15:46:38.5"), letters, UTC) == at(base)
    assert round_off(at("2026-11-20T15:46:38.5", ZURICH), letters, ZURICH) == at(base, ZURICH)


@pytest.mark.parametrize(
    ("start", "bin_start"),
    [
        ("10:07:05", "10:07:00"),
        ("10:07:00", "10:07:00"),
        ("10:06:59", "10:06:00"),
        ("10:06:00", "10:06:00"),  # on an older boundary: pmacct says 10:05
        ("10:05:30", "10:05:00"),
        ("10:09:10", "10:09:00"),
    ],
)
def test_a_bin_holds_what_starts_in_it(start: str, bin_start: str) -> None:
    bins = Bins(Length(seconds=60), round_off(at("2026-11-20T10:07:20"), "m", UTC), 0, UTC)
    assert bins.around(at(f"2026-11-20T{start}"))[0] == at(f"2026-11-20T{bin_start}")


def test_an_offset_moves_bins_back() -> None:
    bins = Bins(Length(seconds=300), round_off(at("2026-11-20T10:02:30"), "m", UTC), 60, UTC)
    assert bins.around(at("2026-11-20T10:02:30")) == (at("2026-11-20T09:59:00"), at("2026-11-20T10:04:00"))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29T12:00:00", 23), ("2026-10-25T12:00:00", 25), ("2026-06-01T12:00:00", 24)]
)
def test_days_follow_the_calendar(day: str, hours: int) -> None:
    bins = Bins(Length(days=1), round_off(at("2026-01-15T08:00:00", ZURICH), "h", ZURICH), 0, ZURICH)
    start, end = bins.around(at(day, ZURICH))
    assert end - start == hours * HOUR
    assert datetime.fromtimestamp(start, ZURICH).hour == 0


def test_months_have_their_own_lengths() -> None:
    bins = Bins(Length(months=1), round_off(at("2026-11-20T15:00:00"), "d", UTC), 0, UTC)
    start, end = bins.around(at("2028-02-29T23:59:59"))
    assert (start, end) == (at("2028-02-01T00:00:00"), at("2028-03-01T00:00:00"))
    assert end - start == 29 * DAY


def test_a_bin_before_another() -> None:
    bins = Bins(Length(months=1), round_off(at("2026-11-20T15:00:00"), "M", UTC), 0, UTC)
    assert bins.before(int(at("2026-03-01T00:00:00")), 2) == at("2026-01-01T00:00:00")


LENGTHS = st.one_of(
    st.integers(1, DAY).map(lambda n: Length(seconds=n)),
    st.integers(1, 40).map(lambda n: Length(days=n)),
    st.integers(1, 12).map(lambda n: Length(months=n)),
)


@given(
    LENGTHS, st.integers(10**9, 2**32), st.integers(1, 2**33), st.integers(0, 50_000), st.sampled_from([UTC, ZURICH])
)
def test_bins_cover_time_without_gap(length: Length, now: int, when: int, offset: int, zone: ZoneInfo) -> None:
    bins = Bins(length, round_off(now, "m", zone), offset, zone)
    start, end = bins.around(when)
    assert start <= when < end
    assert bins.around(start) == bins.around(end - 1) == (start, end)
    assert bins.around(end)[0] == end


def test_flushes_are_aligned_to_the_base_and_not_to_the_start() -> None:
    deadlines = Deadlines(10, 0, 1000, 1034.5)
    assert deadlines.next == 1040
    assert not deadlines.take(1039.9)
    assert deadlines.take(1040)
    assert deadlines.next == 1050


def test_a_stall_is_made_up_for_by_one_flush() -> None:
    deadlines = Deadlines(10, 0, 1000, 1034)
    assert deadlines.take(1095)
    assert deadlines.next == 1100


def test_the_first_flush_is_delayed_and_the_others_follow_it() -> None:
    deadlines = Deadlines(60, 25, 960, 1034)
    assert deadlines.next == 1105
    assert deadlines.take(1105)
    assert deadlines.next == 1165


def test_a_clock_that_is_set_back_does_not_stop_flushes() -> None:
    deadlines = Deadlines(10, 0, 1000, 90_000)
    assert not deadlines.take(2003)
    assert deadlines.next == 2010
