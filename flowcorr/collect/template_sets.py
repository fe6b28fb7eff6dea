"""Sets of templates in messages of NetFlow v9 and IPFIX, cut out and put into messages of their own.

That is how collectors which share a port pass on to each other what only one of them has heard.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from flowcorr.wire.template import DECODERS
from routed.octets._cursor import Cursor
from routed.octets.errors import WireError

_V9, _IPFIX = 9, 10
#: Octets of the header, by version; the last four are the domain.
_HEADERS: Final = {_V9: 20, _IPFIX: 16}
_SET_HEADER: Final = struct.Struct("!HH")
_U16: Final = struct.Struct("!H")


class TemplateSet(NamedTuple):
    """A set of templates, without its own header, and where it stood in its message."""

    version: int
    domain: int
    set_id: int
    octets: bytes
    offset: int


def template_sets(datagram: bytes) -> Iterator[TemplateSet]:
    """Iterate over the sets of templates in a datagram; what else it holds is left out.

    Raises: WireError where it breaks its format; the sets before have been yielded.
    Source: RFC 3954 section 5, RFC 7011 section 3.
    """
    c = Cursor(datagram)
    while True:
        version = c.u16()
        if version not in _HEADERS:
            raise WireError(f"version {version} has no templates", c.offset - 2)
        length, rest = c.u16(), _HEADERS[version] - 8
        c.take(rest)
        domain = c.u32()
        is_cut = version == _IPFIX and _HEADERS[version] <= length < _HEADERS[version] + c.remaining
        yield from _sets(c.sub(length - _HEADERS[version] if is_cut else c.remaining), version, domain)
        if c.remaining < _HEADERS[_IPFIX]:
            return  # else another message (some exporters join them)


def _sets(c: Cursor, version: int, domain: int) -> Iterator[TemplateSet]:
    while c.remaining >= _SET_HEADER.size:
        start = c.offset
        set_id, length = c.u16(), c.u16()
        if length < _SET_HEADER.size:
            raise WireError(f"a set of {length} octets", start)
        body = c.sub(length - _SET_HEADER.size)
        if set_id in DECODERS[version]:
            yield TemplateSet(version, domain, set_id, body.rest(), start + _SET_HEADER.size)


def message_of(header: bytes, set_id: int, octets: bytes) -> bytes:
    """Return a message with one set of templates; of the header that they came with all stays but its count or length.

    Source: RFC 3954 section 5.1, RFC 7011 section 3.1.
    """
    body = _SET_HEADER.pack(set_id, _SET_HEADER.size + len(octets)) + octets
    (version,) = _U16.unpack_from(header)
    number = 1 if version == _V9 else len(header) + len(body)
    return header[:2] + _U16.pack(number) + header[4:] + body
