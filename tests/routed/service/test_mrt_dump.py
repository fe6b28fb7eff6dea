from ipaddress import ip_address
from pathlib import Path

import pytest
from twisted.internet.defer import ensureDeferred, maybeDeferred

from routed.octets import Cursor
from routed.plumbing.dump_file import DumpFile
from routed.rib._rib import Rib
from routed.rib._update import apply
from routed.rib.adj_rib_in import AdjRibIn
from routed.service.mrt_dump import hop_attribute, write_mrt
from routed.service.neighbor import Neighbor
from routed.service.records import PeerText
from routed.wire.bgp.context import DecodeContext
from routed.wire.family import IPV4_MULTICAST, IPV4_UNICAST, IPV6_UNICAST, Family
from routed.wire.mrt.archive import read
from routed.wire.mrt.record import Damage
from routed.wire.mrt.table_dump_v2 import Rib as MrtRib
from routed.wire.mrt.table_dump_v2 import decode_table_dump_v2
from tests.oracles.build import MANDATORY, attribute, label_stack, mp_reach, prefix, update

LABELLED, VPN, VPN6 = Family(1, 4), Family(1, 128), Family(2, 128)
HOP4, HOP6 = bytes([192, 0, 2, 1]), bytes.fromhex("20010db8") + bytes(11) + b"\1"
RD = bytes([0, 0, 0, 1, 0, 0, 0, 9])
WHEN = 1_795_186_800


async def goes_on() -> bool:
    return True


def dumped(folder: Path, updates: bytes, add_path: frozenset[Family] = frozenset()) -> list[MrtRib]:
    """What an archive of one peer with these UPDATEs has behind its list of peers."""
    neighbor = Neighbor(
        identity=(ip_address("192.0.2.1"), 0),
        text=PeerText(address=ip_address("192.0.2.1"), port=179),
        slot=0,
        table=AdjRibIn(Rib(1), DecodeContext(as4=True, add_path=add_path)),
    )
    assert neighbor.table is not None
    apply(neighbor.table.rib, updates)
    file = DumpFile(str(folder / "dump"), in_thread=maybeDeferred)

    async def write() -> int:
        entries = await write_mrt(file, [neighbor], WHEN, maybeDeferred, goes_on)
        await file.commit()
        return entries

    written: list[int] = []
    ensureDeferred(write()).addCallback(written.append)
    ribs = []
    for record in list(read(folder / "dump"))[1:]:
        assert not isinstance(record, Damage)
        assert record.timestamp == WHEN
        rib = decode_table_dump_v2(record)
        assert isinstance(rib, MrtRib)
        ribs.append(rib)
    assert written == [len(ribs)]
    return ribs


def value_of(attributes: bytes, code: int) -> bytes:
    c = Cursor(attributes)
    while c.remaining:
        flags, kind = c.u8(), c.u8()
        value = c.take(c.u16() if flags & 0x10 else c.u8())
        if kind == code:
            return value
    raise AssertionError(f"no attribute {code}")


def reach(family: Family, nlri: bytes, next_hop: bytes) -> bytes:
    return update([*MANDATORY[:2], mp_reach(family, next_hop, nlri)])


def test_plain_ipv4_routes_have_their_attributes_and_next_hop(tmp_path: Path) -> None:
    nlri = prefix(bytes([10, 0, 0, 0]), 8) + prefix(bytes([10, 1, 0, 0]), 16)
    ribs = dumped(tmp_path, update([*MANDATORY, attribute(4, bytes([0, 0, 0, 5]))], nlri))
    assert [(rib.family, rib.route.prefix.length, rib.sequence) for rib in ribs] == [
        (IPV4_UNICAST, 8, 0),
        (IPV4_UNICAST, 16, 1),
    ]
    [entry] = ribs[0].entries
    assert (entry.peer_index, entry.originated_time, entry.path_id) == (0, WHEN, None)
    assert value_of(entry.attributes, 3) == HOP4
    assert value_of(entry.attributes, 4) == bytes([0, 0, 0, 5])


