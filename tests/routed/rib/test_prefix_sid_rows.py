"""The Prefix-SID attribute in JSON rows, beside what the codec reads from the same octets."""

import json
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.prefix_sid import (
    LabelIndex,
    OpaqueTlv,
    OriginatorSrgb,
    PrefixSid,
    PrefixSidTlv,
    PrefixSidTlvType,
    SidInformation,
    SidStructure,
    SrgbRange,
    Srv6Service,
    decode_prefix_sid,
    encode_prefix_sid,
)
from tests.oracles.build import MANDATORY, attribute, label_stack, mp_reach, prefix, update
from tests.routed.rib.test_rows import row_of, rows_of

L3, L2 = PrefixSidTlvType.SRV6_L3_SERVICE, PrefixSidTlvType.SRV6_L2_SERVICE
SID = IPv6Address("2001:db8:1:1::").packed
STRUCTURE = SidStructure(
    locator_block_length=40,
    locator_node_length=24,
    function_length=16,
    argument_length=0,
    transposition_length=16,
    transposition_offset=64,
)
#: Names of endpoint behaviors (RFC 8986 section 10.2, RFC 9800).
SERVICES = ("DX6", "DX4", "DT6", "DT4", "DT46", "DX2", "DX2V", "DT2U", "DT2M")
NAMES = {
    **{number: f"End.{name}" for number, name in enumerate(SERVICES, 16)},
    **{number: f"End.{name} with NEXT-CSID" for number, name in enumerate(SERVICES, 60)},
    0xFFFF: "Opaque",
}


def octets_of(*tlvs: PrefixSidTlv) -> bytes:
    writer = Writer()
    encode_prefix_sid(writer, PrefixSid(tlvs))
    return bytes(writer)


def shown(octets: bytes) -> dict[str, Any]:
    """What the attribute adds to a row."""
    row, without = row_of(attribute(40, octets), all_attributes=True), row_of(all_attributes=True)
    return {key: value for key, value in row.items() if key not in without}


def told(service: PrefixSidTlvType, sid: SidInformation) -> dict[str, Any]:
    """What is told of a SID."""
    entry: dict[str, Any] = {"service": "l3" if service == L3 else "l2", "sid": str(IPv6Address(sid.sid))}
    entry["endpoint_behavior"] = sid.endpoint_behavior
    if sid.endpoint_behavior in NAMES:
        entry["endpoint_behavior_str"] = NAMES[sid.endpoint_behavior]
    for part in sid.data:
        if isinstance(part, SidStructure):
            entry["sid_structure"] = {name: getattr(part, name) for name in SidStructure.__slots__}
            break
    return entry


def is_told(tlv: PrefixSidTlv) -> bool:
    """Whether nothing is left to be shown as octets."""
    match tlv:
        case Srv6Service(sub_tlvs=sub_tlvs):
            return all(
                isinstance(sub, SidInformation)
                and len(sub.data) <= 1
                and all(isinstance(part, SidStructure) for part in sub.data)
                for sub in sub_tlvs
            )
        case OpaqueTlv():
            return False
    return True


def expected(tlvs: tuple[PrefixSidTlv, ...]) -> dict[str, Any]:
    """What a row is to show, by the values of the codec."""
    index = PrefixSid(tlvs).label_index
    blocks = [
        {"base": block.base, "size": block.size}
        for tlv in tlvs
        if isinstance(tlv, OriginatorSrgb)
        for block in tlv.ranges
    ]
    sids = [
        told(tlv.type, sub)
        for tlv in tlvs
        if isinstance(tlv, Srv6Service)
        for sub in tlv.sub_tlvs
        if isinstance(sub, SidInformation)
    ]
    rest = [{"type": (octets := octets_of(tlv))[0], "value": octets[3:].hex()} for tlv in tlvs if not is_told(tlv)]
    members = {"psid_li": index, "srgb": blocks, "srv6_sids": sids, "prefix_sid_tlvs": rest}
    return {key: value for key, value in members.items() if value or (key == "psid_li" and value == 0)}


