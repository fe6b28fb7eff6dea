from __future__ import annotations

import json
import os
import syslog
import threading
from dataclasses import replace
from io import StringIO
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from routed.plumbing.log import Level, Log, LogLine, LogSettings, escape
from routed.plumbing.log_output import Channel, Line
from routed.plumbing.output_file import Owner
from routed.plumbing.rate_limit import MAX_KINDS, WINDOW, RateLimit

if TYPE_CHECKING:
    from pathlib import Path

#: 2026-11-20 15:10:57 UTC.
NOW = 1_795_187_457.25


def settings(
    *,
    file: Path | None = None,
    facility: str | None = None,
    debug: bool = False,
    stderr_timestamps: bool = False,
) -> LogSettings:
    return LogSettings(
        process="default",
        debug=debug,
        file=file,
        facility=facility,
        ident="pmbgpd",
        stderr_timestamps=stderr_timestamps,
        utc=True,
    )


def log_to(terminal: StringIO, chosen: LogSettings) -> Log:
    return Log(chosen, Owner(), clock=lambda: NOW, terminal=terminal)


def test_a_line_has_level_process_and_module() -> None:
    terminal = StringIO()
    log = log_to(terminal, settings())
    log.error("a")
    log.warning("b")
    log.notice("c")
    log.info("d")
    log.write(Level.INFO, "e", module="core/RPKI")
    assert terminal.getvalue().splitlines() == [
        "ERROR ( default/core ): a",
        "WARN ( default/core ): b",
        "NOTICE ( default/core ): c",
        "INFO ( default/core ): d",
        "INFO ( default/core/RPKI ): e",
    ]


def test_a_part_of_a_process_has_its_name_in_front() -> None:
    terminal = StringIO()
    log = log_to(terminal, settings())
    part = log.part("core/BGP")
    part.info("peer up")
    part.write_limited("kind", 1, Level.WARN, "once")
    part.write_limited("kind", 1, Level.WARN, "twice")
    part.debug("detail")
    log.info("all")
    assert terminal.getvalue().splitlines() == [
        "INFO ( default/core/BGP ): peer up",
        "WARN ( default/core/BGP ): once",
        "INFO ( default/core ): all",
    ]


@pytest.mark.parametrize(("debug", "lines"), [(False, 0), (True, 1)])
def test_debugging_lines_are_for_those_who_ask(debug: bool, lines: int) -> None:
    terminal = StringIO()
    log_to(terminal, settings(debug=debug)).debug("x")
    assert len(terminal.getvalue().splitlines()) == lines


def test_the_terminal_shows_the_time_when_asked() -> None:
    terminal = StringIO()
    log_to(terminal, settings(stderr_timestamps=True)).info("x")
    assert terminal.getvalue() == "2026-11-20T15:10:57+00:00 INFO ( default/core ): x\n"


def test_a_file_always_has_the_time_and_the_terminal_is_spared(tmp_path: Path) -> None:
    terminal, path = StringIO(), tmp_path / "new" / "log"
    log = log_to(terminal, settings(file=path))
    log.write_all([LogLine(Level.INFO, "x"), LogLine(Level.WARN, "y")])
    assert path.read_text().splitlines() == [
        "2026-11-20T15:10:57+00:00 INFO ( default/core ): x",
        "2026-11-20T15:10:57+00:00 WARN ( default/core ): y",
    ]
    assert terminal.getvalue() == ""


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    log_to(StringIO(), settings(file=path)).info("x")
    assert path.read_text().startswith("old\n2026")


