import os
from array import array
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import fastavro
import pytest

from routed.plumbing import fifo
from routed.plumbing.buffer import Buffer, Written
from routed.plumbing.fifo import Fifo, open_fifo

#: What the pipe takes beyond what was read: a page is given back when it is empty.
PAGE = 4096
SCHEMA = fastavro.parse_schema(
    {"type": "record", "name": "r", "fields": [{"name": "number", "type": "long"}, {"name": "path", "type": "bytes"}]}
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fifo, "PATIENCE_MS", 0)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


class Reader:
    """A reader that is as slow as one likes."""

    def __init__(self, path: Path) -> None:
        self.octets = b""
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self, most: int = 1 << 20) -> bytes:
        try:
            octets = os.read(self._fd, most)
        except BlockingIOError:
            octets = b""
        self.octets += octets
        return octets

    def close(self) -> None:
        os.close(self._fd)


def records(first: int, count: int) -> Buffer:
    """Avro records of which nearly every octet ends a line."""
    octets = []
    for number in range(first, first + count):
        record = BytesIO()
        fastavro.schemaless_writer(record, SCHEMA, {"number": number, "path": b"\n" * (number % 300)})
        octets.append(record.getvalue())
    return Buffer(b"".join(octets), count, array("I", accumulate(map(len, octets))).tobytes())


def test_lines_that_nobody_reads_are_dropped_whole(path: Path) -> None:
    output = open_fifo(path)
    row = b"x" * 99 + b"\n"
    written = output.append([Buffer(row * 1000, 1000), Buffer(row, 1)])
    assert written.buffers == 2
    reader = Reader(path)
    reader.read()
    assert output.append([Buffer(b"next\n", 1)]) == Written(1)
    reader.read()
    assert set(reader.octets.splitlines(keepends=True)) == {row, b"next\n"}
    assert reader.octets.count(b"\n") == 1001 - written.rows_dropped + 1
    reader.close()
    output.close()


def test_a_pipe_with_room_takes_everything(path: Path) -> None:
    output = open_fifo(path)
    reader = Reader(path)
    assert output.append([Buffer(b"a\n", 1), Buffer(b"b\n", 1)]) == Written(2)
    assert reader.read() == b"a\nb\n"
    reader.close()
    output.close()


@pytest.mark.parametrize("most", [PAGE, 3 * PAGE + 7, 100_000])
def test_a_slow_reader_of_binary_records_gets_whole_ones(path: Path, most: int) -> None:
    output, reader = open_fifo(path), Reader(path)
    dropped = 0
    for first in range(0, 40_000, 500):
        dropped += output.append([records(first, 250), records(first + 250, 250)]).rows_dropped
        reader.read(most)
    while reader.read():
        output.append([])
    output.append([records(40_000, 1)])  # after the rest of the last one
    while reader.read():
        pass
    file, numbers = BytesIO(reader.octets), []
    while file.tell() < len(reader.octets):
        record = fastavro.schemaless_reader(file, SCHEMA, None)
        assert record["path"] == b"\n" * (record["number"] % 300)
        numbers.append(record["number"])
    assert 0 < dropped == 40_001 - len(numbers)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 40_000
    reader.close()
    output.close()


def test_rows_with_one_end_stay_together(path: Path) -> None:
    output, reader = open_fifo(path), Reader(path)
    block = Buffer(b"\n" * 100_000, 7, array("I", [100_000]).tobytes())
    assert output.append([block, block]) == Written(2, rows_dropped=7)
    reader.read()
    assert output.append([Buffer(b"end\n", 1)]) == Written(1)
    reader.read()
    assert reader.octets == b"\n" * 100_000 + b"end\n"
    reader.close()
    output.close()


def test_a_row_outlives_the_file_that_it_was_written_to(path: Path) -> None:
    row = b"x" * 100_000 + b"\n"
    output, reader = open_fifo(path), Reader(path)
    output.append([Buffer(row, 1)])
    output.close()
    assert output.torn
    reader.read()
    again = open_fifo(path)
    assert again is output
    again.append([Buffer(b"next\n", 1)])
    again.close()
    reader.read()
    assert reader.octets == row + b"next\n"
    assert open_fifo(path) is not output
    reader.close()


def test_the_end_of_a_file_waits_for_its_reader(path: Path) -> None:
    output, reader = open_fifo(path), Reader(path)
    output.append([Buffer(b"x" * 100_000 + b"\n", 1)])
    reader.read()
    output.close()
    assert not output.torn
    reader.read()
    assert len(reader.octets) == 100_001
    reader.close()


def test_another_pipe_of_the_same_name_begins_anew(path: Path) -> None:
    output = open_fifo(path)
    output.append([Buffer(b"x" * 100_000 + b"\n", 1)])
    output.close()
    path.rename(path.with_name("old"))
    os.mkfifo(path)
    other = open_fifo(path)
    assert isinstance(other, Fifo)
    assert other is not output
    other.close()
    assert open_fifo(path.with_name("old")) is output