def test_sids_have_service_behavior_and_structure() -> None:
    service = Srv6Service(L3, (SidInformation(SID, 0, 20, (STRUCTURE,)), SidInformation(SID, 0, 99)))
    structure = {
        "locator_block_length": 40,
        "locator_node_length": 24,
        "function_length": 16,
        "argument_length": 0,
        "transposition_length": 16,
        "transposition_offset": 64,
    }
    named = {"endpoint_behavior": 20, "endpoint_behavior_str": "End.DT46", "sid_structure": structure}
    assert shown(octets_of(service)) == {
        "srv6_sids": [
            {"service": "l3", "sid": "2001:db8:1:1::", **named},
            {"service": "l3", "sid": "2001:db8:1:1::", "endpoint_behavior": 99},
        ]
    }


def shaped(**fields: int) -> SidStructure:
    return replace(STRUCTURE, **fields)


def labelled(label: int, sid: SidInformation) -> dict[str, Any]:
    """What is told of the SID of a VPN route with a label."""
    hop = bytes([192, 0, 2, 1])
    reach = mp_reach((1, 128), hop, prefix(bytes([10, 0, 0, 0]), 8, labels=label_stack(label), rd=bytes(8)))
    attributes = [*MANDATORY[:2], reach, attribute(40, octets_of(Srv6Service(L3, (sid,))))]
    row = json.loads(rows_of(update(attributes), all_attributes=True))
    [found] = row["srv6_sids"]
    assert found["sid"] == str(IPv6Address(sid.sid))  # as it came
    return cast("dict[str, Any]", found)


@pytest.mark.parametrize(
    ("label", "shape", "whole"),
    [
        (0xABCD0, shaped(), "2001:db8:1:1:abcd::"),  # 16 bits behind the locator, the last 4 of the label are none
        (0xFFFFF, shaped(transposition_length=20), "2001:db8:1:1:ffff:f000::"),
        (0x80000, shaped(transposition_length=1, transposition_offset=127), "2001:db8:1:1::1"),
        (0x12345, shaped(transposition_length=12, transposition_offset=44), "2001:db8:1:2301::"),
        (0x00000, shaped(transposition_length=8, transposition_offset=56), "2001:db8:1::"),
    ],
)
def test_transposed_bits_are_put_back(label: int, shape: SidStructure, whole: str) -> None:
    """RFC 9252 section 4: they are the first bits of the label."""
    assert labelled(label, SidInformation(SID, 0, 19, (shape,)))["whole_sid"] == whole


@pytest.mark.parametrize(
    "data",
    [
        (),
        (shaped(transposition_length=0),),
        (shaped(transposition_length=21, transposition_offset=0),),  # longer than a label
        (shaped(transposition_length=1, transposition_offset=128),),  # behind the SID
        (shaped(transposition_length=20, transposition_offset=109),),
        (shaped(transposition_length=255, transposition_offset=255),),
    ],
)
def test_what_is_not_transposed_or_cannot_be_has_no_other_sid(data: tuple[SidStructure, ...]) -> None:
    assert "whole_sid" not in labelled(0xABCD0, SidInformation(SID, 0, 19, data))


def test_a_route_without_a_label_has_no_other_sid() -> None:
    [found] = shown(octets_of(Srv6Service(L3, (SidInformation(SID, 0, 19, (STRUCTURE,)),))))["srv6_sids"]
    assert "whole_sid" not in found


def test_label_blocks_have_first_label_and_size() -> None:
    srgb = OriginatorSrgb(0, (SrgbRange(16_000, 8_000), SrgbRange(0xFFFFFF, 0)))
    blocks = [{"base": 16_000, "size": 8_000}, {"base": 0xFFFFFF, "size": 0}]
    assert shown(octets_of(LabelIndex(0, 7), srgb)) == {"psid_li": 7, "srgb": blocks}


def test_a_label_index_of_0_is_one_where_everything_is_shown() -> None:
    octets = octets_of(LabelIndex(0, 0), LabelIndex(0, 5))
    assert shown(octets) == {"psid_li": 0}
    assert "psid_li" not in row_of(attribute(40, octets))


