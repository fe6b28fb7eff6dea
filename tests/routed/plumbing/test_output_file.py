import errno
import os
from pathlib import Path
from typing import Any

import pytest

from routed.plumbing import output_file
from routed.plumbing.buffer import Buffer, Written
from routed.plumbing.output_file import (
    Owner,
    open_output,
    open_replacement,
    point_latest,
    replace_whole,
    temporary_path,
)

NOBODY = Owner()


class SmallDisk:
    """os.writev() of a disk with that many octets left."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, fd: int, buffers: list[Any]) -> int:
        octets = b"".join(bytes(buffer) for buffer in buffers)[: self.room]
        if not octets:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(octets)
        return os.write(fd, octets)


def lines(*octets: bytes) -> list[Buffer]:
    return [Buffer(one, 1) for one in octets]


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_buffers_are_appended_in_order_past_one_writev(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "parent" / "log"
    buffers = [b"%d\n" % n for n in range(output_file.IOV_MAX * 2 + 1)]
    output = open_output(path, NOBODY)
    assert output.append(lines(*buffers)) == Written(len(buffers))
    output.close()
    assert path.read_bytes() == b"".join(buffers)


def test_large_buffers_are_written_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writev, lengths = os.writev, []

    def noted(fd: int, buffers: list[Any]) -> int:
        lengths.append([len(buffer) for buffer in buffers])
        return writev(fd, buffers)

    monkeypatch.setattr(output_file.os, "writev", noted)
    whole, half = output_file.WRITE_OCTETS, output_file.WRITE_OCTETS // 2
    buffers = [bytes([n]) * octets for n, octets in enumerate((half, half, half, whole, 2 * whole, 1))]
    output = open_output(tmp_path / "rows", NOBODY)
    assert output.append(lines(*buffers)) == Written(len(buffers))
    output.close()
    assert lengths == [[half, half], [half, whole], [2 * whole], [1]]
    assert (tmp_path / "rows").read_bytes() == b"".join(buffers)


def test_a_file_that_exists_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    output = open_output(path, NOBODY)
    output.append(lines(b"new\n"))
    output.close()
    assert path.read_bytes() == b"old\nnew\n"


@pytest.mark.parametrize("room", range(12))
def test_a_full_disk_leaves_whole_buffers_and_a_retry_completes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "log"
    buffers = [b"one\n", b"two\n", b"six\n"]
    output = open_output(path, NOBODY)
    with monkeypatch.context() as patch:
        patch.setattr(output_file.os, "writev", SmallDisk(room))
        written = output.append(lines(*buffers))
    assert written.buffers == room // 4
    assert written.error is not None
    assert written.error.errno == errno.ENOSPC
    assert path.read_bytes() == b"".join(buffers)[: room // 4 * 4]
    output.append(lines(*buffers[written.buffers :]))
    output.close()
    assert path.read_bytes() == b"".join(buffers)


def test_what_cannot_be_taken_back_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _length: int) -> None:
        raise OSError(errno.EIO, "no")

    path = tmp_path / "log"
    output = open_output(path, NOBODY)
    monkeypatch.setattr(output_file.os, "ftruncate", refuse)
    for room in (2, 1):
        with monkeypatch.context() as patch:
            patch.setattr(output_file.os, "writev", SmallDisk(room))
            assert output.append(lines(b"one\n", b"two\n")).buffers == 0
            assert output.torn
    assert output.append(lines(b"one\n", b"two\n")) == Written(2)
    assert not output.torn
    output.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_file_that_somebody_else_appended_to_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    output = open_output(path, NOBODY)
    disk = SmallDisk(2)

    def writev(fd: int, buffers: list[Any]) -> int:
        if not disk.room:
            with path.open("ab") as other:
                other.write(b"other\n")
        return disk(fd, buffers)

    monkeypatch.setattr(output_file.os, "writev", writev)
    output.append(lines(b"one\n"))
    assert path.read_bytes() == b"onother\n"
    output.close()


def test_the_umask_decides_the_mode_and_the_owner_is_set(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = os.umask(0o027)
    try:
        output = open_output(path, Owner(os.getuid(), os.getgid()))
    finally:
        os.umask(before)
    output.close()
    assert path.stat().st_mode & 0o777 == 0o640
    assert output.warning == ""


def test_an_owner_that_cannot_be_set_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _uid: int, _gid: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(output_file.os, "fchown", refuse)
    output = open_output(tmp_path / "log", Owner(1, 2))
    output.close()
    assert output.warning == "owner 1:2 not set: Operation not permitted"


def test_a_replacement_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"old")
    replacement = open_replacement(path, NOBODY)
    replacement.output.append(lines(b"new\n"))
    assert path.read_bytes() == b"old"
    replacement.commit()
    assert path.read_bytes() == b"new\n"
    assert names(tmp_path) == ["dump"]


def test_an_abandoned_replacement_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"old")
    temporary_path(path).write_bytes(b"left by a crash")
    replacement = open_replacement(path, NOBODY)
    replacement.output.append(lines(b"new\n"))
    replacement.abort()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["dump"]


def test_a_replacement_follows_the_operators_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "dump"
    link.symlink_to(tmp_path / "disk" / "dump")
    replacement = open_replacement(link, NOBODY)
    replacement.output.append(lines(b"new\n"))
    replacement.commit()
    assert link.is_symlink()
    assert (tmp_path / "disk" / "dump").read_bytes() == b"new\n"


def test_a_directory_cannot_be_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_replacement(tmp_path, NOBODY)


def test_a_target_that_became_a_directory_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    replacement = open_replacement(path, NOBODY)
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        replacement.commit()
    assert names(tmp_path) == ["dump"]


def test_a_fifo_is_written_in_place(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    replacement = open_replacement(fifo, NOBODY)
    replacement.output.append(lines(b"row\n"))
    replacement.commit()
    assert os.read(reader, 100) == b"row\n"
    assert fifo.is_fifo()
    os.close(reader)


def test_the_longest_file_name_has_a_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    replace_whole(path, b"x\n", NOBODY)
    assert path.read_bytes() == b"x\n"


def test_the_latest_link_is_re_pointed(tmp_path: Path) -> None:
    link = tmp_path / "links" / "latest"
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        point_latest(link, tmp_path / name)
        assert link.readlink() == tmp_path / name
    assert names(tmp_path / "links") == ["latest"]


def test_a_file_in_the_place_of_the_latest_link_is_kept(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.write_text("precious")
    with pytest.raises(FileExistsError):
        point_latest(link, tmp_path / "a")
    assert link.read_text() == "precious"


def test_a_refused_small_file_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "neighbors"
    path.write_bytes(b"old\n")
    monkeypatch.setattr(output_file.os, "writev", SmallDisk(2))
    with pytest.raises(OSError, match="No space left"):
        replace_whole(path, b"new\n", NOBODY)
    assert path.read_bytes() == b"old\n"
    assert names(tmp_path) == ["neighbors"]