def test_a_file_that_was_moved_away_is_opened_again(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "log.1"
    log = log_to(StringIO(), settings(file=path))
    log.info("before")
    path.rename(moved)
    log.info("between")
    log.reopen()
    log.info("after")
    assert [line.rsplit(" ", 1)[1] for line in moved.read_text().splitlines()] == ["before", "between"]
    assert [line.rsplit(" ", 1)[1] for line in path.read_text().splitlines()] == ["after"]


def test_a_file_that_cannot_be_opened_again_stays_in_use(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = log_to(StringIO(), settings(file=path))
    moved = path.rename(tmp_path / "log.1")
    path.mkdir()
    log.reopen()
    log.info("after")
    lines = moved.read_text().splitlines()
    assert lines[0].endswith(f"[{path}] cannot be opened again: Is a directory. Keeping the old file.")
    assert lines[1].endswith("after")


def test_a_file_that_cannot_be_opened_at_the_start_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        log_to(StringIO(), settings(file=tmp_path))


def test_after_the_end_lines_go_to_the_terminal(tmp_path: Path) -> None:
    terminal = StringIO()
    log = log_to(terminal, settings(file=tmp_path / "log"))
    log.close()
    log.info("late")
    log.reopen()
    assert terminal.getvalue() == "INFO ( default/core ): late\n"


def test_a_pipe_without_a_reader_loses_lines_and_says_so_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    log = log_to(StringIO(), settings(file=path))
    for _ in range(5):
        log.info("x" * 60_000)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.read(reader, 1 << 20)
    log.info("y")
    told = os.read(reader, 1 << 20).decode().splitlines()
    os.close(reader)
    assert (told[0].strip("x"), len(told)) == ("", 3)
    assert told[1].endswith("WARN ( default/core ): 4 log lines were lost")
    assert told[2].endswith("): y")


class ClosedTerminal(StringIO):
    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_terminal_that_went_away_costs_lines_and_no_more() -> None:
    log_to(ClosedTerminal(), settings()).info("x")


def test_an_owner_that_cannot_be_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _uid: int, _gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    path = tmp_path / "log"
    Log(settings(file=path), Owner(uid=1), clock=lambda: NOW)
    assert path.read_text().endswith(f"WARN ( default/core ): [{path}] owner 1:-1 not set: Operation not permitted\n")


def test_the_system_log_gets_priority_and_facility(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int, int]] = []
    written: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *arguments: opened.append(arguments))
    monkeypatch.setattr(syslog, "closelog", lambda: None)
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: written.append(arguments))
    terminal = StringIO()
    log = log_to(terminal, settings(facility="local7"))
    log.warning("x")
    log.reopen()
    assert opened == [("pmbgpd", syslog.LOG_PID, syslog.LOG_LOCAL7)] * 2
    assert written == [(syslog.LOG_WARNING, "WARN ( default/core ): x")]
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain [::1] naïve", "plain [::1] naïve"),
        ("a\nINFO ( default/core ): b", "a\\x0aINFO ( default/core ): b"),
        ("\x1b[31m\t\r\x7f", "\\x1b[31m\\x09\\x0d\\x7f"),
        ("\u2028\udcff", "\\u2028\\udcff"),
    ],
)
def test_no_text_can_forge_a_line(text: str, line: str) -> None:
    assert escape(text) == line
    terminal = StringIO()
    log_to(terminal, settings()).info(text)
    assert len(terminal.getvalue().split("\n")) == 2


def test_lines_of_a_kind_are_limited_and_counted() -> None:
    now = 5.0
    terminal = StringIO()
    log = Log(settings(), Owner(), clock=lambda: NOW, monotonic=lambda: now, terminal=terminal)
    for _ in range(10):
        log.write_limited("kind", 2, Level.WARN, "x")
    log.write_limited("other", 2, Level.WARN, "y")
    now += WINDOW
    log.write_limited("kind", 2, Level.WARN, "z")
    assert [line.split(": ", 1)[1] for line in terminal.getvalue().splitlines()] == [
        "x",
        "x",
        "y",
        "z (8 more like this were not logged)",
    ]


def test_a_wall_clock_that_is_set_back_silences_nothing() -> None:
    wall, monotonic = NOW, 5.0
    terminal = StringIO()
    log = Log(settings(), Owner(), clock=lambda: wall, monotonic=lambda: monotonic, terminal=terminal)
    log.write_limited("kind", 1, Level.WARN, "x")
    wall -= 86_400
    monotonic += WINDOW
    log.write_limited("kind", 1, Level.WARN, "y")
    assert [line.split(": ", 1)[1] for line in terminal.getvalue().splitlines()] == ["x", "y"]


