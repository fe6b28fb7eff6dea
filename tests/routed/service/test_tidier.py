from typing import Any, cast

from twisted.internet.task import Clock

from routed.rib._rib import Rib
from routed.service.sweeper import Sweeper
from routed.service.tidier import INTERVAL, Tidier
from tests.routed.service.collector_rig import Turns
from tests.routed.service.doubles import bugs_logged


class Stores:
    """Takes so many steps until it is tidy."""

    def __init__(self) -> None:
        self.left = self.steps = 0
        self.bug: Exception | None = None

    def tidy(self) -> bool:
        self.steps += 1
        self.left -= 1
        if self.bug is not None:
            raise self.bug
        return self.left > 0


class Rig:
    def __init__(self, clock: Clock | None = None) -> None:
        self.clock, self.stores = clock or Clock(), Stores()
        sweeper = Sweeper(self.clock, seconds=self.clock.seconds)
        self.tidier = Tidier(self.clock, cast("Rib", self.stores), sweeper)

    def wait(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(INTERVAL)


def test_there_is_a_look_every_now_and_then() -> None:
    rig = Rig()
    rig.tidier.start()
    assert rig.stores.steps == 0
    rig.wait(3)
    assert rig.stores.steps == 3
    rig.stores.left = 5
    rig.wait()
    assert rig.stores.steps == 3 + 5


def test_many_steps_take_several_turns() -> None:
    rig = Rig(Turns())
    sweeper = Sweeper(rig.clock, seconds=iter(range(1000)).__next__)
    rig.tidier = Tidier(rig.clock, cast("Rib", rig.stores), sweeper)
    rig.stores.left = 5
    rig.tidier.start()
    rig.clock.rightNow += INTERVAL
    seen = []
    while cast("Turns", rig.clock).turn():
        seen.append(rig.stores.steps)
    assert seen[-1] == 5
    assert len(set(seen)) > 2


def test_a_stop_is_final() -> None:
    rig = Rig()
    rig.tidier.stop()
    rig.tidier.start()
    rig.tidier.stop()
    rig.wait()
    assert rig.stores.steps == 0
    assert rig.clock.calls == []


def test_a_stop_ends_a_walk_that_is_under_way() -> None:
    rig = Rig(Turns())
    turns: Any = rig.clock
    sweeper = Sweeper(rig.clock, seconds=iter(range(1000)).__next__)
    rig.tidier = Tidier(rig.clock, cast("Rib", rig.stores), sweeper)
    rig.stores.left = 1000
    rig.tidier.start()
    rig.clock.rightNow += INTERVAL
    turns.turn()
    turns.turn()
    steps = rig.stores.steps
    rig.tidier.stop()
    while turns.turn():
        pass
    assert 0 < rig.stores.steps <= steps + 1
    assert rig.clock.calls == []


def test_a_bug_is_said_and_there_is_another_look() -> None:
    rig = Rig()
    rig.tidier.start()
    rig.stores.bug = KeyError("bug")
    with bugs_logged() as bugs:
        rig.wait()
    assert bugs == [("giving memory back", KeyError)]
    rig.stores.bug = None
    rig.wait()
    assert rig.stores.steps == 2
