from collections.abc import Iterator
from functools import partial

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.service.sweeper import SLICE, STEPS, Sweeper


class Ticks:
    """A clock that goes on by a part of a slice at each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += SLICE / 4
        return self.now


def steps(done: list[str], name: str, count: int) -> Iterator[None]:
    for number in range(count):
        done.append(f"{name}{number}")
        yield


def run_one_turn(clock: Clock) -> None:
    [call] = clock.calls
    clock.calls.remove(call)
    call.func(*call.args, **call.kw)


def test_a_walk_goes_on_in_slices_and_says_when_it_is_done() -> None:
    clock, done, ended = Clock(), list[str](), list[None]()
    Sweeper(clock, Ticks()).walk(steps(done, "a", 10)).addCallback(ended.append)
    assert done == []
    run_one_turn(clock)
    first = len(done)
    assert 1 < first < 10
    assert not ended
    clock.advance(0)
    assert len(done) == 10
    assert ended == [None]


def test_walks_share_the_slices() -> None:
    clock, done = Clock(), list[str]()
    sweeper = Sweeper(clock, Ticks())
    sweeper.walk(steps(done, "a", 3))
    sweeper.walk(steps(done, "b", 3))
    clock.advance(0)
    assert sorted(done[:4]) == ["a0", "a1", "b0", "b1"]
    assert len(done) == 6


def test_a_walk_that_fails_says_so_and_the_others_go_on() -> None:
    def broken() -> Iterator[None]:
        yield
        raise RuntimeError("bug")

    clock, done, failures = Clock(), list[str](), list[Failure]()
    sweeper = Sweeper(clock, Ticks())
    sweeper.walk(broken()).addErrback(failures.append)
    sweeper.walk(steps(done, "a", 3))
    clock.advance(0)
    assert [failure.type for failure in failures] == [RuntimeError]
    assert len(done) == 3


def test_the_clock_of_the_machine_bounds_a_slice_by_default() -> None:
    clock, done = Clock(), list[str]()
    Sweeper(clock).walk(steps(done, "a", 1))
    clock.advance(0)
    assert done == ["a0"]


def step(done: list[str]) -> bool:
    done.append("step")
    return False


class Asked(Clock):
    """A reactor somebody asks, who is heard when it attends."""

    def __init__(self, done: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bare in Twisted
        self._done = done

    def attend(self) -> None:
        self._done.append("answer")


def test_questions_are_answered_between_the_steps_of_a_walk() -> None:
    done: list[str] = []
    clock = Asked(done)
    Sweeper(clock, lambda: 0.0).walk(steps(done, "a", 2))
    run_one_turn(clock)
    assert done == ["a0", "answer", "a1", "answer", "answer"]


def test_work_that_is_soon_over_needs_no_walk() -> None:
    done: list[str] = []
    left = iter((False, False, True))
    clock = Asked(done)
    assert Sweeper(clock).begin(lambda: next(left), lambda: True)
    assert done == ["answer", "answer"]
    assert not clock.calls


def test_work_that_takes_longer_or_may_not_go_on_is_left_to_a_walk() -> None:
    done: list[str] = []
    sweeper = Sweeper(Asked(done))
    assert not sweeper.begin(partial(step, done), lambda: True)
    assert done.count("step") == STEPS
    done.clear()
    assert not sweeper.begin(partial(step, done), lambda: False)
    assert done == ["step"]
