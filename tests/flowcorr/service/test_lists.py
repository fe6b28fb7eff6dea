"""Values that are lists or maps."""

from typing import Any

import pytest
from hypothesis import given

from flowcorr.correlate.primitives import FIELDS
from tests.flowcorr.service.rows import TEXTS, Rows, cleaned, one_json


@pytest.mark.parametrize(
    ("switch", "primitive", "value", "shown"),
    [
        ("flags_as_array", "tcpflags", 0x1B, ["ACK", "PSH", "SYN", "FIN"]),
        ("flags_as_array", "tcpflags", 0xC2, ["CWR", "ECE", "SYN"]),  # pmacct writes none at all
        ("flags_as_array", "tunnel_tcpflags", 0, []),
        ("status_as_text", "fwd_status", 195, "CONSUMED For us"),
        ("status_as_text", "fwd_status", 0, "UNKNOWN Unclassified"),
        ("status_as_text", "fwd_status", 70, "FORWARDED Unclassified"),
        ("status_as_text", "fwd_status", 256, "UNKNOWN Unclassified"),
        ("stack_as_array", "mpls_label_stack", bytes.fromhex("0000004500005ef1"), ["0-69", "1-24305"]),
        ("stack_as_array", "mpls_label_stack", b"", []),
        ("stack_as_array", "mpls_label_stack", b"abc", []),
        ("as_path_as_array", "as_path", b"9_64500_{1,2}", ["9", "64500", "{1,2}"]),
        ("as_path_as_array", "src_as_path", b"", []),
        ("communities_as_array", "lrg_comm", b"1:2:3_4:5:6", ["1:2:3", "4:5:6"]),
        ("label_as_map", "label", b"nkey%node%90,pkey%x", {"nkey": "node%90", "pkey": "x"}),
        ("label_as_map", "label", b"a%1,,b,a%2,", {"b": "", "a": "2"}),
        ("label_as_map", "label", b"%,,", {"": ""}),
        ("label_as_map", "label", b"a%1,ab%2,b%3", {"a": "1", "ab": "2", "b": "3"}),
        ("label_as_map", "label", b"", {}),
        ("protocols_numeric", "proto", 6, "6"),
    ],
)
def test_encodings_that_can_be_asked_for(switch: str, primitive: str, value: Any, shown: object) -> None:
    row = one_json(primitive, {primitive: value}, **{switch: True})
    key = next(field.key for field in FIELDS if field.primitive == primitive)
    assert row[key] == shown


def test_the_first_key_of_many_equal_labels() -> None:
    labels = b",".join(b"k%d%%v" % number for number in range(100))
    row = one_json("label", {"label": labels}, label_as_map=True)
    assert len(row["label"]) == 100


@given(TEXTS)
def test_lists_and_maps_of_hostile_texts_are_read_back(text: bytes) -> None:
    rows = Rows("as_path, label, mpls_label_stack, srv6_seg_ipv6_list")
    rows.add(as_path=text, label=text, mpls_label_stack=text, srv6_seg_ipv6_list=text)
    [row] = rows.json(as_path_as_array=True, label_as_map=True, stack_as_array=True)
    assert row["as_path"] == [cleaned(part) for part in text.split(b"_") if part]
    labels = [label.partition(b"%") for label in text.split(b",") if label]
    assert row["label"] == {cleaned(key): cleaned(value) for key, _, value in labels}
    words = [int.from_bytes(text[at : at + 4]) for at in range(0, len(text) // 4 * 4, 4)]
    assert row["mpls_label_stack"] == [f"{number}-{word}" for number, word in enumerate(words)]
    assert len(row["srv6_seg_ipv6_list"]) == len(text) // 16
