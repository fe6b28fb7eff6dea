"""Longest-prefix match: millions of look-ups a second over a table shaped like today's Internet's.

usage: python tests/bench/bench_lpm.py [--prefixes 1000000] [--v6 200000]
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from routed.rib._lpm import Column, Lpm4
from routed.rib._lpm6 import Lpm6

Words = npt.NDArray[np.uint32]
Octets = npt.NDArray[np.uint8]

ADDRESSES = 1 << 20
PAGE = 64
#: Share of each prefix length, in thousandths.
LENGTHS4 = {24: 600, 23: 95, 22: 115, 21: 50, 20: 45, 19: 27, 18: 14, 17: 9, 16: 14, 15: 2, 14: 1, 13: 1, 12: 1}
LENGTHS6 = {48: 460, 44: 110, 40: 90, 36: 50, 32: 190, 29: 40, 46: 30, 33: 30}
BLOCKS6 = (0x2001, 0x2400, 0x2600, 0x2800, 0x2A00, 0x2C00)


def best_of(times: int, run: Callable[..., object], *arguments: object) -> float:
    """Seconds of CPU that the quickest of some runs took."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run(*arguments)
        seconds.append(time.process_time() - start)
    return min(seconds)


def report(line: str) -> None:
    sys.stdout.write(line + "\n")


def draw_lengths(rng: np.random.Generator, shares: dict[int, int], n: int) -> Octets:
    weights = np.array(list(shares.values()), dtype=float)
    return rng.choice(list(shares), size=n, p=weights / weights.sum()).astype(np.uint8)


def unique_prefixes(high: npt.NDArray[np.uint64], lengths: Octets, n: int) -> tuple[npt.NDArray[np.uint64], Octets]:
    """Clear the host bits of 64-bit addresses; return n different prefixes in random order."""
    high &= np.uint64(0xFFFFFFFFFFFFFFFF) << (64 - lengths.astype(np.uint64))
    _, kept = np.unique(high ^ lengths, return_index=True)
    kept = np.random.default_rng(1).permutation(kept)[:n]
    return high[kept], lengths[kept]


def table4(rng: np.random.Generator, n: int) -> tuple[Words, Octets]:
    addresses = rng.integers(0x01000000, 0xDF000000, 2 * n, dtype=np.uint64) << np.uint64(32)
    high, lengths = unique_prefixes(addresses, draw_lengths(rng, LENGTHS4, 2 * n), n)
    return (high >> np.uint64(32)).astype(np.uint32), lengths


def table6(rng: np.random.Generator, n: int) -> tuple[Octets, Octets]:
    blocks = rng.choice(np.array(BLOCKS6, dtype=np.uint64), 2 * n) << np.uint64(48)
    addresses = blocks | rng.integers(0, 1 << 48, 2 * n, dtype=np.uint64)
    high, lengths = unique_prefixes(addresses, draw_lengths(rng, LENGTHS6, 2 * n), n)
    octets = np.zeros((len(high), 16), np.uint8)
    octets[:, :8] = high.astype(">u8").view(np.uint8).reshape(-1, 8)
    return octets, lengths


def inside4(rng: np.random.Generator, addresses: Words, lengths: Octets) -> Words:
    chosen = rng.integers(0, len(addresses), ADDRESSES)
    hosts = rng.integers(0, 1 << 32, ADDRESSES, dtype=np.uint32) >> lengths[chosen]
    return addresses[chosen] | hosts


def inside6(rng: np.random.Generator, addresses: Octets, lengths: Octets) -> Octets:
    chosen = rng.integers(0, len(addresses), ADDRESSES)
    octets = rng.integers(0, 256, (ADDRESSES, 16), dtype=np.uint8)
    high = octets[:, :8].copy().view(">u8").ravel().astype(np.uint64) >> lengths[chosen]
    octets[:, :8] = high.astype(">u8").view(np.uint8).reshape(-1, 8) | addresses[chosen, :8]
    return octets


