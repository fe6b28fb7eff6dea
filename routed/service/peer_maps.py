"""The file of TCP-MD5 keys (RFC 2385), by the addresses and prefixes that peers connect from."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import Loaded, left_out, numbered_rows
from routed.plumbing.values import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Whom a key is for: one peer, or all of a prefix that have no longer one.
KeyOwner: TypeAlias = Address | IPv4Network | IPv6Network

#: Longest key of TCP-MD5 that Linux takes (TCP_MD5SIG_MAXKEYLEN).
MAX_KEY_OCTETS: Final = 80
#: Each key costs kernel memory (net.core.optmem_max); more than these is no list of neighbours.
MAX_KEYS: Final = 8_192


def parse_md5_keys(text: str, name: str) -> Loaded[dict[KeyOwner, bytes]]:
    """Parse a file of TCP-MD5 keys, `address, password` or `prefix, password` in each row.

    The last row of an owner counts; host bits of a prefix are no mistake. Blanks do not belong to a password, commas
    after the first do.
    """
    keys: dict[KeyOwner, bytes] = {}
    lines = []
    for where, row in numbered_rows(text, name, "!#"):
        try:
            owner, key = _parse_md5_row("".join(row.split()))
        except ValueError as error:
            lines.append(left_out(f"{where} line ignored: {error}."))
            continue
        if len(keys) == MAX_KEYS and owner not in keys:
            lines.append(LogLine(Level.WARN, f"[{name}] file cut to the first {MAX_KEYS} entries."))
            break
        keys[owner] = key
    return Loaded(keys, tuple(lines))


def key_of(keys: Mapping[KeyOwner, bytes], address: Address) -> bytes | None:
    """Return the key of a peer: its own, else that of the longest prefix around it."""
    if address in keys:
        return keys[address]
    around = [owner for owner in keys if isinstance(owner, IPv4Network | IPv6Network) and address in owner]
    return keys[max(around, key=lambda owner: owner.prefixlen)] if around else None


def _parse_md5_row(row: str) -> tuple[KeyOwner, bytes]:
    """Parse one row; no message repeats it, because it may hold a password."""
    before, comma, password = row.partition(",")
    key = password.encode(errors="surrogateescape")
    if not comma or not key:
        raise ValueError("it is not 'address, password'")
    if len(key) > MAX_KEY_OCTETS:
        raise ValueError(f"the password is longer than {MAX_KEY_OCTETS} octets")
    try:
        return _parse_owner(before), key
    except ValueError:
        raise ValueError("it does not begin with an IP address or prefix") from None


def _parse_owner(text: str) -> KeyOwner:
    if "/" not in text:
        return parse_address(text)
    network = ip_network(text, strict=False)
    return network.network_address if network.prefixlen == network.max_prefixlen else network
