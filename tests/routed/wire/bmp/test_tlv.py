"""TLVs: order and repetition kept, enterprises since version 4, and lengths that stay inside."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, builds, integers, lists, none, one_of

from routed.octets import Cursor, WireError, Writer
from routed.wire.bmp.codepoints import INITIATION_NAMES, MONITORING_NAMES, PEER_UP_NAMES
from routed.wire.bmp.tlv import (
    MAX_TLVS,
    IndexedTlv,
    Tlv,
    decode_indexed_tlv,
    decode_tlvs,
    encode_indexed_tlv,
    encode_tlv,
    tlv_name,
)
from tests.oracles.bmp_build import tlv

KINDS, ENTERPRISES = integers(0, 0x7FFE), one_of(none(), integers(0, 2**32 - 1))
TLVS = builds(Tlv, KINDS, binary(max_size=40), ENTERPRISES)
INDEXED = builds(IndexedTlv, KINDS, integers(0, 0xFFFF), binary(max_size=40), ENTERPRISES)


def test_repeated_tlvs_are_kept_in_wire_order():
    octets = tlv(1, b"a") + tlv(0, b"") + tlv(1, b"b")
    assert decode_tlvs(Cursor(octets), 3) == (Tlv(1, b"a"), Tlv(0, b""), Tlv(1, b"b"))


def test_tlvs_of_a_message_have_an_end():
    """A message of 256 KiB could hold 65,536 of them."""
    octets = tlv(1, b"a") * MAX_TLVS
    assert len(decode_tlvs(Cursor(octets), 3)) == MAX_TLVS
    with pytest.raises(WireError, match="more than 1024 TLVs") as error:
        decode_tlvs(Cursor(octets + tlv(1, b"a")), 3)
    assert error.value.offset == len(octets)


def test_an_enterprise_has_types_of_its_own_since_version_4():
    """draft-ietf-grow-bmp-tlv section 4.2: the length counts the enterprise."""
    octets = bytes.fromhex("8001 0006 0000abcd 6869".replace(" ", ""))
    assert decode_tlvs(Cursor(octets), 4) == (Tlv(1, b"hi", 0xABCD),)
    assert decode_tlvs(Cursor(octets), 3) == (Tlv(0x8001, b"\0\0\xab\xcdhi"),)


def test_an_index_is_behind_the_length_and_not_in_it():
    """draft-ietf-grow-bmp-tlv sections 4.3 and 4.4."""
    plain = bytes.fromhex("0003 0002 8005 6869".replace(" ", ""))
    assert decode_indexed_tlv(Cursor(plain)) == (IndexedTlv(3, 0x8005, b"hi"), 6)
    enterprise = bytes.fromhex("8003 0006 0001 00000009 6869".replace(" ", ""))
    assert decode_indexed_tlv(Cursor(enterprise)) == (IndexedTlv(3, 1, b"hi", 9), 10)


def test_the_reserved_type_has_no_enterprise():
    """draft-ietf-grow-bmp-tlv section 4.2."""
    assert decode_tlvs(Cursor(b"\xff\xff\0\1x"), 4) == (Tlv(0xFFFF, b"x"),)


@pytest.mark.parametrize(
    ("octets", "offset"), [(b"\0\1\0", 2), (b"\0\1\0\2x", 4), (b"\x80\1\0\3\0\0\0", 4)], ids=["cut", "overrun", "short"]
)
def test_what_does_not_fit_is_an_error(octets, offset):
    with pytest.raises(WireError) as caught:
        decode_tlvs(Cursor(octets), 4)
    assert caught.value.offset == offset


@given(tlvs=lists(TLVS, max_size=5))
def test_any_tlvs_survive_the_round_trip(tlvs):
    w = Writer()
    for each in tlvs:
        encode_tlv(w, each, 4)
    assert decode_tlvs(Cursor(bytes(w)), 4) == tuple(tlvs)


@given(one=INDEXED)
def test_any_indexed_tlv_survives_the_round_trip(one):
    w = Writer()
    encode_indexed_tlv(w, one)
    assert decode_indexed_tlv(Cursor(bytes(w)))[0] == one


@pytest.mark.parametrize(
    ("names", "one", "name"),
    [
        (INITIATION_NAMES, Tlv(0, b""), "x_string"),
        (INITIATION_NAMES, Tlv(1, b""), "x_sysdescr"),
        (INITIATION_NAMES, Tlv(2, b""), "x_sysname"),
        (INITIATION_NAMES, Tlv(3, b""), "x_reserved"),
        (INITIATION_NAMES, Tlv(77, b""), "x_77"),
        (INITIATION_NAMES, Tlv(1, b"", 9), "x_9_1"),
        (PEER_UP_NAMES, Tlv(3, b""), "x_vrf_table_name"),
        (PEER_UP_NAMES, Tlv(4, b""), "x_admin_label"),
        (MONITORING_NAMES, IndexedTlv(5, 0, b""), "x_path_marking"),
    ],
)
def test_names_of_records(names, one, name):
    assert tlv_name("x", names, one) == name
