"""Families: eight can be stored, all can be named."""

from hypothesis import given
from hypothesis.strategies import integers

from routed.octets import Cursor, Writer
from routed.wire.family import IPV4_UNICAST, IPV6_VPN, STORABLE, Family, decode_family, encode_family


def test_the_rib_holds_unicast_multicast_labelled_and_vpn_of_both_versions():
    assert {(1, 1), (1, 2), (1, 4), (1, 128), (2, 1), (2, 2), (2, 4), (2, 128)} == STORABLE


@given(afi=integers(0, 0xFFFF), safi=integers(0, 0xFF))
def test_any_family_survives_the_round_trip(afi, safi):
    w = Writer()
    encode_family(w, Family(afi, safi))
    assert decode_family(Cursor(bytes(w))) == (afi, safi)


def test_the_reserved_octet_is_ignored():
    """RFC 4760 section 8."""
    assert decode_family(Cursor(b"\x00\x02\xff\x80")) == IPV6_VPN


def test_a_family_prints_its_registered_names():
    assert str(IPV4_UNICAST) == "ipv4/unicast"
    assert str(Family(25, 200)) == "l2vpn/unassigned_200"
