"""Which route a flow follows: classes of RIBs, the more specific prefix, the better path, the next hop that it took."""

from array import array
from ipaddress import IPv6Address, ip_address, ip_network

import pytest

from routed.rib._lookup import Lookups
from routed.rib._resolve import Resolver, Step, View
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.oracles.build import attribute, mp_reach, prefix, segments, update

VPN_RD = bytes([0, 0, 0xFD, 0xE8, 0, 0, 0, 7])


def unicast(*classes: list[PeerRib]) -> View:
    return View([Step(0, b"", classes)])


def octets(address: str) -> bytes:
    ip = ip_address(address)
    return ip.packed if isinstance(ip, IPv6Address) else bytes(10) + b"\xff\xff" + ip.packed


def announce(net: str, *, path: list[int], hop: str = "192.0.2.1", pref: int | None = None, med: int = 0) -> bytes:
    network = ip_network(net)
    attributes = [
        attribute(1, b"\0"),
        attribute(2, segments((2, path))),
        attribute(3, ip_address(hop).packed),
        attribute(4, med.to_bytes(4, "big")),
    ]
    if pref is not None:
        attributes.append(attribute(5, pref.to_bytes(4, "big")))
    return update(attributes, prefix(network.network_address.packed, network.prefixlen))


def neighbour_of(resolver: Resolver, view: View, address: str, hop: str | None = None) -> tuple[int, int] | None:
    """First AS of the path that is found, and the length of the prefix."""
    number = resolver.add(view)
    hops = None if hop is None else octets(hop)
    [found] = resolver.match(array("I", [number]), octets(address), hops)
    resolver.remove(number)
    if found is None:
        return None
    path, _, _, length, _ = found
    attributes = Lookups(resolver.rib).path(path)[2]
    sequence = attributes.index(bytes([0x40, 2])) + 3  # behind flags, code and length of AS_PATH
    return int.from_bytes(attributes[sequence + 2 : sequence + 6], "big"), length


@pytest.fixture(name="rib")
def a_rib() -> Rib:
    return Rib(1)


def test_the_most_specific_prefix_of_the_view_answers(rib: Rib) -> None:
    one, other = PeerRib(rib), PeerRib(rib)
    apply(one, announce("10.0.0.0/8", path=[1]))
    apply(other, announce("10.1.0.0/16", path=[2]))
    resolver = Resolver(rib)
    assert neighbour_of(resolver, unicast([one]), "10.1.2.3") == (1, 8)
    assert neighbour_of(resolver, unicast([one, other]), "10.1.2.3") == (2, 16)
    assert neighbour_of(resolver, unicast([other]), "10.2.0.1") is None


def test_a_better_class_answers_first_even_with_a_shorter_prefix(rib: Rib) -> None:
    loc, pre = PeerRib(rib), PeerRib(rib)
    apply(loc, announce("10.0.0.0/8", path=[1]))
    apply(pre, announce("10.1.0.0/16", path=[2]))
    apply(pre, announce("172.16.0.0/12", path=[2]))
    resolver = Resolver(rib)
    view = unicast([loc], [pre])
    assert neighbour_of(resolver, view, "10.1.2.3") == (1, 8)
    assert neighbour_of(resolver, view, "172.16.0.1") == (2, 12)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"path": [1], "pref": 200}, {"path": [2], "pref": 100}),
        ({"path": [1, 9, 9]}, {"path": [2, 9], "pref": 99}),
        ({"path": [1, 9]}, {"path": [2, 8, 9]}),
        ({"path": [1, 9], "med": 10}, {"path": [1, 8], "med": 20}),
    ],
)
def test_among_peers_the_path_that_bgp_would_choose(rib: Rib, better: dict, worse: dict) -> None:
    first, second = PeerRib(rib), PeerRib(rib)
    for peer, path in ((first, better), (second, worse)):
        apply(peer, announce("10.0.0.0/8", **path))
    resolver = Resolver(rib)
    [expected] = resolver.match(array("I", [resolver.add(unicast([first]))]), octets("10.0.0.1"))
    for ribs in ([first, second], [second, first]):
        [found] = resolver.match(array("I", [resolver.add(unicast(ribs))]), octets("10.0.0.1"))
        assert found is not None
        assert expected is not None
        assert found[:4] == expected[:4]


def test_views_of_a_batch_are_asked_together(rib: Rib) -> None:
    peers = [PeerRib(rib) for _ in range(3)]
    for at, peer in enumerate(peers):
        apply(peer, announce("10.0.0.0/8", path=[100 + at]))
    resolver = Resolver(rib)
    numbers = [resolver.add(unicast([peer])) for peer in peers]
    views = array("I", [numbers[i % 3] if i % 4 else 0 for i in range(120)])
    found = resolver.match(views, octets("10.0.0.1") * 120)
    assert [one is None for one in found] == [not view for view in views]
    assert len({one[0] for one in found if one}) == 3


