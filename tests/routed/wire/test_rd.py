"""Route distinguishers: raw octets that print."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, sampled_from

from routed.octets import Cursor, WireError, Writer
from routed.wire.rd import decode_rd, encode_rd, format_rd, parse_rd

TEXTS = {
    "0000fde800000064": "0:65000:100",
    "00010a0000010005": "1:10.0.0.1:5",
    "0002fa56ea000007": "2:4200000000:7",
    "0800000000000009": "vrfid:9",
}


@pytest.mark.parametrize(("octets", "text"), TEXTS.items())
def test_text_of_each_type(octets, text):
    assert format_rd(bytes.fromhex(octets)) == text
    assert parse_rd(text) == bytes.fromhex(octets)


def test_another_type_is_unknown():
    assert format_rd(b"\xff" * 8) == "unknown"


@given(rest=binary(min_size=6, max_size=6), kind=sampled_from([0, 1, 2]))
def test_any_distinguisher_survives_octets_and_text(rest, kind):
    rd = bytes([0, kind]) + rest
    w = Writer()
    encode_rd(w, rd)
    assert decode_rd(Cursor(bytes(w))) == rd
    assert parse_rd(format_rd(rd)) == rd


def test_seven_octets_are_too_few():
    with pytest.raises(WireError):
        decode_rd(Cursor(bytes(7)))


@pytest.mark.parametrize(
    "text", ["", "65000:1", "0:65536:1", "0:1:4294967296", "1:10.0.0:1", "1:10.0.0.1:65536", "2:-1:1", "3:1:1", "0:a:1"]
)
def test_nonsense_is_no_distinguisher(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_rd(text)
