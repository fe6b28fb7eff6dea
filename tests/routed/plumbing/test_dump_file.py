import errno
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing import output_file
from routed.plumbing.dump_file import DumpFile
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import FileOptions, SinkError

SMALL = FileOptions(bounds=Bounds(limit=1000, full=10, drained=5))


def commit(dump: DumpFile) -> Deferred[None]:
    return ensureDeferred(dump.commit())


def failure_text(done: Deferred[None]) -> str:
    texts: list[str] = []
    done.addErrback(lambda failure: texts.append(str(failure.trap(SinkError) and failure.value)))
    (text,) = texts
    return text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "dump"
    path.write_bytes(b"old\n")
    return path


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _buffers: list[bytes]) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(output_file.os, "writev", refuse)


def test_a_dump_takes_the_place_of_the_old_one_when_it_is_whole(path: Path, bench: Any) -> None:
    dump = DumpFile(str(path), in_thread=bench)
    dump.write(b"new 1\n", 1)
    dump.write(b"new 2\n", 1)
    assert path.read_bytes() == b"old\n"
    assert commit(dump).called
    assert path.read_bytes() == b"new 1\nnew 2\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["dump"]
    assert dump.counters.rows_written == 2


def test_an_empty_dump_is_a_file_too(tmp_path: Path, bench: Any) -> None:
    commit(DumpFile(str(tmp_path / "parent" / "dump"), in_thread=bench))
    assert (tmp_path / "parent" / "dump").read_bytes() == b""


def test_commit_waits_for_the_queue(path: Path, bench: Any) -> None:
    bench.held = True
    dump = DumpFile(str(path), in_thread=bench)
    dump.write(b"new\n", 1)
    done = commit(dump)
    bench.run_one()  # opens
    bench.run_one()  # writes
    assert not done.called
    bench.run_one()  # renames
    assert done.called
    assert path.read_bytes() == b"new\n"


def test_the_producer_waits_for_room(path: Path, bench: Any) -> None:
    bench.held = True
    dump = DumpFile(str(path), in_thread=bench, options=SMALL)
    dump.write(b"123456789\n", 1)
    first = dump.ready()
    assert isinstance(first, Deferred)
    assert first.called
    dump.write(b"2\n", 1)
    second = dump.ready()
    assert isinstance(second, Deferred)
    assert not second.called
    bench.run_all()
    assert second.called


def test_the_latest_link_follows_the_dump(path: Path, bench: Any) -> None:
    latest = path.parent / "latest"
    dump = DumpFile(str(path), in_thread=bench, latest=str(latest))
    dump.write(b"new\n", 1)
    commit(dump)
    assert latest.is_symlink()
    assert latest.read_bytes() == b"new\n"


def test_a_link_that_cannot_be_made_is_an_error_of_a_dump_that_is_in_place(path: Path, bench: Any) -> None:
    latest = path.parent / "latest"
    latest.write_text("precious")
    dump = DumpFile(str(path), in_thread=bench, latest=str(latest))
    dump.write(b"new\n", 1)
    assert failure_text(commit(dump)) == f"{latest}: not a symbolic link"
    assert path.read_bytes() == b"new\n"


@pytest.mark.usefixtures("full_disk")
def test_a_refused_dump_leaves_the_old_file_and_counts_its_rows(path: Path, bench: Any) -> None:
    dump = DumpFile(str(path), in_thread=bench)
    dump.write(b"1\n2\n", 2)
    dump.write(b"3\n", 1)
    assert failure_text(commit(dump)) == f"{path}: No space left on device"
    assert path.read_bytes() == b"old\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["dump"]
    assert (dump.counters.rows_lost, dump.counters.rows_written) == (3, 0)


def test_a_dump_over_a_directory_is_refused(tmp_path: Path, bench: Any) -> None:
    dump = DumpFile(str(tmp_path), in_thread=bench)
    dump.write(b"1\n", 1)
    assert failure_text(commit(dump)) == f"{tmp_path}: Is a directory"


def test_abort_leaves_the_old_file(path: Path, bench: Any) -> None:
    bench.held = True
    dump = DumpFile(str(path), in_thread=bench)
    dump.write(b"new\n", 1)
    bench.run_one()  # opens; the batch is on its way
    done = ensureDeferred(dump.abort())
    assert not done.called
    bench.run_all()
    assert done.called
    assert path.read_bytes() == b"old\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["dump"]
    assert dump.counters.rows_lost == 1


@pytest.mark.usefixtures("full_disk")
def test_a_waiting_producer_is_released_when_the_dump_fails(path: Path, bench: Any) -> None:
    bench.held = True
    dump = DumpFile(str(path), in_thread=bench, options=SMALL)
    dump.write(b"x" * 20 + b"\n", 1)
    ready = dump.ready()
    assert isinstance(ready, Deferred)
    assert not ready.called
    bench.run_all()
    assert ready.called
    assert isinstance(dump.error, SinkError)


def test_a_bug_never_puts_a_part_of_a_dump_in_place(path: Path, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_fd: int, _buffers: list[bytes]) -> int:
        raise MemoryError("no more")

    dump = DumpFile(str(path), in_thread=bench)
    dump.write(b"1\n", 1)
    with monkeypatch.context() as patch:
        patch.setattr(output_file.os, "writev", broken)
        dump.write(b"2\n", 1)
    dump.write(b"3\n", 1)
    assert failure_text(commit(dump)) == f"{path}: MemoryError: no more"
    assert path.read_bytes() == b"old\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["dump"]
    assert (dump.counters.failures, dump.counters.rows_lost) == (1, 2)


def test_without_threads_a_dump_can_be_committed_or_given_up_in_vain(path: Path, bench: Any) -> None:
    for end in (DumpFile.commit, DumpFile.abort):
        bench.broken = None
        dump = DumpFile(str(path), in_thread=bench)
        dump.write(b"1\n", 1)
        bench.broken = RuntimeError("can't start new thread")
        ended: Deferred[None] = ensureDeferred(end(dump))
        ended.addErrback(lambda failure: failure.trap(SinkError) and None)
        assert ended.called
        assert str(dump.error) == f"{path}: RuntimeError: can't start new thread"
        assert path.read_bytes() == b"old\n"
