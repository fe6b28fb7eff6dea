"""How often something may happen."""

import pytest

from routed.session.allowance import Allowance


def test_a_few_times_at_once_then_steadily() -> None:
    allowance = Allowance(2, 0.5)
    waits = []
    for _ in range(4):
        waits.append(allowance.wait(10.0))
        allowance.take(10.0)
    assert waits == [0.0, 0.0, 2.0, 4.0]
    assert allowance.wait(13.0) == pytest.approx(3.0)
    assert allowance.wait(16.0) == 0.0


def test_what_is_not_used_is_no_more_than_the_burst() -> None:
    allowance = Allowance(2, 1.0)
    allowance.take(0.0)
    for expected in (0.0, 0.0, 1.0):
        assert allowance.wait(1e9) == expected
        allowance.take(1e9)


def test_a_clock_that_stands_still_brings_nothing_back() -> None:
    allowance = Allowance(1, 1.0)
    allowance.take(5.0)
    assert [allowance.wait(5.0) for _ in range(3)] == [1.0, 1.0, 1.0]
