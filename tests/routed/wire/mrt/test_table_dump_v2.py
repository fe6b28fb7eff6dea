from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import WireError
from routed.wire import mrt
from routed.wire.bgp.as_path import AsPath, sequence
from routed.wire.bgp.attribute import find
from routed.wire.bgp.nlri import Nlri
from routed.wire.bgp.reach import MpReachNlri
from routed.wire.bgp.scalar import NextHop
from routed.wire.family import IPV4_UNICAST, IPV4_VPN, IPV6_MULTICAST, IPV6_UNICAST, STORABLE, Family
from routed.wire.mrt.message import DECODERS
from routed.wire.mrt.rib_attributes import TABLE_DUMP_CONTEXT, next_hop_attribute
from routed.wire.mrt.table_dump import TableDumpEntry, encode_table_dump
from routed.wire.mrt.table_dump_v2 import TableDumpV2Subtype
from routed.wire.prefix import parse_address, parse_prefix
from routed.wire.rd import parse_rd

PEERS = (
    mrt.MrtPeer(bytes((10, 0, 0, 1)), bytes((192, 0, 2, 1)), 65001),
    mrt.MrtPeer(bytes((10, 0, 0, 2)), bytes(15) + b"\x02", 4_200_000_000),
)
ORIGIN_AND_PATH = bytes.fromhex("40010100 4002060201 0000fde9")
NEXT_HOP = bytes(range(16))


def written() -> tuple[mrt.TableDumpWriter, list[bytes]]:
    chunks: list[bytes] = []
    return mrt.TableDumpWriter(
        chunks.append, PEERS, timestamp=1_700_000_000, collector_id=b"\1\2\3\4", view="v"
    ), chunks


def read_back(chunks: list[bytes]) -> list[mrt.Message]:
    return [mrt.decode_message(record) for record in mrt.walk_records(BytesIO(b"".join(chunks)).read)]


def test_a_table_starts_with_its_peers() -> None:
    _, chunks = written()
    assert read_back(chunks) == [mrt.PeerIndexTable(b"\1\2\3\4", "v", PEERS)]


@pytest.mark.parametrize("path_id", [None, 0, 7])
@pytest.mark.parametrize("family", sorted(STORABLE), ids=str)
def test_routes_of_every_family_are_read_as_they_were_written(family: Family, path_id: int | None) -> None:
    route = Nlri(
        parse_prefix("10.0.0.0/9" if family.afi == 1 else "2001:db8::/33"),
        labels=(24000,) if family.safi in {4, 128} else (),
        rd=parse_rd("0:65000:1") if family.safi == 128 else None,
    )
    entries = [(0, 5, ORIGIN_AND_PATH, path_id), (1, 6, b"", path_id)]
    table, chunks = written()
    table.generic_rib(family, route, entries)
    _, *ribs = read_back(chunks)
    assert [entry for rib in ribs for entry in rib.entries] == entries
    assert {(rib.family, rib.route) for rib in ribs} == {(family, route)}


def test_unicast_routes_go_into_records_of_their_family() -> None:
    table, chunks = written()
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 1, b"", None)])
    table.rib(IPV6_MULTICAST, parse_prefix("2001:db8::/32"), [(0, 1, b"", 4)])
    records = list(mrt.walk_records(BytesIO(b"".join(chunks)).read))
    assert [record.subtype for record in records] == [
        TableDumpV2Subtype.PEER_INDEX_TABLE,
        TableDumpV2Subtype.RIB_IPV4_UNICAST,
        TableDumpV2Subtype.RIB_IPV6_MULTICAST_ADDPATH,
    ]
    assert {record.timestamp for record in records} == {1_700_000_000}


def test_sequence_numbers_count_records() -> None:
    table, chunks = written()
    for length in (8, 9, 10):
        table.rib(IPV4_UNICAST, parse_prefix(f"10.0.0.0/{length}"), [(0, 1, b"", None)])
    assert [rib.sequence for rib in read_back(chunks)[1:]] == [0, 1, 2]


def test_routes_with_and_without_path_identifiers_go_into_records_of_their_own() -> None:
    table, chunks = written()
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 1, b"", None), (1, 1, b"", 3), (1, 1, b"", 4)])
    assert [len(rib.entries) for rib in read_back(chunks)[1:]] == [1, 2]


@pytest.mark.parametrize(("count", "records"), [(0, 0), (65_535, 1), (65_536, 2)])
def test_a_record_holds_as_many_routes_as_its_count_can_say(count: int, records: int) -> None:
    table, chunks = written()
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 1, b"", None)] * count)
    ribs = read_back(chunks)[1:]
    assert (len(ribs), sum(len(rib.entries) for rib in ribs)) == (records, count)


