"""Files about the addresses that peers connect from: who may, and with which TCP-MD5 key (RFC 2385)."""

from __future__ import annotations

import ipaddress
from socket import AF_INET6
from typing import TYPE_CHECKING, Final

from pytricia import PyTricia

from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import Loaded, left_out, numbered_rows
from routed.plumbing.values import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routed.plumbing.values import Address

#: Longest key of TCP-MD5 that Linux takes (TCP_MD5SIG_MAXKEYLEN).
MAX_KEY_OCTETS: Final = 80
#: Each key costs kernel memory (net.core.optmem_max); more than these is no list of neighbours.
MAX_KEYS: Final = 8_192


class AllowList:
    """Addresses and prefixes that may connect; an empty list allows nobody."""

    def __init__(self, prefixes: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
        self._ipv4, self._ipv6 = PyTricia(32), PyTricia(128, AF_INET6)
        for prefix in prefixes:
            trie = self._ipv4 if prefix.version == 4 else self._ipv6
            trie.insert(str(prefix), True)

    def __len__(self) -> int:
        return len(self._ipv4) + len(self._ipv6)

    def permits(self, address: Address) -> bool:
        """Tell whether a row covers the address; the scope of a link-local one (`%eth0`) does not matter."""
        trie = self._ipv4 if address.version == 4 else self._ipv6
        unscoped, _, _scope = str(address).partition("%")
        return unscoped in trie


def parse_allow_list(text: str, name: str) -> Loaded[AllowList]:
    """Parse an allow file: an address or a prefix in each row, host bits are no mistake."""
    prefixes = []
    lines = []
    for where, row in numbered_rows(text, name, "!#"):
        value = "".join(row.split())
        try:
            prefixes.append(ipaddress.ip_network(value, strict=False))
        except ValueError:
            lines.append(left_out(f"{where} Bad IP address '{value}'. Ignored."))
    return Loaded(AllowList(prefixes), tuple(lines))


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
