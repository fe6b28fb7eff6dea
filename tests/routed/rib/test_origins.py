"""Validation of stored routes: in message log, dump and looking glass, and again after a change of payloads."""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.rib._dump import Snapshot
from routed.rib._lookup import Lookups
from routed.rib._origins import concerned, look_again, settle, statuses
from routed.rib._payloads import Payloads
from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._search import Search
from routed.rib._update import apply
from routed.rib._vrps import Vrps, difference
from routed.rib.families import FAMILIES, INDEX, bits_of
from routed.wire.family import Family
from tests.oracles.build import attribute, label_stack, mp_reach, prefix, segments, update
from tests.oracles.origins import Network, Payload, Route, status_alone, status_among

IPV4, IPV6, VPN4 = Family(1, 1), Family(2, 1), Family(1, 128)
HOPS = {IPV4: bytes([192, 0, 2, 1]), IPV6: bytes(15) + b"\1", VPN4: bytes([192, 0, 2, 1])}
SEQUENCE, SET, CONFEDERATION = 2, 1, 3
OWN_AS = 3


@dataclass(frozen=True)
class Announcement:
    """A route, and who originates it."""

    family: Family
    rd: int
    network: Network
    identifier: int
    path: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def origin(self) -> int | None:
        """The origin as RFC 6811 section 2 has it."""
        outside = [segment for segment in self.path if segment[0] != CONFEDERATION]
        if not outside:
            return OWN_AS
        return None if outside[-1][0] == SET else outside[-1][1][-1]

    def octets(self, *, add_path: bool) -> bytes:
        """Write it as an UPDATE."""
        address, length = self.network.network_address.packed, self.network.prefixlen
        head = [attribute(1, b"\0"), attribute(2, segments(*((kind, list(ases)) for kind, ases in self.path)))]
        path_id = self.identifier if add_path else None
        if self.family == VPN4:
            rd = self.rd.to_bytes(8, "big")
            nlri = prefix(address, length, path_id=path_id, labels=label_stack(16), rd=rd)
        else:
            nlri = prefix(address, length, path_id=path_id)
        return update([*head, mp_reach(self.family, HOPS[self.family], nlri)])

    @property
    def place(self) -> tuple[Family, int, Network]:
        """Where it is stored."""
        return self.family, self.rd, self.network


def vrps_of(payloads: Sequence[Payload]) -> Vrps:
    """Make a store."""
    announced = Payloads()
    for network, longest, asn in payloads:
        announced.add(network.network_address.packed, network.prefixlen, longest, asn)
    return announced.applied_to(Vrps(), strict=False)


def peer_of(routes: Sequence[Announcement], *, add_path: bool) -> tuple[PeerRib, list[Announcement]]:
    """Make the tables of a peer; of routes that replace each other the last is left."""
    peer = PeerRib(Rib(1), add_path=bits_of(FAMILIES) if add_path else 0)
    peer.own_as = OWN_AS
    kept: dict[tuple[object, ...], Announcement] = {}
    for route in routes:
        assert apply(peer, route.octets(add_path=add_path)).announced <= 1
        kept[*route.place, route.identifier if add_path else 0] = route
    return peer, list(kept.values())


def expected(payloads: Sequence[Payload], routes: Sequence[Announcement]) -> list[tuple[Any, ...]]:
    """Return what the oracle says of each route among those of its family and route distinguisher."""
    found = []
    for route in routes:
        others: list[Route] = [(o.network, o.origin) for o in routes if o.place[:2] == route.place[:2]]
        status = status_among(payloads, others, route.network, route.origin)
        found.append((route.family.afi, route.family.safi, route.rd, str(route.network), status))
    return sorted(found)


def told(rows: Rows) -> list[tuple[Any, ...]]:
    """Return what rows say."""
    found: list[Mapping[str, Any]] = [json.loads(row) for row in rows.take().splitlines()]
    return sorted((r["afi"], r["safi"], rd_of(r), r["ip_prefix"], r["roa"]) for r in found)


def rd_of(row: Mapping[str, Any]) -> int:
    """Return a route distinguisher of type 0 as a number."""
    return int(row["rd"].split(":")[2]) if "rd" in row else 0


def new_rows(vrps: Vrps) -> Rows:
    """Make a buffer of rows that validate."""
    rows = Rows(row_end=b"}\n")
    rows.origins, rows.own_as = vrps, OWN_AS
    return rows


