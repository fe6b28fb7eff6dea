import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from routed.plumbing import sink_broker as module
from routed.plumbing.carrier import Reports
from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import SinkState, Watch
from routed.plumbing.sink_broker import CLOSE_PATIENCE, SPILL_AFTER, BrokerOptions, BrokerSink
from routed.plumbing.spool import Spool
from routed.plumbing.spooler import DISK_RETRY, LOCK_PATIENCE

PEER = Address("topic", b"192_0_2_1")
#: A queue that holds a handful of parcels; see OVERHEAD.
SMALL = BrokerOptions(bounds=Bounds(limit=8_000, full=2_000, drained=500))
ROOMY = 1 << 30


class Carrier:
    """A broker that confirms when a test says so."""

    def __init__(self) -> None:
        self.sent: list[Parcel] = []
        self.confirmed = 0
        self.closed = False
        self.reports: Reports

    def start(self, reports: Reports) -> None:
        self.reports = reports

    def send(self, parcels: Sequence[Parcel]) -> None:
        self.sent += parcels

    def reopen(self) -> None:
        self.confirmed = 0

    def close(self) -> Deferred[None]:
        self.closed = True
        return succeed(None)

    def confirm(self, count: int = 1_000_000) -> None:
        while self.confirmed < len(self.sent) and count:
            self.confirmed += 1
            count -= 1
            self.reports.delivered([self.sent[self.confirmed - 1].number])

    @property
    def rows(self) -> list[bytes]:
        return [one.octets for one in self.sent]


class Rig:
    def __init__(
        self,
        bench: Any,
        directory: Path | None = None,
        options: BrokerOptions = SMALL,
        limit: int = ROOMY,
        segment: int = 1_000,
    ) -> None:
        self.clock, self.carrier, self.bench = Clock(), Carrier(), bench
        self.states: list[SinkState] = []
        self.pressure: list[str] = []
        self.spool = None if directory is None else Spool(directory, limit, segment=segment)
        watch = Watch(self.states.append, lambda: self.pressure.append("full"), lambda: self.pressure.append("drained"))
        self.sink = BrokerSink(
            "kafka", self.carrier, self.spool, clock=self.clock, in_thread=bench, watch=watch, options=options
        )
        self.taken = 0

    def take(self, count: int = 1) -> None:
        for _ in range(count):
            self.sink.lane(PEER).write(b"row %d\n" % self.taken, 1)
            self.taken += 1

    def away(self) -> None:
        self.carrier.reports.down("no broker")
        self.clock.advance(SPILL_AFTER)
        self.clock.advance(SPILL_AFTER)

    def kill(self) -> None:
        """End as after kill -9: the system closes the files."""
        assert self.spool is not None
        self.spool.close()

    @property
    def said(self) -> list[str]:
        return [state.reason for state in self.states if state.reason]


def rows(count: int, first: int = 0) -> list[bytes]:
    return [b"row %d\n" % number for number in range(first, first + count)]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 1_000)  # three parcels and a bit


def test_rows_reach_the_carrier_in_order_with_their_address(bench: Any) -> None:
    rig = Rig(bench)
    rig.take(2)
    assert [(one.number, one.address, one.octets) for one in rig.carrier.sent] == [
        (1, PEER, b"row 0\n"),
        (2, PEER, b"row 1\n"),
    ]
    rig.carrier.confirm()
    assert (rig.sink.counters.rows_written, rig.sink.counters.octets_written) == (2, 12)
    assert rig.sink.levels.octets_waiting == 0


def test_no_more_than_a_window_flies(bench: Any) -> None:
    rig = Rig(bench)
    rig.take(6)
    assert len(rig.carrier.sent) == 4
    rig.carrier.confirm(1)
    assert len(rig.carrier.sent) == 5
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(6)


def test_without_a_spool_a_full_queue_pauses_and_is_bounded(bench: Any) -> None:
    rig = Rig(bench)
    rig.take(4 + 7)
    assert rig.pressure == []
    rig.take(1)
    assert rig.pressure == ["full"]
    rig.take(100)
    assert rig.sink.levels.octets_waiting <= 8_000 + 4 * 300
    lost = rig.sink.counters.rows_lost
    assert lost > 50
    assert rig.said == ["no room: whoever writes here waits", "rows are dropped: there is no room for them"]
    rig.carrier.confirm()
    assert rig.pressure == ["full", "drained"]
    assert rig.carrier.rows == rows(112 - lost)
    assert rig.sink.counters.pauses == 1


