from __future__ import annotations

import sys
import threading
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from routed.plumbing.log import Log, LogSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.unraisable import AT_MOST_PER_MINUTE, log_unraisable

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is logged about exceptions that nobody can take."""
    terminal = StringIO()
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    settings = LogSettings(
        process="default", debug=False, file=None, facility=None, ident="", stderr_timestamps=False, utc=True
    )
    log_unraisable(Log(settings, Owner(), monotonic=lambda: 0.0, terminal=terminal))
    return terminal


class Ungrateful:
    def __del__(self) -> None:
        raise ValueError("no")


def test_a_bug_that_nobody_can_take_is_logged_a_few_times(terminal: StringIO) -> None:
    for _ in range(AT_MOST_PER_MINUTE + 3):
        thing = Ungrateful()
        del thing
    lines = terminal.getvalue().splitlines()
    assert lines[0].startswith("ERROR ( default/core ): bug in Exception ignored in: <function Ungrateful.__del__")
    assert [line.partition(": ")[2] for line in lines].count("ValueError: no") == AT_MOST_PER_MINUTE


def test_a_bug_of_a_thread_is_logged(terminal: StringIO) -> None:
    def fail() -> None:
        raise ValueError("no")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    lines = terminal.getvalue().splitlines()
    assert lines[0].endswith("bug in thread worker")
    assert lines[-1].endswith("ValueError: no")


def test_a_thread_may_end_itself(terminal: StringIO) -> None:
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert terminal.getvalue() == ""
