"""Look-ups, as ids in bulk and as values: right at once after every change."""

import random
from ipaddress import IPv4Address, IPv4Network

import pytest

from routed.rib._dump import Snapshot
from routed.rib._lookup import Lookups
from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._update import apply
from routed.rib.api import Routes
from routed.rib.families import INDEX, bits_of
from routed.wire.family import Family
from routed.wire.prefix import Prefix
from tests.oracles.build import attribute, label_stack, mp_reach, mp_unreach, prefix, segments, update

IPV4, IPV6, VPN = Family(1, 1), Family(2, 1), Family(1, 128)
HEAD = (attribute(1, b"\0"), attribute(2, segments((2, [65001]))))
HOP = bytes([192, 0, 2, 1])


def net(text: str) -> tuple[bytes, int]:
    network = IPv4Network(text)
    return network.network_address.packed, network.prefixlen


def announce(*nets: str, hop: bytes = HOP) -> bytes:
    return update([*HEAD, attribute(3, hop)], b"".join(prefix(*net(text)) for text in nets))


def withdraw(*nets: str) -> bytes:
    return update(withdrawn=b"".join(prefix(*net(text)) for text in nets))


def ip(text: str) -> bytes:
    return IPv4Address(text).packed


def found(lookups: Lookups, address: str, peer: PeerRib | None = None) -> str | None:
    [number] = lookups.longest_match(INDEX[IPV4], ip(address), peer)
    if not number:
        return None
    octets, length, rd = lookups.prefix(INDEX[IPV4], number)
    assert rd == b""
    return f"{IPv4Address(octets)}/{length}"


def test_the_most_specific_prefix_that_a_peer_has() -> None:
    rib = Rib(1)
    one, other, nobody = PeerRib(rib), PeerRib(rib), PeerRib(rib)
    apply(one, announce("10.0.0.0/8", "10.1.0.0/16"))
    apply(other, announce("10.1.2.0/24", "0.0.0.0/0"))
    lookups = Lookups(rib)
    assert [found(lookups, "10.1.2.3", peer) for peer in (None, one, other, nobody)] == [
        "10.1.2.0/24",
        "10.1.0.0/16",
        "10.1.2.0/24",
        None,
    ]
    assert [found(lookups, "11.0.0.1", peer) for peer in (None, one, other)] == ["0.0.0.0/0", None, "0.0.0.0/0"]


def test_answers_follow_every_change() -> None:
    rib = Rib(2)
    peer, other = PeerRib(rib), PeerRib(rib)
    lookups = Lookups(rib)
    assert found(lookups, "10.1.2.3") is None
    for change, union, own in [
        (announce("10.0.0.0/8"), "10.0.0.0/8", "10.0.0.0/8"),
        (announce("10.1.2.0/24"), "10.1.2.0/24", "10.1.2.0/24"),
        (withdraw("10.0.0.0/8"), "10.1.2.0/24", "10.1.2.0/24"),
        (withdraw("10.1.2.0/24") + announce("10.0.0.0/9"), "10.0.0.0/9", "10.0.0.0/9"),
    ]:
        apply(peer, change)
        assert (found(lookups, "10.1.2.3"), found(lookups, "10.1.2.3", peer)) == (union, own)
    apply(other, announce("10.1.2.3/32"))
    assert (found(lookups, "10.1.2.3"), found(lookups, "10.1.2.3", peer)) == ("10.1.2.3/32", "10.0.0.0/9")
    [(family, table)] = other.detach()
    assert found(lookups, "10.1.2.3", other) is None
    assert sweep_all(rib, family, table, 100)
    assert found(lookups, "10.1.2.3") == "10.0.0.0/9"


def test_two_who_look_up_see_the_same() -> None:
    rib = Rib(3)
    peer = PeerRib(rib)
    first, second = Lookups(rib), Lookups(rib)
    for text in ("10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"):
        apply(peer, announce(text))
        assert found(first, "10.1.1.1") == found(second, "10.1.1.1") == text
    apply(peer, withdraw("10.1.1.0/24"))
    assert found(second, "10.1.1.1") == found(first, "10.1.1.1") == "10.1.0.0/16"


def test_a_prefix_that_only_a_snapshot_still_reads_is_not_found() -> None:
    rib = Rib(4)
    peer = PeerRib(rib)
    apply(peer, announce("10.0.0.0/8", "10.1.0.0/16"))
    snapshot = Snapshot(peer)
    apply(peer, withdraw("10.1.0.0/16", "10.0.0.0/8"))
    apply(peer, announce("10.0.0.0/8"))
    lookups = Lookups(rib)
    assert found(lookups, "10.1.1.1") == "10.0.0.0/8"
    snapshot.close()
    apply(peer, announce("10.1.0.0/16", "10.1.1.0/24"))
    assert found(lookups, "10.1.1.1") == "10.1.1.0/24"
    apply(peer, withdraw("10.1.1.0/24"))
    assert found(lookups, "10.1.1.1", peer) == "10.1.0.0/16"


def test_random_changes_and_a_slow_search_agree() -> None:
    rib, rng = Rib(5), random.Random(5)
    peers = [PeerRib(rib) for _ in range(3)]
    nets: list[set[str]] = [set(), set(), set()]
    lookups = Lookups(rib)
    pool = [f"10.{a}.{b}.0/{n}" for a in range(4) for b in (0, 64, 128) for n in (18, 20, 24)]
    pool += [f"10.{a}.0.0/16" for a in range(4)] + ["10.0.0.0/8", "0.0.0.0/0"]
    for _ in range(60):
        at = rng.randrange(3)
        chosen = set(rng.sample(pool, 5))
        if rng.random() < 0.5:
            apply(peers[at], announce(*chosen))
            nets[at] |= chosen
        else:
            apply(peers[at], withdraw(*chosen))
            nets[at] -= chosen
        address = f"10.{rng.randrange(4)}.{rng.choice((0, 64, 70, 128, 200))}.{rng.randrange(256)}"
        for peer, held in [(None, set.union(*nets)), *zip(peers, nets, strict=True)]:
            covering = [text for text in held if IPv4Address(address) in IPv4Network(text)]
            expected = max(covering, key=lambda text: IPv4Network(text).prefixlen, default=None)
            assert found(lookups, address, peer) == expected


