"""Prefixes: as few octets as hold the bits, host bits irrelevant."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from

from routed.octets import Cursor, WireError, Writer
from routed.wire.prefix import (
    Prefix,
    cut_prefix,
    decode_prefix,
    encode_prefix,
    format_address,
    format_prefix,
    parse_address,
    parse_prefix,
)


def encoded(prefix):
    w = Writer()
    encode_prefix(w, prefix)
    return bytes(w)


@given(address=binary(min_size=16, max_size=16), width=sampled_from([4, 16]), length=integers(0, 128))
def test_prefixes_survive_octets_and_text(address, width, length):
    prefix = cut_prefix(address[:width], min(length, 8 * width), width)
    assert decode_prefix(Cursor(encoded(prefix)), width) == prefix
    assert parse_prefix(format_prefix(prefix)) == prefix


@pytest.mark.parametrize(
    ("octets", "width", "text"),
    [
        ("00", 4, "0.0.0.0/0"),
        ("18c00002", 4, "192.0.2.0/24"),
        ("0d0bff", 4, "11.248.0.0/13"),
        ("20c0000201", 4, "192.0.2.1/32"),
        ("2020010db8", 16, "2001:db8::/32"),
        ("00", 16, "::/0"),
    ],
)
def test_examples(octets, width, text):
    prefix = decode_prefix(Cursor(bytes.fromhex(octets)), width)
    assert str(prefix) == text


@pytest.mark.parametrize(("octets", "width"), [("21c000020100", 4), ("81" + "00" * 17, 16), ("ff", 4)])
def test_a_length_above_the_address_is_an_error_at_the_length(octets, width):
    with pytest.raises(WireError) as raised:
        decode_prefix(Cursor(bytes.fromhex(octets), base=7), width)
    assert raised.value.offset == 7


def test_a_prefix_cut_short_is_an_error_behind_the_length():
    with pytest.raises(WireError) as raised:
        decode_prefix(Cursor(b"\x18\xc0\x00"), 4)
    assert raised.value.offset == 1


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "::", "::1", "2001:db8:0:1::1"])
def test_addresses_survive_as_text(text):
    assert format_address(parse_address(text)) == text


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.0/33", "2001:db8::/129", "a/8"])
def test_nonsense_is_no_prefix(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_prefix(text)


def test_a_bare_address_is_a_host_prefix():
    assert parse_prefix("192.0.2.1") == Prefix(bytes([192, 0, 2, 1]), 32)
