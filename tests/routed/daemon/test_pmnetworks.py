"""`pmnetworks`: which rows it writes of a table, and that a file is whole or as it was."""

import bz2
import gzip
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from routed.daemon.pmnetworks import main
from routed.octets import Writer
from routed.wire.bgp.as_path import As4Path, AsPath, Segment, SegmentType, sequence
from routed.wire.bgp.attribute import attribute, encode_attributes
from routed.wire.bgp.attribute_spec import AttributeValue
from routed.wire.bgp.scalar import NextHop, Origin, OriginCode
from routed.wire.family import IPV4_MULTICAST, IPV4_UNICAST, IPV6_UNICAST, Family
from routed.wire.mrt import MrtPeer, PeerIndexTable, Record, Rib, RibEntry, TableDumpEntry, encode_record
from routed.wire.mrt.rib_attributes import TABLE_DUMP_CONTEXT, TABLE_DUMP_V2_CONTEXT, next_hop_attribute
from routed.wire.mrt.table_dump import encode_table_dump
from routed.wire.mrt.table_dump_v2 import encode_peer_index_table, encode_rib
from routed.wire.prefix import Prefix, parse_prefix

PEERS = tuple(
    MrtPeer(bytes((10, 0, 0, n)), ip_address(address).packed, asn)
    for n, (address, asn) in enumerate((("192.0.2.1", 64501), ("192.0.2.2", 64502), ("2001:db8::3", 64501)))
)
ORIGIN = Origin(OriginCode.IGP)


def attributes(*values: AttributeValue, as4: bool = True) -> bytes:
    w = Writer()
    encode_attributes(w, map(attribute, (ORIGIN, *values)), TABLE_DUMP_V2_CONTEXT if as4 else TABLE_DUMP_CONTEXT)
    return bytes(w)


def path(*numbers: int) -> bytes:
    """Attributes of a route with an AS path; the next hop tells the first number of it."""
    return attributes(AsPath(sequence(*numbers)), NextHop(bytes((10, 1, 1, numbers[0] & 0xFF))))


def rib(prefix: str, *entries: tuple[int, bytes], family: Family | None = None) -> Record:
    parsed = parse_prefix(prefix)
    nlri = bytes((parsed.length,)) + parsed.address[: (parsed.length + 7) // 8]
    of = family or (IPV4_UNICAST if len(parsed.address) == 4 else IPV6_UNICAST)
    return encode_rib(Rib(0, of, nlri, tuple(RibEntry(peer, 0, octets) for peer, octets in entries)), 0)


def octets_of(records: Sequence[Record], *, indexed: bool = True) -> bytes:
    w = Writer()
    if indexed:
        encode_record(w, encode_peer_index_table(PeerIndexTable(bytes(4), "", PEERS), 0))
    for record in records:
        encode_record(w, record)
    return bytes(w)


TABLE = (
    rib("10.0.0.0/8", (0, path(64501, 1)), (1, path(64502, 7, 2)), (2, path(64501, 7, 7, 7, 2))),
    rib("192.0.2.0/24", (1, path(64502, 3))),
    rib("2001:db8::/32", (2, attributes(AsPath(sequence(64501, 4))) + next_hop_attribute(PEERS[2].address))),
    rib("10.9.0.0/16", (0, path(5)), family=IPV4_MULTICAST),
)


@pytest.fixture(name="table")
def a_table(tmp_path: Path) -> Path:
    file = tmp_path / "rib"
    file.write_bytes(octets_of(TABLE))
    return file


def rows(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ((), ["2,10.0.0.0/8", "3,192.0.2.0/24", "4,2001:db8::/32"]),
        (("-c", "shortest"), ["1,10.0.0.0/8", "3,192.0.2.0/24", "4,2001:db8::/32"]),
        (("-c", "first", "-4"), ["1,10.0.0.0/8", "3,192.0.2.0/24"]),
        (("-c", "last", "-4", "-n"), ["10.1.1.245,2,10.0.0.0/8", "10.1.1.246,3,192.0.2.0/24"]),
        (("-6", "-n"), ["2001:db8::3,4,2001:db8::/32"]),
        (("-a", "neighbour"), ["64501,10.0.0.0/8", "64502,192.0.2.0/24", "64501,2001:db8::/32"]),
        (("-a", "both"), ["64501_1,10.0.0.0/8", "64502_3,192.0.2.0/24", "64501_4,2001:db8::/32"]),
        (("-p", "192.0.2.1"), ["1,10.0.0.0/8"]),
        (("-p", "192.0.2.1", "-p", "192.0.2.2"), ["1,10.0.0.0/8", "3,192.0.2.0/24"]),
        (("-P", "64502"), ["2,10.0.0.0/8", "3,192.0.2.0/24"]),
    ],
)
def test_rows(table: Path, capsys: pytest.CaptureFixture[str], switches: tuple[str, ...], expected: list[str]) -> None:
    assert rows(capsys, *switches, table) == expected


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_tables_are_read_as_they_are_published(
    table: Path, capsys: pytest.CaptureFixture[str], compress: type[bytes]
) -> None:
    plain = rows(capsys, table)
    table.write_bytes(compress(table.read_bytes()))
    assert rows(capsys, table) == plain