def test_ipv6_and_ipv4_in_one_batch(rib: Rib) -> None:
    peer = PeerRib(rib)
    head = [attribute(1, b"\0"), attribute(2, segments((2, [1])))]
    reach = mp_reach((2, 1), IPv6Address("2001:db8::1").packed, prefix(IPv6Address("2001:db8::").packed, 32))
    apply(peer, update([*head, reach]))
    apply(peer, announce("10.0.0.0/8", path=[1]))
    resolver = Resolver(rib)
    number = resolver.add(unicast([peer]))
    found = resolver.match(array("I", [number, number]), octets("2001:db8::5") + octets("10.9.9.9"))
    assert [(one[1], one[3]) for one in found if one] == [(4, 32), (0, 8)]


def test_a_later_step_answers_what_the_first_did_not(rib: Rib) -> None:
    peer = PeerRib(rib)
    head = [attribute(1, b"\0"), attribute(2, segments((2, [1])))]
    labelled = bytes([24 + 8]) + b"\x00\x01\x01" + bytes([10])
    apply(peer, update([*head, mp_reach((1, 4), bytes([192, 0, 2, 1]), labelled)]))
    resolver = Resolver(rib)
    assert neighbour_of(resolver, unicast([peer]), "10.0.0.1") is None
    assert neighbour_of(resolver, View([Step(0, b"", [[peer]]), Step(2, b"", [[peer]])]), "10.0.0.1") == (1, 8)


def test_the_tables_of_a_vpn(rib: Rib) -> None:
    peer = PeerRib(rib)
    head = [attribute(1, b"\0"), attribute(2, segments((2, [1])))]
    route = bytes([24 + 64 + 8]) + b"\x00\x01\x01" + VPN_RD + bytes([10])
    apply(peer, update([*head, mp_reach((1, 128), bytes([192, 0, 2, 1]), route)]))
    resolver = Resolver(rib)
    assert neighbour_of(resolver, View([Step(3, VPN_RD, [[peer]])]), "10.0.0.1") == (1, 8)
    assert neighbour_of(resolver, View([Step(3, bytes(8), [[peer]])]), "10.0.0.1") is None


def test_with_add_path_the_next_hop_that_the_flow_took(rib: Rib) -> None:
    peer = PeerRib(rib, add_path=1)
    for identifier, hop in ((7, "192.0.2.7"), (3, "192.0.2.3")):
        network = identifier.to_bytes(4, "big") + prefix(bytes([10, 0, 0, 0]), 8)
        attributes = [
            attribute(1, b"\0"),
            attribute(2, segments((2, [identifier]))),
            attribute(3, ip_address(hop).packed),
        ]
        apply(peer, update(attributes, network))
    resolver = Resolver(rib)
    view = unicast([peer])
    assert neighbour_of(resolver, view, "10.0.0.1", "192.0.2.7") == (7, 8)
    assert neighbour_of(resolver, view, "10.0.0.1", "192.0.2.3") == (3, 8)
    assert neighbour_of(resolver, view, "10.0.0.1", "192.0.2.9") is None
    assert neighbour_of(resolver, view, "10.0.0.1") == (3, 8)  # the lowest path identifier of equal paths


def test_a_view_sees_what_its_peers_announce_and_withdraw_later(rib: Rib) -> None:
    peer = PeerRib(rib)
    resolver = Resolver(rib)
    view = unicast([peer])
    assert neighbour_of(resolver, view, "10.0.0.1") is None
    apply(peer, announce("10.0.0.0/8", path=[1]))
    assert neighbour_of(resolver, view, "10.0.0.1") == (1, 8)
    peer.detach()
    assert neighbour_of(resolver, view, "10.0.0.1") is None


def test_views_of_another_daemon_and_odd_steps_are_refused(rib: Rib) -> None:
    with pytest.raises(ValueError, match="another daemon"):
        Resolver(rib).add(unicast([PeerRib(Rib(2))]))
    for step in ((4, b""), (0, VPN_RD), (3, b"")):
        with pytest.raises(ValueError, match="no step"):
            Step(*step, [])


def test_following_in_slices_changes_no_answer() -> None:
    """A look-up first takes over what the slices have left, whatever came and went since."""
    nets = [f"10.{n}.0.0/16" for n in range(20)] + [f"10.{n}.1.0/24" for n in range(20)]
    asked = [f"10.{n}.1.1" for n in range(21)]

    def answers(slices: int) -> list[list[tuple[int, int] | None]]:
        rib = Rib(1)
        peer, resolver = PeerRib(rib), Resolver(rib)
        seen = []
        for path, changed in ((1, nets), (2, nets[::3]), (3, nets[10:30])):
            for net in changed:
                apply(peer, announce(net, path=[path]))
                if path == 2:
                    network = ip_network(net)
                    apply(peer, update(withdrawn=prefix(network.network_address.packed, network.prefixlen)))
            for _ in range(slices):
                resolver.follow(3)
            seen.append([neighbour_of(resolver, unicast([peer]), address) for address in asked])
        return seen

    expected = answers(0)
    assert [answers(slices) for slices in (1, 4, 100)] == [expected] * 3
    assert expected[0][0] == (1, 24)
    assert expected[1][0] == (1, 24)
    assert expected[1][20] is None


def test_following_tells_when_nothing_is_left(rib: Rib) -> None:
    peer, resolver = PeerRib(rib), Resolver(rib)
    assert resolver.follow(1)
    apply(peer, announce("10.0.0.0/8", path=[1]))
    apply(peer, announce("10.1.0.0/16", path=[1]))
    assert [resolver.follow(1) for _ in range(3)] == [False, True, True]
