import pytest

from routed.service.admission import Batch, Slots, Standing, Verdict, judge_duplicate, residual_hold_time


def test_the_lowest_free_slot_is_given_out_first() -> None:
    slots = Slots(3)
    assert [slots.take() for _ in range(3)] == [0, 1, 2]
    assert not slots.any_free
    slots.give_back(2)
    slots.give_back(0)
    assert slots.in_use == 1
    assert [slots.take(), slots.take()] == [0, 2]


@pytest.mark.parametrize(("size", "interval"), [(0, 0), (0, 10), (5, 0)])
def test_batches_need_a_size_and_an_interval(size: int, interval: int) -> None:
    batch = Batch(size, interval)
    assert all(batch.admit(0.0) for _ in range(100))


def test_a_batch_is_counted_from_its_first_peer() -> None:
    batch = Batch(2, 10)
    assert [batch.admit(now) for now in (5, 6, 7, 14.9)] == [True, True, False, False]
    assert [batch.admit(now) for now in (15, 16, 17)] == [True, True, False]


def standing(*, heard: float = 100, hold_time: int = 180, graceful_restart: bool = False) -> Standing:
    return Standing(last_heard=heard, hold_time=hold_time, graceful_restart=graceful_restart)


def test_a_session_is_silent_after_half_its_hold_time() -> None:
    assert judge_duplicate(standing(), 190) is Verdict.REFUSE
    assert judge_duplicate(standing(), 190.1) is Verdict.REPLACE_SILENT


def test_a_session_without_timers_gives_way() -> None:
    assert judge_duplicate(standing(hold_time=0), 100) is Verdict.REPLACE_SILENT


def test_a_new_connection_of_a_graceful_peer_means_that_it_restarted() -> None:
    assert judge_duplicate(standing(graceful_restart=True), 100) is Verdict.REPLACE_RESTARTED


def test_the_residual_hold_time_is_never_negative() -> None:
    assert [residual_hold_time(standing(), now) for now in (100, 150.4, 300)] == [180, 130, 0]
