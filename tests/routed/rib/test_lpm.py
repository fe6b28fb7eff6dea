"""Longest match against one dictionary per prefix length: slow, obvious, and right."""

import subprocess
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DrawFn, composite, integers, lists, one_of, sampled_from, tuples

from routed.rib._lpm import Column, Lpm4
from routed.rib._lpm6 import Lpm6

Prefix = tuple[int, int]  # address, length
PAGE = 64


@dataclass
class Twin:
    """A structure and its oracle, kept in step."""

    bits: int
    ids: dict[Prefix, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=lambda: list(range(48 * PAGE - 1, 0, -1)))

    def __post_init__(self) -> None:
        self.lpm: Lpm4 | Lpm6 = Lpm4() if self.bits == 32 else Lpm6()

    def octets(self, addresses: Iterable[int]) -> "bytes | array[int]":
        if self.bits == 32:
            return array("I", addresses)
        return b"".join(address.to_bytes(16, "big") for address in addresses)

    def prefix(self, address: int, length: int) -> Prefix:
        return address >> (self.bits - length) << (self.bits - length), length

    def toggle(self, prefix: Prefix) -> None:
        """Store a prefix under the id that became free last, or forget it."""
        known = prefix in self.ids
        chosen = self.ids.pop(prefix) if known else self.free.pop()
        change = self.lpm.discard if known else self.lpm.add
        change(self.octets([prefix[0]]), bytes([prefix[1]]), array("I", [chosen]))
        if known:
            self.free.append(chosen)
        else:
            self.ids[prefix] = chosen

    def cover(self, address: int, longest: int, present: Callable[[int], bool] = bool) -> int:
        for length in range(longest, -1, -1):
            found = self.ids.get(self.prefix(address, length), 0)
            if found and present(found):
                return found
        return 0

    def check(self, extra: Sequence[int] = ()) -> None:
        """Compare every answer, at both ends of each prefix, just outside, and at some more addresses."""
        top = (1 << self.bits) - 1
        edges = {0, top, *extra}
        for address, length in self.ids:
            last = address | (top >> length)
            edges |= {address, last, max(address - 1, 0), min(last + 1, top)}
        addresses = sorted(edges)
        assert len(self.lpm) == len(self.ids)
        assert list(self.lpm.longest_match(self.octets(addresses))) == [self.cover(a, self.bits) for a in addresses]
        for present in (bool, lambda found: found % 2 == 0, lambda found: found % 7 == 0, lambda _: False):
            found = self.lpm.longest_match_in(self.octets(addresses), column_of(present))
            assert list(found) == [self.cover(a, self.bits, present) for a in addresses]
        for (address, length), known in self.ids.items():
            assert self.lpm.next_shorter(known) == (self.cover(address, length - 1) if length else 0)


def column_of(present: Callable[[int], bool]) -> Column:
    pages = [
        array("I", (bool(page * PAGE + cell and present(page * PAGE + cell)) for cell in range(PAGE)))
        for page in range(48)
    ]
    return Column([page if any(page) else None for page in pages])


def twin_of(*networks: str) -> Twin:
    parsed = [ip_network(network) for network in networks]
    twin = Twin(parsed[0].max_prefixlen)
    for network in parsed:
        twin.toggle((int(network.network_address), network.prefixlen))
    return twin


@composite
def prefixes(draw: DrawFn, bits: int) -> Prefix:
    """Draw prefixes that nest, touch and repeat: few bases, of which few bits are changed."""
    base = draw(sampled_from([0, (1 << bits) - 1, 0xA5 << (bits - 8), 0x5A5A5A5A << (bits - 32) | 0x77]))
    shift = draw(integers(0, bits - 4))
    length = draw(one_of(integers(0, bits), integers(bits - 10, bits), sampled_from([8, 16, 23, 24, 25])))
    address = base ^ (draw(integers(0, 15)) << shift)
    return address >> (bits - length) << (bits - length), length


@pytest.mark.parametrize("bits", [32, 128])
@given(seed=integers(0, 1 << 32), changes=integers(1, 12))
@settings(deadline=None, max_examples=20)
def test_a_clustered_table_answers_like_one_dictionary_per_length(bits: int, seed: int, changes: int) -> None:
    rng = Random(seed)
    twin = Twin(bits)
    base = rng.getrandbits(bits)
    width = rng.choice((6, 9, 12))
    shift = rng.randrange(bits - width + 1)
    for _ in range(changes * 25):
        length = rng.randrange(max(0, bits - shift - width - 2), bits - shift + 1)
        twin.toggle(twin.prefix(base ^ (rng.getrandbits(width) << shift), length))
    twin.check([base ^ (rng.getrandbits(width) << shift) for _ in range(50)])


@pytest.mark.parametrize("bits", [32, 128])
def test_random_interleavings_answer_like_one_dictionary_per_length(bits: int) -> None:
    @given(rounds=lists(lists(prefixes(bits), min_size=1, max_size=25), max_size=5))
    @settings(deadline=None, max_examples=30)
    def run(rounds: list[list[Prefix]]) -> None:
        twin = Twin(bits)
        for changes in rounds:
            for prefix in changes:
                twin.toggle(prefix)
            twin.check()

    run()


