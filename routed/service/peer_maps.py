"""The file of TCP-MD5 keys (RFC 2385), by the addresses that peers connect from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import Loaded, left_out, numbered_rows
from routed.plumbing.values import parse_address

if TYPE_CHECKING:
    from routed.plumbing.values import Address

#: Longest key of TCP-MD5 that Linux takes (TCP_MD5SIG_MAXKEYLEN).
MAX_KEY_OCTETS: Final = 80
#: Each key costs kernel memory (net.core.optmem_max); more than these is no list of neighbours.
MAX_KEYS: Final = 8_192


def parse_md5_keys(text: str, name: str) -> Loaded[dict[Address, bytes]]:
    """Parse a file of TCP-MD5 keys, `address, password` in each row, into keys by address.

    The last row of an address counts. Blanks do not belong to a password, commas after the first do.
    """
    keys: dict[Address, bytes] = {}
    lines = []
    for where, row in numbered_rows(text, name, "!#"):
        try:
            address, key = _parse_md5_row("".join(row.split()))
        except ValueError as error:
            lines.append(left_out(f"{where} line ignored: {error}."))
            continue
        if len(keys) == MAX_KEYS and address not in keys:
            lines.append(LogLine(Level.WARN, f"[{name}] file cut to the first {MAX_KEYS} entries."))
            break
        keys[address] = key
    return Loaded(keys, tuple(lines))


def _parse_md5_row(row: str) -> tuple[Address, bytes]:
    """Parse one row; no message repeats it, because it may hold a password."""
    before, comma, password = row.partition(",")
    key = password.encode(errors="surrogateescape")
    if not comma or not key:
        raise ValueError("it is not 'address, password'")
    if len(key) > MAX_KEY_OCTETS:
        raise ValueError(f"the password is longer than {MAX_KEY_OCTETS} octets")
    try:
        return parse_address(before), key
    except ValueError:
        raise ValueError("it does not begin with an IP address") from None
