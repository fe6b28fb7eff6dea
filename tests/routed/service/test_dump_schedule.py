from ipaddress import ip_address

import pytest

from routed.service.dump_schedule import Due, Schedule, slot_of

HOUR = 1_795_186_800  # the top of some hour


@pytest.mark.parametrize(
    ("start", "refresh_time", "first"),
    [
        (HOUR + 3272, 300, HOUR + 3300),  # 11:54:32 -> 11:55:00
        (HOUR, 300, HOUR),
        (HOUR + 0.5, 300, HOUR + 300),
        (HOUR + 300, 300, HOUR + 300),
        (HOUR + 3599, 3600, HOUR + 3600),
        (HOUR + 3000, 420, HOUR + 3360),  # 7 minutes do not divide an hour
        (HOUR + 10, 86_400, HOUR + 86_400),
        (HOUR - 5, 60, HOUR),  # a clock that was set back meanwhile
    ],
)
def test_the_first_event_is_a_multiple_of_the_period_after_the_hour(
    start: float, refresh_time: int, first: int
) -> None:
    assert Schedule(start, HOUR, refresh_time, 1).next == Due(first, 0)


def test_events_follow_each_other_by_the_period() -> None:
    schedule = Schedule(HOUR, HOUR, 420, 1)
    assert schedule.period == 420
    taken = [due.at - HOUR for now in range(HOUR, HOUR + 4000, 60) if (due := schedule.take(now)) is not None]
    assert taken == [420 * n for n in range(10)]


def test_nothing_is_due_before_its_time() -> None:
    schedule = Schedule(HOUR + 1, HOUR, 60, 1)
    assert schedule.take(HOUR + 59.999) is None
    assert schedule.take(HOUR + 60) == Due(HOUR + 60, 0)
    assert schedule.take(HOUR + 60) is None


def test_slots_take_turns() -> None:
    schedule = Schedule(HOUR, HOUR, 60, 3)
    assert schedule.period == 20
    taken = [schedule.take(HOUR + 20 * n) for n in range(7)]
    assert taken == [Due(HOUR + 20 * n, n % 3) for n in range(7)]


def test_events_that_were_missed_are_not_made_up_for() -> None:
    schedule = Schedule(HOUR, HOUR, 60, 4)
    assert schedule.take(HOUR) == Due(HOUR, 0)
    assert schedule.take(HOUR + 100) == Due(HOUR + 90, 2)  # those at 15, 30, 45, 60 and 75 are not
    assert schedule.take(HOUR + 104.9) is None
    assert schedule.take(HOUR + 105) == Due(HOUR + 105, 3)


@pytest.mark.parametrize(
    ("address", "value"),  # as a C program with a signed 32-bit hash has it
    [
        ("10.0.0.1", 1_637_995_899),
        ("192.0.2.1", 2_086_605_986),
        ("255.255.255.255", 1_870_562_229),
        ("2001:db8::1", 640_129_549),
    ],
)
def test_peers_are_spread_by_a_hash_of_their_address(address: str, value: int) -> None:
    assert [slot_of(ip_address(address), slots) for slots in (1, 7, 60, 1 << 32)] == [0, value % 7, value % 60, value]


def test_slots_share_the_peers_evenly() -> None:
    slots = [slot_of(ip_address(f"10.0.{n // 256}.{n % 256}"), 4) for n in range(2000)]
    assert all(400 < slots.count(slot) < 600 for slot in range(4))
