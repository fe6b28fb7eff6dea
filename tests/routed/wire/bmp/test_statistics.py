"""Statistics: a number where type and length agree, octets where they do not, and an honest count."""

import pytest

from routed.octets import WireError
from routed.wire.bmp.message import decode_message, encode_message
from routed.wire.bmp.statistics import BY_KIND, SPECS, Layout, Statistic, statistic_name
from routed.wire.bmp.tlv import Tlv
from routed.wire.family import IPV6_VPN
from tests.oracles.bmp_build import STATISTICS, frame, peer, statistic, tlv

VALUES = {
    Layout.COUNTER: (bytes.fromhex("fffffffe"), 0xFFFFFFFE, None),
    Layout.GAUGE: (bytes.fromhex("fffffffffffffffe"), 0xFFFFFFFFFFFFFFFE, None),
    Layout.FAMILY_GAUGE: (bytes.fromhex("0002800000000100000000"), 0x100000000, IPV6_VPN),
}


def report(items, count=1, version=3):
    return decode_message(frame(STATISTICS, peer() + count.to_bytes(4, "big") + items, version))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.kind))
def test_every_type(spec):
    octets, value, family = VALUES[spec.layout]
    found = report(statistic(spec.kind, octets))
    assert found.statistics == (Statistic(spec.kind, value, family),)
    assert decode_message(encode_message(found, 3)) == found


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.kind))
def test_another_length_leaves_octets_and_the_next_item_is_found(spec):
    for length in {0, 3, 4, 7, 8, 10, 11, 12, 300} - {spec.layout.value}:
        found = report(statistic(spec.kind, bytes(length)) + statistic(1, b"\0\0\0\7"), 2)
        assert found.statistics == (Statistic(spec.kind, octets=bytes(length)), Statistic(1, 7))


def test_types_are_those_of_the_registry_without_gaps():
    """RFC 7854, RFC 8671 and RFC 9972 section 4."""
    assert sorted(BY_KIND) == [spec.kind for spec in SPECS] == list(range(44))
    by_layout = {layout: [spec.kind for spec in SPECS if spec.layout is layout] for layout in Layout}
    assert by_layout[Layout.COUNTER] == [*range(7), 11, 12, 13]
    assert by_layout[Layout.GAUGE] == [7, 8, 14, 15, 18, 20, 29, 31, 33, 39]
    for spec in SPECS:
        assert ("per-AFI/SAFI" in spec.name) == (spec.layout is Layout.FAMILY_GAUGE)


def test_names():
    assert statistic_name(9) == "Number of routes in per-AFI/SAFI Abj-RIB-In"
    assert statistic_name(22) == (
        "Number of routes currently in the per-AFI/SAFI pre-policy Adj-RIB-In rejected by an inbound policy"
    )
    assert statistic_name(44) == "Unknown"


def test_an_unknown_type_is_kept():
    assert report(statistic(999, b"abc")).statistics == (Statistic(999, octets=b"abc"),)


@pytest.mark.parametrize("count", [0, 1, 3, 2**32 - 1])
def test_a_count_that_lies_is_an_error(count):
    with pytest.raises(WireError) as caught:
        report(statistic(1, bytes(4)) * 2, count)
    assert caught.value.offset == 48


def test_an_item_that_overruns_is_an_error():
    with pytest.raises(WireError):
        report(statistic(1, bytes(4))[:-1])


def test_an_enterprise_has_types_of_its_own_in_version_4():
    """draft-ietf-grow-bmp-tlv section 4.2."""
    octets = tlv(1, bytes(4), enterprise=9)
    assert report(octets, version=4).statistics == (Statistic(1, octets=bytes(4), enterprise=9),)
    assert report(octets).statistics == (Statistic(0x8001, octets=b"\0\0\0\x09" + bytes(4)),)


def test_version_4_may_wrap_its_statistics():
    """draft-ietf-grow-bmp-tlv section 5.4."""
    items = (1).to_bytes(4, "big") + statistic(1, b"\0\0\0\7")
    found = decode_message(frame(STATISTICS, peer() + tlv(1, items) + tlv(4, b"x"), 4))
    assert found.statistics == (Statistic(1, 7),)
    assert found.tlvs == (Tlv(4, b"x"),)
