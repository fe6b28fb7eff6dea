"""Message headers outside a stream: in MRT records and inside BMP."""

import pytest

from routed.octets import Cursor, WireError
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import LENGTHS, HeaderError, decode_message, encode_message


@pytest.mark.parametrize("kind", LENGTHS, ids=lambda kind: kind.name)
def test_a_message_survives_the_round_trip(kind):
    body = bytes(LENGTHS[kind].least - 19)
    c = Cursor(encode_message(kind, body) + b"next", base=100)
    decoded, inside = decode_message(c)
    assert (decoded, inside.offset, inside.rest(), c.rest()) == (kind, 119, body, b"next")


def test_a_keepalive_is_nineteen_octets():
    """RFC 4271 section 4.4."""
    assert encode_message(MessageType.KEEPALIVE).hex() == "ff" * 16 + "001304"


def test_an_error_counts_its_offset_from_where_the_cursor_started():
    with pytest.raises(HeaderError) as raised:
        decode_message(Cursor(b"\xff" * 16 + b"\x00\x12\x04", base=48))
    assert raised.value.offset == 48 + 16


def test_a_message_that_is_cut_short_is_an_error():
    with pytest.raises(WireError):
        decode_message(Cursor(encode_message(MessageType.OPEN, bytes(10))[:-1]))
    with pytest.raises(WireError):
        decode_message(Cursor(b"\xff" * 18))
