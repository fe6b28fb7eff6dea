"""PDUs of IS-IS: both laws of codecs, TLVs that are split, broken, unknown or not allowed, headers that are wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import WireError
from routed.wire.isis.checksum import is_checksum_right, with_checksum
from routed.wire.isis.codepoints import AdjacencyState, CircuitType, PduType, TlvType
from routed.wire.isis.header import cut_pdu, with_length
from routed.wire.isis.hello import P2pHello, decode_p2p_hello, encode_p2p_hello
from routed.wire.isis.lsp import Lsp, LspFlags, decode_lsp, encode_lsp
from routed.wire.isis.reachability import Neighbor, Reachability
from routed.wire.isis.snp import Csnp, Psnp, decode_csnp, decode_psnp, encode_csnp, encode_psnp
from routed.wire.isis.three_way import ThreeWay
from routed.wire.isis.tlv import LspEntry, Topology
from routed.wire.prefix import parse_prefix

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
SYSTEMS, NODES, LSP_IDS = (st.binary(min_size=size, max_size=size) for size in (6, 7, 8))
AREAS = st.lists(st.binary(min_size=1, max_size=13), max_size=3).map(tuple)
PROTOCOLS = st.lists(U8, max_size=3).map(tuple)
ADDRESSES = st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
TOPOLOGIES = st.lists(st.builds(Topology, st.integers(0, 4095), st.booleans(), st.booleans()), max_size=3).map(tuple)
SUB_TLVS = st.binary(max_size=30)
WIDE_NEIGHBORS = st.builds(
    Neighbor, st.sampled_from((0, 2)), NODES, st.integers(0, 0xFF_FFFF), st.just(True), st.just(False), SUB_TLVS
)
NARROW_NEIGHBORS = st.builds(Neighbor, st.just(0), NODES, st.integers(0, 63), st.just(False), st.booleans())
IPV4, IPV6 = (st.ip_addresses(v=version) for version in (4, 6))
PREFIXES_4 = st.builds(lambda address, length: parse_prefix(f"{address}/{length}"), IPV4, st.integers(0, 32))
PREFIXES_6 = st.builds(lambda address, length: parse_prefix(f"{address}/{length}"), IPV6, st.integers(0, 128))
NO, ANY = st.just(False), st.booleans()
WIDE_4 = st.builds(Reachability, st.sampled_from((0, 2)), PREFIXES_4, U32, ANY, NO, st.just(True), NO, SUB_TLVS)
WIDE_6 = st.builds(Reachability, st.sampled_from((0, 2)), PREFIXES_6, U32, ANY, ANY, st.just(True), NO, SUB_TLVS)
NARROW_4 = st.builds(Reachability, st.just(0), PREFIXES_4, st.integers(0, 63), ANY, ANY, NO, ANY)
NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
UNKNOWN = st.lists(st.tuples(st.sampled_from((14, 242)), st.binary(max_size=30)), max_size=2).map(tuple)
LSPS = st.builds(
    Lsp,
    lsp_id=LSP_IDS,
    sequence=U32,
    lifetime=U16,
    checksum=st.just(0),
    level=st.sampled_from((1, 2)),
    flags=st.builds(LspFlags, st.integers(0, 15), ANY, ANY, st.sampled_from((1, 3))),
    areas=AREAS,
    protocols=PROTOCOLS,
    hostname=NAMES,
    addresses=ADDRESSES,
    router_id=st.sampled_from((b"", b"\1\2\3\4", b"\x20" * 16)),
    topologies=TOPOLOGIES,
    neighbors=st.lists(NARROW_NEIGHBORS, max_size=8).flatmap(
        lambda narrow: st.lists(WIDE_NEIGHBORS, max_size=8).map(lambda wide: (*narrow, *by_topology(wide)))
    ),
    prefixes=st.lists(st.one_of(NARROW_4, WIDE_4, WIDE_6), max_size=8).map(tuple),
    unknown=UNKNOWN,
)
ENTRIES = st.lists(st.builds(LspEntry, U16, LSP_IDS, U32, U16), max_size=20).map(tuple)
THREE_WAYS = st.one_of(
    st.none(),
    st.builds(ThreeWay, st.sampled_from(AdjacencyState)),
    st.builds(ThreeWay, st.sampled_from(AdjacencyState), U32),
    st.builds(ThreeWay, st.sampled_from(AdjacencyState), U32, SYSTEMS, st.one_of(st.none(), U32)),
)
HELLOS = st.builds(
    P2pHello,
    circuit_type=st.sampled_from(CircuitType),
    source=SYSTEMS,
    hold_time=U16,
    local_circuit_id=U8,
    areas=AREAS,
    protocols=PROTOCOLS,
    addresses=ADDRESSES,
    topologies=TOPOLOGIES,
    three_way=THREE_WAYS,
    unknown=UNKNOWN,
)
SNPS = st.builds(Psnp, source=NODES, entries=ENTRIES, level=st.sampled_from((1, 2)))
COMPLETE = st.builds(Csnp, source=NODES, start=LSP_IDS, end=LSP_IDS, entries=ENTRIES, level=st.sampled_from((1, 2)))

LSP = Lsp(lsp_id=b"\0\0\0\0\0\1\0\0", sequence=1, lifetime=1200, checksum=0)
HELLO = P2pHello(circuit_type=CircuitType.LEVEL_2, source=b"\0\0\0\0\0\1", hold_time=30)
PDUS: dict[PduType, bytes] = {
    PduType.P2P_HELLO: encode_p2p_hello(HELLO),
    PduType.LSP_2: encode_lsp(LSP),
    PduType.CSNP_2: encode_csnp(Csnp(source=bytes(7))),
    PduType.PSNP_2: encode_psnp(Psnp(source=bytes(7))),
}
Decode: TypeAlias = Callable[[bytes], object]
DECODERS: dict[PduType, Decode] = {
    PduType.P2P_HELLO: decode_p2p_hello,
    PduType.LSP_2: decode_lsp,
    PduType.CSNP_2: decode_csnp,
    PduType.PSNP_2: decode_psnp,
}


def by_topology(wide: list[Neighbor]) -> list[Neighbor]:
    """In the order in which they are written."""
    order = list(dict.fromkeys(each.topology for each in wide))
    return sorted(wide, key=lambda each: order.index(each.topology))


def with_tlvs(*tlvs: tuple[int, bytes], kind: PduType = PduType.LSP_2) -> bytes:
    """A PDU of a kind with these TLVs, whatever is in them."""
    return with_length(kind, PDUS[kind] + b"".join(bytes((number, len(value))) + value for number, value in tlvs))


@given(LSPS)
def test_an_lsp_is_decoded_as_it_was_encoded_and_the_other_way_round(lsp: Lsp) -> None:
    octets = encode_lsp(lsp)
    decoded = decode_lsp(octets)
    assert replace(decoded, checksum=0, octets=b"", prefixes=()) == replace(lsp, prefixes=())
    assert sorted(map(repr, decoded.prefixes)) == sorted(map(repr, lsp.prefixes))
    assert (encode_lsp(decoded), decoded.octets, is_checksum_right(octets)) == (octets, octets, True)


@given(HELLOS, st.integers(0, 2000))
def test_a_hello_is_decoded_as_it_was_encoded_whatever_its_padding(hello: P2pHello, pad_to: int) -> None:
    octets = encode_p2p_hello(hello, pad_to=pad_to)
    bare = encode_p2p_hello(hello)
    assert decode_p2p_hello(octets) == hello
    assert encode_p2p_hello(decode_p2p_hello(bare)) == bare
    assert len(octets) in (max(pad_to, len(bare)), max(pad_to - 1, len(bare)))


@given(SNPS, COMPLETE)
def test_sequence_numbers_are_decoded_as_they_were_encoded(partial: Psnp, complete: Csnp) -> None:
    assert decode_psnp(encode_psnp(partial)) == partial
    assert decode_csnp(encode_csnp(complete)) == complete
    assert encode_csnp(decode_csnp(encode_csnp(complete))) == encode_csnp(complete)


@pytest.mark.parametrize("kind", PDUS)
def test_what_a_frame_has_behind_a_pdu_is_not_part_of_it(kind: PduType) -> None:
    """Ethernet fills short frames up."""
    assert cut_pdu(PDUS[kind] + bytes(20)) == (kind, PDUS[kind])
    assert DECODERS[kind](PDUS[kind] + bytes(20)) == DECODERS[kind](PDUS[kind])


@pytest.mark.parametrize("kind", PDUS)
def test_a_pdu_of_another_type_is_refused(kind: PduType) -> None:
    for other, decode in DECODERS.items():
        if other is not kind:
            with pytest.raises(WireError, match=kind.name):
                decode(PDUS[kind])


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (0, 0x82, "discriminator"),
        (1, 26, "octets of header"),
        (2, 2, "version"),
        (3, 5, "system id"),
        (4, 19, "PDU type 19"),
        (5, 2, "version"),
        (9, 26, "PDU length 26"),
        (9, 28, "PDU length 28"),
    ],
)
def test_a_wrong_header_is_refused_by_its_offset(at: int, value: int, what: str) -> None:
    """ISO/IEC 10589 section 9.5; reserved bits above the type do not matter."""
    octets = bytearray(PDUS[PduType.LSP_2])
    octets[4] |= 0xE0
    assert cut_pdu(bytes(octets))[0] is PduType.LSP_2
    octets[at] = value
    with pytest.raises(WireError, match=what) as caught:
        cut_pdu(bytes(octets))
    assert caught.value.offset in (at, at - 1)


@pytest.mark.parametrize("kind", PDUS)
def test_a_tlv_that_overruns_its_pdu_is_refused(kind: PduType) -> None:
    whole = with_tlvs((1, b"\3\x49\0\1"), kind=kind)
    for cut in range(len(PDUS[kind]) + 1, len(whole)):
        with pytest.raises(WireError):
            DECODERS[kind](with_length(kind, whole[:cut]))


BROKEN = [
    (TlvType.AREA_ADDRESSES, b"\0"),
    (TlvType.AREA_ADDRESSES, bytes((21,)) + bytes(21)),
    (TlvType.AREA_ADDRESSES, b"\4\x49\0\1"),
    (TlvType.IS_NEIGHBORS, b""),
    (TlvType.IS_NEIGHBORS, bytes(11)),
    (TlvType.EXTENDED_IS_REACHABILITY, bytes(10) + b"\1"),
    (TlvType.IPV4_INTERNAL_REACHABILITY, bytes(8) + b"\xff\0\xff\0"),
    (TlvType.IPV4_EXTERNAL_REACHABILITY, bytes(11)),
    (TlvType.IPV4_ADDRESSES, bytes(5)),
    (TlvType.TE_ROUTER_ID, bytes(5)),
    (TlvType.EXTENDED_IPV4_REACHABILITY, bytes(4) + bytes((33,)) + bytes(5)),
    (TlvType.EXTENDED_IPV4_REACHABILITY, bytes(4) + bytes((24,)) + bytes(2)),
    (TlvType.EXTENDED_IPV4_REACHABILITY, bytes(4) + bytes((0x40,)) + b"\1"),
    (TlvType.MT_IS_REACHABILITY, b"\0"),
    (TlvType.MULTI_TOPOLOGY, b"\0\2\0"),
    (TlvType.IPV6_ADDRESSES, bytes(15)),
    (TlvType.MT_IPV4_REACHABILITY, b"\0"),
    (TlvType.IPV6_REACHABILITY, bytes(5) + bytes((129,)) + bytes(17)),
    (TlvType.IPV6_REACHABILITY, bytes(4) + b"\x20\0\1"),
    (TlvType.MT_IPV6_REACHABILITY, b""),
]


@pytest.mark.parametrize(("kind", "value"), BROKEN)
def test_a_broken_tlv_is_named_and_the_rest_counts(kind: TlvType, value: bytes) -> None:
    """A database that is to stay in step with a neighbour's cannot refuse what the neighbour holds."""
    good = (TlvType.EXTENDED_IPV4_REACHABILITY, b"\0\0\0\x0a\x08\x0a")
    lsp = decode_lsp(with_tlvs((kind, value), good, (TlvType.HOSTNAME, b"name")))
    assert (lsp.malformed, lsp.hostname) == ((kind,), "name")
    assert lsp.prefixes == (Reachability(0, parse_prefix("10.0.0.0/8"), 10),)
    assert (lsp.areas, lsp.neighbors, lsp.addresses, lsp.topologies, lsp.router_id) == ((), (), (), (), b"")


