"""Label stacks: whole, and the special forms of withdrawals."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from routed.octets import Cursor, WireError, Writer
from routed.wire.label import decode_labels, encode_labels, encode_withdrawn_label


@given(labels=lists(integers(0, 0xFFFFF), min_size=1, max_size=10).map(tuple))
def test_stacks_survive_the_round_trip(labels):
    w = Writer()
    encode_labels(w, labels)
    c = Cursor(bytes(w) + b"next")
    assert decode_labels(c) == labels
    assert c.rest() == b"next"


@pytest.mark.parametrize(("octets", "label"), [("800000", 0x80000), ("000000", 0), ("000641", 100)])
def test_a_withdrawal_carries_one_field(octets, label):
    """RFC 8277 section 2.4."""
    c = Cursor(bytes.fromhex(octets) + b"next")
    assert decode_labels(c, withdrawn=True) == (label,)
    assert c.rest() == b"next"


def test_the_compatibility_field_is_0x800000():
    """RFC 8277 section 2.4."""
    w = Writer()
    encode_withdrawn_label(w)
    assert bytes(w) == b"\x80\x00\x00"


def test_traffic_class_is_ignored():
    assert decode_labels(Cursor(b"\x00\x06\x4f")) == (100,)


@pytest.mark.parametrize("octets", ["", "0006", "800000", "000640"])
def test_a_stack_without_a_bottom_is_an_error(octets):
    with pytest.raises(WireError):
        decode_labels(Cursor(bytes.fromhex(octets)))
