import errno
import fcntl
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.sink import Framing
from routed.plumbing.spool import LOCK_FILE, Found, Spool
from routed.plumbing.spool_segment import MAGIC, DamageError, encode_entry, read_entries, segment_name

PLENTY = 1 << 30


def parcel(number: int, octets: bytes = b"{}\n") -> Parcel:
    return Parcel(number, Address("topic", b"key", b"192.0.2.1 179"), octets, 1)


def parcels(first: int, last: int) -> list[Parcel]:
    return [parcel(number) for number in range(first, last + 1)]


def opened(directory: Path, limit: int = PLENTY, segment: int = 200) -> Spool:
    spool = Spool(directory, limit, segment=segment)
    spool.open()
    return spool


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def everything(spool: Spool, after: int = 0) -> list[int]:
    found = []
    while read := spool.read(after, 1):
        found += [one.number for one in read]
        after = found[-1]
    return found


@given(
    st.builds(
        Parcel,
        st.integers(1, 2**64 - 1),
        st.builds(Address, st.text(max_size=9), st.binary(max_size=9), st.binary(max_size=9), st.text(max_size=9)),
        st.binary(max_size=99),
        st.integers(0, 2**32 - 1),
        st.builds(Framing, st.binary(max_size=9), st.text(max_size=9)),
    )
)
def test_an_entry_says_everything_of_its_parcel(whole: Parcel) -> None:
    entry = encode_entry(whole)
    [(read, end)] = read_entries(io.BytesIO(MAGIC + entry))
    assert read == whole
    assert end == len(MAGIC) + len(entry)


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_entries_or_damage(octets: bytes, begun: bool) -> None:
    file = io.BytesIO(MAGIC * begun + octets)
    at = len(MAGIC) + len(octets)
    try:
        for one, _ in read_entries(file):
            assert encode_entry(one) in octets
    except DamageError as damage:
        at = damage.at
    assert 0 <= at <= len(MAGIC) + len(octets)


def test_what_is_appended_is_read_in_order_over_segments(tmp_path: Path) -> None:
    spool = opened(tmp_path / "a" / "b")
    assert spool.append(parcels(1, 20)) == 20
    assert len(segments(tmp_path / "a" / "b")) == 5
    assert everything(spool) == list(range(1, 21))
    assert everything(spool, 7) == list(range(8, 21))
    assert spool.octets == sum(path.stat().st_size for path in segments(tmp_path / "a" / "b"))


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment=10_000)
    spool.append(parcels(1, 2))
    assert [one.number for one in spool.read(0, PLENTY)] == [1, 2]
    assert spool.read(2, PLENTY) == []
    spool.append(parcels(3, 4))
    assert [one.number for one in spool.read(2, PLENTY)] == [3, 4]


def test_segments_go_when_all_of_them_is_delivered(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(parcels(1, 6))
    assert len(segments(tmp_path)) == 2
    spool.discard(3)
    assert len(segments(tmp_path)) == 2
    spool.discard(4)
    assert len(segments(tmp_path)) == 1
    spool.discard(6)
    assert (segments(tmp_path), spool.octets) == ([], 0)
    spool.append([parcel(7)])
    assert everything(spool, 6) == [7]


def test_a_restart_begins_behind_what_was_delivered(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment=10_000)
    spool.append(parcels(1, 6))
    spool.discard(4)
    spool.close()
    again = Spool(tmp_path, PLENTY)
    assert again.open() == Found(5, 6)
    assert everything(again, 4) == [5, 6]
    again.append([parcel(7)])
    again.discard(7)
    again.close()
    third = Spool(tmp_path, PLENTY)
    found = third.open()
    assert found.is_empty
    assert found.last == 7  # numbers rise for ever


@pytest.mark.parametrize("cut", [1, 3, 40, 50])
def test_a_torn_end_costs_the_last_parcel_alone(tmp_path: Path, cut: int) -> None:
    spool = opened(tmp_path, segment=10_000)
    spool.append(parcels(1, 3))
    spool.close()
    [path] = segments(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    again = Spool(tmp_path, PLENTY)
    found = again.open()
    assert (found.first, found.last, len(found.problems)) == (1, 2, 1)
    again.append([parcel(3)])
    assert everything(again) == [1, 2, 3]


def test_a_segment_without_a_parcel_is_nothing(tmp_path: Path) -> None:
    (tmp_path / segment_name(1)).write_bytes(MAGIC[:3])
    spool = Spool(tmp_path, PLENTY)
    assert spool.open() == Found(1, 0)
    assert segments(tmp_path) == []


def test_a_file_that_is_no_segment_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / segment_name(5)).write_bytes(b"something quite different")
    found = Spool(tmp_path, PLENTY).open()
    assert found.is_empty
    assert "nothing can be read there" in found.problems[0]
    assert [path.suffix for path in tmp_path.glob("0*")] == [".damaged"]


def test_damage_in_the_middle_is_said_once_and_skipped(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(parcels(1, 9))
    second = segments(tmp_path)[1]
    octets = bytearray(second.read_bytes())
    octets[-1] ^= 1
    second.write_bytes(octets)
    before: list[int] = []
    damages: list[str] = []
    after = 0
    while after < 9:
        try:
            read = spool.read(after, 1)
        except DamageError as damage:
            damages.append(str(damage))
            continue
        before += [one.number for one in read]
        after = before[-1]
    assert len(damages) == 1
    assert str(second) in damages[0]
    assert before == [number for number in range(1, 10) if number in before]
    assert len(before) < 9
    assert before[-1] == 9


def test_a_full_spool_takes_no_more_and_again_when_some_is_delivered(tmp_path: Path) -> None:
    spool = opened(tmp_path, limit=500)
    taken = spool.append(parcels(1, 20))
    assert 0 < taken < 20
    assert spool.octets <= 500
    assert spool.append([parcel(taken + 1)]) == 0
    spool.discard(taken)
    assert spool.append([parcel(taken + 1)]) == 1


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(BlockingIOError, match=f"process {os.getpid()} has {tmp_path}"):
        Spool(tmp_path, PLENTY).open()
    first.close()
    opened(tmp_path)


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, taken = fcntl.flock, []

    def late(fd: int, how: int) -> None:
        if not taken:
            (tmp_path / LOCK_FILE).unlink()
        taken.append(fd)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    opened(tmp_path)
    assert len(taken) == 2
    with pytest.raises(BlockingIOError):
        Spool(tmp_path, PLENTY).open()


def test_a_disk_that_refuses_leaves_nothing_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path, segment=10_000)
    spool.append([parcel(1)])
    write = os.write

    def half(fd: int, octets: Any) -> int:
        if len(octets) > 4:
            return write(fd, octets[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space left"):
        spool.append([parcel(2, b"long enough to need more than one call\n")])
    monkeypatch.undo()
    spool.append([parcel(2)])
    assert everything(spool) == [1, 2]


def test_an_address_that_no_entry_can_say_is_an_error() -> None:
    with pytest.raises(ValueError, match="parcel 1"):
        encode_entry(Parcel(1, Address("x" * 70_000), b"", 0))
