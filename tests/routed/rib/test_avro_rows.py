"""Avro records: their fields in the order of the schemas, what pmacct's own records hold, and who is asked for what."""

from array import array
from typing import Any

import pytest

from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_log_schemas, bmp_log_schemas
from routed.service.settings import RenderSettings, TimestampLayout
from tests.oracles.avro import decoded
from tests.oracles.build import MANDATORY, NET_10, attribute, prefix, update

RENDER = RenderSettings(
    as_path_as_array=False,
    communities_as_array=False,
    communities_numeric=False,
    origin_as_integer=False,
    label_as_map=False,
    peer_id=False,
    extra_attributes=False,
    timestamps=TimestampLayout.PLAIN,
    utc=True,
)
BGP = AvroEncoding(RENDER, bgp_log_schemas(RENDER, tags=True), "default/1")
BMP = AvroEncoding(RENDER, bmp_log_schemas(RENDER, tags=False, set_pd=False), "default/1")
PEER = b'"peer_ip_src": "192.0.2.9", "peer_tcp_port": 179, '
END_OF_RIB = update([])


def taken(encoding: AvroEncoding, rows: Any) -> list[dict[str, Any]]:
    octets, framing = encoding.take(rows)
    return decoded(octets, framing.ends, encoding.routes)


def test_a_monitored_route_has_the_fields_of_pmacct_in_its_order() -> None:
    rows = BMP.new_rows()
    rows.sequence = 9
    rows.log_monitored(b"1705334000.455143", b"")
    rows.source(
        b'"bmp_rib_type": "Loc-Rib", "is_filtered": 0, "is_loc": 1, "bgp_id": "203.0.113.90", ',
        b"",
        b"",
        None,
        b', "bmp_router": "fd25::101", "bmp_router_port": 34727, "peer_ip": "0.0.0.0", "peer_asn": 4226809946, '
        b'"peer_tcp_port": 0, "bmp_msg_type": "route_monitor"',
    )
    med = attribute(4, bytes(4))
    apply(PeerRib(Rib(1)), update([*MANDATORY, med], prefix(bytes([203, 0, 113, 21]), 32)), rows)
    [record] = taken(BMP, rows)
    assert list(record.items()) == [
        ("log_type", "update"),
        ("seq", 9),
        ("timestamp", "1705334000.455143"),
        ("event_type", "log"),
        ("writer_id", "default/1"),
        ("afi", 1),
        ("safi", 1),
        ("ip_prefix", "203.0.113.21/32"),
        *((name, None) for name in ("rd", "rd_origin")),
        ("bgp_nexthop", "192.0.2.1"),
        ("as_path", "65001"),
        *((name, None) for name in ("as_path_id", "comms", "ecomms", "lcomms")),
        ("origin", "i"),
        ("local_pref", None),
        ("med", 0),
        *((name, None) for name in ("aigp", "psid_li", "otc", "mpls_label")),
        ("peer_ip", "0.0.0.0"),
        ("peer_asn", 4226809946),
        ("bgp_id", "203.0.113.90"),
        ("peer_tcp_port", 0),
        ("timestamp_arrival", None),
        ("bmp_router", "fd25::101"),
        ("bmp_router_port", 34727),
        ("bmp_msg_type", "route_monitor"),
        ("bmp_rib_type", "Loc-Rib"),
        ("is_filtered", 0),
        ("is_in", None),
        ("is_loc", 1),
        *((name, None) for name in ("is_post", "is_out")),
    ]


def test_a_tagger_is_asked_for_each_path_and_may_keep_its_rows_back() -> None:
    rows = BGP.new_rows()
    tags = {b"\0\1\0\1": b'"tag": 7, ', b"\0\1\0\2": None, b"": b'"label": "none", '}
    rows.log(b"now", PEER, b"", lambda communities: tags[communities])
    for number, communities in enumerate((b"\0\1\0\1", b"\0\1\0\2", b"")):
        more = [attribute(8, communities)] if communities else []
        apply(PeerRib(Rib(1)), update([*MANDATORY, *more], prefix(bytes([10, number, 0, 0]), 16)), rows)
    found = [(record["ip_prefix"], record["tag"], record["label"]) for record in taken(BGP, rows)]
    assert found == [("10.0.0.0/16", 7, None), ("10.2.0.0/16", None, "none")]


def test_rows_that_shall_not_be_written_are_not() -> None:
    rows = BGP.new_rows()
    rows.log(b"now", PEER, None)
    apply(PeerRib(Rib(1)), update(MANDATORY, NET_10) + END_OF_RIB, rows)
    assert (rows.count, rows.take(), rows.take_ends()) == (0, b"", b"")


@pytest.mark.parametrize("routes", [1, 1_024, 1_025, 5_000])
def test_a_buffer_holds_any_number_of_records(routes: int) -> None:
    rows = BGP.new_rows()
    rows.log(b"now", PEER, b"")
    nets = [prefix(bytes([10, number >> 8, number & 255, 0]), 24) for number in range(routes)]
    table = PeerRib(Rib(1))
    for at in range(0, routes, 500):
        apply(table, update(MANDATORY, b"".join(nets[at : at + 500])), rows)
    octets, framing = BGP.take(rows)
    ends = array("I", framing.ends)
    assert (len(ends), ends[-1]) == (routes, len(octets))
    assert len(set(decoded_prefixes(octets, framing.ends))) == routes


def decoded_prefixes(octets: bytes, ends: bytes) -> list[str]:
    return [record["ip_prefix"] for record in decoded(octets, ends, BGP.routes)]