def test_other_next_hops_are_in_mp_reach_nlri(tmp_path: Path) -> None:
    """RFC 6396 4.3.4: only the length and the next hop."""
    updates = reach(IPV6_UNICAST, prefix(HOP6, 64), HOP6) + reach(IPV4_MULTICAST, prefix(HOP4, 24), HOP4)
    updates += reach(IPV4_UNICAST, prefix(HOP4, 24), HOP6)
    ribs = {rib.family: rib for rib in dumped(tmp_path, updates)}
    assert value_of(ribs[IPV6_UNICAST].entries[0].attributes, 14) == b"\x10" + HOP6
    assert value_of(ribs[IPV4_MULTICAST].entries[0].attributes, 14) == b"\x04" + HOP4
    assert value_of(ribs[IPV4_UNICAST].entries[0].attributes, 14) == b"\x10" + HOP6


def test_labelled_and_vpn_routes_are_generic(tmp_path: Path) -> None:
    updates = reach(LABELLED, prefix(HOP4, 24, labels=label_stack(5, 77)), HOP4)
    updates += reach(VPN, prefix(HOP4, 24, labels=label_stack(9), rd=RD), HOP4)
    updates += reach(VPN6, prefix(HOP6, 64, labels=label_stack(9), rd=RD), HOP6 + HOP6)
    ribs = {rib.family: rib for rib in dumped(tmp_path, updates)}
    assert ribs.keys() == {LABELLED, VPN, VPN6}
    assert (ribs[LABELLED].route.labels, ribs[LABELLED].route.rd) == ((5, 77), None)
    assert bytes(ribs[VPN].route.rd or b"") == RD
    assert value_of(ribs[VPN].entries[0].attributes, 14) == b"\x0c" + bytes(8) + HOP4
    assert value_of(ribs[VPN6].entries[0].attributes, 14) == b"\x18" + bytes(8) + HOP6


def test_path_identifiers_are_kept(tmp_path: Path) -> None:
    """RFC 8050 4."""
    nlri = prefix(HOP4, 24, path_id=7) + prefix(HOP4, 24, path_id=3)
    ribs = dumped(tmp_path, update(MANDATORY, nlri), frozenset({IPV4_UNICAST}))
    assert [rib.entries[0].path_id for rib in ribs] == [3, 7]


def test_a_dump_that_is_given_up_reads_no_further_table(tmp_path: Path) -> None:
    tables = [AdjRibIn(Rib(1), DecodeContext(as4=True)) for _ in range(2)]
    neighbors = []
    for slot, table in enumerate(tables):
        apply(table.rib, update(MANDATORY, prefix(HOP4, 24)))
        address = ip_address(f"192.0.2.{slot}")
        neighbors.append(
            Neighbor(identity=(address, 0), text=PeerText(address=address, port=179), slot=slot, table=table)
        )
    asked: list[bool] = []

    async def gives_up() -> bool:
        asked.append(False)
        return False

    file = DumpFile(str(tmp_path / "dump"), in_thread=maybeDeferred)
    written: list[int] = []
    ensureDeferred(write_mrt(file, neighbors, WHEN, maybeDeferred, gives_up)).addCallback(written.append)
    assert (written, asked) == ([1], [False])


def test_many_routes_take_several_turns(tmp_path: Path) -> None:
    nets = [prefix((10 << 24 | n << 8).to_bytes(4, "big"), 24) for n in range(2500)]
    run = b"".join(update(MANDATORY, b"".join(nets[at : at + 900])) for at in range(0, 2500, 900))
    assert len(dumped(tmp_path, run)) == 2500


@pytest.mark.parametrize(
    ("family", "next_hop", "octets"),
    [
        (IPV4_UNICAST, HOP4, b"\x40\x03\x04" + HOP4),
        (IPV6_UNICAST, HOP6, b"\x80\x0e\x11\x10" + HOP6),
        (VPN, HOP4, b"\x80\x0e\x0d\x0c" + bytes(8) + HOP4),
        (VPN6, HOP6 + HOP6, b"\x80\x0e\x19\x18" + bytes(8) + HOP6),
    ],
)
def test_next_hops_have_the_attribute_of_their_family(family: Family, next_hop: bytes, octets: bytes) -> None:
    assert hop_attribute(family, next_hop) == octets
