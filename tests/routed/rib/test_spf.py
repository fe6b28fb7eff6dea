"""Shortest paths: rules by hand, networks of holo with the routes that it has, random ones beside a slow oracle."""

import gzip
import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.rib.lsdb import Lsdb
from routed.rib.spf import MAX_PATH_METRIC, Paths, shortest_paths
from routed.rib.spf_tree import MAX_FIRST_HOPS
from routed.wire.isis.lsp import Lsp, LspFlags, decode_lsp
from routed.wire.isis.reachability import Neighbor, Reachability
from routed.wire.isis.tlv import Topology
from routed.wire.prefix import Prefix
from tests.oracles import spf as oracle

HOLO = Path(__file__).resolve().parents[4] / "shared" / "data" / "isis" / "holo"
LAN_HEADER = 17  # Ethernet and LLC


def node(number: int, lan: int = 0) -> bytes:
    """Return the id of a system or of a pseudonode of its."""
    return number.to_bytes(6, "big") + bytes((lan,))


def prefix(text: str) -> Prefix:
    """Return a prefix."""
    network = ip_network(text)
    return Prefix(network.network_address.packed, network.prefixlen)


def says(number: int, *links: tuple[bytes, int], lan: int = 0, **others: object) -> Lsp:
    """Return the LSP of a system with links to others."""
    facts: dict[str, object] = {
        "lsp_id": node(number, lan) + b"\0",
        "sequence": 1,
        "lifetime": 1200,
        "checksum": 1,
        "neighbors": tuple(Neighbor(0, other, metric) for other, metric in links),
        **others,
    }
    return Lsp(**facts)  # type: ignore[arg-type]  # a table of fields


def has(*prefixes: tuple[str, int]) -> dict[str, object]:
    """Return what an LSP says of prefixes."""
    return {"prefixes": tuple(Reachability(0, prefix(text), metric) for text, metric in prefixes)}


def ways(paths: Paths) -> dict[str, tuple[int, list[int], list[int]]]:
    """Return metric, originators and first hops of each route, by the numbers of systems."""
    return {
        str(where): (
            route.metric,
            [int.from_bytes(each[:6], "big") for each in route.originators],
            [int.from_bytes(each[:6], "big") for each in route.first_hops],
        )
        for where, route in paths.routes.items()
    }


A, B, C, D = (node(number) for number in range(1, 5))
LOOP = ("192.0.2.4/32", 1)


def square(*, overload: bool = False, back: bool = True) -> list[Lsp]:
    """Return four systems, 1 and 4 in opposite corners, with a prefix at 4."""
    return [
        says(1, (B, 10), (C, 10)),
        says(2, (A, 10), (D, 10), flags=LspFlags(overload=overload)),
        says(3, (A, 10), *(((D, 10),) if back else ())),
        says(4, (B, 10), (C, 10), **has(LOOP)),
    ]


def test_equal_ways_are_all_kept() -> None:
    assert ways(shortest_paths(square(), [A])) == {"192.0.2.4/32": (21, [4], [2, 3])}


def test_nothing_goes_through_an_overloaded_system() -> None:
    """ISO/IEC 10589 section 7.2.8.1; and the root itself may be overloaded."""
    assert ways(shortest_paths(square(overload=True), [A])) == {"192.0.2.4/32": (21, [4], [3])}
    assert ways(shortest_paths(square(overload=True), [B])) == {"192.0.2.4/32": (11, [4], [4])}


def test_a_link_that_one_end_alone_names_does_not_count() -> None:
    """ISO/IEC 10589 section 7.2.6."""
    assert ways(shortest_paths(square(back=False), [A])) == {"192.0.2.4/32": (21, [4], [2])}


def test_a_node_without_its_first_fragment_does_not_count() -> None:
    lsps = square()
    lsps[3] = says(4, (B, 10), (C, 10), **has(LOOP), lsp_id=D + b"\1")
    assert not shortest_paths(lsps, [A]).routes
    lsps.append(says(4))
    assert ways(shortest_paths(lsps, [A])) == {"192.0.2.4/32": (21, [4], [2, 3])}


@pytest.mark.parametrize(("metric", "counts"), [((1 << 24) - 2, True), ((1 << 24) - 1, False)])
def test_the_largest_metric_of_a_link_means_no_way(metric: int, *, counts: bool) -> None:
    """RFC 5305 section 3."""
    lsps = [says(1, (B, metric)), says(2, (A, 10), **has(LOOP))]
    assert bool(shortest_paths(lsps, [A]).routes) is counts


