from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routed.daemon.keys import KEYS
from routed.daemon.switches import PMBGPD
from routed.plumbing.cli import UsageError, parse_command_line
from routed.plumbing.statements import Statement

if TYPE_CHECKING:
    from pathlib import Path


def statements(*arguments: str) -> list[tuple[str, str]]:
    return [(statement.key, statement.value) for statement in parse_command_line(PMBGPD, arguments).statements]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-L", "192.0.2.1"], ("bgp_daemon_ip", "192.0.2.1")),
        (["-l", "1179"], ("bgp_daemon_port", "1179")),
        (["-l1179"], ("bgp_daemon_port", "1179")),
        (["-o", "/l"], ("bgp_daemon_msglog_file", "/l")),
        (["-O", "/d"], ("bgp_table_dump_file", "/d")),
        (["-i", "60"], ("bgp_table_dump_refresh_time", "60")),
        (["-g"], ("bgp_daemon_lg", "true")),
        (["-m", "/x"], ("bgp_daemon_xconnect_map", "/x")),
        (["-D"], ("daemonize", "true")),
        (["-d"], ("debug", "true")),
        (["-S", "local2"], ("syslog", "local2")),
        (["-F", "/p"], ("pidfile", "/p")),
        (["-T", "config"], ("dry_run", "config")),
    ],
)
def test_a_switch_is_the_short_form_of_a_key(arguments: list[str], expected: tuple[str, str]) -> None:
    assert statements(*arguments) == [expected]


def test_every_switch_sets_a_known_key_and_getopt_knows_it() -> None:
    for switch in PMBGPD.switches:
        assert KEYS.find(switch.key) is not None
        assert f"{switch.letter}:" in PMBGPD.order if switch.argument else switch.letter in PMBGPD.order
    letters = PMBGPD.order.replace(":", "")
    assert sorted(letters) == sorted([switch.letter for switch in PMBGPD.switches] + ["h", "V", "f"])


def test_several_switches_keep_their_order_and_say_where_they_were() -> None:
    line = parse_command_line(PMBGPD, ["-dl", "1", "-l", "2"])
    assert line.statements == (
        Statement("debug", "true", "[command line: -d]"),
        Statement("bgp_daemon_port", "1", "[command line: -l]"),
        Statement("bgp_daemon_port", "2", "[command line: -l]"),
    )


@pytest.mark.parametrize("arguments", [["-x"], ["-l"], ["file"], ["--halp"], ["-I", "x"]])
def test_what_is_not_a_switch_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_command_line(PMBGPD, arguments)


def test_help_and_version_are_asked_for() -> None:
    for word in ("-h", "--help"):
        assert parse_command_line(PMBGPD, [word]).wants_help
    for word in ("-V", "--version"):
        assert parse_command_line(PMBGPD, [word]).wants_version
    line = parse_command_line(PMBGPD, [])
    assert (line.wants_help, line.wants_version, line.file, line.statements) == (False, False, None, ())


def test_the_usage_has_a_line_for_each_switch() -> None:
    usage = PMBGPD.usage()
    assert usage.startswith("pmbgpd: passive BGP collector\n")
    for letter in PMBGPD.order.replace(":", ""):
        assert f"\n  -{letter}" in usage


def test_switches_come_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("bgp_daemon_port: 1\nbroken\n")
    read = parse_command_line(PMBGPD, ["-l", "2", "-f", str(path)]).all_statements()
    assert [statement.value for statement in read.statements] == ["1", "2"]
    assert len(read.problems) == 1
    assert parse_command_line(PMBGPD, ["-l", "2"]).all_statements().problems == ()


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        parse_command_line(PMBGPD, ["-f", "/nonexistent/x.conf"]).all_statements()
