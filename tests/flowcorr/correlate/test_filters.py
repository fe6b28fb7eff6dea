"""Which flows a plugin takes by their tags and labels."""

import numpy as np
import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate.filters import FilterError, mask_of, parse_label_filter, parse_tag_filter

LAYOUT = Layout([BUILTIN["tag"], BUILTIN["label"]])
TAGS = [0, 1, 5, 6, 7, 10, 2**64 - 1]


def tags_through(text: str) -> list[int]:
    batch = Batch(LAYOUT, len(TAGS))
    for tag in TAGS:
        batch.append(tag=np.uint64(tag))
    passes = parse_tag_filter("tag", text).passes(batch)
    return [tag for tag, one in zip(TAGS, passes, strict=True) if one]


@pytest.mark.parametrize(
    ("text", "through"),
    [
        ("0", [0]),
        ("1,6", [1, 6]),
        ("5-7", [5, 6, 7]),
        ("-6", [0, 1, 5, 7, 10, 2**64 - 1]),
        ("-5-7", [0, 1, 10, 2**64 - 1]),
        ("6,-5-7", [0, 1, 6, 10, 2**64 - 1]),
        ("-6,-7", [0, 1, 5, 7, 10, 2**64 - 1]),
        (f"{2**64 - 1}", [2**64 - 1]),
    ],
)
def test_tags(text: str, through: list[int]) -> None:
    assert tags_through(text) == through


@pytest.mark.parametrize("text", ["", "x", "5-", "7-5", "5-5", f"{2**64}", "1," * 96 + "1"])
def test_what_is_no_filter_of_tags(text: str) -> None:
    with pytest.raises(FilterError):
        parse_tag_filter("tag", text)


@pytest.mark.parametrize(
    ("text", "through"),
    [
        ("a", ["a", "a,b"]),
        ("b,null", ["", "a,b"]),
        ("-a", ["", "c"]),
        ("c,-a", ["", "c"]),
    ],
)
def test_labels(text: str, through: list[str]) -> None:
    texts, labels = Texts(), ["", "a", "a,b", "c"]
    batch = Batch(LAYOUT, len(labels))
    for label in labels:
        batch.append(label=texts.id_of(label.encode()))
    passes = parse_label_filter(text, texts).passes(batch)
    assert [label for label, one in zip(labels, passes, strict=True) if one] == through


def test_all_filters_must_let_a_flow_through() -> None:
    texts = Texts()
    batch = Batch(LAYOUT, 2)
    batch.append(tag=1, label=texts.id_of(b"a"))
    batch.append(tag=1)
    assert mask_of([], batch) is None
    mask = mask_of([parse_tag_filter("tag", "1"), parse_label_filter("a", texts)], batch)
    assert mask is not None
    assert mask.tolist() == [1, 0]
    with pytest.raises(FilterError):
        parse_label_filter(" ,", texts)
