from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis.strategies import text

from routed.plumbing import maps
from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import Limits, Loaded, MapError, MapFile, left_out, parse_rows

if TYPE_CHECKING:
    from pathlib import Path

KEYS = frozenset({"a", "b", "filter"})


def rows(content: str, limits: Limits = Limits()) -> tuple[list[dict[str, str]], list[str]]:  # noqa: B008 (frozen)
    loaded = parse_rows(content, "m", KEYS, limits)
    return [row.pairs for row in loaded.content], [line.text for line in loaded.lines]


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("a=1", {"a": "1"}),
        ("  a=1\t b=2  ", {"a": "1", "b": "2"}),
        ("b=2 a=1", {"a": "1", "b": "2"}),
        ("a=x=y", {"a": "x=y"}),
        ("a=! b=#", {"a": "!", "b": "#"}),
        ("filter='ip or (vlan and ip)' a=1", {"filter": "ip or (vlan and ip)", "a": "1"}),
        ("filter='ip  or\tx'", {"filter": "ip  or\tx"}),
        ("a=1\r", {"a": "1"}),
        ("a=naïve", {"a": "naïve"}),
    ],
)
def test_a_row_is_pairs_divided_by_blanks(line: str, pairs: dict[str, str]) -> None:
    assert rows(line) == ([pairs], [])


@pytest.mark.parametrize("line", ["", "  ", "! a=1", "# a=1", "   #a=1"])
def test_comments_and_blank_lines_are_no_rows(line: str) -> None:
    assert rows(line) == ([], [])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a", "malformed line. Ignored. 'a' is no key=value."),
        ("a = 1", "malformed line. Ignored. 'a' is no key=value."),
        ("a=", "malformed line. Ignored. 'a=' is no key=value."),
        ("=1", "malformed line. Ignored. '=1' is no key=value."),
        ("x" * 41, f"malformed line. Ignored. '{'x' * 40}...' is no key=value."),
        ("x" * 40, f"malformed line. Ignored. '{'x' * 40}' is no key=value."),
        ("a=1|2", "malformed line. Ignored: | means nothing here."),
        ("filter='ip", "malformed line. Ignored: a ' is not closed."),
        ("a=1 ! comment", "malformed line. Ignored. '!' is no key=value."),
        ("a=\udcff", "malformed line. Ignored: it is not UTF-8."),
        ("a=1 c=2", "Line ignored because of unknown key 'c'."),
        ("A=1", "Line ignored because of unknown key 'A'. Did you mean a?"),
        ("fitler=1", "Line ignored because of unknown key 'fitler'. Did you mean filter?"),
        ("a=1 a=2", "Multiple 'a' clauses part of the same statement. Line ignored."),
        ("a=" + "x" * 287, "line too long (max 288 chars). Ignored. 'maps_row_len' allows for more."),
    ],
)
def test_other_rows_are_left_out_with_their_place(line: str, complaint: str) -> None:
    assert rows(f"a=1\n{line}\nb=2") == ([{"a": "1"}, {"b": "2"}], [f"[m:2] {complaint}"])


def test_a_row_may_be_as_long_as_the_limit_says() -> None:
    assert rows("a=" + "x" * 286)[1] == []


def test_rows_beyond_the_limit_are_left_out_with_a_warning() -> None:
    assert rows("a=1\na=2", Limits(max_rows=2)) == ([{"a": "1"}, {"a": "2"}], [])
    kept, complaints = rows("a=1\na=2\na=3\na=4", Limits(max_rows=2))
    assert kept == [{"a": "1"}, {"a": "2"}]
    assert len(complaints) == 1
    assert complaints[0].startswith("[m] file cut to the first 2 entries.")


@given(text())
def test_any_text_is_rows_and_complaints(content: str) -> None:
    kept, complaints = rows(content, Limits(max_rows=10_000))
    lines = [line.strip() for line in content.split("\n")]
    assert len(kept) + len(complaints) == sum(bool(line) and line[0] not in "!#" for line in lines)


def parse(content: str, name: str) -> Loaded[list[str]]:
    return Loaded(content.split(), (left_out(f"[{name}:1] hm"),) if "hm" in content else ())


def test_a_file_is_read_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text("a hm")
    file = MapFile(path, parse)
    assert file.load() == (
        LogLine(Level.INFO, f"[{path}] (re)loading map."),
        LogLine(Level.WARN, f"[{path}:1] hm"),
        LogLine(Level.INFO, f"[{path}] map successfully (re)loaded with 2 entries."),
    )
    assert file.content == ["a", "hm"]


def test_a_file_may_begin_with_the_mark_of_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_bytes(b"\xef\xbb\xbfa")
    file = MapFile(path, parse)
    file.load()
    assert file.content == ["a"]


def test_a_silent_file_logs_its_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text("hm")
    assert MapFile(path, parse, announce=False).load() == (LogLine(Level.WARN, f"[{path}:1] hm"),)


def test_a_file_that_is_missing_at_the_start_is_fatal(tmp_path: Path) -> None:
    file = MapFile(tmp_path / "map", parse)
    with pytest.raises(MapError, match=r"map\] file not found\."):
        file.load()
    with pytest.raises(MapError, match=r"cannot be read: Is a directory\."):
        MapFile(tmp_path, parse).load()
    with pytest.raises(AssertionError, match="has not been loaded"):
        _ = file.content


def test_what_replaces_a_file_has_no_mistake_at_all(tmp_path: Path) -> None:
    path = tmp_path / "map"
    rolling_back = f"[{path}] Rolling back old map."
    file = MapFile(path, parse, strict=True)
    with pytest.raises(MapError) as missing:
        file.load()
    assert missing.value.args == (f"[{path}] file not found.", rolling_back)
    path.write_text("a hm")
    with pytest.raises(MapError) as wrong:
        file.load()
    assert wrong.value.args == (f"[{path}:1] hm", rolling_back)
    path.write_text("a")
    assert [line.level for line in file.load()] == [Level.INFO, Level.INFO]
    assert file.content == ["a"]


def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "MAX_OCTETS", 3)
    path = tmp_path / "map"
    path.write_text("abc")
    MapFile(path, parse).load()
    path.write_text("abcd")
    with pytest.raises(MapError, match="larger than 3 octets"):
        MapFile(path, parse).load()


def test_octets_that_are_no_text_reach_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_bytes(b"\xff")
    file = MapFile(path, parse)
    file.load()
    assert file.content == ["\udcff"]
