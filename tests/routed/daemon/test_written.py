"""Where a daemon writes, by its configuration."""

import os
from pathlib import Path

import pytest

from routed.daemon.settings import process_settings, read_configuration
from routed.daemon.written import folder_of, places_are_usable
from routed.plumbing.config import Daemons
from routed.plumbing.statements import Kind, parse_statements

LINES = """
proc_sandbox: true
logfile: /var/log/bgp/pmbgpd.log
pidfile: /run/bgp/pid
bgp_neighbors_file: neighbors
bgp_daemon_msglog_file: /var/lib/bgp/$peer_src_ip/log
bgp_table_dump_file: /var/lib/dumps-%Y/dump
bgp_table_dump_latest_file: /var/lib/bgp/latest
bgp_daemon_allow_file: /etc/bgp/allow
"""


def test_folders_of_all_outputs_are_open_and_those_of_inputs_are_not() -> None:
    below = process_settings(read_configuration(parse_statements(LINES, "f"))).writes_below
    assert below is not None
    folders = ["/var/log/bgp", "/run/bgp", ".", "/var/lib/bgp", "/var/lib"]
    assert {*map(Path, folders)} <= {*below}
    assert Path("/etc/bgp") not in below


def test_outputs_of_plugins_are_open_too() -> None:
    text = (
        "proc_sandbox: true\nplugins: print[a], memory[b]\nprint_output_file[a]: /var/lib/flows/%Y/f-$peer_src_ip\n"
        "print_latest_file: /srv/latest\nimt_path[b]: /run/flows/b.pipe\nsfacctd_counter_file: /var/lib/c-$peer_src_ip"
    )
    statements = parse_statements(text, "f")
    below = process_settings(read_configuration(statements, Daemons.FLOW)).writes_below
    assert below is not None
    assert {*map(Path, ["/var/lib/flows", "/srv", "/run/flows", "/var/lib"])} <= {*below}


def problems(text: str, kind: Daemons = Daemons.PMBGPD) -> list[str]:
    configuration = read_configuration(parse_statements(text, "f"), kind)
    found = list(places_are_usable(configuration, kind))
    assert {problem.kind for problem in found} <= {Kind.MISSING_FILE}
    return [problem.text for problem in found]


def test_a_file_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "routers").touch()
    gone = tmp_path / "no" / "tags"
    text = f"bgp_daemon_allow_file: {tmp_path}/routers\nbgp_daemon_tag_map: {gone}"
    assert problems(text) == [f"[f:2] bgp_daemon_tag_map: [{gone}] file not found."]
    assert problems(f"bmp_daemon_allow_file: {gone}") == []
    flows = f"plugins: print[a]\npre_tag_map[a]: {gone}"
    assert problems(flows, Daemons.FLOW) == [f"[f:2] pre_tag_map: [{gone}] file not found."]


def test_a_folder_that_cannot_be_written_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert problems(f"bgp_daemon_msglog_file: {tmp_path}/new/folder/log-$peer_src_ip") == []
    key = f"bgp_daemon_msglog_file: {tmp_path}/file/log"
    assert problems(key) == [f"[f:1] bgp_daemon_msglog_file: [{tmp_path}/file] this is no directory."]


def test_a_folder_of_somebody_else_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda folder, _mode: folder != tmp_path)
    key = f"logfile: {tmp_path}/a/b"
    assert problems(key) == [f"[f:1] logfile: [{tmp_path}] no file can be made there."]
    assert problems(f"{key}\nproc_user: nobody") == []


def test_there_is_no_sandbox_unless_it_is_wanted() -> None:
    assert process_settings(read_configuration(parse_statements("", "f"))).writes_below is None


@pytest.mark.parametrize(
    ("name", "is_template", "folder"),
    [
        ("/a/b", False, "/a"),
        ("/a", False, "/"),
        ("a", False, "."),
        ("/a/$peer_src_ip/b", True, "/a"),
        ("/a/b-$peer_src_ip", True, "/a"),
        ("/a/%Y/b-$peer_src_ip", True, "/a"),
        ("/a/100%/b", False, "/a/100%"),
        ("$peer_src_ip", True, "."),
    ],
)
def test_a_name_lies_below_what_all_of_its_forms_have(name: str, is_template: bool, folder: str) -> None:
    assert folder_of(name, is_template=is_template) == Path(folder)
