import errno
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from routed.plumbing import fifo, output_file
from routed.plumbing.metrics import SinkCounters
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import FileOptions, SinkState, Watch
from routed.plumbing.sink_file import FIRST_RETRY, LAST_RETRY, FileSink

SMALL = FileOptions(bounds=Bounds(limit=40, full=20, drained=4))


class Witness:
    """Records what a sink says."""

    def __init__(self) -> None:
        self.states: list[SinkState] = []
        self.pressure: list[str] = []
        self.watch = Watch(
            on_state=self.states.append,
            on_full=lambda: self.pressure.append("full"),
            on_drained=lambda: self.pressure.append("drained"),
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def open_sink(tmp_path: Path, bench: Any, clock: Clock, witness: Witness) -> Any:
    def open_sink(name: str = "log", options: FileOptions = SMALL) -> FileSink:
        return FileSink(str(tmp_path / name), clock=clock, in_thread=bench, watch=witness.watch, options=options)

    return open_sink


def test_rows_reach_the_file_in_order(open_sink: Any, tmp_path: Path) -> None:
    sink = open_sink()
    sink.write(b"a\nb\n", 2)
    sink.write(b"c\n", 1)
    assert (tmp_path / "log").read_bytes() == b"a\nb\nc\n"
    assert (sink.counters.rows_written, sink.counters.octets_written, sink.counters.rows_lost) == (3, 6, 0)


def test_files_of_a_kind_are_counted_together(tmp_path: Path, bench: Any, clock: Clock) -> None:
    total = SinkCounters()
    sinks = [FileSink(str(tmp_path / name), clock=clock, in_thread=bench, total=total) for name in ("a", "b")]
    for sink in sinks:
        sink.write(b"a\nb\n", 2)
    sinks[0].close()
    sinks[0].write(b"c\n", 1)
    assert (sinks[0].counters.rows_written, sinks[0].counters.rows_lost) == (2, 1)
    assert (total.rows_written, total.octets_written, total.rows_lost) == (4, 8, 1)


def test_the_file_exists_before_the_first_row(open_sink: Any, tmp_path: Path) -> None:
    open_sink("parent/log")
    assert (tmp_path / "parent" / "log").read_bytes() == b""


def test_buffers_that_arrive_during_a_batch_form_the_next(open_sink: Any, bench: Any, tmp_path: Path) -> None:
    sink = open_sink()
    bench.held = True
    for row in (b"a\n", b"b\n", b"c\n"):
        sink.write(row, 1)
    bench.run_one()
    assert (tmp_path / "log").read_bytes() == b"a\n"
    assert len(bench.jobs) == 1
    bench.run_one()
    assert (tmp_path / "log").read_bytes() == b"a\nb\nc\n"
    assert not bench.jobs


def test_a_slow_file_asks_the_producer_to_wait_and_to_go_on(open_sink: Any, bench: Any, witness: Witness) -> None:
    sink = open_sink()
    bench.held = True
    sink.write(b"x" * 19 + b"\n", 1)
    assert witness.pressure == []
    sink.write(b"\n", 1)
    sink.write(b"\n", 1)
    assert witness.pressure == ["full"]
    bench.run_all()
    assert witness.pressure == ["full", "drained"]
    assert witness.states == []


def test_a_producer_that_does_not_wait_loses_its_newest_rows(open_sink: Any, bench: Any, tmp_path: Path) -> None:
    sink = open_sink()
    bench.held = True
    sink.write(b"x" * 39 + b"\n", 1)
    sink.write(b"1\n2\n", 2)
    bench.run_all()
    assert (tmp_path / "log").read_bytes() == b"x" * 39 + b"\n"
    assert (sink.counters.rows_written, sink.counters.rows_lost) == (1, 2)


def test_a_path_that_is_a_directory_is_reported_once_and_retried(
    open_sink: Any, tmp_path: Path, clock: Clock, witness: Witness
) -> None:
    path = tmp_path / "log"
    path.mkdir()
    sink = open_sink()
    sink.write(b"a\n", 1)
    clock.pump([FIRST_RETRY, FIRST_RETRY * 2])
    assert [(state.failing, state.reason) for state in witness.states] == [(True, "Is a directory")]
    assert sink.counters.failures == 3
    path.rmdir()
    clock.advance(FIRST_RETRY * 4)
    assert path.read_bytes() == b"a\n"
    assert [state.failing for state in witness.states] == [True, False]
    assert sink.counters.rows_lost == 0


def test_retries_back_off_up_to_a_ceiling(open_sink: Any, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "log").mkdir()
    sink = open_sink()
    waits = []
    for _ in range(8):
        (due,) = clock.getDelayedCalls()
        waits.append(due.getTime() - clock.seconds())
        clock.advance(waits[-1])
    assert waits == [1, 2, 4, 8, 16, LAST_RETRY, LAST_RETRY, LAST_RETRY]
    assert sink.counters.failures == 9


def test_a_failing_disk_never_pauses_the_producer_and_counts_what_it_loses(
    open_sink: Any, witness: Witness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    def refuse(_fd: int, _buffers: list[bytes]) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink = open_sink()
    with monkeypatch.context() as patch:
        patch.setattr(output_file.os, "writev", refuse)
        for number in range(10, 60):
            sink.write(b"%d\n" % number, 1)
    assert witness.pressure == []
    assert sink.counters.rows_lost == 50 - 13
    clock.advance(FIRST_RETRY)
    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % number for number in range(10, 23))
    sink.write(b"on\n", 1)
    assert [(state.failing, state.reason) for state in witness.states] == [
        (True, "No space left on device"),
        (False, ""),
    ]


def test_a_disk_that_starts_failing_lets_a_waiting_producer_go_on(
    open_sink: Any, bench: Any, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _buffers: list[bytes]) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sink = open_sink()
    bench.held = True
    sink.write(b"x" * 29 + b"\n", 1)
    assert witness.pressure == ["full"]
    monkeypatch.setattr(output_file.os, "writev", refuse)
    bench.run_one()
    assert witness.pressure == ["full", "drained"]


def test_rotation_splits_the_rows_where_it_was_asked(open_sink: Any, bench: Any, tmp_path: Path) -> None:
    sink = open_sink()
    bench.held = True
    sink.write(b"before 1\n", 1)
    sink.write(b"before 2\n", 1)
    (tmp_path / "log").rename(tmp_path / "log.1")
    sink.reopen()
    sink.write(b"after\n", 1)
    bench.run_all()
    assert (tmp_path / "log.1").read_bytes() == b"before 1\nbefore 2\n"
    assert (tmp_path / "log").read_bytes() == b"after\n"
    assert sink.counters.rows_lost == 0


def test_rotation_of_an_idle_sink_creates_the_new_file(open_sink: Any, tmp_path: Path) -> None:
    sink = open_sink()
    (tmp_path / "log").rename(tmp_path / "log.1")
    sink.reopen()
    assert (tmp_path / "log").exists()


def test_rotation_retries_a_failing_file_at_once(open_sink: Any, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "log").mkdir()
    sink = open_sink()
    sink.write(b"a\n", 1)
    (tmp_path / "log").rmdir()
    sink.reopen()
    assert (tmp_path / "log").read_bytes() == b"a\n"
    assert clock.getDelayedCalls() == []


def test_close_waits_for_what_is_queued(open_sink: Any, bench: Any, tmp_path: Path) -> None:
    sink = open_sink()
    bench.held = True
    sink.write(b"a\n", 1)
    sink.write(b"b\n", 1)
    closed, again = sink.close(), sink.close()
    assert not closed.called
    bench.run_all()
    assert closed.called
    assert again.called
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"
    sink.write(b"late\n", 1)
    assert sink.counters.rows_lost == 1


def test_close_gives_a_failing_file_one_more_chance(open_sink: Any, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "log").mkdir()
    sink = open_sink()
    sink.write(b"a\n", 1)
    assert sink.close().called
    assert (sink.counters.failures, sink.counters.rows_lost) == (2, 1)
    assert clock.getDelayedCalls() == []


def test_a_fifo_without_reader_is_said_once_and_counted(
    open_sink: Any, tmp_path: Path, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fifo, "PATIENCE_MS", 0)
    os.mkfifo(tmp_path / "pipe")
    sink = open_sink("pipe", FileOptions())
    rows = b"row\n" * 100_000
    sink.write(rows, 100_000)
    sink.write(rows, 100_000)
    assert [state.reason for state in witness.states] == ["nobody reads it: rows are dropped"]
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    got = os.read(reader, 1 << 20)
    assert set(got.splitlines()) == {b"row"}
    sink.write(b"row\n", 1)
    assert witness.states[-1].reason == "read again"
    assert sink.counters.rows_written == got.count(b"\n") + 1
    assert sink.counters.rows_written + sink.counters.rows_lost == 200_001
    os.close(reader)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError("no more")])
