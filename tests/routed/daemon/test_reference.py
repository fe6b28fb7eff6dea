from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from routed.daemon.keys import KEYS
from routed.daemon.reference import main, reference
from routed.daemon.switches import PROGRAMS

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_in_docs_is_current() -> None:
    """`python -m routed.daemon.reference > docs/configuration.md` mends it."""
    assert PAGE.read_text() == reference(KEYS, PROGRAMS)


def test_every_key_is_on_the_page() -> None:
    page = reference(KEYS, PROGRAMS)
    assert [key.name for key in KEYS if f"`{key.name}`" not in page] == []


def test_keys_of_ours_are_marked() -> None:
    page = reference(KEYS, PROGRAMS)
    assert [key.name for key in KEYS if key.ours != (f"`{key.name}` **ours**" in page)] == []


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert capsys.readouterr().out == reference(KEYS, PROGRAMS)
