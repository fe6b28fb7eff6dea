"""The map of sessions to pass on: to which collector the session of a peer goes (`bgp_daemon_xconnect_map`)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.plumbing.maps import Limits, Loaded, Row, RowError, left_out, parse_rows
from routed.plumbing.values import ENDPOINT, parse_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routed.plumbing.values import Address

KEYS: Final = ("bgp_dst", "bgp_src")


class Destination(NamedTuple):
    """Where a collector listens."""

    address: Address
    port: int

    def __str__(self) -> str:
        """Write it as in the map."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


class Rule(NamedTuple):
    """One row: a single address is a prefix of all its bits."""

    source: ipaddress.IPv4Network | ipaddress.IPv6Network
    destination: Destination


class XconnectMap:
    """The rows in file order, of which the first that covers a peer counts.

    They are found by the bits of the address for each length of prefix that occurs, so a look-up does not depend on
    the number of rows.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._first: dict[tuple[int, int], dict[int, int]] = {}  # (version, shift): leading bits: place
        for place, (source, _) in enumerate(rules):
            shift = source.max_prefixlen - source.prefixlen
            places = self._first.setdefault((source.version, shift), {})
            places.setdefault(int(source.network_address) >> shift, place)

    def __len__(self) -> int:
        return len(self._rules)

    def find(self, address: Address) -> Destination | None:
        """Return where the session of a peer goes; the scope of a link-local address does not matter."""
        bits = int(address)
        found = [
            places[bits >> shift]
            for (version, shift), places in self._first.items()
            if version == address.version and bits >> shift in places
        ]
        return self._rules[min(found)].destination if found else None


def parse_xconnect_map(text: str, name: str, limits: Limits) -> Loaded[XconnectMap]:
    """Parse a map; a row that says less or more than it must is left out."""
    rows = parse_rows(text, name, KEYS, limits)
    rules: list[Rule] = []
    lines = list(rows.lines)
    for row in rows.content:
        try:
            rules.append(_parse_row(row))
        except RowError as error:
            lines.append(left_out(f"{row.where} {error} Line ignored."))
    return Loaded(XconnectMap(rules), tuple(lines))


def _parse_row(row: Row) -> Rule:
    missing = [f"'{key}'" for key in KEYS if key not in row.pairs]
    if missing:
        raise RowError(f"required key missing: {', '.join(missing)}. Required keys are: 'bgp_dst', 'bgp_src'.")
    return Rule(_parse_source(row.pairs["bgp_src"]), _parse_destination(row.pairs["bgp_dst"]))


def _parse_destination(text: str) -> Destination:
    try:
        endpoint = ENDPOINT.parse(text)
        address = parse_address(endpoint.host)
    except ValueError:
        raise RowError(f"'bgp_dst' is '{text}': valid is {ENDPOINT.valid}.") from None
    if address.is_unspecified or address.is_multicast:
        raise RowError(f"'bgp_dst' is '{text}', where nobody can be connected to.")
    return Destination(address, endpoint.port)


def _parse_source(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Parse an address, with a port that does not matter, or a prefix; host bits are no mistake."""
    try:
        if "/" in text:
            return ipaddress.ip_network(text, strict=False)
        return ipaddress.ip_network(parse_address(_without_port(text)).packed)
    except ValueError:
        raise RowError(
            f"'bgp_src' is '{text}': valid is an address, address:port, [IPv6 address]:port or a prefix."
        ) from None


def _without_port(text: str) -> str:
    """Return the address of an endpoint, or the text itself when it is none."""
    is_endpoint = text.startswith("[") or text.count(":") == 1
    return ENDPOINT.parse(text).host if is_endpoint else text
