from collections.abc import Callable
from pathlib import Path

import pytest

from routed.plumbing.output_file import Owner
from routed.service.neighbors import NeighborsFile


def test_a_burst_of_changes_is_written_once(tmp_path: Path) -> None:
    pending: list[Callable[[], None]] = []
    neighbors = NeighborsFile(tmp_path / "list", later=pending.append, on_error=pytest.fail, owner=Owner())
    neighbors.show(lambda: ["192.0.2.1"])
    neighbors.show(lambda: ["192.0.2.1", "192.0.2.2"])
    (write,) = pending
    assert not (tmp_path / "list").exists()
    write()
    assert (tmp_path / "list").read_text() == "192.0.2.1\n192.0.2.2\n"


def test_nothing_is_written_without_a_change(tmp_path: Path) -> None:
    neighbors = NeighborsFile(tmp_path / "list", later=lambda _write: None, on_error=pytest.fail, owner=Owner())
    neighbors.flush()
    assert not (tmp_path / "list").exists()


def test_a_file_that_cannot_be_written_is_said_once_until_it_works_again(tmp_path: Path) -> None:
    path, errors = tmp_path / "list", list[str]()
    neighbors = NeighborsFile(path, later=lambda write: write(), on_error=errors.append, owner=Owner())
    path.mkdir()
    neighbors.show(lambda: ["192.0.2.1"])
    neighbors.show(list)
    assert errors == [f"{path}: Is a directory"]
    path.rmdir()
    neighbors.show(lambda: ["192.0.2.1"])
    assert path.read_text() == "192.0.2.1\n"
    path.unlink()
    path.mkdir()
    neighbors.show(list)
    assert len(errors) == 2


def test_the_addresses_are_asked_for_once_in_a_burst(tmp_path: Path) -> None:
    asked = list[str]()
    pending: list[Callable[[], None]] = []
    neighbors = NeighborsFile(tmp_path / "list", later=pending.append, on_error=pytest.fail, owner=Owner())

    def ask() -> list[str]:
        asked.append("once")
        return ["192.0.2.1"]

    for _ in range(100):
        neighbors.show(ask)
    assert asked == []
    pending.pop()()
    assert asked == ["once"]
