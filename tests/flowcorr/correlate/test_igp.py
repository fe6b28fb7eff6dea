"""Prefixes of flows from an IGP beside those of BGP and of the protocol."""

from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher
from flowcorr.correlate._facts import Facts
from flowcorr.correlate._source import Source
from flowcorr.correlate.correlation import Correlation
from flowcorr.correlate.map_keys import address_octets
from flowcorr.correlate.views import Exporter, Views
from routed.rib._resolve import Resolver
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from routed.rib.api import Igp
from routed.service.flow_tables import IgpFlowTables
from tests.flowcorr.correlate.test_enrich import announce
from tests.flowcorr.correlate.test_views import Table
from tests.routed.rib.test_igp import network, update

COLUMNS = ("exporter", "dst_host", "dst_net", "dst_mask", "peer_dst_ip", "dst_as", "lookup_reason_dst")


class Peer:
    """One BGP peer, which everybody follows."""

    def __init__(self, rib: PeerRib) -> None:
        self._found = [Table(rib, name="bgp")]

    def candidates(self, _address: Any, _port: int | None) -> list[Table]:
        return self._found

    def changed(self) -> bool:
        return False


def look(destination: str, *routes: str, source: str = "longest", **values: Any) -> dict[str, Any]:
    """What becomes of a flow between BGP routes and an IGP with 198.51.100.0/24, 198.51.100.128/25, 2001:db8:1::/48."""
    texts, igp, rib = Texts(), Igp(1), Rib(1)
    update(igp, network())
    peer = PeerRib(rib)
    for route in routes:
        apply(peer, announce(route, [64501]))
    exporter = Exporter(ip_address("192.0.2.1"), ip_address("192.0.2.1"))
    sources = []
    for store, tables in ((rib, Peer(peer)), (igp.rib, IgpFlowTables(igp.table))):
        resolver = Resolver(store)
        views = Views(resolver, tables, lambda _slot: exporter)
        sources.append(Source(resolver, Facts(resolver, texts, frozenset()), views.choose, views.explain))
    layout = Layout(BUILTIN[name] for name in COLUMNS)
    groups = Correlation(as_source=("bgp",), net_source=(source,)).groups(["bgp", "igp"])
    batch = Batch(layout, 1)
    batch.append(exporter=1, dst_host=address_octets(ip_address(destination)), **values)
    Enricher(layout, texts, sources, groups).enrich(batch)
    row = batch.rows[0]
    net, hop = (IPv6Address(bytes(row[name])) for name in ("dst_net", "peer_dst_ip"))
    return {
        "net": f"{net.ipv4_mapped or net}/{row['dst_mask']}",
        "hop": str(hop.ipv4_mapped or hop),
        "as": int(row["dst_as"]),
        "reason": texts.octets_of(int(row["lookup_reason_dst"])).decode(),
    }


def test_an_igp_gives_prefixes_and_whose_they_are() -> None:
    found = look("198.51.100.200", source="igp")
    assert (found["net"], found["hop"], found["as"]) == ("198.51.100.128/25", "192.0.2.2", 0)
    assert look("2001:db8:1::9", source="bgp-ls")["hop"] == "2001:db8::2"


@pytest.mark.parametrize(
    ("routes", "net", "hop"),
    [
        (("198.51.100.0/24",), "198.51.100.128/25", "192.0.2.2"),
        (("198.51.100.128/25",), "198.51.100.128/25", "192.0.2.1"),
        (("198.51.100.192/26",), "198.51.100.192/26", "192.0.2.1"),
    ],
)
def test_the_longest_wins_and_bgp_in_a_tie(routes: tuple[str, ...], net: str, hop: str) -> None:
    found = look("198.51.100.200", *routes)
    assert (found["net"], found["hop"]) == (net, hop)
    assert (found["as"], found["reason"]) == (64501, "bgp")


@pytest.mark.parametrize(
    ("mask", "net"), [(24, "198.51.100.128/25"), (25, "198.51.100.128/25"), (26, "198.51.100.192/26")]
)
def test_the_protocol_wins_a_tie_with_an_igp(mask: int, net: str) -> None:
    found = look("198.51.100.200", dst_mask=mask, peer_dst_ip=address_octets(ip_address("203.0.113.1")))
    assert found["net"] == net
    assert found["hop"] == ("192.0.2.2" if mask < 25 else "203.0.113.1")
