"""IS-IS against scapy, a codec that others wrote: what it builds we decode, and what we encode it reads as we meant it.

scapy knows neither topologies nor the three-way handshake's parts one by one, so nothing of the former occurs here.
"""

import logging
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

logging.getLogger("scapy").setLevel(logging.ERROR)  # it complains of the networks of the machine it runs on

from scapy.contrib import isis  # noqa: E402 (behind the logger's level)

from routed.wire.isis.checksum import is_checksum_right  # noqa: E402
from routed.wire.isis.codepoints import AdjacencyState, CircuitType  # noqa: E402
from routed.wire.isis.hello import P2pHello, decode_p2p_hello, encode_p2p_hello  # noqa: E402
from routed.wire.isis.lsp import Lsp, LspFlags, decode_lsp, encode_lsp  # noqa: E402
from routed.wire.isis.names import format_area, format_lsp_id, format_node, format_system_id  # noqa: E402
from routed.wire.isis.reachability import Neighbor, Reachability  # noqa: E402
from routed.wire.isis.snp import Csnp, Psnp, decode_csnp, decode_psnp, encode_csnp, encode_psnp  # noqa: E402
from routed.wire.isis.three_way import ThreeWay  # noqa: E402
from routed.wire.isis.tlv import LspEntry  # noqa: E402
from routed.wire.prefix import Prefix, format_address, parse_prefix  # noqa: E402

U8, U16, U24, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 24, 32))
SYSTEMS, NODES, LSP_IDS = (st.binary(min_size=size, max_size=size) for size in (6, 7, 8))
AREAS = st.lists(st.binary(min_size=1, max_size=13).filter(lambda area: len(area) % 2), max_size=3).map(tuple)
IPV4 = st.ip_addresses(v=4).map(lambda address: address.packed)
IPV6 = st.integers(2**112, 2**128 - 1).map(lambda number: number.to_bytes(16, "big"))
PREFIXES_4 = st.builds(
    lambda address, length: parse_prefix(f"{address}/{length}"), st.ip_addresses(v=4), st.integers(0, 32)
)
PREFIXES_6 = st.builds(
    lambda address, length: parse_prefix(f"{ip_address(address)}/{length}"), IPV6, st.integers(0, 128)
)
NEIGHBORS = st.lists(st.builds(Neighbor, st.just(0), NODES, U24), max_size=20).map(tuple)
WIDE_4 = st.builds(Reachability, st.just(0), PREFIXES_4, U32, st.booleans())
WIDE_6 = st.builds(Reachability, st.just(0), PREFIXES_6, U32, st.booleans(), st.booleans())
NARROW = st.builds(
    Reachability,
    st.just(0),
    PREFIXES_4,
    st.integers(0, 63),
    st.booleans(),
    st.booleans(),
    st.just(False),
    st.booleans(),
)
PREFIXES = st.tuples(*(st.lists(each, max_size=20) for each in (NARROW, WIDE_4, WIDE_6)))
LSPS = st.builds(
    Lsp,
    lsp_id=LSP_IDS,
    sequence=U32,
    lifetime=U16,
    checksum=st.just(0),
    flags=st.builds(LspFlags, st.integers(0, 15), st.booleans(), st.booleans(), st.just(3)),
    areas=AREAS,
    protocols=st.lists(U8, min_size=1, max_size=3).map(tuple),
    hostname=st.text("abc-.019", min_size=1, max_size=20),
    addresses=st.tuples(IPV4, IPV4, IPV6),
    neighbors=NEIGHBORS,
    prefixes=PREFIXES.map(lambda kinds: (*kinds[0], *kinds[1], *kinds[2])),
)
ENTRIES = st.lists(st.builds(LspEntry, U16, LSP_IDS, U32, U16), max_size=40).map(tuple)
HELLOS = st.builds(
    P2pHello,
    circuit_type=st.sampled_from((CircuitType.LEVEL_1, CircuitType.LEVEL_2, CircuitType.LEVEL_1_2)),
    source=SYSTEMS,
    hold_time=U16,
    local_circuit_id=U8,
    areas=AREAS,
    addresses=st.tuples(IPV4, IPV6),
    three_way=st.one_of(
        st.none(),
        st.builds(ThreeWay, st.sampled_from(AdjacencyState)),
        st.builds(ThreeWay, st.sampled_from(AdjacencyState), U32, SYSTEMS, U32),
    ),
)


