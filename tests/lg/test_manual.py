"""The manual page of `pmbgp` says what `pmbgp` does."""

import sys
from pathlib import Path

import pytest

from lg.manual import main, pages
from lg.switches import SWITCHES

FOLDER = Path(__file__).parents[2] / "docs" / "man"
[(NAME, PAGE)] = pages()


def test_the_page_in_docs_is_current() -> None:
    """`python -m lg.manual docs/man` mends it."""
    assert (FOLDER / NAME).read_text(encoding="utf-8") == PAGE


def test_the_page_has_all_switches() -> None:
    text = PAGE.replace("\\-", "-")
    assert [name for name in SWITCHES if f"--{name}\\fR" not in text] == []


def test_the_page_is_written_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manual", str(tmp_path / "man")])
    main()
    assert (tmp_path / "man" / NAME).read_text(encoding="utf-8") == PAGE
