"""Ports, protocols and types of service that matter, and the one value of all others."""

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate.value_lists import KINDS, FixedStage, ValueStage
from flowcorr.daemon.listed_files import parse_value_list


def seen(key: str, text: str, column: str, *values: int, dscp: bool = False) -> list[int]:
    layout = Layout([*ALWAYS, BUILTIN[column]])
    batch = Batch(layout, len(values))
    for value in values:
        batch.append(**{column: value})
    read = parse_value_list(KINDS[key], text, "f")
    assert not read.lines
    ValueStage(KINDS[key], read.content.values, layout, dscp=dscp)(batch)
    return [int(value) for value in batch.rows[column]]


def test_what_is_not_listed_becomes_one_value() -> None:
    assert seen("ports_file", "! web\n80\n443\n65535\n", "dst_port", 0, 80, 81, 443, 65535) == [0, 80, 0, 443, 65535]
    assert seen("ports_file", "80", "src_port", 80, 8080) == [80, 0]
    assert seen("protos_file", "tcp\n17\n", "proto", 6, 17, 1) == [6, 17, 255]
    assert seen("tos_file", "184\n0\n", "tos", 0, 184, 185) == [0, 184, 255]
    assert seen("tos_file", "46\n", "tos", 184, 185, 8, dscp=True) == [184, 185, 255]


@pytest.mark.parametrize(
    ("key", "row", "said"),
    [
        ("ports_file", "65536", "'65536' is not from 0 to 65535"),
        ("ports_file", "http", "'http' is not from 0 to 65535"),
        ("protos_file", "256", "'256' is no IP protocol: neither a name nor a number from 0 to 255"),
        ("tos_file", "-1", "'-1' is not from 0 to 255"),
    ],
)
def test_a_bad_row_is_named_and_left_out(key: str, row: str, said: str) -> None:
    read = parse_value_list(KINDS[key], f"1\n{row}\n", "f")
    assert [(line.text, line.is_bad) for line in read.lines] == [(f"[f:2] {said}. Line ignored.", True)]
    assert read.content.values == {1}


def test_a_plugin_may_tag_all_that_it_takes() -> None:
    layout = Layout([*ALWAYS, BUILTIN["tag"]])
    batch = Batch(layout, 2)
    for tag in (0, 7):
        batch.append(tag=tag)
    FixedStage({"tag": 2**64 - 1, "tag2": 5}, layout)(batch)
    assert batch.rows["tag"].tolist() == [2**64 - 1] * 2
