"""Routes of an IGP in the stores: what look-ups find after each calculation."""

from array import array
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routed.rib import igp as module
from routed.rib._resolve import Resolver, Step, View
from routed.rib.api import Igp, Lookups, Routes
from routed.rib.families import FAMILIES
from routed.rib.igp import IgpRoute, calculate
from routed.wire.family import Family
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.reachability import Reachability
from routed.wire.prefix import cut_prefix
from tests.routed.rib.test_spf import A, B, has, node, prefix, says

IPV4, IPV6 = FAMILIES[0], Family(2, 1)
ADDRESSES = tuple(ip_address(text).packed for text in ("192.0.2.2", "2001:db8::2"))


def network(metric: int = 10, **facts: object) -> list[Lsp]:
    """Return two systems, of which the second has prefixes of both families."""
    prefixes = has(("198.51.100.0/24", 1), ("198.51.100.128/25", 2), ("2001:db8:1::/48", 3))
    return [says(1, (B, metric)), says(2, (A, metric), **{"addresses": ADDRESSES, **prefixes, **facts})]


def update(igp: Igp, lsps: list[Lsp]) -> int:
    """Bring a table up to date; return how many routes changed."""
    calculated = calculate(lsps, [A], igp.routes)
    for portion in calculated.portions:
        igp.apply(portion)
    igp.finish(calculated)
    return len(calculated.changes)


def found(igp: Igp, address: str) -> tuple[str, str, int] | None:
    """Return prefix, next hop and metric of the longest match for an address."""
    packed = ip_address(address).packed
    family = IPV4 if len(packed) == 4 else IPV6
    for route in Routes(igp.rib).longest_match(igp.table, family, packed):
        med = int.from_bytes(route.attributes.partition(b"\x80\x04\x04")[2][:4], "big")
        return str(route.prefix), str(ip_address(route.next_hop)), med
    return None


def test_the_longest_match_tells_whose_a_prefix_is_and_what_it_costs() -> None:
    igp = Igp(1)
    assert update(igp, network()) == 3
    assert found(igp, "198.51.100.1") == ("198.51.100.0/24", "192.0.2.2", 11)
    assert found(igp, "198.51.100.200") == ("198.51.100.128/25", "192.0.2.2", 12)
    assert found(igp, "2001:db8:1::5") == ("2001:db8:1::/48", "2001:db8::2", 13)
    assert found(igp, "203.0.113.1") is None


def test_the_resolver_of_flows_finds_the_same() -> None:
    igp = Igp(1)
    update(igp, network())
    resolver = Resolver(igp.rib)
    view = resolver.add(View([Step(0, b"", [[igp.table]])]))

    mapped = bytes(10) + b"\xff\xff"
    addresses = mapped + ip_address("198.51.100.200").packed + mapped + ip_address("203.0.113.1").packed
    hit, miss = resolver.match(array("I", [view, view]), addresses)
    assert hit is not None
    assert miss is None
    assert Lookups(igp.rib).path(hit[0])[0] == ADDRESSES[0]


def test_only_what_changes_is_written() -> None:
    igp = Igp(1)
    update(igp, network())
    assert update(igp, network()) == 0
    assert update(igp, network(metric=20)) == 3
    assert found(igp, "198.51.100.1") == ("198.51.100.0/24", "192.0.2.2", 21)
    assert update(igp, network(metric=20, **has(("198.51.100.0/24", 1)))) == 2
    assert found(igp, "198.51.100.200") == ("198.51.100.0/24", "192.0.2.2", 21)
    assert found(igp, "2001:db8:1::5") is None
    assert update(igp, []) == 1
    assert len(igp.table) == 0
    assert len(igp.rib.paths) == 0


@pytest.mark.parametrize(
    ("addresses", "ipv4", "ipv6"),
    [
        ((), "0.0.0.0", "::"),
        (ADDRESSES[:1], "192.0.2.2", "::ffff:192.0.2.2"),
        (ADDRESSES[1:], "0.0.0.0", "2001:db8::2"),
    ],
)
def test_a_system_without_an_address_of_the_family(addresses: tuple[bytes, ...], ipv4: str, ipv6: str) -> None:
    igp = Igp(1)
    assert update(igp, network(addresses=addresses)) == 3
    assert igp.routes[prefix("198.51.100.0/24")] == IgpRoute(ip_address(ipv4).packed, 11)
    assert igp.routes[prefix("2001:db8:1::/48")] == IgpRoute(ip_address(ipv6).packed, 13)
    assert len(igp.table) == 3


def test_many_routes_come_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTION", 1_024)
    count = 1_500
    many = has(*((f"10.{number >> 8}.{number & 255}.0/24", 1) for number in range(count)))
    lsps = [says(1, (B, 1)), says(2, (A, 1), **many)]
    calculated = calculate(lsps, [A], {})
    assert len(calculated.portions) == 2
    assert all(len(portion) < 1_024 + 4_096 for portion in calculated.portions)
    igp = Igp(1)
    assert update(igp, lsps) == count
    assert len(igp.table) == count


def test_a_metric_beyond_32_bits_is_cut() -> None:
    """The cost of a way has no ceiling in IS-IS; a MULTI_EXIT_DISC has."""
    chain = [node(number) for number in range(1, 600)]
    big = (1 << 24) - 2
    lsps = [
        says(
            int.from_bytes(each[:6], "big"),
            *((chain[other], big) for other in (at - 1, at + 1) if 0 <= other < len(chain)),
            **(has(("192.0.2.0/24", 1)) if at == len(chain) - 1 else {}),
        )
        for at, each in enumerate(chain)
    ]
    igp = Igp(1)
    update(igp, lsps)
    assert found(igp, "192.0.2.1") == ("192.0.2.0/24", "0.0.0.0", 0xFFFFFFFF)
    assert igp.routes[prefix("192.0.2.0/24")].metric == 598 * big + 1


@st.composite
def stated(draw: st.DrawFn) -> Reachability:
    """Draw a prefix that somebody states, as it comes off the wire."""
    octets = draw(st.sampled_from((4, 16)))
    leading = draw(st.binary(min_size=octets, max_size=octets))
    where = cut_prefix(leading, draw(st.integers(0, 8 * octets)), octets)
    return Reachability(
        0, where, draw(st.integers(0, 0xFFFFFFFF)), down=draw(st.booleans()), external_metric=draw(st.booleans())
    )


@settings(max_examples=40)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(stated(), max_size=8),
            st.lists(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_somebody_states_the_table_has_the_routes(
    rounds: list[tuple[list[Reachability], list[bytes]]],
) -> None:
    igp = Igp(1)
    for prefixes, addresses in [*rounds, ([], [])]:
        update(igp, network(prefixes=tuple(prefixes), addresses=tuple(addresses)))
        assert len(igp.table) == len(igp.routes)
        for where, route in igp.routes.items():
            family = IPV4 if len(where.address) == 4 else IPV6
            (one,) = Routes(igp.rib).lookup(igp.table, family, where)
            assert one.next_hop == route.next_hop
    assert len(igp.rib.paths) == 0
