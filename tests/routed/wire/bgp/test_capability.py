"""Capabilities: every row of the table round-trips; what we do not know is kept."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis.strategies import binary, booleans, builds, data, integers, just, tuples
from hypothesis.strategies import lists as any_list

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.capability import (
    SPECS,
    AddPath,
    BgpRole,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    NextHopEncoding,
    PathsOffer,
    PreservedFamily,
    RouteRefresh,
    SoftwareVersion,
    StaleFamily,
    UnknownCapability,
    decode_capability,
    encode_capability,
)
from routed.wire.bgp.codepoints import CapabilityCode, Role, SendReceive
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, IPV6_VPN, Family

U8, U16, U24, U32 = (integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32))
FAMILIES = builds(Family, U16, U8)


def several(strategy, most):
    return any_list(strategy, max_size=most).map(tuple)


VALUES = {  # one strategy per row of the table
    Multiprotocol: builds(Multiprotocol, FAMILIES),
    RouteRefresh: just(RouteRefresh()),
    ExtendedNextHop: builds(ExtendedNextHop, several(builds(NextHopEncoding, builds(Family, U16, U16), U16), 42)),
    ExtendedMessage: just(ExtendedMessage()),
    BgpRole: builds(BgpRole, U8.map(Role)),
    GracefulRestart: builds(
        GracefulRestart,
        restarting=booleans(),
        notification=booleans(),
        restart_time=integers(0, 0xFFF),
        families=several(builds(PreservedFamily, FAMILIES, booleans()), 63),
    ),
    FourOctetAs: builds(FourOctetAs, U32),
    AddPath: builds(AddPath, several(builds(PathsOffer, FAMILIES, U8.map(SendReceive)), 63)),
    EnhancedRouteRefresh: just(EnhancedRouteRefresh()),
    LongLivedGracefulRestart: builds(
        LongLivedGracefulRestart, several(builds(StaleFamily, FAMILIES, booleans(), U24), 36)
    ),
    Fqdn: builds(Fqdn, binary(max_size=126), binary(max_size=126)),
    SoftwareVersion: builds(SoftwareVersion, binary(max_size=254)),
}


def encoded(capability):
    w = Writer()
    encode_capability(w, capability)
    return bytes(w)


def decoded(octets):
    c = Cursor(octets)
    capability = decode_capability(c)
    assert c.remaining == 0
    return capability


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.code.name)
@given(drawn=data())
def test_every_value_of_every_row_survives_the_round_trip(spec, drawn):
    capability = drawn.draw(VALUES[spec.kind])
    octets = encoded(capability)
    assert octets[0] == spec.code
    assert decoded(octets) == capability


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.code.name)
@given(value=binary(max_size=40))
def test_any_value_decodes_or_raises_wire_error(spec, value):
    with suppress(WireError):
        capability = decoded(bytes([spec.code, len(value)]) + value)
        again = decoded(encoded(capability))
        assert again == capability


@given(code=U8.filter(lambda code: code not in {spec.code for spec in SPECS}), value=binary(max_size=255))
def test_an_unknown_capability_is_kept(code, value):
    octets = bytes([code, len(value)]) + value
    capability = decoded(octets)
    assert capability == UnknownCapability(CapabilityCode(code), value)
    assert encoded(capability) == octets


EXAMPLES = {
    "010400020001": Multiprotocol(IPV6_UNICAST),
    "01040002ff80": Multiprotocol(IPV6_VPN),  # the reserved octet is ignored
    "0200": RouteRefresh(),
    "0506000100010002": ExtendedNextHop((NextHopEncoding(IPV4_UNICAST, 2),)),
    "0600": ExtendedMessage(),
    "090103": BgpRole(Role.CUSTOMER),
    "4006c07800010180": GracefulRestart(
        restarting=True,
        notification=True,
        restart_time=120,
        families=(PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),),
    ),
    "40020000": GracefulRestart(),
    "4104fa56ea00": FourOctetAs(4200000000),
    "45080001010100020103": AddPath(
        (PathsOffer(IPV4_UNICAST, SendReceive.RECEIVE), PathsOffer(IPV6_UNICAST, SendReceive.BOTH))
    ),
    "4600": EnhancedRouteRefresh(),
    "470700010180015180": LongLivedGracefulRestart(
        (StaleFamily(IPV4_UNICAST, forwarding_preserved=True, stale_time=86400),)
    ),
    "490402723100": Fqdn(b"r1"),
    "4b0403312e30": SoftwareVersion(b"1.0"),
}


@pytest.mark.parametrize(("octets", "capability"), EXAMPLES.items())
def test_examples(octets, capability):
    assert decoded(bytes.fromhex(octets)) == capability


def test_examples_cover_the_table():
    assert {type(capability) for capability in EXAMPLES.values()} == {spec.kind for spec in SPECS} == set(VALUES)


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        ("0103000100", 5),  # multiprotocol one octet short
        ("01050001000100", 6),  # and one too long
        ("05050001000100", 6),
        ("0900", 2),
        ("09020001", 3),
        ("400100", 2),
        ("40050000000101", 7),
        ("4103000001", 2),
        ("4503000101", 5),
        ("4706000101800000", 6),
        ("0104000100", 2),  # longer than what holds it
        ("01", 1),
    ],
)
def test_a_malformed_capability_is_an_error_where_it_breaks(octets, offset):
    with pytest.raises(WireError) as raised:
        decoded(bytes.fromhex(octets))
    assert raised.value.offset == offset


@pytest.mark.parametrize("octets", ["020100", "060100", "460100", "490105", "4900", "4b0105", "4b03016100"])
def test_a_malformed_flag_or_name_is_not_worth_a_session(octets):
    value = bytes.fromhex(octets)
    assert decoded(value) == UnknownCapability(CapabilityCode(value[0]), value[2:])


@given(pair=tuples(U8, U8))
def test_reserved_bits_of_flags_are_ignored(pair):
    """RFC 4724 section 3."""
    upper, lower = pair
    capability = decoded(bytes([0x40, 6, upper & 0x3F, lower, 0, 1, 1, 0x7F]))
    assert not capability.restarting
    assert not capability.notification
    assert capability.families == (PreservedFamily(IPV4_UNICAST, forwarding_preserved=False),)
