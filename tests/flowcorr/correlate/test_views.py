"""Whose tables the flows of an exporter follow."""

from array import array
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest

from flowcorr.correlate.map_compiler import compile_map
from flowcorr.correlate.maps import AGENT, AgentRow
from flowcorr.correlate.views import MAP, Exporter, Views
from routed.rib._resolve import Resolver
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.oracles.build import attribute, mp_reach, prefix, segments, update

RD = bytes.fromhex("0000fde800000007")
FLOW = 3


@dataclass(frozen=True)
class Table:
    rib: PeerRib
    rank: int = 0
    distinguisher: bytes = b""
    name: str = "table"


class Plane:
    """Tables by address, and the views over them."""

    def __init__(self, *rows: str, falls_back: bool = False, labelled_for_all: bool = False, most: int = 100) -> None:
        self.rib = Rib(1)
        self.tables: dict[tuple[str, int | None], list[Table]] = {}
        self.has_changed = True
        self.resolver = Resolver(self.rib)
        agents, refused = compile_map(
            AGENT, [("[map]", dict(pair.split("=", 1) for pair in row.split(";"))) for row in rows]
        )
        assert not refused
        self.views = Views(
            self.resolver,
            self,
            lambda slot: Exporter(ip_address(f"192.0.2.{slot}"), ip_address(f"192.0.2.{slot}")),
            [AgentRow(row) for row in agents.rows],
            labelled_for_all=labelled_for_all,
            falls_back=falls_back,
            most=most,
        )

    def candidates(self, address: Any, port: int | None) -> list[Table]:
        return self.tables.get((str(address), port), [])

    def changed(self) -> bool:
        return self.has_changed

    def add(
        self,
        address: str,
        asn: int,
        *,
        vpn: bool = False,
        labelled: bool = False,
        port: int | None = None,
        **facts: Any,
    ) -> None:
        rib = PeerRib(self.rib)
        head = [attribute(1, b"\0"), attribute(2, segments((2, [asn])))]
        if vpn:
            route = bytes([24 + 64 + 8]) + b"\x00\x01\x01" + RD + bytes([10])
            apply(rib, update([*head, mp_reach((1, 128), bytes([192, 0, 2, 1]), route)]))
        elif labelled:
            route = bytes([24 + 8]) + b"\x00\x01\x01" + bytes([10])
            apply(rib, update([*head, mp_reach((1, 4), bytes([192, 0, 2, 1]), route)]))
        else:
            apply(rib, update([*head, attribute(3, bytes([192, 0, 2, 1]))], prefix(bytes([10, 0, 0, 0]), 8)))
        self.tables.setdefault((address, port), []).append(Table(rib, name=f"AS {asn}", **facts))

    def answer(
        self, slot: int, rd: bytes = bytes(8), *, origin: int = 0, family: int = 4, in_iface: int = 0
    ) -> str | None:
        """The name of the table that answers for 10.0.0.1."""
        number = self.views.choose(slot, family | origin << 8, rd, in_iface, 0)
        if not number:
            return None
        address = bytes(10) + b"\xff\xff" + IPv4Address("10.0.0.1").packed
        [found] = self.resolver.match(array("I", [number]), address)
        return "no route" if found is None else self.views.explain(number, found[4]).decode()


@pytest.fixture(name="plane")
def a_plane() -> Plane:
    return Plane()


def test_an_exporter_follows_the_tables_of_its_own_address(plane: Plane) -> None:
    plane.add("192.0.2.1", 64501)
    plane.add("192.0.2.2", 64502)
    assert plane.answer(1) == "AS 64501"
    assert plane.answer(2) == "AS 64502"
    assert plane.answer(3) is None


def test_better_ranks_come_first_and_vrfs_last(plane: Plane) -> None:
    plane.add("192.0.2.1", 64501, distinguisher=RD)
    plane.add("192.0.2.1", 64502, rank=2)
    plane.add("192.0.2.1", 64503, rank=1)
    assert plane.answer(1) == "AS 64503"