@pytest.mark.parametrize(("metric", "counts"), [(MAX_PATH_METRIC, True), (MAX_PATH_METRIC + 1, False)])
def test_a_prefix_beyond_the_largest_metric_is_not_reached(metric: int, *, counts: bool) -> None:
    """RFC 5305 section 4."""
    assert bool(shortest_paths([says(1, **has(("192.0.2.0/24", metric)))], [A]).routes) is counts


def test_behind_a_lan_its_members_are_the_first_hops() -> None:
    lan = node(2, 1)
    lsps = [
        says(1, (lan, 10)),
        says(2, (lan, 10)),
        says(3, (lan, 10), (D, 10)),
        says(4, (C, 10), **has(LOOP)),
        says(2, (A, 0), (B, 0), (C, 0), lan=1),
    ]
    assert ways(shortest_paths(lsps, [A])) == {"192.0.2.4/32": (21, [4], [3])}


def test_prefixes_are_preferred_as_rfc_5302_says() -> None:
    """Section 3.2: internal metrics, then external ones; what was leaked down comes behind its like."""

    def offered(number: int, **facts: object) -> Lsp:
        return says(number, (A, number), prefixes=(Reachability(0, prefix("192.0.2.0/24"), **facts),))  # type: ignore[arg-type]

    best_first = [
        offered(5, metric=60),
        offered(4, metric=1, down=True),
        offered(3, metric=5, external=True, external_metric=True),
        offered(2, metric=6, external=True, external_metric=True),
    ]
    for at, lsp in enumerate(best_first):
        number = 5 - at
        root = says(1, *((node(each), each) for each in range(2, 6)))
        assert [found[1] for found in ways(shortest_paths([root, *best_first[at:]], [A])).values()] == [[number]], lsp


def test_several_roots_are_the_first_hops_of_the_ways_from_each() -> None:
    assert ways(shortest_paths(square(), [B, C])) == {"192.0.2.4/32": (11, [4], [2, 3])}
    assert ways(shortest_paths(square(), [A, B])) == {"192.0.2.4/32": (11, [4], [2])}
    assert not shortest_paths(square(), [node(9)]).routes


def test_ipv6_has_its_own_topology_where_the_root_takes_part_in_it() -> None:
    """RFC 5120: the short link is for IPv4 alone."""
    both = {"topologies": (Topology(0), Topology(2))}
    v6 = Reachability(2, prefix("2001:db8::/64"), 1)
    v4 = Reachability(0, prefix("192.0.2.0/24"), 1)

    def link(topology: int, other: bytes, metric: int) -> Neighbor:
        return Neighbor(topology, other, metric)

    lsps = [
        says(1, neighbors=(link(0, C, 1), link(2, B, 10)), **both),
        says(2, neighbors=(link(2, A, 10), link(2, C, 10)), **both),
        says(3, neighbors=(link(0, A, 1), link(2, B, 10)), prefixes=(v4, v6), **both),
    ]
    assert ways(shortest_paths(lsps, [A])) == {"192.0.2.0/24": (2, [3], [3]), "2001:db8::/64": (21, [3], [2])}


def test_links_without_cost_carry_all_ways() -> None:
    lsps = [
        says(1, (B, 5), (C, 5)),
        says(2, (A, 5), (C, 0)),
        says(3, (A, 5), (B, 0), (D, 0)),
        says(4, (C, 0), **has(LOOP)),
    ]
    assert ways(shortest_paths(lsps, [A])) == {"192.0.2.4/32": (6, [4], [2, 3])}


def test_first_hops_have_a_ceiling() -> None:
    """As many systems as can be, each of which leads to the same one: the others are left out."""
    middle = range(10, 10 + MAX_FIRST_HOPS + 1)
    lsps = [
        says(1, *((node(each), 1) for each in middle)),
        *(says(each, (A, 1), (D, 1)) for each in middle),
        says(4, *((node(each), 1) for each in middle), **has(LOOP)),
    ]
    (route,) = shortest_paths(lsps, [A]).routes.values()
    assert len(route.first_hops) == MAX_FIRST_HOPS
    (route,) = shortest_paths(
        [*lsps[1:-2], says(1, *((node(each), 1) for each in middle[:-1])), lsps[-1]], [A]
    ).routes.values()
    assert len(route.first_hops) == MAX_FIRST_HOPS


# -- beside others -----------------------------------------------------------------------------------------------------


def captured(topology: Path) -> Iterator[Lsp]:
    """Iterate over the LSPs that the systems of a network received."""
    for path in sorted(topology.glob("*.rx.pcap.gz")):
        plain = gzip.decompress(path.read_bytes())
        for packet in packets(plain):
            pdu = packet[LAN_HEADER:]
            if pdu[4] & 0x1F == 20:
                yield decode_lsp(pdu)


