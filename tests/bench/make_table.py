"""Write a synthetic full table as a stream of BGP UPDATE messages (RFC 4271, 4-octet AS numbers).

The shape is that of the Internet's table: mostly /24 and /48, origins with a heavy-tailed number of
prefixes, about five prefixes an attribute set, paths of three to seven hops, communities on most routes.
The same seed gives the same prefixes, origins and grouping; each view gives them another neighbour's
first hops, metrics and communities, so that views share prefixes and no attribute sets.

Usage: python -m tests.bench.make_table OUT [--prefixes N] [--v6 N] [--peer VIEW] [--seed S]
"""

from __future__ import annotations

import argparse
import random
import struct
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.peers.raw_speaker import (
    IPV6_UNICAST,
    OPTIONAL,
    OPTIONAL_TRANSITIVE,
    as_path,
    attribute,
    mp_reach,
    next_hop,
    origin,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Prefix length -> share of the table in per mille.
IPV4_LENGTHS: Final = {24: 610, 23: 95, 22: 110, 21: 50, 20: 45, 19: 28, 18: 15, 17: 10, 16: 25, 14: 6, 12: 6}
IPV6_LENGTHS: Final = {48: 470, 44: 110, 40: 90, 36: 60, 32: 200, 29: 40, 46: 30}
IPV6_REGISTRIES: Final = (0x2001, 0x2400, 0x2600, 0x2800, 0x2A00, 0x2C00)
#: Most prefixes of one attribute set: with the longest prefix a message stays within 4,096 octets.
LARGEST_GROUP: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How much to generate, and as whose view."""

    ipv4: int
    ipv6: int
    view: int = 0
    seed: int = 1


def _prefixes(draw: random.Random, count: int, bits: int) -> list[bytes]:
    """Draw distinct prefixes of one family, encoded as NLRI, in no order."""
    shares = IPV4_LENGTHS if bits == 32 else IPV6_LENGTHS
    lengths, cumulated = list(shares), list(accumulate(shares.values()))
    encoded: dict[bytes, None] = {}
    while len(encoded) < count:
        length = draw.choices(lengths, cum_weights=cumulated)[0]
        if bits == 32:
            address = draw.randrange(1 << 24, 223 << 24)
        else:
            address = draw.choice(IPV6_REGISTRIES) << 112 | draw.getrandbits(112)
        octets = (length + 7) // 8
        kept = address >> (bits - length) << (octets * 8 - length)
        encoded[bytes((length,)) + kept.to_bytes(octets, "big")] = None
    return list(encoded)


def _attributes(shared: random.Random, own: random.Random, view: int, upstreams: list[int], gateway: bytes) -> bytes:
    """Draw an attribute set: the far end of the path is everybody's, the near end this view's own."""
    middle = [shared.randrange(1, 400_000) for _ in range(shared.choices((0, 1, 2, 3, 4), (10, 35, 35, 15, 5))[0])]
    origin_as = shared.randrange(1, 400_000)
    prepended = shared.choices((1, 2, 4), (88, 8, 4))[0]
    upstream = own.choice(upstreams)
    octets = origin() + as_path(64500 + view, upstream, *middle, *[origin_as] * prepended) + gateway
    if own.random() < 0.6:
        octets += attribute(OPTIONAL, 4, own.randrange(500).to_bytes(4, "big"))
    if tags := own.choices((0, 1, 2, 4, 8, 12), (14, 12, 20, 26, 20, 8))[0]:
        values = (struct.pack("!HH", upstream & 0xFFFF, own.randrange(3000)) for _ in range(tags))
        octets += attribute(OPTIONAL_TRANSITIVE, 8, b"".join(values))
    if own.random() < 0.15:
        octets += attribute(OPTIONAL_TRANSITIVE, 32, struct.pack("!III", upstream, 100, own.randrange(200)))
    return octets


def _runs(prefixes: list[bytes], shared: random.Random) -> Iterator[bytes]:
    """Cut the prefixes into heavy-tailed groups of equal attributes."""
    at = 0
    while at < len(prefixes):
        size = min(LARGEST_GROUP, max(1, int(shared.paretovariate(1.15) * 1.2)))
        yield b"".join(prefixes[at : at + size])
        at += size


def updates(shape: Shape) -> Iterator[bytes]:
    """Generate the table, IPv4 first, then one End-of-RIB for each family (RFC 4724 section 2)."""
    shared, own = random.Random(shape.seed), random.Random(f"{shape.seed}/{shape.view}")
    upstreams = [own.randrange(1, 64_000) for _ in range(40)]
    gateway = next_hop(f"192.0.2.{1 + shape.view % 250}")
    for nlri in _runs(_prefixes(shared, shape.ipv4, 32), shared):
        yield update(attributes=_attributes(shared, own, shape.view, upstreams, gateway), nlri=nlri)
    for nlri in _runs(_prefixes(shared, shape.ipv6, 128), shared):
        reach = mp_reach(*IPV6_UNICAST, f"2001:db8::{1 + shape.view:x}", nlri)
        yield update(attributes=reach + _attributes(shared, own, shape.view, upstreams, b""))
    yield update()
    if shape.ipv6:
        yield update(attributes=attribute(OPTIONAL, 15, struct.pack("!HB", *IPV6_UNICAST)))


def main() -> None:
    """Write one table to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--prefixes", type=int, default=1_000_000, help="IPv4 routes")
    parser.add_argument("--v6", type=int, default=200_000, help="IPv6 routes")
    parser.add_argument("--peer", type=int, default=0, help="whose view of the table")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shape = Shape(ipv4=options.prefixes, ipv6=options.v6, view=options.peer, seed=options.seed)
    with options.out.open("wb") as out:
        out.writelines(updates(shape))


if __name__ == "__main__":
    main()