def dotted(prefix: Prefix) -> str:
    return f"{format_address(prefix.address)}/{prefix.length}"


def narrow_metric(reached: Reachability) -> int:
    return reached.metric | reached.down << 7 | reached.external_metric << 6


def all_of(pdu: Any, tlv: type, name: str) -> list[Any]:
    """Everything that scapy lists in TLVs of a sort."""
    return [item for each in pdu.tlvs if isinstance(each, tlv) for item in getattr(each, name)]


@given(LSPS)
def test_scapy_reads_our_lsp_as_we_meant_it(lsp: Lsp) -> None:
    octets = encode_lsp(lsp)
    pdu = isis.ISIS_CommonHdr(octets)[isis.ISIS_L2_LSP]
    assert (pdu.pdulength, pdu.lifetime, pdu.seqnum) == (len(octets), lsp.lifetime, lsp.sequence)
    assert pdu.lspid.lower() == format_lsp_id(lsp.lsp_id)
    assert pdu.checksum == decode_lsp(octets).checksum
    flags = lsp.flags
    assert int(pdu.typeblock) == 3 | flags.overload << 2 | flags.attached << 3 | flags.partition << 7
    assert [area.areaid.lower() for area in all_of(pdu, isis.ISIS_AreaTlv, "areas")] == list(
        map(format_area, lsp.areas)
    )
    assert tuple(all_of(pdu, isis.ISIS_ProtocolsSupportedTlv, "nlpids")) == lsp.protocols
    addresses = all_of(pdu, isis.ISIS_IpInterfaceAddressTlv, "addresses")
    addresses += all_of(pdu, isis.ISIS_Ipv6InterfaceAddressTlv, "addresses")
    assert [ip_address(text).packed for text in addresses] == list(lsp.addresses)
    neighbors = all_of(pdu, isis.ISIS_ExtendedIsReachabilityTlv, "neighbours")
    ours = [(format_node(each.node), each.metric) for each in lsp.neighbors]
    assert [(each.neighbourid.lower(), each.metric) for each in neighbors] == ours
    wide = [each for each in lsp.prefixes if each.wide]
    theirs = all_of(pdu, isis.ISIS_ExtendedIpReachabilityTlv, "pfxs")
    assert [(each.pfx, each.metric, each.updown) for each in theirs] == [
        (dotted(each.prefix), each.metric, each.down) for each in wide if len(each.prefix.address) == 4
    ]
    theirs = all_of(pdu, isis.ISIS_Ipv6ReachabilityTlv, "pfxs")
    assert [
        (ip_address(each.pfx.split("/")[0]).packed, each.pfxlen, each.metric, each.updown, each.external)
        for each in theirs
    ] == [(*each.prefix, each.metric, each.down, each.external) for each in wide if len(each.prefix.address) == 16]
    for tlv, is_external in ((isis.ISIS_InternalIpReachabilityTlv, False), (isis.ISIS_ExternalIpReachabilityTlv, True)):
        assert [(each.defmetric, each.ipaddress) for each in all_of(pdu, tlv, "entries")] == [
            (narrow_metric(each), format_address(each.prefix.address))
            for each in lsp.prefixes
            if not each.wide and each.external is is_external
        ]


