"""Where a daemon writes, by its configuration."""

from pathlib import Path

import pytest

from routed.daemon.settings import process_settings, read_configuration
from routed.daemon.written import folder_of
from routed.plumbing.statements import parse_statements

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
