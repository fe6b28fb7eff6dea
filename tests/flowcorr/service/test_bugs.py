"""Our own bugs on the way of a flow: each costs what was at hand, and reading goes on."""

import socket
from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
from numpy.typing import NDArray
from twisted.internet.task import Clock

from flowcorr.collect._datagrams import Datagrams
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.service._udp import Receiver
from flowcorr.service.bugs import AT_MOST_PER_MINUTE, Bugs
from flowcorr.service.pipeline import Outlet, Pipeline
from flowcorr.service.udp_input import UdpInput
from routed.plumbing.rate_limit import WINDOW
from tests.flowcorr.exports import NOW, packed, v5, v5_record
from tests.flowcorr.service.flows import Kept

BAD, GOOD = "192.0.2.66", "192.0.2.1"


def fails(_what: object) -> bool:
    raise ValueError("a bug")


class Taken:
    """A plugin that keeps how many flows it got and their tags, or fails."""

    def __init__(self, name: str, *, works: bool = True) -> None:
        self.name, self.flows, self._works = name, 0, works
        self.tags: list[int] = []

    def take(self, batch: Batch, mask: NDArray[np.uint8] | None) -> None:  # noqa: ARG002 (as plugins have it)
        if not self._works:
            fails(batch)
        self.flows += len(batch)
        self.tags += [int(tag) for tag in batch.rows["tag"]]


def vector(*senders: str) -> Datagrams:
    found = Datagrams(len(senders))
    for n, sender in enumerate(senders):
        found.append(v5(v5_record(octets=n + 1)), packed(sender), 9995, NOW)
    return found


def pipeline(stages: list[Callable[[Batch], object]], outlets: list[Outlet]) -> tuple[Pipeline, Batch]:
    layout, texts = Layout([*ALWAYS, BUILTIN["tag"]]), Texts()
    return Pipeline(texts, Bugs(Mock(), lambda: 0.0), lambda: None, stages, outlets), Batch(layout, 8)


def test_a_datagram_that_cannot_be_read_is_left() -> None:
    kept = Kept(allow=lambda address: address != packed(BAD) or fails(address))
    kept.flows.take(vector(GOOD, BAD, GOOD, BAD))
    kept.flows.take(vector(BAD))
    kept.flows.take(vector(GOOD))
    kept.flows.flush()
    assert [row["bytes"] for row in kept.rows] == [1, 3, 1]
    assert kept.bugs.counters.bugs_total == kept.input.intake.refused["bug"] == 3


def test_a_bug_outside_of_the_walk_ends_these_datagrams_alone() -> None:
    kept = Kept()
    kept.input.intake._answers = {}  # not even the first exporter can be met
    kept.flows.take(vector(GOOD, GOOD))
    assert kept.bugs.counters.bugs_total == 2
    assert not kept.input.intake.leave()


def test_the_socket_is_read_on() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(0)
    clock, broken = Clock(), [True]
    kept = Kept(allow=lambda address: not broken[0] or fails(address))
    clock.addReader, clock.removeReader = Mock(), Mock()  # type: ignore[attr-defined]  # a reactor has both
    flows = UdpInput(clock, ours, kept.flows, receiver=Receiver(4))
    theirs.send(v5(v5_record()))
    flows.doRead()
    broken[0] = False
    theirs.send(v5(v5_record()))
    clock.advance(1)
    assert (len(kept.rows), kept.bugs.counters.bugs_total) == (1, 1)
    flows.stopService()
    theirs.close()


def test_a_stage_that_fails_costs_its_batch() -> None:
    works = Taken("a")
    stages: list[Callable[[Batch], object]] = [fails]
    run, batch = pipeline(stages, [Outlet(works), Outlet(Taken("b"))])
    batch.append(bytes=1)
    run.run(batch)
    assert (len(batch), works.flows) == (0, 0)
    stages.clear()
    batch.append(bytes=2)
    run.run(batch)
    assert works.flows == 1
    assert (run.bugs.counters.bugs_total, run.bugs.counters.flows_lost) == (1, 2)


def test_a_plugin_that_fails_costs_no_other_one() -> None:
    def tag(batch: Batch) -> None:
        batch.rows["tag"] = 7

    broken, works = Taken("broken", works=False), Taken("works")
    run, batch = pipeline([], [Outlet(broken, stages=[tag], writes=["tag"]), Outlet(works)])
    batch.append(tag=1)
    run.run(batch)
    assert works.tags == [1]
    assert run.bugs.counters.flows_lost == 1


def test_what_is_done_from_time_to_time_is_done_again() -> None:
    bugs, done = Bugs(Mock(), lambda: 0.0), []
    bugs.contain("a place", lambda: fails(None))
    bugs.contain("a place", lambda: done.append(1))
    assert (bugs.counters.bugs_total, done) == (1, [1])


def test_tracebacks_are_logged_a_few_times_a_minute() -> None:
    log, now = Mock(), [0.0]
    bugs = Bugs(log, lambda: now[0])

    def meet(times: int) -> list[str]:
        log.error.reset_mock()
        for _ in range(times):
            try:
                fails(None)
            except ValueError as error:
                bugs.in_datagram(error)
        return [call.args[0] for call in log.error.call_args_list]

    lines = meet(AT_MOST_PER_MINUTE + 3)
    assert lines.count("ValueError: a bug") == lines.count("bug in a datagram") == AT_MOST_PER_MINUTE
    assert any("in fails" in line for line in lines)
    now[0] += WINDOW
    assert meet(1)[0] == "bug in a datagram (3 more like this were not logged)"
    assert bugs.counters.bugs_total == AT_MOST_PER_MINUTE + 4