@pytest.mark.parametrize("bits", [32, 128])
@given(table=lists(tuples(integers(0, 255), integers(0, 8)), max_size=300), order=integers(0, 1 << 32))
@settings(deadline=None, max_examples=15)
def test_a_table_emptied_in_any_order_holds_what_an_empty_one_does(
    bits: int, table: list[tuple[int, int]], order: int
) -> None:
    twin = Twin(bits)
    empty = twin.lpm.memory
    for octet, longer in table:
        twin.toggle(twin.prefix(octet << (bits - 8) | octet, longer * bits // 8))
        twin.toggle(twin.prefix(octet, bits - longer))
    stored = list(twin.ids)
    Random(order).shuffle(stored)
    for prefix in stored:
        twin.toggle(prefix)
    assert (len(twin.lpm), twin.lpm.memory) == (0, empty)
    twin.check()


@pytest.mark.parametrize("networks", [("0.0.0.0/0", "192.0.2.1/32"), ("::/0", "2001:db8::1/128")])
def test_the_default_route_covers_all_and_a_host_route_itself(networks: tuple[str, str]) -> None:
    twin = twin_of(*networks)
    default, host = twin.ids.values()
    address = next(address for address, length in twin.ids if length)
    assert list(twin.lpm.longest_match(twin.octets([address - 1, address, address + 1]))) == [default, host, default]
    assert twin.lpm.next_shorter(host) == default
    assert twin.lpm.next_shorter(default) == 0


@pytest.mark.parametrize(("network", "longest"), [("10.0.0.0/8", 32), ("2001:db8::/32", 128)], ids=["ipv4", "ipv6"])
def test_one_address_under_every_length_unwinds_from_either_end(network: str, longest: int) -> None:
    address = int(ip_network(network).network_address)
    for order in (range(longest + 1), range(longest, -1, -1)):
        twin = Twin(longest)
        for length in order:
            twin.toggle(twin.prefix(address, length))
        twin.check()
        for length in order:
            twin.toggle(twin.prefix(address, length))
            assert twin.lpm.longest_match(twin.octets([address]))[0] == twin.cover(address, longest)


def test_a_prefix_hidden_by_its_halves_shows_again_when_one_leaves() -> None:
    for networks in (
        ("192.0.2.0/23", "192.0.2.0/24", "192.0.3.0/24"),
        ("192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25"),
        ("2001:db8::/47", "2001:db8::/48", "2001:db8:1::/48"),
    ):
        twin = twin_of(*networks)
        twin.check()
        twin.toggle(list(twin.ids)[2])
        twin.check()
        twin.toggle(next(iter(twin.ids)))
        twin.check()


def test_groups_of_long_ipv4_prefixes_are_used_again() -> None:
    twin = Twin(32)
    twin.toggle((1 << 24, 8))
    for third in range(64):
        twin.toggle(((1 << 24) + (third << 8), 32))
    full = twin.lpm.memory
    for third in range(64):
        twin.toggle(((1 << 24) + (third << 8), 32))
        twin.toggle(((2 << 24) + (third << 8), 30))
    twin.check()
    assert twin.lpm.memory == full


def test_ipv6_memory_is_linear_where_every_prefix_needs_the_deepest_node() -> None:
    lpm = Lpm6()
    rng = Random(1)
    sites = [rng.getrandbits(64) << 64 for _ in range(2000)]
    addresses = b"".join((site | host).to_bytes(16, "big") for site in sites for host in range(9))
    count = len(addresses) // 16
    lpm.add(addresses, bytes([128]) * count, array("I", range(1, count + 1)))
    assert list(lpm.longest_match(addresses)) == list(range(1, count + 1))
    assert lpm.memory / count < 200


def test_memory_that_cannot_be_had_leaves_the_table_as_it_was() -> None:
    """An id beyond the address space that the process may have needs arrays nobody can allocate."""
    program = """
import resource
from array import array
from routed.rib._lpm import Lpm4
from routed.rib._lpm6 import Lpm6
for lpm, address in (Lpm4(), array("I", [10 << 24])), (Lpm6(), bytes([32]) + bytes(15)):
    lpm.add(address, bytes([8]), array("I", [1]))
    size = lpm.memory
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    try:
        lpm.add(address, bytes([7]), array("I", [1 << 29]))
    except MemoryError:
        print("refused", len(lpm), lpm.memory == size, *lpm.longest_match(address))
    lpm.add(address, bytes([7]), array("I", [2]))
    print(len(lpm), *lpm.longest_match(address), lpm.next_shorter(1))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=".")
    assert run.stdout.splitlines() == ["refused 1 True 1", "2 1 2"] * 2


@pytest.mark.parametrize("bits", [32, 128])
def test_batches_that_do_not_fit_are_refused(bits: int) -> None:
    twin = Twin(bits)
    prefix = twin.octets([0])
    with pytest.raises(ValueError, match="2 lengths"):
        twin.lpm.add(prefix, bytes([1, 2]), array("I", [1]))
    with pytest.raises(ValueError, match=f"length {bits + 1} is above {bits}"):
        twin.lpm.add(prefix, bytes([bits + 1]), array("I", [1]))
    for wrong in (0, (1 << 29) + 1):
        with pytest.raises(ValueError, match=f"id {wrong} is not in"):
            twin.lpm.add(prefix, bytes([bits]), array("I", [wrong]))
    with pytest.raises(KeyError):
        twin.lpm.discard(prefix, bytes([bits]), array("I", [1]))
    twin.lpm.add(prefix, bytes([bits]), array("I", [1]))
    with pytest.raises(ValueError, match="stored already"):
        twin.lpm.add(prefix, bytes([bits]), array("I", [2]))
    assert len(twin.lpm) == 1


def test_octets_that_are_no_whole_ipv6_address_are_refused() -> None:
    with pytest.raises(ValueError, match="17 octets"):
        Lpm6().longest_match(bytes(17))


def test_a_column_page_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="page 1 has 5 cells"):
        Column([None, array("I", [0] * 5)])


def test_no_addresses_have_no_matches() -> None:
    assert len(Lpm4().longest_match(array("I"))) == 0
    assert len(Lpm6().longest_match_in(b"", Column([]))) == 0