def test_a_slow_broker_makes_rows_go_through_the_spool_in_order(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.take(200)
    assert rig.pressure == []
    assert rig.spool is not None
    assert rig.spool.octets > 0
    assert rig.sink.levels.octets_waiting < 4_000
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(200)
    rig.clock.advance(SPILL_AFTER)
    assert rig.spool.octets == 0
    rig.take(1)
    assert rig.spool.octets == 0  # memory again
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(201)
    assert rig.sink.counters.rows_written == 201


def test_a_broker_that_is_away_has_everything_on_disk_within_seconds(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.take(6)
    rig.away()
    rig.take(2)
    rig.kill()
    again = Rig(bench, tmp_path)
    again.take(1)
    again.carrier.confirm()
    assert again.carrier.rows == [*rows(8), b"row 0\n"]
    assert again.carrier.sent[0].address == PEER
    assert "parcels 1 to 8 of an earlier run" in again.said[0]
    again.clock.advance(SPILL_AFTER)
    again.clock.advance(SPILL_AFTER)
    assert list(tmp_path.glob("*.spool")) == []


def test_what_was_confirmed_before_a_kill_is_not_sent_again(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.take(6)
    rig.away()
    rig.carrier.confirm(3)
    rig.clock.advance(SPILL_AFTER)
    rig.kill()
    again = Rig(bench, tmp_path)
    again.carrier.confirm()
    assert again.carrier.rows == rows(3, 3)


def test_a_full_spool_pauses_and_goes_on(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path, limit=3_000)
    while rig.pressure == []:
        rig.take(1)
    assert "spool is full" in rig.said
    assert rig.sink.counters.rows_lost == 0
    for _ in range(50):
        rig.carrier.confirm()
        rig.clock.advance(SPILL_AFTER)
    assert rig.pressure == ["full", "drained"]
    assert rig.carrier.rows == rows(rig.taken)


def test_the_policy_drop_loses_and_says_so(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path, BrokerOptions(bounds=SMALL.bounds, drops=True), limit=3_000)
    rig.take(100)
    assert rig.pressure == []
    assert rig.sink.counters.rows_lost > 0
    assert rig.said == ["spool is full", "rows are dropped: there is no room for them"]


def test_patient_producers_wait_for_a_slow_broker_and_not_for_one_that_is_away(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path, BrokerOptions(bounds=SMALL.bounds, patient=True))
    rig.take(12)
    assert rig.pressure == ["full"]
    assert rig.spool is not None
    assert rig.spool.octets == 0
    waited = rig.sink.ready()
    assert waited is not None
    rig.away()
    assert rig.spool.octets > 0
    assert waited.called
    assert rig.sink.ready() is None


def test_a_disk_that_refuses_keeps_rows_in_memory_until_it_takes_them(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(bench, tmp_path)

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    rig.take(13)
    assert any("No space left" in line for line in rig.said)
    assert rig.pressure == ["full"]
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(13)  # straight from memory
    assert rig.pressure == ["full", "drained"]
    monkeypatch.undo()
    rig.take(20)
    rig.clock.advance(1)
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(33)


def test_a_spool_that_cannot_be_had_is_done_without(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    rig = Rig(bench, tmp_path / "file")
    rig.take(3)
    assert "rows wait in memory alone" in rig.said[0]
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(3)


def test_a_process_that_has_the_spool_is_waited_for(bench: Any, tmp_path: Path) -> None:
    before = Spool(tmp_path, 1 << 20)
    before.open()
    before.append([Parcel(1, Address("a"), b"{}\n", 1)])
    rig = Rig(bench, tmp_path)
    rig.take(2)
    rig.clock.advance(DISK_RETRY)
    assert rig.said == [f"spool: process {os.getpid()} has {tmp_path}: tried again every 1 s"]
    before.close()
    rig.clock.advance(DISK_RETRY)
    rig.carrier.confirm()
    assert len(rig.carrier.rows) == 3


def test_a_process_that_keeps_the_spool_is_told_and_done_without(bench: Any, tmp_path: Path) -> None:
    other = Spool(tmp_path, 1 << 20)
    other.open()
    rig = Rig(bench, tmp_path)
    rig.take(2)
    for _ in range(int(LOCK_PATIENCE)):
        assert rig.carrier.rows == []
        rig.clock.advance(1.0)
    assert f"process {os.getpid()} has {tmp_path}: rows wait in memory alone" in rig.said[-1]
    rig.carrier.confirm()
    assert rig.carrier.rows == rows(2)


def test_what_comes_before_the_spool_is_open_follows_what_is_in_it(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.take(2)
    rig.away()
    rig.kill()
    bench.held = True
    again = Rig(bench, tmp_path)
    again.take(1)
    assert again.carrier.sent == []
    bench.held = False
    bench.run_all()
    again.carrier.confirm()
    assert again.carrier.rows == [*rows(2), b"row 0\n"]


def test_refused_rows_are_counted_and_said(bench: Any) -> None:
    rig = Rig(bench)
    rig.sink.lane(PEER).write(b"a\nb\n", 2)
    rig.carrier.reports.refused(1, 1, "Message size too large")
    rig.carrier.confirm()
    counters = rig.sink.counters
    assert (counters.rows_written, counters.rows_refused, counters.rows_lost) == (1, 1, 1)
    assert rig.said == ["rows are dropped: refused for good: Message size too large"]


def test_closing_waits_for_confirmations(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.carrier.reports.up()
    rig.take(6)
    over: list[None] = []
    rig.sink.close().addCallback(over.append)
    assert over == []
    rig.carrier.confirm()
    assert over == [None]
    assert rig.carrier.closed
    assert rig.carrier.rows == rows(6)
    assert list(tmp_path.glob("*.spool")) == []
    assert rig.clock.getDelayedCalls() == []


def test_closing_leaves_what_is_not_confirmed_in_the_spool(bench: Any, tmp_path: Path) -> None:
    rig = Rig(bench, tmp_path)
    rig.carrier.reports.up()
    rig.take(6)
    over: list[None] = []
    rig.sink.close().addCallback(over.append)
    rig.carrier.confirm(2)
    rig.clock.advance(CLOSE_PATIENCE)
    assert over == [None]
    assert rig.sink.counters.rows_lost == 0
    again = Rig(bench, tmp_path)
    again.carrier.confirm()
    assert again.carrier.rows == rows(4, 2)


def test_closing_without_broker_and_spool_says_what_is_lost(bench: Any) -> None:
    rig = Rig(bench)
    rig.carrier.reports.down("no broker")
    rig.take(6)
    over: list[None] = []
    rig.sink.close().addCallback(over.append)
    assert over == [None]
    assert rig.said == ["no broker", "closed with 6 rows that could not be delivered"]
    assert rig.sink.counters.rows_lost == 6
    rig.take(1)
    assert rig.sink.counters.rows_lost == 7


def test_states_are_told_when_they_change(bench: Any) -> None:
    rig = Rig(bench)
    for _ in range(2):
        rig.carrier.reports.down("refused")
    for _ in range(2):
        rig.carrier.reports.up()
    assert [(state.failing, state.reason) for state in rig.states] == [(True, "refused"), (False, "")]
    assert rig.sink.counters.disconnections == 0
    rig.carrier.reports.down("gone")
    assert rig.sink.counters.disconnections == 1


def test_every_reason_of_an_absence_is_told_once(bench: Any) -> None:
    rig = Rig(bench)
    for reason in ("no answer in 5 ms", "no answer in 9 ms", "wrong password", "no answer in 7 ms"):
        rig.carrier.reports.down(reason)
    assert rig.said == ["no answer in 5 ms", "wrong password"]
    rig.carrier.reports.up()
    rig.carrier.reports.down("wrong password")
    assert rig.said[2:] == ["wrong password"]
    for kind in "abcdefgh":
        rig.carrier.reports.down(kind)
    assert len(rig.said) == 3 + module.MOST_REASONS - 1
