"""Records of options, field by field: what an exporter says about itself.

They come seldom, so they are read in Python.  Source: RFC 3954 section 6.1, RFC 7011 section 3.4.2.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from flowcorr.wire.elements import IE, Key
from flowcorr.wire.template import VARIABLE_LENGTH, Template
from routed.octets._cursor import Cursor

#: NetFlow v9 scopes that are elements too: interface and template (RFC 3954 section 6.1).
_SCOPE_ELEMENTS: Final = {2: IE.INGRESS_INTERFACE, 5: IE.TEMPLATE_ID}


def read_options(template: Template, octets: bytes) -> Iterator[Mapping[Key, bytes]]:
    """Yield the fields of each record in a set; of an element that comes several times, the last.

    Raises: WireError where a field of variable length passes the end.
    """
    keys = [
        _scope_key(field.element) if template.is_v9 and index < template.scope else field.key
        for index, field in enumerate(template.fields)
    ]
    lengths = [field.length for field in template.fields]
    least = template.least_octets
    c = Cursor(octets)
    while c.remaining >= least:
        record: dict[Key, bytes] = {}
        for key, length in zip(keys, lengths, strict=True):
            value = c.take(_variable_length(c) if length == VARIABLE_LENGTH else length)
            if key is not None:
                record[key] = value
        yield record


def _scope_key(scope: int) -> Key | None:
    element = _SCOPE_ELEMENTS.get(scope)
    return None if element is None else Key(0, element)


def _variable_length(c: Cursor) -> int:
    length = c.u8()
    return c.u16() if length == 255 else length  # RFC 7011 section 7
