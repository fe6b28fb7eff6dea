import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from routed.plumbing.abandoned import LOOK_AROUND, SpoolWatch, abandoned_spools
from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.spool import Spool


def spool(folder: Path, parcels: int = 1) -> Spool:
    made = Spool(folder, 1 << 20)
    made.open()
    made.append([Parcel(number, Address("t"), b"{}\n", 1) for number in range(1, parcels + 1)])
    return made


def test_spools_of_processes_that_run_and_empty_ones_are_not_abandoned(tmp_path: Path) -> None:
    spool(tmp_path / "gone").close()
    spool(tmp_path / "empty", parcels=0).close()
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    running = spool(tmp_path / "runs")
    assert [one.path.name for one in abandoned_spools(tmp_path)] == ["gone"]
    running.close()
    assert [one.path.name for one in abandoned_spools(tmp_path)] == ["gone", "runs"]
    assert spool(tmp_path / "runs").last == 1  # a look changes nothing


def test_a_spool_without_its_lock_is_abandoned_too(tmp_path: Path) -> None:
    spool(tmp_path / "gone").close()
    (tmp_path / "gone" / "lock").unlink(missing_ok=True)
    [found] = abandoned_spools(tmp_path)
    [segment] = (tmp_path / "gone").glob("*.spool")
    assert (found.octets, found.since) == (segment.stat().st_size, segment.stat().st_mtime)


def test_a_directory_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert abandoned_spools(tmp_path / "missing") == []


def test_abandoned_spools_are_told_once_and_after_all_have_started(tmp_path: Path, bench: Any) -> None:
    clock, said = Clock(), list[str]()
    watch = SpoolWatch(clock, bench, said.append)
    gone = tmp_path / "gone"
    spool(gone).close()
    [segment] = gone.glob("*.spool")
    os.utime(segment, (0, 86_400))
    watch.add(tmp_path)
    watch.add(tmp_path)
    clock.advance(LOOK_AROUND - 1)
    assert said == []
    clock.advance(1)
    octets = segment.stat().st_size
    wait = f"{octets} octets of records wait since 1970-01-02 00:00 UTC for a daemon that does not run"
    assert said == [f"[{gone}] {wait}"]
    watch.close()
    assert clock.getDelayedCalls() == []


def test_a_daemon_that_ends_early_looks_no_more(tmp_path: Path, bench: Any) -> None:
    clock, said = Clock(), list[str]()
    watch = SpoolWatch(clock, bench, said.append)
    spool(tmp_path / "gone").close()
    watch.add(tmp_path)
    watch.close()
    clock.advance(LOOK_AROUND)
    assert said == []
