"""Avro containers of message logs and dumps: read by `fastavro`, continued after a crash, refused where none can be."""

import os
from array import array
from pathlib import Path
from typing import Any

import fastavro
import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from routed.plumbing.avro import Field, Schema, Type
from routed.plumbing.avro_container import SYNC_OCTETS, Container, open_container
from routed.plumbing.dump_file import DumpFile
from routed.plumbing.output_file import Owner
from routed.plumbing.sink import FileOptions, Framing, SinkError, SinkState, Watch
from routed.plumbing.sink_file import FileSink

ROUTE = Schema("route", (Field("prefix", Type.STRING), Field("med", Type.LONG, is_nullable=True)))
CLOSE = Schema("close", (Field("entries", Type.INT),))
OTHER = Schema("close", (Field("tables", Type.INT),))
CONTAINER = Container((ROUTE, CLOSE))
OPTIONS = FileOptions(container=CONTAINER)


def rows(schema: Schema, *records: dict[str, Any]) -> tuple[bytes, int, Framing]:
    octets = [schema.encode(record) for record in records]
    ends = array("I", [sum(map(len, octets[:count])) for count in range(1, len(octets) + 1)])
    return b"".join(octets), len(records), Framing(ends.tobytes(), schema.key)


ROUTES = [{"prefix": f"10.{number}.0.0/16", "med": number or None} for number in range(3)]
END = {"entries": 3}


def read(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return list(fastavro.reader(file))


@pytest.fixture
def states() -> list[SinkState]:
    return []


@pytest.fixture
def log(tmp_path: Path, bench: Any, states: list[SinkState]) -> Any:
    def log(options: FileOptions = OPTIONS) -> FileSink:
        watch = Watch(on_state=states.append)
        return FileSink(str(tmp_path / "log"), clock=Clock(), in_thread=bench, watch=watch, options=options)

    return log


def test_a_dump_is_a_container_of_records_of_several_kinds(tmp_path: Path, bench: Any) -> None:
    dump = DumpFile(str(tmp_path / "dump"), in_thread=bench, options=OPTIONS)
    dump.write(*rows(ROUTE, *ROUTES))
    dump.write(*rows(CLOSE, END))
    ensureDeferred(dump.commit())
    assert read(tmp_path / "dump") == [*ROUTES, END]
    with (tmp_path / "dump").open("rb") as file:
        assert [block.num_records for block in fastavro.block_reader(file)] == [3, 1]


def test_an_empty_dump_is_a_container_too(tmp_path: Path, bench: Any) -> None:
    ensureDeferred(DumpFile(str(tmp_path / "dump"), in_thread=bench, options=OPTIONS).commit())
    assert read(tmp_path / "dump") == []


def test_a_log_is_continued_by_the_next_run(tmp_path: Path, log: Any) -> None:
    for record in ROUTES:
        sink = log()
        sink.write(*rows(ROUTE, record))
        sink.close()
    assert read(tmp_path / "log") == ROUTES


@pytest.mark.parametrize("kept", [1, 7, -1])
def test_a_block_that_a_crash_cut_short_is_cut_off(
    tmp_path: Path, log: Any, states: list[SinkState], kept: int
) -> None:
    path = tmp_path / "log"
    sink = log()
    sink.write(*rows(ROUTE, ROUTES[0]))
    whole = path.stat().st_size
    sink.write(*rows(ROUTE, *ROUTES[1:]))
    sink.close()
    os.truncate(path, whole + kept if kept > 0 else path.stat().st_size + kept)
    torn = path.stat().st_size - whole
    log().write(*rows(CLOSE, END))
    assert read(path) == [ROUTES[0], END]
    assert [state.reason for state in states] == [f"{torn} octets of an unfinished block are cut off"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (b'{"seq": 0}\n', "no Avro container"),
        (b"Obj\1", "no Avro container"),
        (None, "an Avro container with records of another schema"),
    ],
)
def test_a_log_leaves_a_file_alone_that_it_cannot_continue(
    tmp_path: Path, log: Any, states: list[SinkState], before: bytes | None, reason: str
) -> None:
    path = tmp_path / "log"
    if before is None:
        open_container(path, Owner(), Container((ROUTE, OTHER))).close()
    else:
        path.write_bytes(before)
    before = path.read_bytes()
    log().write(*rows(ROUTE, *ROUTES))
    assert path.read_bytes() == before
    assert [(state.failing, state.reason) for state in states] == [(True, reason)]


def test_a_fifo_is_no_place_for_a_container(tmp_path: Path, log: Any, bench: Any, states: list[SinkState]) -> None:
    os.mkfifo(tmp_path / "log")
    log()
    assert [state.reason for state in states] == ["an Avro container is a regular file"]
    dump = DumpFile(str(tmp_path / "log"), in_thread=bench, options=OPTIONS)
    done = ensureDeferred(dump.commit())
    done.addErrback(lambda failure: failure.trap(SinkError))
    assert dump.error is not None
    assert str(dump.error).endswith("an Avro container is a regular file")


def test_a_block_that_the_disk_takes_half_of_is_finished_later(
    tmp_path: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What completes it is the same block, with the same end."""
    path, real = tmp_path / "log", os.writev
    sink = log()
    taken = [5]

    def some(fd: int, buffers: list[bytes]) -> int:
        return real(fd, [bytes(buffers[0])[: taken.pop()]]) if taken else real(fd, buffers)

    monkeypatch.setattr(os, "writev", some)
    sink.write(*rows(ROUTE, *ROUTES))
    assert read(path) == ROUTES
    assert path.read_bytes().count(path.read_bytes()[-SYNC_OCTETS:]) == 2
