"""The BGP Prefix-SID attribute: SR-MPLS label index and SRGB, and the SRv6 services of a route.

Sources: RFC 8669 section 3, RFC 9252 sections 2 and 3.
"""

from dataclasses import dataclass

from routed.octets import CodePoint, Cursor, WireError, Writer


class PrefixSidTlvType(CodePoint):
    """IANA BGP Prefix-SID TLV types."""

    LABEL_INDEX = 1
    ORIGINATOR_SRGB = 3
    SRV6_L3_SERVICE = 5
    SRV6_L2_SERVICE = 6


class Srv6ServiceSubTlvType(CodePoint):
    """IANA SRv6 service sub-TLV types."""

    SID_INFORMATION = 1


class Srv6DataSubSubTlvType(CodePoint):
    """IANA SRv6 service data sub-sub-TLV types."""

    SID_STRUCTURE = 1


@dataclass(frozen=True, slots=True)
class OpaqueTlv:
    """A TLV, sub-TLV or sub-sub-TLV of a type that we do not know."""

    type: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class LabelIndex:
    """Index into the SRGB (RFC 8669 section 3.1); no flag is defined."""

    flags: int
    index: int


@dataclass(frozen=True, slots=True)
class SrgbRange:
    """One block of labels."""

    base: int
    size: int