def test_tlvs_that_are_unknown_or_not_for_this_pdu_are_kept_as_they_are() -> None:
    """RFC 8918 section 3.1."""
    others = (
        (14, b"\5\xd4"),
        (int(TlvType.LSP_ENTRIES), bytes(16)),
        (int(TlvType.THREE_WAY_ADJACENCY), b"\7"),
        (int(TlvType.PADDING), b""),
    )
    assert decode_lsp(with_tlvs(*others)).unknown == others


def test_an_adjacency_that_is_in_no_state_is_malformed() -> None:
    for value in (b"\3", b"", b"\0\0", bytes(16)):
        hello = decode_p2p_hello(with_tlvs((TlvType.THREE_WAY_ADJACENCY, value), kind=PduType.P2P_HELLO))
        assert (hello.three_way, hello.malformed) == (None, (TlvType.THREE_WAY_ADJACENCY,))


def test_a_name_that_is_not_printable_is_made_so() -> None:
    """RFC 5301 section 3 has ASCII; others have written anything."""
    assert decode_lsp(with_tlvs((TlvType.HOSTNAME, b"r\x1b[1m\xc3\xa9"))).hostname == r"r\x1b[1m\xc3\xa9"


def test_host_bits_of_a_prefix_do_not_count() -> None:
    lsp = decode_lsp(with_tlvs((TlvType.EXTENDED_IPV4_REACHABILITY, b"\0\0\0\1\x04\xff")))
    assert lsp.prefixes == (Reachability(0, parse_prefix("240.0.0.0/4"), 1),)


def test_the_checksum_finds_a_changed_octet_and_leaves_the_lifetime_out() -> None:
    """ISO/IEC 10589 section 7.3.11."""
    octets = encode_lsp(replace(LSP, hostname="router", areas=(b"\x49\0\1",)))
    assert is_checksum_right(octets[:10] + b"\0\1" + octets[12:])
    for at in range(12, len(octets)):
        assert not is_checksum_right(octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :])
    assert not is_checksum_right(octets[:24] + b"\0\0" + octets[26:])
    assert with_checksum(octets[:24] + b"\0\0" + octets[26:]) == octets
