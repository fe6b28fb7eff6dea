"""The checksum of an LSP: Fletcher's, with octets in the middle that make both sums zero.

It covers the LSP from its id to its end; what comes before changes on the way (ISO/IEC 10589 section 7.3.11, with the
algorithm of ISO 8473 section 6.11).
"""

from itertools import accumulate
from typing import Final

#: Where in an LSP the covered octets begin, and where the checksum stands.
COVERED_FROM: Final = 12
CHECKSUM_AT: Final = 24
_MODULUS: Final = 255


def is_checksum_right(lsp: bytes) -> bool:
    """Tell whether a whole LSP is as its checksum says; a checksum of 0 says nothing and is wrong."""
    covered = lsp[COVERED_FROM:]
    if lsp[CHECKSUM_AT : CHECKSUM_AT + 2] == b"\0\0":
        return False
    return not sum(covered) % _MODULUS and not sum(accumulate(covered)) % _MODULUS


def with_checksum(lsp: bytes) -> bytes:
    """Return a whole LSP with its checksum in place."""
    before, behind = lsp[:CHECKSUM_AT], lsp[CHECKSUM_AT + 2 :]
    covered = before[COVERED_FROM:] + b"\0\0" + behind
    first, second = sum(covered), sum(accumulate(covered))
    x = (len(behind) + 1) * first - second
    y = -first - x
    return before + bytes((x % _MODULUS or _MODULUS, y % _MODULUS or _MODULUS)) + behind
