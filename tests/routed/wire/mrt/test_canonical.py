"""UPDATEs of real routers, decoded and encoded again, are the octets they were."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from routed.octets import Cursor, Writer
from routed.wire import mrt
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import decode_message
from routed.wire.bgp.update import decode_update, encode_update
from routed.wire.family import STORABLE, Family

EXTENDED_LENGTH = 0x10


def updates_of(path: Path) -> Iterator[tuple[mrt.BgpMessage, Cursor]]:
    for record in mrt.read(path):
        message = mrt.decode_message(record)
        if isinstance(message, mrt.BgpMessage):
            kind, body = decode_message(Cursor(message.octets))
            if kind is MessageType.UPDATE:
                yield message, body


def without_needless_extended_lengths(body: bytes) -> bytes:
    """Return the body of an UPDATE as encoders that look at the length write it: many routers always use two octets."""
    c, w = Cursor(body), Writer()
    with w.length16():
        w.octets(c.take(c.u16()))
    attributes = c.sub(c.u16())
    with w.length16():
        while attributes.remaining:
            flags, type_ = attributes.u8(), attributes.u8()
            value = attributes.take(attributes.u16() if flags & EXTENDED_LENGTH else attributes.u8())
            extended = len(value) > 255
            w.u8(flags | EXTENDED_LENGTH if extended else flags & ~EXTENDED_LENGTH)
            w.u8(type_)
            with w.length16() if extended else w.length8():
                w.octets(value)
    w.octets(c.rest())
    return bytes(w)


@pytest.mark.parametrize(
    ("name", "count", "add_path"),
    [
        ("updates.20100722.2015.gz", 1822, frozenset()),
        ("updates.long_withdrawal.gz", 1, frozenset()),
        ("bird-mrtdump_bgp", 6, STORABLE),
    ],
)
def test_real_updates_are_given_back_octet_by_octet(
    golden: Path, name: str, count: int, add_path: frozenset[Family]
) -> None:
    seen = 0
    for message, body in updates_of(golden / name):
        octets, w = body.rest(), Writer()
        context = replace(message.context, add_path=add_path)
        encode_update(w, decode_update(Cursor(octets), context), context)
        assert bytes(w) == without_needless_extended_lengths(octets)
        seen += 1
    assert seen == count