@pytest.mark.parametrize(
    "value",
    [
        "",  # no reserved octet
        "00ff",  # no header of a sub-TLV
        "00010015" + 20 * "00",  # one that overruns
        "00010014" + 20 * "00",  # one that has not all fields of a SID
        "00020001aa",  # of a type that nobody knows
    ],
)
def test_what_cannot_be_read_is_shown_as_octets(value: str) -> None:
    octets = b"\x05" + (len(value) // 2).to_bytes(2, "big") + bytes.fromhex(value)
    assert shown(octets) == {"prefix_sid_tlvs": [{"type": 5, "value": value}]}


def test_a_sid_with_parts_that_nobody_knows_is_told_and_shown() -> None:
    unknown = OpaqueTlv(9, b"\xca\xfe")
    octets = octets_of(Srv6Service(L2, (SidInformation(SID, 0, 24, (unknown, STRUCTURE)), unknown)))
    found = shown(octets)
    assert [sid["sid_structure"]["function_length"] for sid in found["srv6_sids"]] == [16]
    assert found["prefix_sid_tlvs"] == [{"type": 6, "value": octets[3:].hex()}]


BYTE, U24 = st.integers(0, 255), st.integers(0, 0xFFFFFF)
OPAQUE = st.builds(OpaqueTlv, st.integers(7, 255), st.binary(max_size=5))
PARTS = st.builds(SidStructure, **dict.fromkeys(SidStructure.__slots__, BYTE)) | OPAQUE
SIDS = st.builds(
    SidInformation,
    st.binary(min_size=16, max_size=16),
    st.just(0),
    st.sampled_from([*NAMES, 0, 15, 25, 59, 69, 0xFFFE]),
    st.lists(PARTS, max_size=2).map(tuple),
)
TLVS = (
    st.builds(LabelIndex, st.just(0), st.sampled_from([0, 1, 0xFFFFFFFF]))
    | st.builds(
        OriginatorSrgb,
        st.just(0),
        st.lists(st.builds(SrgbRange, U24, U24), min_size=1, max_size=4).map(tuple),
    )
    | st.builds(Srv6Service, st.sampled_from([L3, L2]), st.lists(SIDS | OPAQUE, max_size=3).map(tuple))
    | OPAQUE
)


@given(tlvs=st.lists(TLVS, min_size=1, max_size=5).map(tuple))
def test_rows_say_what_the_codec_reads(tlvs: tuple[PrefixSidTlv, ...]) -> None:
    assert shown(octets_of(*tlvs)) == expected(tlvs)


@given(value=st.binary(max_size=60), kind=st.sampled_from([5, 6]))
def test_any_octets_of_a_service_are_shown(value: bytes, kind: int) -> None:
    octets = bytes([kind]) + len(value).to_bytes(2, "big") + value
    found = shown(octets)
    try:
        [tlv] = decode_prefix_sid(Cursor(octets)).tlvs
    except WireError:
        assert found["prefix_sid_tlvs"] == [{"type": kind, "value": value.hex()}]
    else:
        assert found == expected((tlv,))


@given(
    label=st.integers(0, 0xFFFFF),
    sid=st.binary(min_size=16, max_size=16),
    length=st.integers(0, 22) | BYTE,
    offset=st.integers(100, 128) | BYTE,
)
def test_any_bits_of_a_label_take_their_place(label: int, sid: bytes, length: int, offset: int) -> None:
    """The same with the SID as one number."""
    found = labelled(
        label, SidInformation(sid, 0, 19, (shaped(transposition_length=length, transposition_offset=offset),))
    )
    behind = 128 - offset - length
    if not 0 < length <= 20 or behind < 0:
        assert "whole_sid" not in found
        return
    hole = ((1 << length) - 1) << behind
    whole = int.from_bytes(sid, "big") & ~hole | (label >> 20 - length) << behind
    assert int(IPv6Address(found["whole_sid"])) == whole