def test_kinds_are_limited_too() -> None:
    limit = RateLimit()
    for number in range(MAX_KINDS):
        assert limit.admit(str(number), 1, now=0.0) == 0
    assert limit.admit("one more", 1, now=1.0) == 0
    assert limit.admit("and another", 1, now=1.0) is None
    assert limit.admit("0", 1, now=1.0) is None
    assert limit.admit("and another", 1, now=WINDOW) == 0


# -- JSON -------------------------------------------------------------------------------------------------------------


def as_json(path: Path | None = None) -> LogSettings:
    return replace(settings(file=path), json=True)


def test_a_line_of_json_has_the_facts_of_its_message(tmp_path: Path) -> None:
    log = log_to(StringIO(), as_json(tmp_path / "log"))
    log.write(Level.WARN, "[192.0.2.1] a\nb", facts={"event": "usage", "peer": ip_address("192.0.2.1"), "in_use": 1})
    log.write_limited("kind", 1, Level.INFO, "x", facts={"errno": None, "text": "\udcff"})
    assert [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()] == [
        {
            "time": "2026-11-20T15:10:57.250000+00:00",
            "level": "warn",
            "process": "default",
            "area": "core",
            "message": "[192.0.2.1] a\\x0ab",
            "about": "192.0.2.1",
            "event": "usage",
            "peer": "192.0.2.1",
            "in_use": 1,
        },
        {
            "time": "2026-11-20T15:10:57.250000+00:00",
            "level": "info",
            "process": "default",
            "area": "core",
            "message": "x",
            "errno": None,
            "text": "\\udcff",
        },
    ]


def test_json_on_the_terminal_is_one_object_a_line() -> None:
    terminal = StringIO()
    log_to(terminal, as_json()).info("x")
    assert json.loads(terminal.getvalue())["message"] == "x"


# -- destinations that take nothing -----------------------------------------------------------------------------------


class Gate:
    """A destination that stays shut until it is opened."""

    def __init__(self) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()
        self.lines: list[str] = []
        self.refuses = False

    def write(self, line: Line) -> bool:
        self.reached.set()
        self.opened.wait(60)
        if not self.refuses:
            self.lines.append(line.text)
        return not self.refuses

    def reopen(self) -> str:
        self.lines.append("reopened")
        return "as far as possible"

    def close(self) -> None:
        self.lines.append("closed")


def shut_channel(**options: int) -> tuple[Gate, Channel, list[str]]:
    gate, complaints = Gate(), list[str]()
    channel = Channel(gate, lambda lost: Line(Level.WARN, f"{lost} lost"), complaints.append, **options)
    channel.begin()
    return gate, channel, complaints


def test_nobody_waits_for_a_destination_that_takes_nothing() -> None:
    gate, channel, complaints = shut_channel(max_waiting=4)
    channel.write(Line(Level.INFO, "a"))
    assert gate.reached.wait(60)
    for text in "bcdefgh":
        channel.write(Line(Level.INFO, text))
    channel.reopen()
    assert not channel.end(0)
    assert gate.lines == []
    gate.opened.set()
    assert channel.end(60)
    assert gate.lines == ["a", "3 lost", "b", "c", "d", "e", "reopened", "closed"]
    assert complaints == ["as far as possible"]


def test_lines_that_are_refused_are_counted() -> None:
    gate, channel, _ = shut_channel()
    gate.refuses = True
    gate.opened.set()
    channel.write(Line(Level.INFO, "a"))
    assert channel.end(60)
    gate.refuses = False
    channel.write(Line(Level.INFO, "b"))
    assert gate.lines == ["closed", "1 lost", "b"]


def test_a_log_in_the_background_writes_what_waits_before_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = log_to(StringIO(), settings(file=path))
    log.begin()
    log.info("before")
    path.rename(tmp_path / "log.1")
    log.reopen()
    log.info("after")
    assert log.close(60)
    assert (tmp_path / "log.1").read_text().endswith(": before\n")
    assert path.read_text().endswith(": after\n")


def test_details_are_logged_when_that_is_wanted_later() -> None:
    terminal = StringIO()
    log = log_to(terminal, settings())
    log.debug("x")
    log.configure(settings(debug=True))
    log.debug("y")
    assert terminal.getvalue() == "DEBUG ( default/core ): y\n"