def test_the_older_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AS_PATH has two octets a number there, and AS4_PATH the rest (RFC 6793 section 4.2.3)."""

    def entry(peer: str, prefix: Prefix, octets: bytes) -> Record:
        address = ip_address(peer).packed
        return encode_table_dump(
            TableDumpEntry(
                view=0,
                sequence=0,
                prefix=prefix,
                originated_time=0,
                peer_address=address,
                peer_as=64501,
                attributes=octets,
            ),
            0,
        )

    narrow = attributes(AsPath(sequence(64501, 23456)), As4Path(sequence(64501, 4200000000)), as4=False)
    other = attributes(AsPath(sequence(64501, 9)), as4=False)
    prefix = parse_prefix("192.0.2.0/24")
    table = tmp_path / "rib"
    table.write_bytes(octets_of([entry("10.0.0.1", prefix, narrow), entry("10.0.0.2", prefix, other)], indexed=False))
    assert rows(capsys, "-p", "10.0.0.1", table) == ["4200000000,192.0.2.0/24"]
    assert rows(capsys, "-c", "last", table) == ["9,192.0.2.0/24"]


def test_paths_of_sets_and_of_confederations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_set = AsPath((*sequence(1), Segment(SegmentType.AS_SET, (8, 9))))
    inside = AsPath((Segment(SegmentType.AS_CONFED_SEQUENCE, (65001,)), *sequence(2, 3)))
    nothing_outside = AsPath((Segment(SegmentType.AS_CONFED_SEQUENCE, (65001,)),))
    table = tmp_path / "rib"
    records = [
        rib("10.0.0.0/8", (0, attributes(in_set))),
        rib("11.0.0.0/8", (0, attributes(inside))),
        rib("12.0.0.0/8", (0, attributes(nothing_outside))),
        rib("13.0.0.0/8", (0, attributes(AsPath()))),
        rib("14.0.0.0/8", (0, b"\x40\x02\xff")),
    ]
    table.write_bytes(octets_of(records))
    assert main(["-a", "both", str(table)]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["1_9,10.0.0.0/8", "2_3,11.0.0.0/8"]
    assert err.endswith("2 networks of 5 paths; left out: 2 paths without an AS number, 1 malformed\n")


def test_a_table_without_its_peers_has_rows_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rib"
    table.write_bytes(octets_of(TABLE, indexed=False))
    assert rows(capsys, "-4", table) == ["2,10.0.0.0/8", "3,192.0.2.0/24"]
    assert main(["-p", "192.0.2.1", str(table)]) == 1


def test_peers_are_listed(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-l", str(table)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "192.0.2.1 AS64501 10.0.0.0", "192.0.2.2 AS64502 10.0.0.1", "2001:db8::3 AS64501 10.0.0.2",
    ]  # fmt: skip


def test_a_file_is_whole_or_stays(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "networks"
    assert main(["-o", str(output), str(table)]) == 0
    before = output.read_text()
    assert before.splitlines()[0] == "2,10.0.0.0/8"
    cut = tmp_path / "cut"
    cut.write_bytes(table.read_bytes()[:-5])
    assert main(["-o", str(output), str(cut)]) == 1
    assert "--keep makes do with what stands before" in capsys.readouterr().err
    assert output.read_text() == before
    assert main(["-k", "-p", "192.0.2.1", "-o", str(output), str(cut)]) == 0
    assert output.read_text() == "1,10.0.0.0/8\n"
    assert main(["-p", "192.0.2.77", "-o", str(output), str(table)]) == 1
    assert output.read_text() == "1,10.0.0.0/8\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "networks", "rib"]


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["-p", "router", "x"])