def generic_add_path(in_nlri: bytes, in_entry: bytes) -> mrt.Record:
    """A VPN route with a path identifier in one of the two places."""
    nlri = bytes.fromhex("70 05dc01 0000fde800000001 0a0001")
    octets = bytes(4) + b"\x00\x01\x80" + in_nlri + nlri + b"\x00\x01" + bytes(6) + in_entry + b"\x00\x00"
    return mrt.Record(0, mrt.MrtType.TABLE_DUMP_V2, TableDumpV2Subtype.RIB_GENERIC_ADDPATH, octets)


@pytest.mark.parametrize(("in_nlri", "in_entry"), [(b"\0\0\0\7", b""), (b"", b"\0\0\0\7")])
def test_generic_path_identifiers_are_found_where_the_rfc_and_where_others_put_them(
    in_nlri: bytes, in_entry: bytes
) -> None:
    """RFC 8050 section 4.3; GoBGP and OpenBGPD write them into the entries."""
    rib = mrt.decode_message(generic_add_path(in_nlri, in_entry))
    assert [entry.path_id for entry in rib.entries] == [7]
    assert rib.family == IPV4_VPN
    assert rib.route == Nlri(parse_prefix("10.0.1.0/24"), None, (24000,), parse_rd("0:65000:1"))


def test_routes_of_an_unknown_family_are_left_as_they_are() -> None:
    octets = bytes(4) + b"\x00\x19\x46" + b"anything"
    record = mrt.Record(0, mrt.MrtType.TABLE_DUMP_V2, TableDumpV2Subtype.RIB_GENERIC, octets)
    assert mrt.decode_message(record) is record


def test_a_next_hop_is_cut_down_and_expanded() -> None:
    """RFC 6396 section 4.3.4."""
    nlri = bytes.fromhex("2020010db8")
    whole = ORIGIN_AND_PATH + bytes.fromhex("800e1a 0002 01 10") + NEXT_HOP + b"\0" + nlri
    short = ORIGIN_AND_PATH + bytes.fromhex("800e11 10") + NEXT_HOP
    assert mrt.abbreviate_mp_reach(whole) == short
    assert mrt.expand_mp_reach(short, IPV6_UNICAST, nlri) == whole
    assert mrt.abbreviate_mp_reach(short) == short
    assert mrt.expand_mp_reach(whole, IPV6_UNICAST, nlri) == whole
    assert ORIGIN_AND_PATH + next_hop_attribute(NEXT_HOP) == short


def test_rib_attributes_are_read_in_both_forms() -> None:
    whole = bytes.fromhex("800e15 0002 01 10") + NEXT_HOP + b"\0"
    for octets in (whole, mrt.abbreviate_mp_reach(whole)):
        read = mrt.decode_rib_attributes(octets, IPV6_UNICAST)
        assert find(read.attributes, MpReachNlri) == MpReachNlri(IPV6_UNICAST, NEXT_HOP)
        assert read.refusals == ()


def test_many_routes_make_the_attribute_extended() -> None:
    short = bytes.fromhex("800e11 10") + NEXT_HOP
    expanded = mrt.expand_mp_reach(short, IPV6_UNICAST, bytes(300))
    assert expanded[:4] == bytes.fromhex("900e") + (300 + 21).to_bytes(2, "big")


@pytest.mark.parametrize("prefix", [parse_prefix("10.0.0.0/9"), parse_prefix("2001:db8::/33")], ids=["IPv4", "IPv6"])
def test_table_dump_entries_survive_the_round_trip(prefix: object) -> None:
    """RFC 6396 section 4.2."""
    entry = TableDumpEntry(
        view=1,
        sequence=2,
        prefix=prefix,
        originated_time=3,
        peer_address=prefix.address,
        peer_as=65001,
        attributes=b"raw",
    )
    assert mrt.decode_message(encode_table_dump(entry, 4)) == entry


def test_openbgpd_table_dump_is_read_to_the_attributes(golden: Path) -> None:
    first = next(mrt.read(golden / "openbgpd_rib_table"))
    entry = mrt.decode_message(first)
    read = mrt.decode_rib_attributes(entry.attributes, entry.family, TABLE_DUMP_CONTEXT)
    assert entry.prefix == parse_prefix("192.168.0.0/16")
    assert entry.peer_address == parse_address("192.168.1.10")
    assert find(read.attributes, AsPath) == AsPath(sequence(65015))
    assert find(read.attributes, NextHop) == NextHop(parse_address("192.168.0.15"))


@pytest.mark.parametrize("type_", DECODERS, ids=lambda type_: type_.name)
@given(subtype=st.integers(0, 13), octets=st.binary(max_size=80))
def test_any_octets_decode_or_raise_wire_error(type_: mrt.MrtType, subtype: int, octets: bytes) -> None:
    with suppress(WireError):
        mrt.decode_message(mrt.Record(0, type_, subtype, octets))


def test_octets_behind_the_last_entry_are_refused() -> None:
    table, chunks = written()
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 1, b"", None)])
    record = list(mrt.walk_records(BytesIO(b"".join(chunks)).read))[-1]
    with pytest.raises(WireError, match="behind the last entry"):
        mrt.decode_message(record._replace(octets=record.octets + b"\0"))
