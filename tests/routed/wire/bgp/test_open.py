"""OPEN: plain and extended parameters, and nothing but WireError for the rest."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import binary, builds, integers, lists, one_of, sampled_from

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol, RouteRefresh, UnknownCapability
from routed.wire.bgp.codepoints import CapabilityCode, OptionalParameterType
from routed.wire.bgp.notification import BgpError
from routed.wire.bgp.open import Capabilities, OpenMessage, UnknownParameter, decode_open, encode_open
from routed.wire.family import IPV4_UNICAST

CAPABILITIES = one_of(
    sampled_from([RouteRefresh(), Multiprotocol(IPV4_UNICAST), FourOctetAs(4200000000)]),
    builds(UnknownCapability, integers(200, 255).map(CapabilityCode), binary(max_size=255)),
)
PARAMETERS = one_of(
    builds(Capabilities, lists(CAPABILITIES, max_size=6).map(tuple)),
    builds(UnknownParameter, integers(3, 255).map(OptionalParameterType), binary(max_size=300)),
)
OPENS = builds(
    OpenMessage,
    my_as=integers(0, 0xFFFF),
    hold_time=integers(0, 0xFFFF),
    bgp_identifier=binary(min_size=4, max_size=4),
    parameters=lists(PARAMETERS, max_size=5).map(tuple),
)
BARE = "04fde800b40a000001"


def encoded(message):
    w = Writer()
    encode_open(w, message)
    return bytes(w)


@given(message=OPENS)
def test_any_open_survives_the_round_trip(message):
    octets = encoded(message)
    assert decode_open(Cursor(octets)) == message
    assert encoded(decode_open(Cursor(octets))) == octets


def test_an_open_without_parameters():
    """RFC 4271 section 4.2."""
    message = decode_open(Cursor(bytes.fromhex(BARE + "00")))
    assert message == OpenMessage(my_as=65000, hold_time=180, bgp_identifier=b"\x0a\x00\x00\x01")
    assert (message.asn, list(message.capabilities)) == (65000, [])


def test_capabilities_of_one_or_many_parameters():
    """RFC 5492 section 4."""
    message = decode_open(Cursor(bytes.fromhex(BARE + "10" + "0206010400010001" + "02064104fa56ea00")))
    assert list(message.capabilities) == [Multiprotocol(IPV4_UNICAST), FourOctetAs(4200000000)]
    assert message.asn == 4200000000
    assert message.having(FourOctetAs) == (FourOctetAs(4200000000),)


@pytest.mark.parametrize("first_length", ["ff", "01"])
def test_extended_parameters_whatever_the_first_length_says(first_length):
    """RFC 9072 section 2: a non-zero value is ignored."""
    octets = bytes.fromhex(BARE + first_length + "ff" + "0009" + "020006010400010001")
    message = decode_open(Cursor(octets))
    assert (list(message.capabilities), message.is_extended) == ([Multiprotocol(IPV4_UNICAST)], True)
    assert encoded(message)[9:] == octets[9:].replace(b"\x01\xff", b"\xff\xff", 1)


def test_the_extended_form_is_there_for_those_who_want_it():
    """RFC 9072 section 2: it may be forced; without parameters there is nothing to extend."""
    message = decode_open(Cursor(bytes.fromhex(BARE + "08" + "0206010400010001")))
    assert not message.is_extended
    assert encoded(replace(message, is_extended=True)) == bytes.fromhex(BARE + "ffff0009" + "020006010400010001")
    assert encoded(replace(message, parameters=(), is_extended=True)) == bytes.fromhex(BARE + "00")


@pytest.mark.parametrize(("size", "extended"), [(249, False), (250, True)])
def test_the_plain_form_up_to_255_octets_and_then_the_extended_one(size, extended):
    """RFC 9072 section 2."""
    parameters = (
        Capabilities((UnknownCapability(CapabilityCode(200), bytes(size)),)),
        UnknownParameter(OptionalParameterType(9), b""),
    )
    octets = encoded(OpenMessage(my_as=1, hold_time=0, bgp_identifier=bytes(4), parameters=parameters))
    assert octets[9] == 255
    assert (octets[10] == 255) is extended
    assert len(octets) == 10 + (3 + 2 + 256 if extended else 255)


@pytest.mark.parametrize("version", [0, 3, 5, 255])
def test_another_version_is_answered_with_ours(version):
    """RFC 4271 section 6.2, before anything else is read."""
    with pytest.raises(BgpError) as raised:
        decode_open(Cursor(bytes([version]), 19))
    notification = raised.value.notification
    assert (notification.code, notification.subcode, notification.data) == (2, 1, b"\x00\x04")
    assert raised.value.offset == 19


@pytest.mark.parametrize(
    ("parameters", "offset"),
    [
        ("", 9),
        ("01", 10),  # one octet promised, none there
        ("0002", 10),  # none promised, one there
        ("0102", 11),  # no length behind the type
        ("020201", 12),  # a parameter longer than the field
        ("0502030104", 10),
        ("0402020104", 14),  # a capability longer than its parameter
        ("ffff", 11),
        ("ffff0003020001", 16),
    ],
)
def test_lengths_that_lie_are_errors_where_they_break(parameters, offset):
    with pytest.raises(WireError) as raised:
        decode_open(Cursor(bytes.fromhex(BARE + parameters)))
    assert not isinstance(raised.value, BgpError)
    assert raised.value.offset == offset


@given(octets=binary(max_size=120))
def test_any_octets_decode_or_raise_wire_error(octets):
    try:
        message = decode_open(Cursor(b"\x04" + octets))
    except WireError:
        return
    assert decode_open(Cursor(encoded(message))) == message


@given(message=OPENS, at=integers(0, 2000), octet=integers(0, 255), cut=integers(0, 2000))
def test_mutations_decode_or_raise_wire_error(message, at, octet, cut):
    octets = bytearray(encoded(message))
    octets[at % len(octets)] = octet
    del octets[cut:]
    try:
        message = decode_open(Cursor(octets))
    except WireError:
        return
    assert decode_open(Cursor(encoded(message))) == message
