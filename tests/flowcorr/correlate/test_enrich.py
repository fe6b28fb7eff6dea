"""Routes in the columns of flows: which plane and which RIB, what wins against the protocol, what stays empty."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import NO_ADDRESS
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher, Group
from flowcorr.correlate._facts import Facts
from flowcorr.correlate._source import Source
from routed.rib._payloads import Payloads
from routed.rib._resolve import Resolver, Step, View
from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._update import apply
from routed.rib._vrps import Vrps
from tests.oracles.build import attribute, prefix, segments, update

COLUMNS = """
    exporter src_host dst_host src_mask dst_mask src_net dst_net src_as dst_as peer_dst_as peer_dst_ip as_path std_comm
    ext_comm lrg_comm local_pref med lookup_reason_dst mpls_vpn_rd bgp_next_hop in_iface out_iface dst_roa
""".split()  # noqa: SIM905 (a table)
AS_COLUMNS = {
    "dst_as": "origin_as",
    "peer_dst_as": "neighbour_as",
    "as_path": "as_path",
    "std_comm": "std_comm",
    "ext_comm": "ext_comm",
    "lrg_comm": "lrg_comm",
    "local_pref": "local_pref",
    "med": "med",
    "lookup_reason_dst": "reason",
    "dst_roa": "roa",
}
NET_COLUMNS = {"dst_mask": "mask", "dst_net": "net", "peer_dst_ip": "next_hop"}
TEXTS = frozenset({"as_path", "std_comm", "ext_comm", "lrg_comm"})


def octets(address: str) -> bytes:
    ip = ip_address(address)
    return ip.packed if isinstance(ip, IPv6Address) else bytes(10) + b"\xff\xff" + ip.packed


def announce(net: str, path: list[int] | None = None, *more: bytes) -> bytes:
    network = ip_network(net)
    attributes = [
        attribute(1, b"\0"),
        attribute(2, segments((2, path)) if path else b""),
        attribute(3, bytes([192, 0, 2, 1])),
        *more,
    ]
    return update(attributes, prefix(network.network_address.packed, network.prefixlen))


class Plane:
    """One plane with a peer whose routes all exporters follow, but for those below 1."""

    def __init__(self, texts: Texts, *updates: bytes, name: bytes = b"bgp", add_path: int = 0, **facts: Any) -> None:
        self.rib = Rib(1)
        self.peer = PeerRib(self.rib, add_path=add_path)
        for one in updates:
            apply(self.peer, one)
        resolver = Resolver(self.rib)
        view = resolver.add(View([Step(0, b"", [[self.peer]])]))
        self.asked: list[tuple[int, int, bytes, int, int]] = []

        def choose(*question: Any) -> int:
            self.asked.append(question)
            return view if question[0] else 0

        self.facts = Facts(resolver, texts, TEXTS, **facts)
        self.payloads = Vrps()
        self.source = Source(
            resolver,
            self.facts,
            choose,
            lambda number, rib: b"%s %d %d" % (name, number, rib),
            payloads=lambda: self.payloads,
        )


class Flows:
    """A batch, and what became of its only row."""

    def __init__(
        self, texts: Texts, planes: Iterable[Plane], groups: Iterable[Group], *, interfaces: bool = False
    ) -> None:
        self.texts = texts
        layout = Layout(BUILTIN[name] for name in COLUMNS)
        self.batch = Batch(layout, 8)
        sources = [plane.source for plane in planes]
        self.enricher = Enricher(layout, texts, sources, list(groups), interfaces=interfaces)

    def row(self, **values: Any) -> dict[str, Any]:
        self.batch.clear()
        self.batch.append(**{"exporter": 1, **values})
        self.enricher.enrich(self.batch)
        self.texts.sweep()
        return {name: self.value(name) for name in COLUMNS}

    def value(self, name: str) -> Any:
        value = self.batch.rows[0][name]
        if BUILTIN[name].kind.is_text:
            return self.texts.octets_of(int(value)).decode()
        return bytes(value) if BUILTIN[name].kind.dtype.startswith("V") else int(value)


def as_group(uses: tuple[int, ...] = (0,), *, keeps: bool = False) -> Group:
    return Group("dst_host", mask="dst_mask" if keeps else None, keeps=keeps, uses=uses, columns=AS_COLUMNS)


def net_group(uses: tuple[int, ...] = (0,), *, keeps: bool = False) -> Group:
    return Group("dst_host", mask="dst_mask" if keeps else None, keeps=keeps, uses=uses, columns=NET_COLUMNS)


@pytest.fixture(name="texts")
def the_texts() -> Texts:
    return Texts()


def test_of_several_paths_the_flow_took_the_one_of_its_next_hop() -> None:
    texts = Texts()
    paths = [
        update(
            [
                attribute(1, b"\0"),
                attribute(2, segments((2, [65000 + number]))),
                attribute(3, bytes([192, 0, 2, number])),
            ],
            number.to_bytes(4, "big") + prefix(bytes([10, 0, 0, 0]), 8),
        )
        for number in (1, 2)
    ]
    flows = Flows(texts, [Plane(texts, *paths, add_path=1)], [as_group()])
    for hop, number in (("192.0.2.1", 65001), ("192.0.2.2", 65002)):
        assert flows.row(dst_host=octets("10.0.0.1"), bgp_next_hop=octets(hop))["dst_as"] == number


def test_all_that_a_route_says(texts: Texts) -> None:
    more = (
        attribute(4, (30).to_bytes(4, "big")),
        attribute(5, (200).to_bytes(4, "big")),
        attribute(8, bytes.fromhex("fbf40001ffffff01")),
        attribute(16, bytes.fromhex("0002fbf400000007")),
        attribute(32, bytes.fromhex("0000fbf40000000100000002")),
    )
    plane = Plane(texts, announce("198.51.100.0/24", [64501, 64502], *more))
    row = Flows(texts, [plane], [as_group(), net_group()]).row(dst_host=octets("198.51.100.7"))
    assert (row["dst_as"], row["peer_dst_as"], row["local_pref"], row["med"]) == (64502, 64501, 200, 30)
    assert (row["as_path"], row["std_comm"]) == ("64501_64502", "64500:1_no-export")
    assert (row["ext_comm"], row["lrg_comm"]) == ("RT:64500:7", "64500:1:2")
    assert (row["dst_mask"], row["dst_net"]) == (24, octets("198.51.100.0"))
    assert (row["peer_dst_ip"], row["lookup_reason_dst"]) == (octets("192.0.2.1"), "bgp 1 0")


def test_no_route_and_no_peer(texts: Texts) -> None:
    flows = Flows(texts, [Plane(texts, announce("10.0.0.0/8", [1]))], [as_group(), net_group()])
    row = flows.row(dst_host=octets("192.0.2.9"), dst_as=77, dst_mask=24)
    assert (row["dst_as"], row["as_path"], row["dst_mask"]) == (0, "", 0)
    assert (row["dst_net"], row["peer_dst_ip"]) == (octets("0.0.0.0"), NO_ADDRESS)
    assert row["lookup_reason_dst"] == "no route"
    assert flows.row(exporter=0, dst_host=octets("10.0.0.1"))["lookup_reason_dst"] == "no peer"


def test_a_record_without_addresses_is_left_alone(texts: Texts) -> None:
    plane = Plane(texts, announce("0.0.0.0/0", [1]))
    row = Flows(texts, [plane], [as_group(), net_group()]).row()
    assert (row["dst_as"], row["dst_net"], plane.asked) == (0, NO_ADDRESS, [])


@pytest.mark.parametrize(("mask", "wins"), [(0, True), (15, True), (16, True), (17, False), (32, False)])
def test_with_longest_the_protocol_wins_only_with_a_longer_mask(texts: Texts, mask: int, wins: bool) -> None:
    plane = Plane(texts, announce("10.1.0.0/16", [1, 2]))
    flows = Flows(texts, [plane], [as_group(keeps=True), net_group(keeps=True)])
    row = flows.row(dst_host=octets("10.1.2.3"), dst_mask=mask, dst_as=77, peer_dst_ip=octets("192.0.2.77"))
    if wins:
        assert (row["dst_as"], row["dst_mask"], row["as_path"]) == (2, 16, "1_2")
    else:
        network = ip_network(f"10.1.2.3/{mask}", strict=False).network_address
        assert (row["dst_as"], row["dst_mask"], row["as_path"]) == (77, mask, "")
        assert (row["dst_net"], row["peer_dst_ip"]) == (octets(str(network)), octets("192.0.2.77"))
        assert row["lookup_reason_dst"] == "mask of the flow"


def test_attributes_that_no_protocol_carries_are_those_of_a_route_that_wins(texts: Texts) -> None:
    plane = Plane(texts, announce("10.1.0.0/16", [1, 2]))
    compared = Group("dst_host", mask="dst_mask", keeps=False, uses=(0,), columns={"as_path": "as_path"})
    flows = Flows(texts, [plane], [compared])
    assert flows.row(dst_host=octets("10.1.2.3"), dst_mask=17)["as_path"] == ""
    assert flows.row(dst_host=octets("10.1.2.3"), dst_mask=16)["as_path"] == "1_2"


def test_a_winning_route_of_our_own_as_overrides_the_protocol(texts: Texts) -> None:
    flows = Flows(texts, [Plane(texts, announce("10.0.0.0/8"))], [as_group(keeps=True)])
    assert flows.row(dst_host=octets("10.0.0.1"), dst_as=77)["dst_as"] == 0


def test_the_longer_prefix_of_two_planes_and_bgp_in_a_tie(texts: Texts) -> None:
    bgp = Plane(texts, announce("10.0.0.0/8", [1]), announce("172.16.0.0/12", [1]))
    bmp = Plane(texts, announce("10.1.0.0/16", [2]), announce("172.16.0.0/12", [2]), name=b"bmp")
    flows = Flows(texts, [bgp, bmp], [as_group((0, 1), keeps=True)])
    assert flows.row(dst_host=octets("10.1.0.1"))["dst_as"] == 2
    assert flows.row(dst_host=octets("10.1.0.1"))["lookup_reason_dst"].startswith("bmp")
    assert flows.row(dst_host=octets("172.16.0.1"))["dst_as"] == 1
    only_bmp = Flows(texts, [bgp, bmp], [as_group((1,))])
    assert only_bmp.row(dst_host=octets("172.16.0.1"))["dst_as"] == 2


def test_columns_without_a_plane_keep_what_the_protocol_says(texts: Texts) -> None:
    flows = Flows(texts, [], [net_group((), keeps=True)])
    row = flows.row(dst_host=octets("10.1.2.3"), dst_mask=8)
    assert (row["dst_net"], row["dst_mask"]) == (octets("10.0.0.0"), 8)
    row = flows.row(dst_host=octets("2001:db8:1:2::3"), dst_mask=33)
    assert row["dst_net"] == octets("2001:db8::")
    assert flows.row(dst_host=octets("2001:db8::1"))["dst_net"] == octets("::")
    assert flows.row(dst_host=octets("2001:db8::1"), dst_mask=255)["dst_net"] == octets("2001:db8::1")


def test_the_planes_are_asked_once_for_each_question(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]))
    flows = Flows(texts, [plane], [as_group()], interfaces=True)
    rd = bytes.fromhex("0000fde800000007")
    for _ in range(2):
        flows.row(dst_host=octets("10.0.0.1"))
        flows.row(dst_host=octets("2001:db8::1"), in_iface=7, out_iface=8, mpls_vpn_rd=rd)
    assert plane.asked == [(1, 4, bytes(8), 0, 0), (1, 6, rd, 7, 8)]
    plane.source.forget_views()
    flows.row(dst_host=octets("10.0.0.1"))
    assert len(plane.asked) == 3


def test_interfaces_may_begin_to_matter(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]))
    flows = Flows(texts, [plane], [as_group()])
    flows.row(dst_host=octets("10.0.0.1"), in_iface=7)
    assert not flows.enricher.interfaces
    flows.enricher.interfaces = True
    flows.row(dst_host=octets("10.0.0.1"), in_iface=7)
    assert plane.asked == [(1, 4, bytes(8), 0, 0), (1, 4, bytes(8), 7, 0)]


def test_interfaces_without_columns_cannot_matter(texts: Texts) -> None:
    layout = Layout([BUILTIN["exporter"], BUILTIN["in_iface"]])
    with pytest.raises(ValueError, match="no column"):
        Enricher(layout, texts, [], [], interfaces=True)


def test_many_questions_are_all_remembered(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]))
    flows = Flows(texts, [plane], [as_group()])
    for _ in range(2):
        for exporter in range(1, 3000):
            flows.row(exporter=exporter, dst_host=octets("10.0.0.1"))
    assert len(plane.asked) == 2999


def test_a_path_that_was_read_stays_itself_until_it_is_swept(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]))
    flows = Flows(texts, [plane], [as_group()])
    assert flows.row(dst_host=octets("10.0.0.1"))["dst_as"] == 1
    for family, table in plane.peer.detach():
        while not sweep_all(plane.rib, family, table, 100):
            pass
    apply(plane.peer, announce("10.0.0.0/8", [2]))
    assert flows.row(dst_host=octets("10.0.0.1"))["dst_as"] == 2
    assert len(plane.facts) == 2
    assert plane.facts.sweep(100)
    assert (len(plane.facts), plane.rib.paths.count) == (1, 1)
    assert flows.row(dst_host=octets("10.0.0.1"))["as_path"] == "2"


def test_the_radius_of_paths_and_confederations(texts: Texts) -> None:
    path = segments((3, [65001, 65002]), (2, [3, 3, 4]))
    attributes = [attribute(1, b"\0"), attribute(2, path), attribute(3, bytes([192, 0, 2, 1]))]
    octets_of_update = update(attributes, prefix(bytes([10, 0, 0, 0]), 8))
    plain, cut = Plane(texts, octets_of_update), Plane(texts, octets_of_update, radius=3, outside=True)
    row = Flows(texts, [plain], [as_group()]).row(dst_host=octets("10.0.0.1"))
    assert (row["peer_dst_as"], row["dst_as"], row["as_path"]) == (65001, 4, "(65001_65002)_3_3_4")
    row = Flows(texts, [cut], [as_group()]).row(dst_host=octets("10.0.0.1"))
    assert (row["peer_dst_as"], row["as_path"]) == (3, "(65001_65002)_3")


def test_facts_may_be_amended(texts: Texts) -> None:
    def amend(origin: int, neighbour: int, of: tuple[bytes, bytes, bytes, bytes]) -> Any:
        return origin + 1, neighbour + 2, (b"path", *of[1:])

    plane = Plane(texts, announce("10.0.0.0/8", [1]), amend=amend)
    row = Flows(texts, [plane], [as_group()]).row(dst_host=octets("10.0.0.1"))
    assert (row["dst_as"], row["peer_dst_as"], row["as_path"]) == (2, 3, "path")


def test_origins_are_validated_by_the_payloads_of_the_moment(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]), announce("10.1.0.0/16", [2]), announce("172.16.0.0/12", [1]))
    flows = Flows(texts, [plane], [as_group()])
    destinations = ("10.0.0.1", "10.1.0.1", "172.16.0.1", "192.0.2.1")

    def statuses() -> str:
        return "".join(chr(flows.row(dst_host=octets(one))["dst_roa"]) for one in destinations)

    assert statuses() == "uuuu"
    announced = Payloads()
    announced.add(bytes([10, 0, 0, 0]), 8, 16, 1)
    plane.payloads = announced.applied_to(Vrps(), strict=False)
    assert statuses() == "vVuu"
    assert chr(flows.row(exporter=0, dst_host=octets("10.0.0.1"))["dst_roa"]) == "u"


def test_a_route_that_loses_to_the_protocol_has_no_status(texts: Texts) -> None:
    plane = Plane(texts, announce("10.0.0.0/8", [1]))
    flows = Flows(texts, [plane], [as_group(keeps=True)])
    announced = Payloads()
    announced.add(bytes([10, 0, 0, 0]), 8, 16, 1)
    plane.payloads = announced.applied_to(Vrps(), strict=False)
    assert chr(flows.row(dst_host=octets("10.0.0.1"), dst_mask=24)["dst_roa"]) == "u"
    assert chr(flows.row(dst_host=octets("10.0.0.1"), dst_mask=8)["dst_roa"]) == "v"


@pytest.mark.parametrize(("mask", "wins"), [(15, True), (16, False), (17, False)])
def test_a_source_that_yields_loses_a_tie_with_the_protocol(texts: Texts, mask: int, wins: bool) -> None:
    plane = Plane(texts, announce("10.1.0.0/16", [1]))
    group = Group("dst_host", mask="dst_mask", keeps=True, uses=(0,), columns=NET_COLUMNS, yields=(0,))
    row = Flows(texts, [plane], [group]).row(dst_host=octets("10.1.2.3"), dst_mask=mask)
    assert (row["peer_dst_ip"] == octets("192.0.2.1")) == wins
    assert row["dst_mask"] == (16 if wins else mask)