@dataclass(frozen=True, slots=True)
class OriginatorSrgb:
    """Label blocks of the router that originated the prefix (RFC 8669 section 3.2)."""

    flags: int
    ranges: tuple[SrgbRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidStructure:
    """How the 128 bits of a SID divide, and which of them the label field carries (RFC 9252 section 3.2.1)."""

    locator_block_length: int
    locator_node_length: int
    function_length: int
    argument_length: int
    transposition_length: int
    transposition_offset: int


@dataclass(frozen=True, slots=True)
class SidInformation:
    """One SRv6 SID and what it does (RFC 9252 section 3.1)."""

    sid: bytes
    flags: int
    endpoint_behavior: int
    data: tuple[SidStructure | OpaqueTlv, ...] = ()


@dataclass(frozen=True, slots=True)
class Srv6Service:
    """An SRv6 L3 or L2 service (RFC 9252 section 2)."""

    type: PrefixSidTlvType
    sub_tlvs: tuple[SidInformation | OpaqueTlv, ...]


PrefixSidTlv = LabelIndex | OriginatorSrgb | Srv6Service | OpaqueTlv


@dataclass(frozen=True, slots=True)
class PrefixSid:
    """The attribute: its TLVs in wire order."""

    tlvs: tuple[PrefixSidTlv, ...]

    @property
    def label_index(self) -> int | None:
        """Index of the first Label-Index TLV."""
        return next((tlv.index for tlv in self.tlvs if isinstance(tlv, LabelIndex)), None)


def decode_prefix_sid(c: Cursor) -> PrefixSid:
    """Decode TLVs to the end of the attribute.

    Octets: n x (type u8, length u16, value).
    Raises: WireError when a length overruns, or a TLV that we know has not the length of its fields.
    Source: RFC 8669 sections 3 and 6.
    """
    tlvs = []
    while c.remaining:
        type_, length = PrefixSidTlvType(c.u8()), c.u16()
        value = c.sub(length)
        tlvs.append(_decode_tlv(type_, value))
        _end(value, "RFC 8669 3")
    return PrefixSid(tuple(tlvs))


def encode_prefix_sid(w: Writer, prefix_sid: PrefixSid) -> None:
    """Encode TLVs, reserved octets 0."""
    for tlv in prefix_sid.tlvs:
        w.u8(_type_of(tlv))
        with w.length16():
            _encode_tlv(w, tlv)


def _decode_tlv(type_: PrefixSidTlvType, value: Cursor) -> PrefixSidTlv:
    match type_:
        case PrefixSidTlvType.LABEL_INDEX:
            value.u8()
            return LabelIndex(value.u16(), value.u32())
        case PrefixSidTlvType.ORIGINATOR_SRGB:
            return _decode_srgb(value)
        case PrefixSidTlvType.SRV6_L3_SERVICE | PrefixSidTlvType.SRV6_L2_SERVICE:
            return _decode_service(type_, value)
        case _:
            return OpaqueTlv(type_, value.rest())


def _encode_tlv(w: Writer, tlv: PrefixSidTlv) -> None:
    match tlv:
        case LabelIndex(flags, index):
            w.u8(0)
            w.u16(flags)
            w.u32(index)
        case OriginatorSrgb(flags, ranges):
            w.u16(flags)
            for block in ranges:
                w.u24(block.base)
                w.u24(block.size)
        case Srv6Service():
            _encode_service(w, tlv)
        case OpaqueTlv():
            w.octets(tlv.octets)


def _type_of(tlv: PrefixSidTlv) -> int:
    match tlv:
        case LabelIndex():
            return PrefixSidTlvType.LABEL_INDEX
        case OriginatorSrgb():
            return PrefixSidTlvType.ORIGINATOR_SRGB
        case Srv6Service() | OpaqueTlv():
            return tlv.type


def _decode_srgb(c: Cursor) -> OriginatorSrgb:
    flags, ranges = c.u16(), []
    while c.remaining:
        ranges.append(SrgbRange(c.u24(), c.u24()))
    return OriginatorSrgb(flags, tuple(ranges))


def _decode_service(type_: PrefixSidTlvType, c: Cursor) -> Srv6Service:
    c.u8()
    sub_tlvs: list[SidInformation | OpaqueTlv] = []
    while c.remaining:
        sub_type, length = Srv6ServiceSubTlvType(c.u8()), c.u16()
        value = c.sub(length)
        known = sub_type is Srv6ServiceSubTlvType.SID_INFORMATION
        sub_tlvs.append(_decode_sid_information(value) if known else OpaqueTlv(sub_type, value.rest()))
    return Srv6Service(type_, tuple(sub_tlvs))


def _encode_service(w: Writer, service: Srv6Service) -> None:
    w.u8(0)
    for sub_tlv in service.sub_tlvs:
        if isinstance(sub_tlv, SidInformation):
            w.u8(Srv6ServiceSubTlvType.SID_INFORMATION)
            with w.length16():
                _encode_sid_information(w, sub_tlv)
        else:
            _encode_opaque(w, sub_tlv)


def _decode_sid_information(c: Cursor) -> SidInformation:
    c.u8()
    sid, flags, endpoint_behavior = c.take(16), c.u8(), c.u16()
    c.u8()
    sub_sub_tlvs: list[SidStructure | OpaqueTlv] = []
    while c.remaining:
        type_, length = Srv6DataSubSubTlvType(c.u8()), c.u16()
        value = c.sub(length)
        known = type_ is Srv6DataSubSubTlvType.SID_STRUCTURE
        sub_sub_tlvs.append(_decode_sid_structure(value) if known else OpaqueTlv(type_, value.rest()))
        _end(value, "RFC 9252 3.2.1")
    return SidInformation(sid, flags, endpoint_behavior, tuple(sub_sub_tlvs))


def _encode_sid_information(w: Writer, information: SidInformation) -> None:
    w.u8(0)
    w.octets(information.sid)
    w.u8(information.flags)
    w.u16(information.endpoint_behavior)
    w.u8(0)
    for sub_sub_tlv in information.data:
        if isinstance(sub_sub_tlv, SidStructure):
            w.u8(Srv6DataSubSubTlvType.SID_STRUCTURE)
            with w.length16():
                _encode_sid_structure(w, sub_sub_tlv)
        else:
            _encode_opaque(w, sub_sub_tlv)


def _decode_sid_structure(c: Cursor) -> SidStructure:
    return SidStructure(
        locator_block_length=c.u8(),
        locator_node_length=c.u8(),
        function_length=c.u8(),
        argument_length=c.u8(),
        transposition_length=c.u8(),
        transposition_offset=c.u8(),
    )


def _encode_sid_structure(w: Writer, structure: SidStructure) -> None:
    w.u8(structure.locator_block_length)
    w.u8(structure.locator_node_length)
    w.u8(structure.function_length)
    w.u8(structure.argument_length)
    w.u8(structure.transposition_length)
    w.u8(structure.transposition_offset)


def _encode_opaque(w: Writer, tlv: OpaqueTlv) -> None:
    w.u8(tlv.type)
    with w.length16():
        w.octets(tlv.octets)


def _end(c: Cursor, source: str) -> None:
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind the last field", c.offset, source)