def test_a_route_distinguisher_chooses_vpn_routes_and_the_tables_of_the_vrf(plane: Plane) -> None:
    plane.add("192.0.2.1", 64501)
    assert plane.answer(1, RD, origin=FLOW) == "no route"
    plane.add("192.0.2.1", 64502, distinguisher=RD)
    number = plane.views.choose(1, 4 | FLOW << 8, RD, 0, 0)
    assert plane.views._names[number] == ["AS 64501 vpn", "AS 64502 vpn", "AS 64502 vrf", "AS 64502 vrf labelled"]
    plane.add("192.0.2.3", 64503, vpn=True)
    assert plane.answer(3, RD, origin=FLOW) == "AS 64503 vpn"
    assert plane.answer(3, bytes(8)) == "no route"


def test_nothing_and_0_0_0_of_a_map_are_the_global_table_but_not_0_0_0_of_the_exporter(plane: Plane) -> None:
    plane.add("192.0.2.1", 64501)
    assert plane.answer(1, bytes(8), origin=0) == "AS 64501"
    assert plane.answer(1, bytes(8), origin=MAP) == "AS 64501"
    assert plane.answer(1, bytes(8), origin=FLOW) == "no route"
    assert plane.answer(1, bytes.fromhex("0800000000000005"), origin=FLOW) == "no route"


def test_where_wanted_the_global_table_answers_for_what_no_vrf_has() -> None:
    plane = Plane(falls_back=True)
    plane.add("192.0.2.1", 64501)
    for rd in (RD, bytes(8), bytes.fromhex("0800000000000005")):
        assert plane.answer(1, rd, origin=FLOW) == "AS 64501 global"


def test_labelled_unicast_of_bgp_is_for_flows_of_a_vrf_too() -> None:
    plane = Plane(labelled_for_all=True)
    plane.add("192.0.2.1", 64501)
    assert plane.answer(1, RD, origin=FLOW) == "no route"
    plane.add("192.0.2.1", 64502, labelled=True)
    for rd in (RD, bytes(8), bytes.fromhex("0800000000000005")):
        assert plane.answer(1, rd, origin=FLOW) == "AS 64502 global labelled"
    plane.add("192.0.2.1", 64503, vpn=True)
    assert plane.answer(1, RD, origin=FLOW) == "AS 64503 vpn"


def test_an_agent_map_names_another_router_by_interface_and_family() -> None:
    plane = Plane(
        "bgp_ip=203.0.113.1;ip=192.0.2.0/24;in=7",
        "bgp_ip=203.0.113.2;bgp_port=1179;ip=192.0.2.0/24;filter=ip or (vlan and ip)",
        "bgp_ip=203.0.113.3;ip=192.0.2.0/24;filter=ip6 or (vlan and ip6)",
    )
    plane.add("203.0.113.1", 64501)
    plane.add("203.0.113.2", 64502, port=1179)
    plane.add("203.0.113.3", 64503)
    assert plane.answer(1, in_iface=7) == "AS 64501"
    assert plane.answer(1, in_iface=8) == "AS 64502"
    assert plane.answer(1, in_iface=8, family=6) == "AS 64503"


def test_views_are_chosen_anew_when_peers_change(plane: Plane) -> None:
    plane.add("192.0.2.1", 64501)
    before = plane.views.choose(1, 4, bytes(8), 0, 0)
    assert plane.views.choose(1, 6, bytes(8), 0, 0) == before
    plane.tables.clear()
    plane.has_changed = False
    assert not plane.views.changed()
    plane.has_changed = True
    assert plane.views.changed()
    assert plane.answer(1) is None
    with pytest.raises(KeyError):
        plane.resolver.remove(before)


def test_made_up_route_distinguishers_cost_bounded_memory() -> None:
    plane = Plane(most=3)
    plane.has_changed = False
    plane.add("192.0.2.1", 64501)
    numbers = [plane.views.choose(1, 4 | FLOW << 8, bytes(7) + bytes([last]), 0, 0) for last in range(1, 6)]
    assert [number > 0 for number in numbers] == [True, True, True, False, False]
    assert plane.views.overflows == 1
    assert plane.views.changed()
    assert plane.answer(1) == "AS 64501"
    assert not plane.views.changed()
