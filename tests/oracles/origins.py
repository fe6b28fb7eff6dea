"""Origin validation the slow way: every payload is looked at for every route (RFC 6811 section 2)."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network
#: Prefix, maximum length, AS number.
Payload = tuple[Network, int, int]
#: Prefix and origin; None for no origin.
Route = tuple[Network, int | None]


def inside(network: Network, around: Network) -> bool:
    """Tell whether a prefix is another one or in it."""
    return network.version == around.version and network.subnet_of(around)  # type: ignore[arg-type]  # one version


def status_alone(payloads: Iterable[Payload], network: Network, origin: int | None) -> str:
    """Return the status of a route by itself: u, i or v."""
    covering = [payload for payload in payloads if inside(network, payload[0])]
    if any(origin and asn == origin and network.prefixlen <= longest for _, longest, asn in covering):
        return "v"
    return "i" if covering else "u"


def status_among(payloads: Sequence[Payload], routes: Iterable[Route], network: Network, origin: int | None) -> str:
    """Return the status of a route among those of its peer: U or V where one around it stands in for it."""
    alone = status_alone(payloads, network, origin)
    if alone != "i":
        return alone
    around: dict[Network, list[str]] = {}
    for other, its_origin in routes:
        if other != network and inside(network, other):
            around.setdefault(other, []).append(status_alone(payloads, other, its_origin))
    for other in sorted(around, key=lambda one: -one.prefixlen):
        if "v" in around[other]:
            return "V"
        if "u" in around[other]:
            return "U"
    return "i"


def network_of(address: bytes, length: int) -> Network:
    """Return a prefix as a value."""
    return ip_network((address, length))
