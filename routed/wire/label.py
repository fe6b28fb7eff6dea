"""MPLS label stacks as NLRI carry them (RFC 3032 section 2.1, RFC 8277 section 2)."""

from typing import Final

from routed.octets import Cursor, Writer

#: What a withdrawal carries instead of a label (RFC 8277 section 2.4), and what older speakers sent.
WITHDRAWN_LABEL: Final = 0x800000
_ENDS_A_WITHDRAWN_STACK: Final = frozenset({WITHDRAWN_LABEL, 0x000000})

_BOTTOM_OF_STACK: Final = 1

LABEL_BITS: Final = 24


def decode_labels(c: Cursor, *, withdrawn: bool = False) -> tuple[int, ...]:
    """Decode a label stack, top first, up to the bottom-of-stack bit.

    In a withdrawal the values 0x800000 and 0x000000 end the stack too, although they lack that bit.

    Octets: n x (label 20 bits, traffic class 3 bits, bottom of stack 1 bit).
    Raises: WireError when the octets end before the stack does.
    Source: RFC 8277 sections 2.3 and 2.4.
    """
    labels = []
    while True:
        entry = c.u24()
        labels.append(entry >> 4)
        if entry & _BOTTOM_OF_STACK or (withdrawn and entry in _ENDS_A_WITHDRAWN_STACK):
            return tuple(labels)


def encode_labels(w: Writer, labels: tuple[int, ...]) -> None:
    """Encode a label stack, traffic class 0 and the last entry marked as the bottom."""
    *upper, bottom = labels
    for label in upper:
        w.u24(label << 4)
    w.u24(bottom << 4 | _BOTTOM_OF_STACK)


def encode_withdrawn_label(w: Writer) -> None:
    """Encode the one compatibility field that a withdrawal has in place of labels."""
    w.u24(WITHDRAWN_LABEL)
