"""Default routes and next hops, followed from the table of one router to that of the next."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import NO_ADDRESS
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher, Group
from flowcorr.correlate._facts import Facts
from flowcorr.correlate._follow import Follower
from flowcorr.correlate._source import Source
from flowcorr.correlate.map_keys import address_octets, prefix_octets
from flowcorr.correlate.views import Exporter, Views
from routed.rib._resolve import Resolver
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.flowcorr.correlate.test_views import Table
from tests.oracles.build import attribute, mp_reach, prefix, segments, update

COLUMNS = """
    exporter src_host dst_host src_as dst_as as_path dst_mask peer_dst_ip lookup_reason_src lookup_reason_dst
    mpls_vpn_rd mpls_vpn_rd_origin
""".split()  # noqa: SIM905 (a table)
GROUPS = (
    ("dst_host", {"dst_as": "origin_as", "as_path": "as_path", "lookup_reason_dst": "reason"}),
    ("dst_host", {"dst_mask": "mask", "peer_dst_ip": "next_hop"}),
    ("src_host", {"src_as": "origin_as", "lookup_reason_src": "reason"}),
)
RD = bytes.fromhex("0000fde800000007")


class Routers:
    """Routers 192.0.2.1, 192.0.2.2 ... by the last number of their address; each exports in the slot of that number."""

    def __init__(self) -> None:
        self.rib = Rib(1)
        self.ribs: dict[str, PeerRib] = {}

    def candidates(self, address: Any, _port: int | None) -> list[Table]:
        rib = self.ribs.get(str(address))
        return [] if rib is None else [Table(rib, name=f"router {address}")]

    def changed(self) -> bool:
        return False

    def announce(self, router: int, net: str, next_hop: str, asn: int, *, vpn: bool = False) -> None:
        rib = self.ribs.setdefault(f"192.0.2.{router}", PeerRib(self.rib))
        network, hop = ip_network(net), ip_address(next_hop).packed
        head = [attribute(1, b"\0"), attribute(2, segments((2, [asn])))]
        nlri = prefix(network.network_address.packed, network.prefixlen)
        if vpn:
            nlri = bytes([network.prefixlen + 88]) + b"\x00\x01\x01" + RD + nlri[1:]
            apply(rib, update([*head, mp_reach((1, 128), hop, nlri)]))
        elif network.version == 6:
            apply(rib, update([*head, mp_reach((2, 1), hop, nlri)]))
        else:
            apply(rib, update([*head, attribute(3, hop)], nlri))

    def look(
        self, destination: str, router: int = 1, source: str = "203.0.113.1", rd: bytes = bytes(8), **follows: Any
    ) -> dict[str, Any]:
        """What becomes of a flow of a router."""
        texts, resolver = Texts(), Resolver(self.rib)
        layout = Layout(BUILTIN[name] for name in COLUMNS)
        address = ip_address(f"192.0.2.{router}")
        views = Views(resolver, self, lambda _slot: Exporter(address, address))
        facts = Facts(resolver, texts, frozenset({"as_path"}))
        follower = Follower(resolver, views.follow, **follows)
        source_of = Source(resolver, facts, views.choose, views.explain, follower=follower)
        groups = [Group(host, mask=None, keeps=False, uses=(0,), columns=columns) for host, columns in GROUPS]
        batch = Batch(layout, 4)
        values = {"dst_host": address_octets(ip_address(destination)), "src_host": address_octets(ip_address(source))}
        for _ in range(2):
            batch.append(exporter=router, mpls_vpn_rd=rd, mpls_vpn_rd_origin=3 if any(rd) else 0, **values)
        Enricher(layout, texts, [source_of], groups).enrich(batch)
        first, second = (
            {
                name: batch.rows[at][name].item() if name.endswith(("_as", "_mask")) else batch.rows[at][name]
                for name in COLUMNS
            }
            for at in (0, 1)
        )
        assert [bytes(first["peer_dst_ip"]), first["dst_as"]] == [bytes(second["peer_dst_ip"]), second["dst_as"]]
        hop = bytes(first["peer_dst_ip"])
        return {
            **first,
            "as_path": texts.octets_of(int(first["as_path"])).decode(),
            "reason": texts.octets_of(int(first["lookup_reason_dst"])).decode(),
            "next_hop": None if hop == NO_ADDRESS else str(ip_address(hop).ipv4_mapped or ip_address(hop)),
        }


@pytest.fixture(name="routers")
def the_routers() -> Routers:
    """A router with a default route to the next one, and so on; the third one knows more."""
    routers = Routers()
    routers.announce(1, "0.0.0.0/0", "192.0.2.2", 1)
    routers.announce(1, "10.1.0.0/16", "198.51.100.9", 11)
    routers.announce(2, "0.0.0.0/0", "192.0.2.3", 2)
    routers.announce(2, "203.0.113.0/24", "192.0.2.8", 22)
    routers.announce(3, "0.0.0.0/0", "192.0.2.99", 3)
    routers.announce(3, "10.0.0.0/8", "192.0.2.7", 33)
    return routers


def test_a_default_route_is_a_route_like_any_other(routers: Routers) -> None:
    found = routers.look("10.2.0.1")
    assert (found["dst_as"], found["dst_mask"], found["reason"]) == (1, 0, "router 192.0.2.1")


@pytest.mark.parametrize(("steps", "asn", "router"), [(1, 2, 2), (2, 33, 3), (3, 33, 3), (20, 33, 3)])
def test_so_many_default_routes_are_followed(routers: Routers, steps: int, asn: int, router: int) -> None:
    found = routers.look("10.2.0.1", defaults=steps)
    assert (found["dst_as"], found["as_path"], found["reason"]) == (asn, str(asn), f"router 192.0.2.{router} followed")


def test_a_direction_that_is_known_stays_and_each_goes_its_own_way(routers: Routers) -> None:
    found = routers.look("10.1.0.1", defaults=5)
    assert (found["dst_as"], found["dst_mask"], found["next_hop"]) == (11, 16, "198.51.100.9")
    assert found["src_as"] == 22


def test_a_default_route_to_a_router_that_nobody_knows_is_no_route(routers: Routers) -> None:
    found = routers.look("172.16.0.1", defaults=5)
    assert (found["dst_as"], found["as_path"], found["next_hop"], found["reason"]) == (0, "", None, "no route")


def test_default_routes_in_a_circle_end() -> None:
    routers = Routers()
    routers.announce(1, "0.0.0.0/0", "192.0.2.2", 1)
    routers.announce(2, "0.0.0.0/0", "192.0.2.1", 2)
    assert routers.look("10.0.0.1", defaults=4)["dst_as"] == 1
    assert routers.look("10.0.0.1", defaults=7)["dst_as"] == 2


def test_ipv6_default_routes_are_followed_to_addresses_of_either_family() -> None:
    routers = Routers()
    routers.announce(1, "::/0", "::ffff:192.0.2.2", 1)
    routers.announce(2, "2001:db8::/32", "2001:db8::9", 2)
    found = routers.look("2001:db8::1", source="2001:db8::2", defaults=1)
    assert (found["dst_as"], found["src_as"], found["next_hop"]) == (2, 2, "2001:db8::9")


def test_routes_of_a_vrf_are_not_followed() -> None:
    routers = Routers()
    routers.announce(1, "0.0.0.0/0", "192.0.2.2", 1, vpn=True)
    routers.announce(2, "10.0.0.0/8", "192.0.2.9", 2)
    inside = [prefix_octets("192.0.2.0/24")]
    found = routers.look("10.0.0.1", rd=RD, defaults=3, prefixes=inside)
    assert (found["dst_as"], found["next_hop"]) == (1, "192.0.2.2")


@pytest.fixture(name="network")
def a_network() -> Routers:
    """A destination behind three routers, whose next hops lead to each other and then out."""
    routers = Routers()
    routers.announce(1, "10.0.0.0/8", "192.0.2.2", 1)
    routers.announce(2, "10.0.0.0/8", "192.0.2.3", 2)
    routers.announce(3, "10.0.0.0/8", "198.51.100.9", 3)
    return routers


@pytest.mark.parametrize(
    ("prefixes", "external", "next_hop"),
    [
        ((), True, "192.0.2.2"),
        (("203.0.113.0/24",), False, "192.0.2.2"),
        (("203.0.113.0/24",), True, "192.0.2.2"),
        (("203.0.113.0/24", "192.0.2.0/24"), False, "192.0.2.3"),
        (("192.0.2.0/24",), True, "198.51.100.9"),
        (("192.0.2.2/32",), False, "192.0.2.2"),
        (("192.0.2.2/32",), True, "192.0.2.3"),
        (("0.0.0.0/0",), False, "198.51.100.9"),
    ],
)
def test_next_hops_inside_prefixes_are_followed(
    network: Routers, prefixes: tuple[str, ...], external: bool, next_hop: str
) -> None:
    found = network.look("10.0.0.1", prefixes=[prefix_octets(one) for one in prefixes], external=external)
    assert (found["next_hop"], found["dst_as"], found["dst_mask"]) == (next_hop, 1, 8)


def test_the_way_of_next_hops_ends_where_no_router_is_known(network: Routers) -> None:
    network.announce(1, "10.9.0.0/16", "192.0.2.77", 9)
    inside = [prefix_octets("192.0.2.0/24")]
    assert network.look("10.9.0.1", prefixes=inside, external=True)["next_hop"] == "192.0.2.77"
    assert network.look("172.16.0.1", prefixes=inside)["next_hop"] is None


def test_next_hops_in_a_circle_and_to_oneself_end(network: Routers) -> None:
    inside = [prefix_octets("192.0.2.0/24")]
    network.announce(3, "10.0.0.0/8", "192.0.2.1", 3)
    assert network.look("10.0.0.1", prefixes=inside)["next_hop"] in {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    network.announce(1, "10.0.0.0/8", "192.0.2.1", 1)
    assert network.look("10.0.0.1", prefixes=inside, external=True)["next_hop"] == "192.0.2.1"


def test_what_is_no_prefix_is_refused() -> None:
    resolver = Resolver(Rib(1))
    for wrong in ((bytes(4), 8), (bytes(16), 129)):
        with pytest.raises(ValueError, match="no prefix"):
            Follower(resolver, lambda *_question: 0, prefixes=[wrong])
