"""ROUTE-REFRESH: four octets, or filters behind a request."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, builds, integers

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.codepoints import RefreshSubtype
from routed.wire.bgp.notification import BgpError
from routed.wire.bgp.refresh import RouteRefreshMessage, decode_route_refresh, encode_route_refresh
from routed.wire.family import IPV6_UNICAST, Family

FAMILIES = builds(Family, integers(0, 0xFFFF), integers(0, 0xFF))


def encoded(message):
    w = Writer()
    encode_route_refresh(w, message)
    return bytes(w)


@given(family=FAMILIES, subtype=integers(0, 255).map(RefreshSubtype))
def test_any_refresh_survives_the_round_trip(family, subtype):
    message = RouteRefreshMessage(family, subtype)
    assert decode_route_refresh(Cursor(encoded(message))) == message


@given(family=FAMILIES, filters=binary(max_size=20))
def test_a_request_keeps_its_filters(family, filters):
    """RFC 5291 section 4."""
    message = RouteRefreshMessage(family, RefreshSubtype.REQUEST, filters)
    assert decode_route_refresh(Cursor(encoded(message))) == message


def test_example():
    assert encoded(RouteRefreshMessage(IPV6_UNICAST, RefreshSubtype.BEGIN)).hex() == "00020101"


@pytest.mark.parametrize("body", ["", "0001", "000101", "0001010100", "0001020100"])
def test_a_wrong_length_is_answered_with_the_whole_message(body):
    """RFC 7313 section 5."""
    octets = bytes.fromhex(body)
    with pytest.raises(BgpError) as raised:
        decode_route_refresh(Cursor(octets, 19))
    notification = raised.value.notification
    assert (notification.code, notification.subcode) == (7, 1)
    assert notification.data == b"\xff" * 16 + bytes([0, 19 + len(octets), 5]) + octets


@given(octets=binary(max_size=12))
def test_any_octets_decode_or_raise_wire_error(octets):
    try:
        message = decode_route_refresh(Cursor(octets))
    except WireError:
        assert len(octets) < 4 or octets[2] != 0
    else:
        assert encoded(message) == octets
