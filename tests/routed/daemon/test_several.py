"""Several processes of one configuration: what has to be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowcorr.daemon.nfacctd import COMMAND as NFACCTD
from routed.daemon.pmbgpd import COMMAND as PMBGPD
from routed.daemon.several import process_line
from routed.plumbing.cli import CommandLine
from routed.plumbing.statements import Statement, Statements, for_process

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {"nfacctd": NFACCTD, "pmbgpd": PMBGPD}


def problems(home: Path, capsys: pytest.CaptureFixture[str], daemon: str, *lines: str) -> list[str]:
    """Return the errors that a check of the configuration finds, which decide about its exit status."""
    file = home / "conf"
    file.write_text("".join(f"{line}\n" for line in lines))
    status = COMMANDS[daemon].main(["-f", str(file), "-T", "config"])
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR")]
    assert status == bool(errors)
    return [line.partition(str(file))[2] or line for line in errors]


@pytest.mark.parametrize(
    ("daemon", "lines", "place"),
    [
        ("nfacctd", ("plugins: print[a]", "print_output_file[a]: /x/a"), ":3] print_output_file"),
        ("nfacctd", ("plugins: print[a]", "print_output_file: /x/a"), ":3] print_output_file"),
        ("nfacctd", ("plugins: memory[a]",), ":2] imt_path"),
        ("nfacctd", ("plugins: memory[a]", "imt_path[a]: /x/a"), ":3] imt_path"),
        ("nfacctd", ("plugins: print", "nfacctd_templates_file: /x/t"), ":3] nfacctd_templates_file"),
        ("nfacctd", ("plugins: print", "nfacctd_templates_port: 2101"), ":3] nfacctd_templates_port"),
        ("nfacctd", ("plugins: print", "core_proc_name: edge"), ":3] core_proc_name"),
        ("pmbgpd", ("bgp_daemon_msglog_file: /x/log",), ":2] bgp_daemon_msglog_file"),
        ("pmbgpd", ("bgp_daemon_lg_http: true",), ":2] bgp_daemon_lg_http_port"),
        ("pmbgpd", ("bgp_daemon_lg: true", "bgp_daemon_lg_port: 5000"), ":3] bgp_daemon_lg_port"),
    ],
)
def test_what_processes_cannot_share_needs_the_number_of_the_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], daemon: str, lines: tuple[str, ...], place: str
) -> None:
    why = ": processes cannot share it; put $proc_number into the value"
    assert problems(tmp_path, capsys, daemon, "proc_count: 3", *lines) == [place + why]
    assert problems(tmp_path, capsys, daemon, "proc_count: 1", *lines) == []
    told_apart = [
        line if line.startswith(("plugins", "bgp_daemon_lg:", "bgp_daemon_lg_http:")) else f"{line}$proc_number"
        for line in lines
    ]
    told_apart += [
        line
        for line in ("imt_path: /x/$proc_number", "bgp_daemon_lg_http_port: 1798$proc_number")
        if line.partition(":")[0] in place and line.partition(":")[0] not in "".join(lines)
    ]
    assert problems(tmp_path, capsys, daemon, "proc_count: 3", *told_apart) == []


def test_where_no_plugin_is_named_there_is_a_table_for_each_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [error] = problems(tmp_path, capsys, "nfacctd", "proc_count: 2")
    assert "imt_path: processes cannot share it" in error


@pytest.mark.parametrize("count", ["0", "129", "all"])
def test_there_is_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: str) -> None:
    [error] = problems(tmp_path, capsys, "pmbgpd", f"proc_count: {count}")
    assert error.startswith(f":1] proc_count: invalid value '{count}'")


def test_a_process_has_a_name_of_its_own_unless_one_is_configured(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("core_proc_name: edge-$proc_number\n")
    named, unnamed = CommandLine(file=tmp_path / "conf"), CommandLine()
    names = [process_line(line, 2).all_statements().statements[-1].value for line in (named, unnamed)]
    assert names == ["edge-2", "default-2"]


def test_values_and_names_of_plugins_have_the_number_put_in() -> None:
    statements = Statements((Statement("imt_path", "/x/$proc_number-$tag", "here", "a$proc_number"),))
    [one] = for_process(statements, 7).statements
    assert (one.value, one.scope, one.where) == ("/x/7-$tag", "a7", "here")
