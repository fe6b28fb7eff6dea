"""The cursor owns the bounds: no read passes the end, and every error says where."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers

from routed.octets import Cursor, WireError

READS = {Cursor.u8: 1, Cursor.u16: 2, Cursor.u24: 3, Cursor.u32: 4, Cursor.u64: 8}


@pytest.mark.parametrize(("read", "width"), READS.items(), ids=lambda x: getattr(x, "__name__", x))
@given(octets=binary(max_size=12))
def test_integers_are_big_endian_or_raise_at_their_offset(read, width, octets):
    c = Cursor(octets, base=100)
    if len(octets) < width:
        with pytest.raises(WireError) as raised:
            read(c)
        assert raised.value.offset == 100
        assert c.remaining == len(octets)
    else:
        assert read(c) == int.from_bytes(octets[:width], "big")
        assert (c.offset, c.remaining) == (100 + width, len(octets) - width)


@given(octets=binary(max_size=40), cut=integers(0, 50), take=integers(0, 50))
def test_a_sub_cursor_ends_where_its_length_says_and_keeps_absolute_offsets(octets, cut, take):
    c = Cursor(octets)
    if cut > len(octets):
        with pytest.raises(WireError):
            c.sub(cut)
        return
    part = c.sub(cut)
    assert (part.remaining, part.offset, c.offset) == (cut, 0, cut)
    assert c.rest() == octets[cut:]
    if take > cut:
        with pytest.raises(WireError) as raised:
            part.take(take)
        assert raised.value.offset == 0
    else:
        assert part.take(take) == octets[:take]
        assert part.rest() == octets[take:cut]
        assert part.offset == cut


@pytest.mark.parametrize("negative", [-1, -(2**62)])
@pytest.mark.parametrize("cut", [Cursor.take, Cursor.sub])
def test_a_negative_length_raises(cut, negative):
    with pytest.raises(WireError):
        cut(Cursor(b"abcd"), negative)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read_without_a_copy_of_its_owner(kind):
    c = Cursor(kind(b"\x01\x02\x03"))
    part = c.sub(2)
    del c
    assert part.u16() == 0x0102


def test_a_buffer_that_is_read_cannot_be_resized():
    octets = bytearray(b"abc")
    part = Cursor(octets).sub(2)
    with pytest.raises(BufferError):
        octets.clear()
    del part
    octets.clear()
    assert not octets


def test_a_peek_reads_nothing():
    c = Cursor(b"\x07\x08", base=3)
    assert (c.peek(), c.peek(), c.offset, c.u16()) == (7, 7, 3, 0x0708)
    with pytest.raises(WireError) as raised:
        c.peek()
    assert raised.value.offset == 5


def test_an_empty_cursor_has_nothing():
    assert (Cursor(b"").rest(), Cursor(b"").sub(0).rest(), Cursor(b"").remaining) == (b"", b"", 0)


def test_the_error_says_what_where_and_by_which_clause():
    assert str(WireError("hold time 2 is below 3", 22, "RFC 4271 4.2")) == (
        "hold time 2 is below 3 at octet 22 (RFC 4271 4.2)"
    )
    assert str(WireError("marker is broken", 0)) == "marker is broken at octet 0"