def test_whatever_goes_wrong_is_a_failure_that_is_tried_again(
    tmp_path: Path, bench: Any, clock: Clock, witness: Witness, error: Exception
) -> None:
    sink = FileSink(str(tmp_path / "log"), clock=clock, in_thread=bench, watch=witness.watch)
    bench.broken = error
    sink.write(b"a\n", 1)
    clock.advance(FIRST_RETRY)
    sink.write(b"b\n", 1)
    bench.broken = None
    clock.advance(FIRST_RETRY * 2)
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"
    reason = f"{type(error).__name__}: {error}"
    assert [(state.failing, state.reason) for state in witness.states] == [(True, reason), (False, "")]
    assert sink.counters.rows_lost == 0


def test_close_comes_to_an_end_without_threads(open_sink: Any, bench: Any, witness: Witness) -> None:
    sink = open_sink()
    bench.broken = RuntimeError("can't start new thread")
    sink.write(b"a\n", 1)
    assert sink.close().called
    assert sink.counters.rows_lost == 1
    assert witness.states[-1].failing


def test_an_idle_sink_closes_without_threads(open_sink: Any, bench: Any, witness: Witness) -> None:
    sink = open_sink()
    bench.broken = RuntimeError("can't start new thread")
    assert sink.close().called
    assert witness.states[-1].reason == "close: RuntimeError: can't start new thread"


def test_a_watcher_that_fails_keeps_nobody_from_writing_and_closing(tmp_path: Path, bench: Any, clock: Clock) -> None:
    def complain(_state: SinkState) -> None:
        raise RuntimeError("bug")

    (tmp_path / "log").mkdir()
    sink = FileSink(str(tmp_path / "log"), clock=clock, in_thread=bench, watch=Watch(on_state=complain))
    (tmp_path / "log").rmdir()
    sink.write(b"a\n", 1)
    closed = sink.close()
    assert closed.called
    assert (tmp_path / "log").read_bytes() == b"a\n"
