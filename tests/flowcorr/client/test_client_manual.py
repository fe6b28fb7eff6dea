"""The manual page of `pmacct` says what `pmacct` does."""

import sys
from pathlib import Path

import pytest

from flowcorr.client.manual import main, pages
from flowcorr.client.switches import SWITCHES

FOLDER = Path(__file__).parents[3] / "docs" / "man"
[(NAME, PAGE)] = pages()


def test_the_page_in_docs_is_current() -> None:
    """`python -m flowcorr.client.manual docs/man` mends it."""
    assert (FOLDER / NAME).read_text(encoding="utf-8") == PAGE


def test_the_page_has_all_switches() -> None:
    text = PAGE.replace("\\-", "-")
    assert [one.letter for one in SWITCHES if f"\\fB-{one.letter}\\fR" not in text] == []


def test_the_page_is_written_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manual", str(tmp_path / "man")])
    main()
    assert (tmp_path / "man" / NAME).read_text(encoding="utf-8") == PAGE
