"""Attributes as fields of Avro: lists as texts and arrays of any length, numbers that do not fit."""

from typing import Any

import pytest

from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_log_schemas
from routed.service.settings import RenderSettings, TimestampLayout
from tests.oracles.avro import MOST, decoded
from tests.oracles.build import MANDATORY, NET_10, attribute, segments, update

SET, SEQUENCE = 1, 2


def record_of(*attributes: bytes, arrays: bool = False) -> dict[str, Any]:
    """The record of a route with these attributes besides the mandatory ones."""
    render = RenderSettings(
        as_path_as_array=arrays,
        communities_as_array=arrays,
        communities_numeric=False,
        origin_as_integer=False,
        label_as_map=False,
        peer_id=False,
        extra_attributes=False,
        timestamps=TimestampLayout.PLAIN,
        utc=True,
    )
    avro = AvroEncoding(render, bgp_log_schemas(render, tags=False), "w")
    rows = avro.new_rows()
    rows.log(b"now", b'"peer_ip_src": "192.0.2.9", "peer_tcp_port": 179, ', b"")
    given = {one[1] for one in attributes}
    mandatory = [one for one in MANDATORY if one[1] not in given]
    assert not apply(PeerRib(Rib(1)), update([*mandatory, *attributes], NET_10), rows).refusals
    octets, framing = avro.take(rows)
    [record] = decoded(octets, framing.ends, avro.routes)
    return record


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 63, 64, 255])
@pytest.mark.parametrize("kind", [SET, SEQUENCE])
def test_as_paths_of_any_length_are_texts_and_arrays(kind: int, count: int) -> None:
    asns = [4_200_000_000 + number for number in range(count)]
    path = attribute(2, segments((SEQUENCE, [1]), (kind, asns), (SEQUENCE, [2])) if count else b"")
    words = [str(asn) for asn in asns] if kind == SEQUENCE else ["{" + ",".join(map(str, asns)) + "}"]
    expected = ["1", *words, "2"] if count else []
    assert record_of(path)["as_path"] == " ".join(expected)
    assert record_of(path, arrays=True)["as_path"] == expected


@pytest.mark.parametrize("count", [1, 6, 12, 13, 900])
def test_communities_of_any_number_are_texts_and_arrays(count: int) -> None:
    values = [(65_000, number) for number in range(count)]
    octets = b"".join(high.to_bytes(2, "big") + low.to_bytes(2, "big") for high, low in values)
    expected = [f"{high}:{low}" for high, low in values]
    assert record_of(attribute(8, octets))["comms"] == " ".join(expected)
    record = record_of(attribute(8, octets), arrays=True)
    assert (record["comms"], record["ecomms"], record["lcomms"]) == (expected, [], [])


@pytest.mark.parametrize(("metric", "held"), [(0, 0), (MOST, MOST), (MOST + 1, MOST), (2**64 - 1, MOST)])
def test_a_metric_that_does_not_fit_is_the_largest_that_does(metric: int, held: int) -> None:
    assert record_of(attribute(26, b"\1\0\x0b" + metric.to_bytes(8, "big")))["aigp"] == held
