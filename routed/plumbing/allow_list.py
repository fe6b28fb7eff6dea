"""Files of addresses and prefixes that may connect or send."""

from __future__ import annotations

import ipaddress
from socket import AF_INET6
from typing import TYPE_CHECKING

from pytricia import PyTricia

from routed.plumbing.maps import Loaded, left_out, numbered_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routed.plumbing.values import Address


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
