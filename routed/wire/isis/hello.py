"""Hellos on point-to-point circuits, which find a neighbour and keep an adjacency up (ISO/IEC 10589 section 9.7)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Writer
from routed.wire.isis.authentication import Key, encode_authentication, sign
from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS, CircuitType, PduType, TlvType
from routed.wire.isis.contents import read_contents
from routed.wire.isis.header import body_of, cut_pdu, demand_kind, encode_common, with_length
from routed.wire.isis.three_way import ThreeWay, encode_three_way
from routed.wire.isis.tlv import (
    MAX_VALUE,
    TLV_HEADER,
    Authentication,
    Topology,
    encode_addresses,
    encode_tlv,
    encode_topologies,
    encode_who,
)

READABLE: Final = frozenset(
    {
        TlvType.AREA_ADDRESSES,
        TlvType.PADDING,
        TlvType.AUTHENTICATION,
        TlvType.PROTOCOLS_SUPPORTED,
        TlvType.IPV4_ADDRESSES,
        TlvType.MULTI_TOPOLOGY,
        TlvType.IPV6_ADDRESSES,
        TlvType.THREE_WAY_ADJACENCY,
    }
)
_CIRCUIT_TYPE: Final = 0x03


@dataclass(frozen=True, slots=True, kw_only=True)
class P2pHello:
    """One hello; addresses are packed. Units: the hold time in seconds."""

    circuit_type: CircuitType
    source: bytes
    hold_time: int
    local_circuit_id: int = 0
    areas: tuple[bytes, ...] = ()
    protocols: tuple[int, ...] = ()
    addresses: tuple[bytes, ...] = ()
    topologies: tuple[Topology, ...] = ()
    three_way: ThreeWay | None = None
    authentication: Authentication | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    malformed: tuple[int, ...] = ()


def decode_p2p_hello(octets: bytes) -> P2pHello:
    """Decode a hello; its padding is passed over.

    Octets: common header[8], circuit type u8 (upper six bits reserved), system id[6], hold time u16, PDU length u16,
        local circuit id u8, TLVs.
    Raises: WireError when the header or the lengths of TLVs are broken.
    """
    kind, pdu = cut_pdu(octets)
    demand_kind(kind, PduType.P2P_HELLO)
    c = body_of(pdu)
    circuit_type, source, hold_time = CircuitType(c.u8() & _CIRCUIT_TYPE), c.take(SYSTEM_ID_OCTETS), c.u16()
    c.u16()
    local_circuit_id = c.u8()
    contents = read_contents(c, READABLE)
    return P2pHello(
        circuit_type=circuit_type,
        source=source,
        hold_time=hold_time,
        local_circuit_id=local_circuit_id,
        areas=tuple(contents.areas),
        protocols=tuple(contents.protocols),
        addresses=tuple(contents.addresses),
        topologies=tuple(contents.topologies),
        three_way=contents.three_way[0] if contents.three_way else None,
        authentication=contents.authentication[0] if contents.authentication else None,
        unknown=tuple(contents.unknown),
        malformed=tuple(contents.malformed),
    )


def encode_p2p_hello(hello: P2pHello, key: Key | None = None, pad_to: int = 0) -> bytes:
    """Encode a hello, signed if there is a key, with padding up to a length as far as TLVs can have it.

    Source of the padding: ISO/IEC 10589 section 8.2.3.
    """
    w = Writer()
    encode_common(w, PduType.P2P_HELLO)
    w.u8(hello.circuit_type)
    w.octets(hello.source)
    w.u16(hello.hold_time)
    w.u16(0)
    w.u8(hello.local_circuit_id)
    encode_authentication(w, hello.authentication, key)
    encode_who(w, hello.areas, hello.protocols)
    encode_addresses(w, hello.addresses)
    encode_topologies(w, hello.topologies)
    if hello.three_way is not None:
        encode_three_way(w, hello.three_way)
    for number, value in hello.unknown:
        encode_tlv(w, number, value)
    while (room := pad_to - len(w) - TLV_HEADER) >= 0:
        encode_tlv(w, TlvType.PADDING, bytes(min(room, MAX_VALUE)))
    return sign(PduType.P2P_HELLO, with_length(PduType.P2P_HELLO, bytes(w)), key)