def packets(plain: bytes) -> Iterator[bytes]:
    """Iterate over the packets of a little-endian pcap file."""
    at = 24
    while at < len(plain):
        length = int.from_bytes(plain[at + 8 : at + 12], "little")
        yield plain[at + 16 : at + 16 + length]
        at += 16 + length


def holo_state(path: Path) -> dict[str, object]:
    """Return what a system of holo knew."""
    state = json.loads(gzip.decompress(path.read_bytes()))
    protocols = state["ietf-routing:routing"]["control-plane-protocols"]["control-plane-protocol"]
    (instance,) = [each["ietf-isis:isis"] for each in protocols if "ietf-isis:isis" in each]
    return dict(instance)


@pytest.mark.parametrize("name", ["topo1-1", "topo2-1"])
def test_every_system_has_the_routes_that_holo_had(name: str) -> None:
    """From what the systems of a network sent each other: database, names, and the view from each of them."""
    if not HOLO.exists():
        pytest.skip("holo: the captured networks are not here")
    lsdb = Lsdb()
    for lsp in captured(HOLO / name):
        lsdb.take(lsp, 0.0)
    compared = 0
    for path in sorted((HOLO / name).glob("*.state.json.gz")):
        state = holo_state(path)
        names = {each["system-id"]: each["hostname"] for each in state["hostnames"]["hostname"]}  # type: ignore[index]
        assert {key.hex(".", 2): value for key, value in lsdb.hostnames().items()} == names
        (root,) = [key for key, value in lsdb.hostnames().items() if value == path.name.partition(".")[0]]
        systems = {
            address: neighbor["neighbor-sysid"]
            for interface in state["interfaces"]["interface"]  # type: ignore[index]
            for neighbor in interface.get("adjacencies", {}).get("adjacency", [])
            for family in ("ipv4", "ipv6")
            for address in neighbor[f"holo-isis:{family}-addresses"]
        }
        expected = {
            each["prefix"]: (
                each["metric"],
                sorted({systems[hop["next-hop"]] for hop in each.get("next-hops", {}).get("next-hop", [])}),
            )
            for each in state["local-rib"]["route"]  # type: ignore[index]
        }
        found = {
            str(where): (route.metric, [hop[:6].hex(".", 2) for hop in route.first_hops])
            for where, route in shortest_paths(lsdb.live(), [root + b"\0"]).routes.items()
        }
        assert found == expected, path.name
        compared += len(expected)
    assert compared > 60


@st.composite
def networks(draw: st.DrawFn) -> list[Lsp]:
    """Draw a network: systems and LANs, links that may be of one end alone, prefixes that several have."""
    size = draw(st.integers(1, 7))
    ids = [node(number) for number in range(1, size + 1)]
    ids += [node(number, 1) for number in draw(st.sets(st.integers(1, size), max_size=2))]
    links: dict[bytes, list[Neighbor]] = {each: [] for each in ids}
    for _ in range(draw(st.integers(0, 14))):
        one, other = draw(st.sampled_from(ids)), draw(st.sampled_from(ids))
        if one == other or (one[6] and other[6]):
            continue
        metric = draw(st.sampled_from([1, 2, 3, 10, 0xFFFFFF]))
        links[one].append(Neighbor(0, other, 0 if one[6] else metric))
        if draw(st.integers(0, 9)):
            links[other].append(Neighbor(0, one, 0 if other[6] else metric))
    reach = st.builds(
        Reachability,
        topology=st.just(0),
        prefix=st.sampled_from([prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("2001:db8::/32")]),
        metric=st.sampled_from([0, 1, 5, 0xFE000001]),
        down=st.booleans(),
        external_metric=st.booleans(),
    )
    return [
        says(
            int.from_bytes(each[:6], "big"),
            lan=each[6],
            neighbors=tuple(links[each]),
            prefixes=() if each[6] else tuple(draw(st.lists(reach, max_size=2))),
            flags=LspFlags(overload=not each[6] and not draw(st.integers(0, 4))),
        )
        for each in ids
        if draw(st.integers(0, 14)) or each == ids[0]
    ]


@given(networks())
def test_random_networks_have_the_routes_of_a_slow_calculation(lsps: list[Lsp]) -> None:
    paths = shortest_paths(lsps, [A])
    expected = {**oracle.routes(lsps, A, 0, 4), **oracle.routes(lsps, A, 0, 16)}
    assert {key: route[:3] for key, route in paths.routes.items()} == expected
    far = oracle.distances(lsps, A, 0)
    assert {key: reached.distance for key, reached in paths.trees[0].reached().items()} == far
