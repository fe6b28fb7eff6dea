from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis.strategies import text

from routed.plumbing.statements import (
    MAX_LINE_OCTETS,
    MAX_LINES,
    Kind,
    Problem,
    Statement,
    parse_statements,
    read_statements,
)

if TYPE_CHECKING:
    from pathlib import Path


def only(line: str) -> Statement:
    read = parse_statements(line, "f")
    assert read.problems == ()
    (statement,) = read.statements
    return statement


@pytest.mark.parametrize(
    ("line", "key", "scope", "value"),
    [
        ("key: value", "key", None, "value"),
        ("key:value", "key", None, "value"),
        ("  KeY  :  Value  ", "key", None, "Value"),
        ("k e y: a b", "key", None, "a b"),
        ("key: a:b:c", "key", None, "a:b:c"),
        ("bgp_daemon_ip: ::", "bgp_daemon_ip", None, "::"),
        ("key: value ! not a comment # either", "key", None, "value ! not a comment # either"),
        ("key[name]: value", "key", "name", "value"),
        ("key [ Name ] : value", "key", "Name", "value"),
        ("key: [2001:db8::1]:323", "key", None, "[2001:db8::1]:323"),
        ("key: a[b", "key", None, "a[b"),
        ("key:", "key", None, ""),
        ("key: value\r", "key", None, "value"),
        ("key: $peer_src_ip-%Y", "key", None, "$peer_src_ip-%Y"),
    ],
)
def test_a_statement_is_a_key_a_scope_and_a_value(line: str, key: str, scope: str | None, value: str) -> None:
    assert only(line) == Statement(key, value, "[f:1]", scope)


@pytest.mark.parametrize("line", ["", "   ", "\t", "! comment", "# comment", "   ! key: value", "!", "#key: value"])
def test_blank_lines_and_comments_say_nothing(line: str) -> None:
    read = parse_statements(line, "f")
    assert (read.statements, read.problems) == ((), ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no colon", "the line has no ':' between key and value"),
        (": value", "the key is empty"),
        ("[name]: value", "the key is empty"),
        ("key[]: value", "the plugin name is empty"),
        ("key[ ]: value", "the plugin name is empty"),
        ("key[name: value", "brackets around the plugin name are not balanced"),
        ("key]name[: value", "brackets around the plugin name are not balanced"),
        ("key]: value", "brackets around the plugin name are not balanced"),
        ("key[a][b]: value", "brackets around the plugin name are not balanced"),
        ("key[a]b: value", "brackets around the plugin name are not balanced"),
        ("key[[a]]: value", "brackets around the plugin name are not balanced"),
        ("key: " + "x" * MAX_LINE_OCTETS, f"the line is longer than {MAX_LINE_OCTETS} octets"),
    ],
)
def test_anything_else_is_a_syntax_error_with_its_place(line: str, reason: str) -> None:
    read = parse_statements(f"a: b\n{line}\nc: d", "dir/file")
    assert read.problems == (Problem(Kind.SYNTAX, f"[dir/file:2] syntax error: {reason}"),)
    assert [statement.key for statement in read.statements] == ["a", "c"]


def test_a_line_may_have_as_many_octets_as_the_limit_says() -> None:
    assert len(only("key: " + "x" * (MAX_LINE_OCTETS - 5)).value) == MAX_LINE_OCTETS - 5


def test_a_file_may_have_as_many_lines_as_the_limit_says() -> None:
    assert parse_statements("k: v\n" * MAX_LINES, "f").problems == ()
    read = parse_statements("k: v\n" * (MAX_LINES + 1), "f")
    assert [problem.text for problem in read.problems] == [f"[f:{MAX_LINES + 1}] more than {MAX_LINES} lines"]


def test_octets_that_are_not_utf_8_survive(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"bgp_daemon_tag_map: /maps/\xff\n")
    (statement,) = read_statements(path).statements
    assert statement.value.encode(errors="surrogateescape") == b"/maps/\xff"
    assert statement.where == f"[{path}:1]"


def test_a_file_may_begin_with_the_mark_of_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"\xef\xbb\xbfkey: value\r\n")
    [statement] = read_statements(path).statements
    assert (statement.key, statement.value) == ("key", "value")


def test_what_is_no_text_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes("key: value\nkey: value\n".encode("utf-16"))
    read = read_statements(path)
    assert read.statements == ()
    assert [problem.text for problem in read.problems] == [f"[{path}:1] a NUL octet: this is no text in UTF-8"]
    assert [problem.text[:5] for problem in parse_statements("a: b\nc\0", "f").problems] == ["[f:2]"]


@given(text())
def test_any_text_is_read_or_reported(content: str) -> None:
    read = parse_statements(content, "f")
    if "\0" in content:
        assert len(read.problems) == 1
        return
    lines = [line.strip() for line in content.split("\n")]
    assert len(read.statements) + len(read.problems) == sum(bool(line) and line[0] not in "!#" for line in lines)