def networks(lengths: Sequence[int], first: int, bits: int) -> st.SearchStrategy[Network]:
    """Return nested prefixes."""

    def make(step: int, length: int) -> Network:
        address = first + (step << (bits - 24)) >> (bits - length) << (bits - length)
        return ip_network((address.to_bytes(bits // 8, "big"), length))

    return st.builds(make, st.integers(0, 3), st.sampled_from(lengths))


NETWORKS4 = networks([0, 8, 16, 22, 23, 24, 32], 0x0A0A_0A00, 32)
NETWORKS6 = networks([0, 16, 23, 24, 64, 65, 128], 0x2001_0D << 104, 128)
PATHS = st.sampled_from(
    [
        ((SEQUENCE, (9, 1)),),
        ((SEQUENCE, (9, 2)),),
        ((SEQUENCE, (3,)),),
        ((CONFEDERATION, (65001,)), (SEQUENCE, (9, 1))),
        ((CONFEDERATION, (65001,)),),
        (),
        ((SEQUENCE, (1,)), (SET, (1, 2))),
        ((SET, (1,)), (SEQUENCE, (2,))),
    ]
)
ROUTES = st.lists(
    st.one_of(
        st.builds(Announcement, st.just(IPV4), st.just(0), NETWORKS4, st.integers(1, 2), PATHS),
        st.builds(Announcement, st.just(IPV6), st.just(0), NETWORKS6, st.integers(1, 2), PATHS),
        st.builds(Announcement, st.just(VPN4), st.integers(1, 2), NETWORKS4, st.integers(1, 2), PATHS),
    ),
    max_size=20,
)
PAYLOADS = st.lists(st.tuples(NETWORKS4 | NETWORKS6, st.sampled_from([16, 24, 32, 128]), st.integers(0, 3)), max_size=8)


@given(ROUTES, PAYLOADS, st.booleans())
def test_dumps_and_the_looking_glass_say_what_the_oracle_says(
    routes: list[Announcement], payloads: list[Payload], add_path: bool
) -> None:
    """All five statuses, per family and route distinguisher, with and without ADD-PATH."""
    peer, kept = peer_of(routes, add_path=add_path)
    vrps, wanted = vrps_of(payloads), expected(payloads, kept)
    rows = new_rows(vrps)
    rows.dump(b"now", b"", b"")
    snapshot = Snapshot(peer)
    while snapshot.render(rows, 512):
        pass
    snapshot.close()
    assert told(rows) == wanted
    search = Search([peer])
    found = search.run(1_000)
    settle(found, [peer], vrps)
    rows.lookup()
    at = 0
    while at < len(found):
        at = found.render(rows, lambda _: rows.source(b"", b"", b"", None, b""), at)
    search.close()
    assert told(rows) == wanted


@given(ROUTES, PAYLOADS, st.booleans(), st.sets(st.sampled_from("viu"), min_size=1))
def test_routes_are_found_by_how_their_origin_alone_is_validated(
    routes: list[Announcement], payloads: list[Payload], add_path: bool, wanted: set[str]
) -> None:
    peer, kept = peer_of(routes, add_path=add_path)
    ours = [route.place for route in kept if status_alone(payloads, route.network, route.origin) in wanted]
    search = Search([peer], origins=(vrps_of(payloads), "".join(wanted).encode()))
    assert sum(search.count()) == len(ours)
    found = search.run(1_000).routes() if ours else []
    search.close()
    got = [(family, address, length, int.from_bytes(rd, "big")) for _, family, address, length, rd, *_ in found]
    assert sorted(got) == sorted(
        (INDEX[family], network.network_address.packed, network.prefixlen, rd) for family, rd, network in ours
    )


def test_no_other_status_is_one_of_a_route_alone() -> None:
    with pytest.raises(ValueError, match="no origin alone is U"):
        Search([], origins=(Vrps(), b"vU"))


@given(ROUTES, PAYLOADS)
def test_batches_of_ids_are_judged_like_rows(routes: list[Announcement], payloads: list[Payload]) -> None:
    """What flows ask: prefix and path ids as look-ups return them."""
    peer, kept = peer_of(routes, add_path=False)
    vrps, lookups = vrps_of(payloads), Lookups(peer.rib)
    for family in (IPV4, IPV6):
        mine = [route for route in kept if route.family == family]
        ids = [lookups.exact(INDEX[family], r.network.network_address.packed, r.network.prefixlen) for r in mine]
        paths = [lookups.routes(peer, INDEX[family], prefix_id)[0][1] for prefix_id in ids]
        found = statuses(vrps, peer, INDEX[family], array("I", [*ids, 0]), array("I", [*paths, 0]))
        others: list[Route] = [(route.network, route.origin) for route in mine]
        assert found.decode() == "".join(status_among(payloads, others, *other) for other in others) + "u"


@given(ROUTES, PAYLOADS, PAYLOADS, st.booleans())
def test_a_change_is_about_the_routes_that_it_changes(
    routes: list[Announcement], old: list[Payload], new: list[Payload], add_path: bool
) -> None:
    """Each alone, as in the message log; the others are not even looked at."""
    peer, kept = peer_of(routes, add_path=add_path)
    before, after = vrps_of(old), vrps_of(new)
    changed = difference(before, after)
    rows = new_rows(after)
    rows.log(b"now", b"", b"")
    total = 0
    for family in range(len(FAMILIES)):
        start = 1
        while start:
            ids, start = concerned(peer.rib, family, changed, start, 3)
            at = 0
            while at < len(ids):
                count, at = look_again(peer, family, ids, before, after, rows, at, 2)
                total += count
    found: list[Mapping[str, Any]] = [json.loads(row) for row in rows.take().splitlines()]
    assert all(row["log_type"] == "roa" for row in found)
    wanted = []
    for route in kept:
        was, now = (status_alone(payloads, route.network, route.origin) for payloads in (old, new))
        if was != now:
            wanted.append((route.family.afi, route.family.safi, route.rd, str(route.network), was, now))
    seen = [(r["afi"], r["safi"], rd_of(r), r["ip_prefix"], r["roa_before"], r["roa"]) for r in found]
    assert sorted(seen) == sorted(wanted)
    assert total == len(wanted)


def test_the_example_of_the_compatible_implementation() -> None:
    """Message log: each route alone; dump: among the others."""
    payloads: list[Payload] = [(ip_network("10.0.0.0/8"), 16, 65001)]
    nets = [("10.0.0.0/8", 65001), ("10.1.0.0/16", 65002), ("10.1.2.0/24", 65002)]
    routes = [Announcement(IPV4, 0, ip_network(net), 0, ((SEQUENCE, (asn,)),)) for net, asn in nets]
    rows = new_rows(vrps_of(payloads))
    rows.log(b"now", b"", b"")
    peer = PeerRib(Rib(1))
    for route in routes:
        apply(peer, route.octets(add_path=False), rows)
    assert [json.loads(row)["roa"] for row in rows.take().splitlines()] == ["v", "i", "i"]
    rows.dump(b"now", b"", b"")
    snapshot = Snapshot(peer)
    snapshot.render(rows, 512)
    snapshot.close()
    assert [json.loads(row)["roa"] for row in rows.take().splitlines()] == ["v", "V", "V"]


def test_the_status_stands_where_pmacct_has_it() -> None:
    """Behind the attributes, in front of the route distinguisher."""
    rows = new_rows(Vrps())
    rows.log(b"now", b"", b"")
    apply(PeerRib(Rib(1)), Announcement(VPN4, 7, ip_network("10.0.0.0/8"), 0, ()).octets(add_path=False), rows)
    assert b'"origin": "i", "roa": "u", "rd": "0:0:7", ' in rows.take()


def test_without_payloads_there_is_no_key() -> None:
    """Validation that is not configured is not shown."""
    rows = Rows(row_end=b"}\n")
    rows.log(b"now", b"", b"")
    apply(PeerRib(Rib(1)), Announcement(IPV4, 0, ip_network("10.0.0.0/8"), 0, ()).octets(add_path=False), rows)
    assert b"roa" not in rows.take()


def test_what_providers_make_of_a_path_is_asked_once_for_it() -> None:
    """And never lasts longer than the path."""
    asked: list[bytes] = []

    def verify(as_path: bytes) -> bytes:
        asked.append(as_path)
        return b', "aspa": %d' % len(asked)

    rows = new_rows(Vrps())
    rows.verifier = verify
    rows.log(b"now", b"", b"")
    peer = PeerRib(Rib(1))
    head = [attribute(1, b"\0"), attribute(2, segments((SEQUENCE, [1]))), attribute(3, HOPS[IPV4])]
    apply(peer, update(head, prefix(b"\x0a\0\0\0", 8) + prefix(b"\x0b\0\0\0", 8)), rows)
    assert [json.loads(row)["aspa"] for row in rows.take().splitlines()] == [1, 1]
    assert asked == [segments((SEQUENCE, [1]))]
    rows.verifier = None
    rows.log(b"now", b"", b"")


def test_ids_that_were_never_given_out_are_refused() -> None:
    """They would be read outside of the stores."""
    peer = PeerRib(Rib(1))
    with pytest.raises(ValueError, match="of no store"):
        statuses(Vrps(), peer, 0, array("I", [1]), array("I", [0]))
    with pytest.raises(ValueError, match="1 prefixes, 2 paths"):
        statuses(Vrps(), peer, 0, array("I", [0]), array("I", [0, 0]))
