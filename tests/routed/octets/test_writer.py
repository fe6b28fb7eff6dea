"""The writer back-patches lengths and refuses values that do not fit."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers

from routed.octets import Cursor, Writer

WIDTHS = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u64": 8}


@pytest.mark.parametrize("name", WIDTHS)
@given(value=integers(0, 2**64 - 1))
def test_what_is_written_reads_back(name, value):
    value %= 1 << 8 * WIDTHS[name]
    w = Writer()
    getattr(w, name)(value)
    assert len(w) == WIDTHS[name]
    assert getattr(Cursor(bytes(w)), name)() == value


@pytest.mark.parametrize(("name", "width"), WIDTHS.items())
def test_a_value_that_does_not_fit_is_refused(name, width):
    w = Writer()
    for value in (-1, 1 << 8 * width):
        with pytest.raises(OverflowError):
            getattr(w, name)(value)
    assert bytes(w) == b""


@given(outer=binary(max_size=300), inner=binary(max_size=255))
def test_lengths_nest(outer, inner):
    w = Writer()
    with w.length16():
        w.octets(outer)
        with w.length8():
            w.octets(inner)
    c = Cursor(bytes(w))
    body = c.sub(c.u16())
    assert c.remaining == 0
    assert body.take(len(outer)) == outer
    assert body.sub(body.u8()).rest() == inner
    assert body.remaining == 0


@pytest.mark.parametrize(("name", "most"), [("length8", 0xFF), ("length16", 0xFFFF)])
def test_a_block_longer_than_its_length_field_is_refused(name, most):
    w = Writer()
    with getattr(w, name)():
        w.octets(bytes(most))
    with pytest.raises(OverflowError), getattr(w, name)():
        w.octets(bytes(most + 1))
