"""Look-ups that follow tables while nobody asks."""

from twisted.internet.task import Clock

from flowcorr.service.following import CHANGES, INTERVAL, Following


class Behind:
    """What has so many changes to take over."""

    def __init__(self, changes: int) -> None:
        self.changes = changes
        self.looks = 0

    def follow(self, most: int) -> bool:
        self.looks += 1
        self.changes = max(0, self.changes - most)
        return not self.changes


def test_much_is_taken_over_in_slices_with_turns_of_the_reactor_between() -> None:
    clock, one, other = Clock(), Behind(3 * CHANGES), Behind(0)
    following = Following(clock, [one, other])
    following.start()
    assert one.changes == 2 * CHANGES
    clock.advance(0)
    assert (one.changes, other.looks) == (0, 3)


def test_without_changes_it_looks_again_later_until_it_is_stopped() -> None:
    clock, one = Clock(), Behind(0)
    following = Following(clock, [one])
    following.start()
    clock.advance(INTERVAL)
    assert one.looks == 2
    following.stop()
    assert not clock.getDelayedCalls()