@given(LSPS)
def test_an_lsp_that_scapy_builds_is_what_was_put_in(lsp: Lsp) -> None:
    neighbors = [
        isis.ISIS_ExtendedIsNeighbourEntry(neighbourid=format_node(each.node), metric=each.metric)
        for each in lsp.neighbors
    ]
    prefixes = [each for each in lsp.prefixes if each.wide and len(each.prefix.address) == 4]
    entries = [
        isis.ISIS_ExtendedIpPrefix(metric=each.metric, updown=int(each.down), pfx=dotted(each.prefix))
        for each in prefixes
    ]
    tlvs = [
        isis.ISIS_AreaTlv(areas=[isis.ISIS_AreaEntry(areaid=format_area(area)) for area in lsp.areas]),
        isis.ISIS_ProtocolsSupportedTlv(nlpids=list(lsp.protocols)),
        isis.ISIS_DynamicHostnameTlv(hostname=lsp.hostname),
        isis.ISIS_IpInterfaceAddressTlv(addresses=[format_address(address) for address in lsp.addresses[:2]]),
        isis.ISIS_ExtendedIsReachabilityTlv(neighbours=neighbors),
        isis.ISIS_ExtendedIpReachabilityTlv(pfxs=entries),
    ]
    built = isis.ISIS_L2_LSP(lspid=format_lsp_id(lsp.lsp_id), seqnum=lsp.sequence, lifetime=lsp.lifetime, tlvs=tlvs)
    octets = bytes(isis.ISIS_CommonHdr() / built)
    decoded = decode_lsp(octets)
    assert (decoded.lsp_id, decoded.sequence, decoded.lifetime) == (lsp.lsp_id, lsp.sequence, lsp.lifetime)
    assert (decoded.areas, decoded.protocols, decoded.hostname) == (lsp.areas, lsp.protocols, lsp.hostname)
    assert (decoded.addresses, decoded.neighbors) == (lsp.addresses[:2], lsp.neighbors)
    assert decoded.prefixes == tuple(prefixes)
    assert (decoded.malformed, is_checksum_right(octets)) == ((), True)


@given(HELLOS)
def test_hellos_mean_the_same_on_both_sides(hello: P2pHello) -> None:
    octets = encode_p2p_hello(hello, pad_to=500)
    packet = isis.ISIS_CommonHdr(octets)
    pdu = packet[isis.ISIS_P2P_Hello]
    assert (pdu.sourceid.lower(), pdu.holdingtime) == (format_system_id(hello.source), hello.hold_time)
    assert (int(pdu.circuittype), pdu.localcircuitid, pdu.pdulength) == (
        hello.circuit_type,
        hello.local_circuit_id,
        len(octets),
    )
    states = [tlv for tlv in pdu.tlvs if isinstance(tlv, isis.ISIS_P2PAdjacencyStateTlv)]
    assert bool(states) is (hello.three_way is not None)
    for state in states:
        assert hello.three_way is not None
        assert state.state == hello.three_way.state
        if hello.three_way.neighbor is not None:
            assert state.neighboursystemid.lower() == format_system_id(hello.three_way.neighbor)
            assert state.neighbourextlocalcircuitid == hello.three_way.neighbor_circuit_id
    packet.clear_cache()
    assert decode_p2p_hello(bytes(packet)) == hello  # built again by scapy from what it had read


@given(ENTRIES, NODES, LSP_IDS, LSP_IDS)
def test_sequence_numbers_mean_the_same_on_both_sides(
    entries: tuple[LspEntry, ...], source: bytes, start: bytes, end: bytes
) -> None:
    csnp, psnp = Csnp(source=source, start=start, end=end, entries=entries), Psnp(source=source, entries=entries)
    whole, part = isis.ISIS_CommonHdr(encode_csnp(csnp)), isis.ISIS_CommonHdr(encode_psnp(psnp))
    ours = [(format_lsp_id(each.lsp_id), each.lifetime, each.sequence, each.checksum) for each in entries]
    for packet in (whole, part):
        theirs = all_of(packet[1], isis.ISIS_LspEntryTlv, "entries")
        assert [(each.lspid.lower(), each.lifetime, each.seqnum, each.checksum) for each in theirs] == ours
        assert packet[1].sourceid.lower() == format_node(source)
        packet.clear_cache()
    assert decode_csnp(bytes(whole)) == csnp
    assert decode_psnp(bytes(part)) == psnp