def column_of(rng: np.random.Generator, n: int, share: float) -> Column:
    """Make the column of a peer with a route for that share of the ids."""
    cells = np.zeros((n // PAGE + 1) * PAGE, np.uint32)
    cells[1 : n + 1] = rng.random(n) < share
    return Column(list(cells.reshape(-1, PAGE)))


def measure(name: str, lpm: Lpm4 | Lpm6, prefixes: int, addresses: dict[str, Words] | dict[str, Octets]) -> None:
    rng = np.random.default_rng(2)
    columns = {f"peer with {share:4.0%}": column_of(rng, prefixes, share) for share in (1.0, 0.5, 0.01)}
    for where, batch in addresses.items():
        flat = batch.ravel()
        seconds = best_of(5, lpm.longest_match, flat)
        report(f"{name}  {where:8}  any peer        {ADDRESSES / seconds / 1e6:8.1f} M/s")
        for label, column in columns.items():
            seconds = best_of(5, lpm.longest_match_in, flat, column)
            report(f"{name}  {where:8}  {label:14}  {ADDRESSES / seconds / 1e6:8.1f} M/s")


def load(name: str, lpm: Lpm4 | Lpm6, addresses: Words | Octets, lengths: Octets) -> None:
    ids = np.arange(1, len(lengths) + 1, dtype=np.uint32)
    empty = lpm.memory
    seconds = best_of(1, lpm.add, addresses.ravel(), lengths, ids)
    octets = lpm.memory / len(lengths), (lpm.memory - empty) / len(lengths)
    report(f"{name}  load {len(ids)} prefixes: {seconds / len(ids) * 1e9:.0f} ns each")
    report(f"{name}  memory: {octets[0]:.1f} octets a prefix, {octets[1]:.1f} beyond an empty table")
    a, b = ids[:10_000], lengths[:10_000]
    part = addresses[:10_000].ravel()
    out = best_of(1, lpm.discard, part, b, a)
    back = best_of(1, lpm.add, part, b, a)
    report(f"{name}  flap in a full table: {out * 1e5:.0f} ns to remove, {back * 1e5:.0f} ns to insert")


def flap_short(name: str, lpm: Lpm4 | Lpm6, address: Words | Octets, length: int, identifier: int) -> None:
    lengths, ids = np.array([length], np.uint8), np.array([identifier], np.uint32)
    into = best_of(1, lpm.add, address, lengths, ids)
    out = best_of(1, lpm.discard, address, lengths, ids)
    report(f"{name}  /{length} in a full table: {into * 1e3:.2f} ms to insert, {out * 1e3:.2f} ms to remove")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000)
    parser.add_argument("--v6", type=int, default=200_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)

    ipv4 = Lpm4()
    words, lengths = table4(rng, options.prefixes)
    load("IPv4", ipv4, words, lengths)
    flap_short("IPv4", ipv4, np.array([10 << 24], np.uint32), 8, len(lengths) + 1)
    flap_short("IPv4", ipv4, np.array([0], np.uint32), 0, len(lengths) + 1)
    anywhere = rng.integers(0, 1 << 32, ADDRESSES, dtype=np.uint32)
    measure("IPv4", ipv4, len(lengths), {"anywhere": anywhere, "inside": inside4(rng, words, lengths)})

    ipv6 = Lpm6()
    octets, lengths = table6(rng, options.v6)
    load("IPv6", ipv6, octets, lengths)
    flap_short("IPv6", ipv6, np.array([0x20] + [0] * 15, np.uint8), 8, len(lengths) + 1)
    flap_short("IPv6", ipv6, np.zeros(16, np.uint8), 0, len(lengths) + 1)
    anywhere6 = rng.integers(0, 256, (ADDRESSES, 16), dtype=np.uint8)
    measure("IPv6", ipv6, len(lengths), {"anywhere": anywhere6, "inside": inside6(rng, octets, lengths)})


if __name__ == "__main__":
    main()
