"""The command `pmacct`: from command lines to questions, and from answers to what a person sees."""

import io
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flowcorr.client.cli import main
from flowcorr.client.merge import of_each
from flowcorr.client.show import show
from flowcorr.client.switches import SWITCHES, UsageError, parse
from routed.plumbing.build import build


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("-s", {"do": "list"}),
        ("-s -O csv -E \\t", {"do": "list", "output": "csv", "separator": "\t"}),
        ("-s -T bytes,10", {"do": "list", "top": "bytes", "most": 10}),
        ("-s -T packets", {"do": "list", "top": "packets"}),
        ("-s -a -I -u -0 -l", {"do": "list", "all_columns": True, "epoch": True, "numeric": True, "utc": True}),
        (
            "-c src_host,dst_port -N 10.0.0.1,80;*,443 -n all -S -r",
            {
                "do": "count",
                "primitives": ["src_host", "dst_port"],
                "values": [["10.0.0.1", "80"], ["*", "443"]],
                "counter": "all",
                "sum": True,
                "reset": True,
            },
        ),
        ("-c tag -M 1", {"do": "list", "primitives": ["tag"], "values": [["1"]]}),
        ("-e", {"do": "erase"}),
        ("-i", {"do": "age"}),
        ("-t", {"do": "status"}),
        ("-U", {"do": "custom"}),
    ],
)
def test_command_lines_are_questions(line: str, question: dict[str, Any]) -> None:
    assert parse(line.split(" ")).question == question


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "to be asked for"),
        ("-s -t", "to be asked for"),
        ("-N 1", "needs -c"),
        ("-s -r", "needs -M or -N"),
        ("-s -T bytes,x", "no number"),
        ("-s -T bytes,0", "no number"),
        ("-x", "-x"),
        ("-s more", "belongs to no switch"),
        ("-C", "no classifier"),
        ("-s -p", "-p"),
    ],
)
def test_command_lines_without_sense_are_refused(line: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=why):
        parse(line.split())
    assert main(line.split()) == 1
    assert capsys.readouterr().err.endswith("\npmacct -h shows the switches\n")


def test_queries_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "queries").write_text("! remark\n10.0.0.1,80\n\n10.0.0.2,443\n")
    asked = parse(["-c", "src_host,dst_port", "-M", f"file:{tmp_path / 'queries'}"])
    assert asked.question["values"] == [["10.0.0.1", "80"], ["10.0.0.2", "443"]]
    assert main(["-c", "tag", "-M", f"file:{tmp_path / 'none'}"]) == 1


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_names_every_switch(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    text = capsys.readouterr().out
    assert all(f"  -{one.letter} " in text for one in SWITCHES)


@pytest.mark.parametrize("word", ["-V", "--version"])
def test_the_version_is_told(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out == f"pmacct {build()}\n"


def serve(path: Path, answer: bytes) -> threading.Thread:
    """Answer one client."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def run() -> None:
        with listening, listening.accept()[0] as client:
            client.makefile("rb").readline()
            client.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_rows_are_printed_as_they_come(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    thread = serve(tmp_path / "s", b'{"ok": true, "entries": 1}\nTAG\n1\n')
    assert main(["-p", str(tmp_path / "s"), "-s", "-O", "csv"]) == 0
    thread.join()
    assert capfdbinary.readouterr().out == b"TAG\n1\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b'{"error": "no such thing"}\n', "no such thing"), (b"\x80", "no memory plugin"), (b"", "no memory plugin")],
)
def test_refusals_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], answer: bytes, why: str) -> None:
    thread = serve(tmp_path / "s", answer)
    assert main(["-p", str(tmp_path / "s"), "-t"]) == 1
    thread.join()
    said = capfd.readouterr().err
    assert said.startswith("ERROR: ")
    assert why in said


def test_no_daemon_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-p", str(tmp_path / "none"), "-s"]) == 1
    assert "is a daemon" in capfd.readouterr().err


def test_no_custom_primitives_are_a_failure(tmp_path: Path) -> None:
    thread = serve(tmp_path / "s", b'{"ok": true}\n')
    assert main(["-p", str(tmp_path / "s"), "-U"]) == 1
    thread.join()


def test_people_get_a_table() -> None:
    out = io.StringIO()
    rows = [json.dumps({"as_dst": 64500, "packets": 1, "bytes": 1_234_567}).encode()]
    show(rows, 1, Console(file=out, width=80))
    assert "1,234,567" in out.getvalue()
    assert "1 entries" in out.getvalue()


# -- several tables as one


def ask_two(home: Path, answers: tuple[bytes, bytes], *arguments: str) -> int:
    """Ask two plugins that answer so."""
    threads = [
        serve(home / name, b'{"ok": true, "entries": 2}\n' + answer) for name, answer in zip("ab", answers, strict=True)
    ]
    status = main(["-p", str(home / "a"), "-p", str(home / "b"), *arguments])
    for thread in threads:
        thread.join()
    return status


ROWS = (
    b'{"as_dst": 1, "packets": 1, "bytes": 10}\n{"as_dst": 2, "packets": 2, "bytes": 20}\n',
    b'{"as_dst": 3, "packets": 3, "bytes": 25}\n{"as_dst": 1, "packets": 4, "bytes": 40}\n',
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["-s", "-O", "json"], [(1, 5, 50), (2, 2, 20), (3, 3, 25)]), (["-s", "-T", "bytes,2"], [(1, 5, 50), (3, 3, 25)])],
)
def test_rows_of_one_key_are_one_row(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str], expected: list[tuple[int, ...]]
) -> None:
    assert ask_two(tmp_path, ROWS, *arguments) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(row["as_dst"], row["packets"], row["bytes"]) for row in rows] == expected


def test_the_largest_of_all_tables_are_asked_for_in_full() -> None:
    assert of_each({"do": "list", "top": "bytes", "most": 3, "output": "csv"}) == {"do": "list", "output": "json"}


def test_counts_are_summed_by_query(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert (
        ask_two(tmp_path, (b"1 10 2 1\n0 0 0 0\n", b"5 6 7 8\n1 1 1 1\n"), "-c", "tag", "-N", "1;2", "-n", "all") == 0
    )
    assert capfdbinary.readouterr().out == b"6 16 9 9\n1 1 1 1\n"


def test_what_cannot_be_summed_is_told_of_each(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert ask_two(tmp_path, (b"entries: 1\n", b"entries: 2\n"), "-t") == 0
    assert capfdbinary.readouterr().out == b"entries: 1\nentries: 2\n"


def test_columns_of_several_tables_are_not_made() -> None:
    with pytest.raises(UsageError, match="-O csv: several tables"):
        parse(["-s", "-p", "a", "-p", "b", "-O", "csv"])