def test_ipv6_and_many_addresses_at_once() -> None:
    rib = Rib(6)
    peer = PeerRib(rib)
    wide = bytes.fromhex("20010db8") + bytes(12)
    narrow = bytes.fromhex("20010db800010000") + bytes(8)
    nlri = prefix(wide, 32) + prefix(narrow, 48)
    apply(peer, update([*HEAD, mp_reach(IPV6, b"\x20" * 16, nlri)]))
    lookups = Lookups(rib)
    addresses = narrow + wide + bytes(16)
    for who in (None, peer):
        ids = lookups.longest_match(INDEX[IPV6], addresses, who)
        assert [n and lookups.prefix(INDEX[IPV6], n)[1] for n in ids] == [48, 32, 0]
    apply(peer, update([mp_unreach(IPV6, prefix(narrow, 48))]))
    ids = lookups.longest_match(INDEX[IPV6], addresses, peer)
    assert [n and lookups.prefix(INDEX[IPV6], n)[1] for n in ids] == [32, 32, 0]
    assert len(lookups.longest_match(INDEX[IPV6], b"")) == 0


def test_each_route_distinguisher_is_a_world_of_its_own() -> None:
    rib = Rib(7)
    peer = PeerRib(rib)
    rds = [bytes([0, 0, 0, 1, 0, 0, 0, n]) for n in (1, 2)]
    nlri = prefix(ip("10.0.0.0"), 8, labels=label_stack(1, 77), rd=rds[0])
    nlri += prefix(ip("10.1.0.0"), 16, labels=label_stack(78), rd=rds[1])
    apply(peer, update([*HEAD, mp_reach(VPN, HOP, nlri)]))
    routes = Routes(rib)
    [route] = routes.longest_match(peer, VPN, ip("10.1.1.1"), rds[0])
    assert (route.prefix, route.rd, route.labels, route.next_hop) == (Prefix(ip("10.0.0.0"), 8), rds[0], (1, 77), HOP)
    [route] = routes.longest_match(peer, VPN, ip("10.1.1.1"), rds[1])
    assert (route.prefix.length, route.labels) == (16, (78,))
    assert routes.longest_match(peer, VPN, ip("10.1.1.1"), bytes(8)) == []
    gone = prefix(ip("10.1.0.0"), 16, labels=b"\x80\0\0", rd=rds[1])
    apply(peer, update([mp_unreach(VPN, gone)]))
    assert routes.longest_match(peer, VPN, ip("10.1.1.1"), rds[1]) == []
    assert len(routes.lookup(peer, VPN, Prefix(ip("10.0.0.0"), 8), rds[0])) == 1


def test_exact_look_up_has_all_paths_of_a_peer() -> None:
    rib = Rib(8)
    peer = PeerRib(rib, add_path=bits_of([IPV4]))
    for path_id in (4, 9):
        nlri = prefix(ip("10.0.0.0"), 8, path_id=path_id)
        apply(peer, update([*HEAD, attribute(3, HOP), attribute(4, path_id.to_bytes(4, "big"))], nlri))
    routes = Routes(rib)
    by_id = {route.path_identifier: route for route in routes.lookup(peer, IPV4, Prefix(ip("10.0.0.0"), 8))}
    assert by_id.keys() == {4, 9}
    assert by_id[9].attributes == b"".join(HEAD) + attribute(4, bytes([0, 0, 0, 9]))
    assert (by_id[9].family, by_id[9].rd, by_id[9].labels) == (IPV4, b"", ())
    assert routes.lookup(peer, IPV4, Prefix(ip("10.0.0.0"), 9)) == []
    assert routes.lookup(PeerRib(rib), IPV4, Prefix(ip("10.0.0.0"), 8)) == []


def test_questions_that_make_no_sense_are_refused() -> None:
    lookups = Lookups(Rib(9))
    with pytest.raises(ValueError, match="5 octets are no list of addresses of 4 octets"):
        lookups.longest_match(INDEX[IPV4], bytes(5))
    with pytest.raises(ValueError, match="have 4 octets, not 12"):
        lookups.exact(INDEX[VPN], bytes(4), 8)
    with pytest.raises(TypeError):
        Lookups(None)  # type: ignore[arg-type]


def test_ids_that_name_nothing_are_refused() -> None:
    rib = Rib(1)
    peer = PeerRib(rib)
    lookups = Lookups(rib)
    apply(peer, announce("10.0.0.0/8"))
    [known] = lookups.longest_match(INDEX[IPV4], ip("10.0.0.1"))
    [(_, path)] = lookups.routes(peer, INDEX[IPV4], known)
    for unknown in (0, known + 1, 1 << 27, (1 << 32) - 1):
        with pytest.raises(KeyError):
            lookups.prefix(INDEX[IPV4], unknown)
        with pytest.raises(KeyError):
            lookups.path(unknown)
    apply(peer, announce("11.0.0.0/8", hop=bytes([192, 0, 2, 2])) + withdraw("10.0.0.0/8"))
    with pytest.raises(KeyError):
        lookups.prefix(INDEX[IPV4], known)
    with pytest.raises(KeyError):
        lookups.path(path)
