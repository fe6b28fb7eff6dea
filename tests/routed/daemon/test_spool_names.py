"""Which daemon has which spool."""

from pathlib import Path

import pytest

from routed.daemon.settings import process_settings, read_configuration
from routed.daemon.several import process_line
from routed.plumbing.cli import CommandLine
from routed.plumbing.names import MOST_FILE_NAME, file_name_of
from routed.plumbing.statements import Statement


def name_of(file: Path | None, number: int = 0, **switches: str) -> str:
    line = CommandLine(file, tuple(Statement(key, value, "[command line]") for key, value in switches.items()))
    line = process_line(line, number) if number else line
    return process_settings(read_configuration(line.all_statements())).spool_name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edge.conf"
    path.write_text("bgp_daemon_port: 1179\n")
    return path


def test_two_configurations_have_spools_of_their_own_and_a_restart_has_the_same(file: Path) -> None:
    other = file.with_name("core.conf")
    other.write_text(file.read_text())
    name = name_of(file)
    assert name == f"{str(file).replace('/', '+')}"
    assert name != name_of(other)
    file.write_text("bgp_daemon_port: 2179\n")
    assert name_of(file) == name


def test_a_path_leads_from_the_root(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert name_of(Path(file.name)) == name_of(file)


def test_a_link_keeps_its_name_wherever_it_leads(file: Path) -> None:
    link = file.with_name("current.conf")
    link.symlink_to(file)
    assert name_of(link).endswith("+current.conf")


def test_the_name_of_a_daemon_counts_where_it_has_one(file: Path) -> None:
    assert name_of(file, core_proc_name="edge") == "edge"
    assert name_of(None, core_proc_name="edge") == "edge"
    assert name_of(file, 2, core_proc_name="edge-$proc_number") == "edge-2"


def test_processes_of_a_daemon_have_spools_of_their_own(file: Path) -> None:
    assert [name_of(file, number) for number in (1, 2)] == [f"{name_of(file)}-1", f"{name_of(file)}-2"]


def test_without_a_file_there_is_only_the_name() -> None:
    assert name_of(None) == "default"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/etc/a.conf", "+etc+a.conf"),
        ("a+b/c d%\n", "a%2Bb+c d%25%0A"),
        ("é\udcff", "%C3%A9%FF"),
    ],
)
def test_any_text_is_the_name_of_one_file(text: str, name: str) -> None:
    assert file_name_of(text) == name
    assert "/" not in name


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_no_text_leads_elsewhere(text: str) -> None:
    assert len(file_name_of(text)) > 2


def test_names_are_bounded_and_differ() -> None:
    longest = "a" * MOST_FILE_NAME
    assert file_name_of(longest) == longest
    first, second = (file_name_of(start + longest) for start in "bc")
    assert first != second
    assert len(first) == len(second) == MOST_FILE_NAME
    assert first.endswith("aaa")
