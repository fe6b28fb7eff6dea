import pytest

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.prefix_sid import (
    LabelIndex,
    OpaqueTlv,
    OriginatorSrgb,
    PrefixSid,
    PrefixSidTlvType,
    SidInformation,
    SidStructure,
    SrgbRange,
    Srv6Service,
    decode_prefix_sid,
    encode_prefix_sid,
)

SID = bytes.fromhex("fc000001") + bytes(12)
STRUCTURE = SidStructure(
    locator_block_length=32,
    locator_node_length=16,
    function_length=16,
    argument_length=0,
    transposition_length=16,
    transposition_offset=48,
)

#: An SRv6 L3 service with one End.DT4 SID, laid out by hand after RFC 9252 sections 2 to 3.2.1.
L3_SERVICE = bytes.fromhex(
    "05 0022 00"  # SRv6 L3 service, 34 octets, reserved
    "01 001e 00" + SID.hex() + "00 0013 00"  # SID information: reserved, SID, flags, behaviour 19, reserved
    "01 0006 20 10 10 00 10 30"  # SID structure
)


def test_srv6_l3_service_is_read_to_the_last_level() -> None:
    (tlv,) = decode_prefix_sid(Cursor(L3_SERVICE)).tlvs
    assert tlv == Srv6Service(PrefixSidTlvType.SRV6_L3_SERVICE, (SidInformation(SID, 0, 19, (STRUCTURE,)),))


def test_every_tlv_survives_the_round_trip() -> None:
    value = PrefixSid(
        (
            LabelIndex(0, 100),
            OriginatorSrgb(0, (SrgbRange(16000, 8000), SrgbRange(100_000, 10))),
            OpaqueTlv(PrefixSidTlvType(9), b"\x01"),
            Srv6Service(
                PrefixSidTlvType.SRV6_L2_SERVICE,
                (SidInformation(SID, 1, 17, (STRUCTURE, OpaqueTlv(4, b"!"))), OpaqueTlv(8, b"?")),
            ),
        )
    )
    w = Writer()
    encode_prefix_sid(w, value)
    assert decode_prefix_sid(Cursor(bytes(w))) == value
    assert value.label_index == 100


def test_octets_laid_out_by_hand_are_given_back() -> None:
    w = Writer()
    encode_prefix_sid(w, decode_prefix_sid(Cursor(L3_SERVICE)))
    assert bytes(w) == L3_SERVICE


@pytest.mark.parametrize(
    "octets",
    [
        "01 0007 00 0000 000000",  # the label index is cut
        "01 0008 00 0000 00000001 00",  # and here one octet longer than it is
        "03 0005 0000 003e80",  # half a label block
        "05 0005 00 01 0005 00",  # a sub-TLV beyond its service
    ],
)
def test_lengths_that_lie_are_refused(octets: str) -> None:
    with pytest.raises(WireError):
        decode_prefix_sid(Cursor(bytes.fromhex(octets)))
