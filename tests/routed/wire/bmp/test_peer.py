"""The per-peer header: what its flags mean depends on the peer type."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from routed.octets import Cursor, WireError, Writer
from routed.wire.bmp.codepoints import PEER_TYPE_NAMES, PeerType
from routed.wire.bmp.peer import PEER_HEADER_OCTETS, decode_local_address, decode_peer_header, encode_peer_header
from tests.oracles.bmp_build import A, F, L, O, V, address16, peer

RD = bytes.fromhex("0000fde800000064")


def decoded(octets):
    return decode_peer_header(Cursor(octets))


def test_every_field_where_its_offset_says():
    """RFC 7854 section 4.2."""
    octets = peer(1, L, rd=RD, address="2001:db8::1", asn=4200000000, bgp_id="10.9.8.7", time=(5, 6))
    header = decoded(octets)
    assert (header.peer_type, header.flags) == (1, V | L)
    assert (header.distinguisher, header.address) == (RD, IPv6Address("2001:db8::1"))
    assert (header.asn, header.bgp_id) == (4200000000, IPv4Address("10.9.8.7"))
    assert (header.seconds, header.microseconds) == (5, 6)
    assert len(octets) == PEER_HEADER_OCTETS


@pytest.mark.parametrize("kind", [*PEER_TYPE_NAMES, 4, 255])
@pytest.mark.parametrize("flags", range(0, 256, 16))
def test_flags_by_peer_type(kind, flags):
    """RFC 7854 section 4.2, RFC 8671 section 4, RFC 9069 section 4.2; an unknown type is one of an Adj-RIB."""
    header = decoded(peer(kind, flags, address="2001:db8::1" if flags & V else "192.0.2.1"))
    is_loc = kind == PeerType.LOC_RIB_INSTANCE
    assert header.is_loc == is_loc
    assert header.is_ipv6 == bool(flags & V)
    assert header.is_post == (not is_loc and bool(flags & L))
    assert header.is_legacy_as_path == (not is_loc and bool(flags & A))
    assert header.is_out == (not is_loc and bool(flags & O))
    assert header.is_filtered == (is_loc and bool(flags & F))


@pytest.mark.parametrize(
    ("kind", "flags", "name"),
    [
        (0, 0, "Adj-Rib-In Pre-Policy"),
        (1, L, "Adj-Rib-In Post-Policy"),
        (2, O, "Adj-Rib-Out Pre-Policy"),
        (0, O | L, "Adj-Rib-Out Post-Policy"),
        (3, F | O | L, "Loc-Rib"),
        (9, 0, "Adj-Rib-In Pre-Policy"),
    ],
)
def test_rib_type(kind, flags, name):
    assert decoded(peer(kind, flags)).rib_type == name


def test_a_loc_rib_has_no_address_but_one_that_has_is_kept():
    """RFC 9069 section 4.1; its F flag is not the V flag."""
    assert decoded(peer(3, F, address="0.0.0.0")).address == IPv4Address("0.0.0.0")
    assert decoded(peer(3, 0, address="192.0.2.7")).address == IPv4Address("192.0.2.7")
    assert decoded(peer(3, 0, address="2001:db8::7")).address == IPv6Address("2001:db8::7")


def test_without_v_the_last_four_octets_are_the_address():
    octets = bytearray(peer())
    octets[10:22] = b"\xaa" * 12
    assert decoded(bytes(octets)).address == IPv4Address("192.0.2.1")


@pytest.mark.parametrize(
    ("peer_address", "field", "local"),
    [
        ("192.0.2.1", address16("198.51.100.1"), "198.51.100.1"),
        ("192.0.2.1", address16("2001:db8::2"), "2001:db8::2"),
        ("2001:db8::1", address16("2001:db8::2"), "2001:db8::2"),
        ("2001:db8::1", address16("198.51.100.1"), "198.51.100.1"),
        ("2001:db8::1", address16("::1"), "::1"),
        ("2001:db8::1", address16("::"), "::"),
        ("192.0.2.1", address16("0.0.0.0"), "0.0.0.0"),
    ],
)
def test_the_local_address_may_be_of_the_other_family(peer_address, field, local):
    header = decoded(peer(address=peer_address))
    assert decode_local_address(Cursor(field), header) == ip_address(local)


@pytest.mark.parametrize("octets", [peer(), peer(1, L | A, address="2001:db8::1", rd=RD), peer(3, F, address="::")])
def test_round_trip(octets):
    w = Writer()
    encode_peer_header(w, decoded(octets))
    assert bytes(w) == octets


@pytest.mark.parametrize("length", range(PEER_HEADER_OCTETS))
def test_a_header_that_is_cut_short(length):
    with pytest.raises(WireError):
        decoded(peer()[:length])
