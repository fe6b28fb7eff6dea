"""What is taken from where: groups of columns, columns of plugins with sources of their own, and what stays empty."""

from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN, own_column
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher
from flowcorr.correlate.aggregate import parse_aggregate, plan_key
from flowcorr.correlate.correlation import NET_ASKS, OWN, Correlation
from flowcorr.correlate.own_columns import OwnColumns

ALL = ("bgp", "bmp")


def correlation(**settings: Any) -> Correlation:
    return Correlation(**{"as_source": ("netflow",), "net_source": ("netflow",), **settings})


@pytest.mark.parametrize(
    ("asked", "settings", "said"),
    [
        ("as_path", {}, "as_path stays empty: nfacctd_as is netflow, and no route is looked up"),
        ("dst_as peer_src_as peer_dst_as", {}, ""),
        ("as_path", {"as_source": ("bgp",)}, ""),
        ("as_path std_comm local_pref", {"as_source": ("sflow",), "daemon": "sfacctd"}, ""),
        ("as_path", {"as_source": ("file",), "daemon": "sfacctd"}, "as_path stays empty: sfacctd_as is file"),
        ("dst_as", {"as_source": ("file",), "daemon": "sfacctd"}, ""),
        ("ext_comm", {"as_source": ("sflow",), "daemon": "sfacctd"}, "ext_comm stays empty: sfacctd_as is sflow"),
        ("src_as_path", {"as_source": ("bgp",)}, "src_as_path stays empty: bgp_src_as_path_type is not set"),
        ("src_as_path", {"as_source": ("bgp",), "source_side": frozenset({"src_as_path"})}, ""),
        ("src_med", {"mapped": frozenset({"src_med"})}, ""),
        ("dst_roa", {"as_source": ("bgp",)}, "dst_roa stays empty: neither rpki_roas_file nor rpki_rtr_cache is set"),
        ("dst_roa", {"as_source": ("bgp",), "validates": True}, ""),
        ("src_roa", {"as_source": ("bgp",), "validates": True}, "src_roa stays empty: bgp_src_roa_type is not set"),
        ("peer_src_as", {"as_source": ("bgp",)}, "nfacctd_as is bgp, and bgp_peer_src_as_type is not set"),
        ("peer_src_as", {"as_source": ("bgp",), "peer_src_as": "bgp"}, ""),
        ("peer_src_as", {"as_source": ("longest",)}, ""),
        ("peer_src_as", {"peer_src_as": "bgp"}, "nfacctd_as is netflow, and no route is looked up"),
        ("peer_src_as", {"mapped": frozenset({"peer_src_as"}), "peer_src_as": "map"}, ""),
        ("lookup_reason_src", {}, "lookup_reason_src stays empty"),
    ],
)
def test_what_can_never_be_filled_is_said_with_its_key(asked: str, settings: dict[str, Any], said: str) -> None:
    found = "\n".join(correlation(**settings).unfilled(asked.split(), ALL))
    assert said in found
    assert bool(said) == bool(found)


def test_without_a_plane_longest_fills_nothing_of_routes() -> None:
    assert list(correlation(as_source=("longest",)).unfilled(["as_path"], []))


def test_a_plugin_with_sources_of_its_own_has_columns_of_its_own() -> None:
    one = correlation(net_of_plugins={"p": ("bgp",)})
    asked = {own_column(name, "p").name for name in OWN}
    assert [name for name, _ in one.own(asked)] == list(OWN)
    assert one.reads(asked, ["bgp"]) >= {*OWN, "src_host", "dst_host", "mpls_vpn_rd", "bgp_next_hop"}
    assert not one.reads({"src_port"}, ["bgp"])


def test_columns_of_a_plugin_begin_with_what_the_protocol_said() -> None:
    one = correlation(net_of_plugins={"p": ("bgp",)}, of_neighbours=frozenset({"q"}))
    names = ["dst_mask", "src_as", "dst_as"]
    own = [own_column("dst_mask", "p"), *(own_column(name, "q") for name in ("peer_src_as", "src_as"))]
    batch = Batch(Layout([*(BUILTIN[name] for name in names), *own]), 2)
    batch.append(dst_mask=24, src_as=7, dst_as=8)
    OwnColumns(one.own({column.name for column in own}))(batch)
    row = batch.rows[0]
    assert (row["dst_mask[p]"], row["peer_src_as[q]"], row["src_as[q]"]) == (24, 7, 0)


@pytest.mark.parametrize(("word", "path"), [("sflow", 7), ("longest", 7), ("file", 0)])
def test_what_a_gateway_of_sflow_says_counts_where_the_protocol_does(word: str, path: int) -> None:
    layout = Layout([BUILTIN[name] for name in ("exporter", "dst_host", "as_path", "local_pref")])
    batch = Batch(layout, 1)
    batch.append(as_path=7, local_pref=9)
    Enricher(layout, Texts(), [], correlation(as_source=(word,), daemon="sfacctd").groups([]))(batch)
    assert (batch.rows[0]["as_path"], bool(batch.rows[0]["local_pref"])) == (path, bool(path))


def test_records_show_columns_of_a_plugin_as_the_primitives_that_they_are() -> None:
    own = {name: own_column(name, "p") for name in OWN}
    aggregate = parse_aggregate("dst_net, dst_port", "nfacctd").over(own)
    assert [(field.key, field.column.name) for field in aggregate.fields] == [
        ("net_dst", "dst_net[p]"),
        ("port_dst", "dst_port"),
    ]
    assert {column.name for column in aggregate.columns} == {"dst_net[p]", "dst_port"}
    both = parse_aggregate("sum_net", "nfacctd").over(own)
    layout = Layout(both.columns)
    steps = plan_key(both, layout).steps
    assert {place for _, _, places in steps for place in places} == {
        layout.offset("src_net[p]"),
        layout.offset("dst_net[p]"),
    }


@pytest.mark.parametrize(
    ("words", "planes", "places"),
    [
        (("bgp",), ("bgp", "bmp", "igp"), (0,)),
        (("bmp",), ("bgp", "igp"), (0,)),
        (("bgp",), ("bmp",), (0,)),
        (("igp",), ("bgp", "igp"), (1,)),
        (("bgp-ls",), ("igp",), (0,)),
        (("bgp",), ("igp",), ()),
        (("longest",), ("bgp", "bmp", "igp"), (0, 1, 2)),
    ],
)
def test_prefixes_come_from_the_planes_that_words_name(
    words: tuple[str, ...], planes: tuple[str, ...], places: tuple[int, ...]
) -> None:
    one = correlation(net_source=words)
    assert one._uses(words, planes, NET_ASKS) == places


def test_an_igp_has_no_as_numbers() -> None:
    assert list(correlation(as_source=("longest",)).unfilled(["as_path"], ["igp"]))
