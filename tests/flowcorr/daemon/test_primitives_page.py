from pathlib import Path

from flowcorr.correlate.primitives import FIELDS, REFUSED, SUMS
from flowcorr.daemon.primitives_page import page

PAGE = Path(__file__).parents[3] / "docs" / "primitives.md"


def test_the_page_in_docs_is_current() -> None:
    """`python -m flowcorr.daemon.primitives_page > docs/primitives.md` mends it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_primitive_is_on_the_page() -> None:
    text = page()
    assert all(f"`{name}`" in text for name in (*(field.primitive for field in FIELDS), *SUMS, *REFUSED))
