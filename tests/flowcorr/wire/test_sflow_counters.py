"""Counter samples of sFlow."""

import struct

import pytest

from flowcorr.wire.sflow_counters import BLOCKS, GENERIC, MOST_BLOCKS, OLD_BLOCKS, VLAN, decode_counters
from routed.octets._cursor import Cursor
from routed.octets.errors import WireError
from tests.flowcorr.collect.test_samples import block, words

INTERFACE = (7, 6, 10**10, 1, 3, 2**40, 1, 2, 3, 4, 5, 6, 2**41, 11, 12, 13, 14, 15, 1)
GENERIC_OCTETS = struct.pack(GENERIC.octets, *INTERFACE)


def sample(*blocks: bytes, kind: int = 2, count: int | None = None) -> bytes:
    source = words(7 | 1 << 24) if kind == 2 else words(1, 7)
    return block(kind, words(9) + source + words(len(blocks) if count is None else count) + b"".join(blocks))


@pytest.mark.parametrize("kind", [2, 4])
def test_counters_have_their_names(kind: int) -> None:
    found = decode_counters(Cursor(sample(block(1, GENERIC_OCTETS), kind=kind)), 5)
    assert (found.sequence, found.source_index, found.skipped) == (9, 7, 0)
    (counted,) = found.blocks
    assert counted.name == "sflow_cnt_generic"
    assert (counted.values["ifIndex"], counted.values["ifSpeed"], counted.values["ifInOctets"]) == (7, 10**10, 2**40)
    assert (counted.values["ifOutErrors"], counted.values["ifPromiscuousMode"]) == (15, 1)
    assert tuple(counted.values.values()) == INTERFACE


def test_counters_of_a_vlan_end_with_it() -> None:
    found = decode_counters(Cursor(sample(block(5, struct.pack(VLAN.octets, 42, 333, 1, 2, 3, 4)))), 5)
    assert list(found.blocks[0].values.items())[0::5] == [("octets", 333), ("vlan", 42)]


@pytest.mark.parametrize("kind", BLOCKS)
def test_the_members_of_a_kind_are_its_octets(kind: int) -> None:
    layout = BLOCKS[kind]
    octets = bytes(range(struct.calcsize(layout.octets)))
    values = decode_counters(Cursor(sample(block(kind, octets))), 5).blocks[0].values
    assert tuple(values) == layout.members
    assert sorted(values.values()) == sorted(struct.unpack(layout.octets, octets))


def test_other_counters_are_passed_over() -> None:
    found = decode_counters(Cursor(sample(block(2000, b"name"), block(1, GENERIC_OCTETS), block(9 << 12 | 1, b"x"))), 5)
    assert ([each.name for each in found.blocks], found.skipped) == (["sflow_cnt_generic"], 2)


def test_the_wrapper_of_an_access_list_is_opened() -> None:
    wrapped = words(1991 << 12 | 1, 0, 0, 0, 0) + sample(block(1, GENERIC_OCTETS))
    assert decode_counters(Cursor(wrapped), 5).sequence == 9


@pytest.mark.parametrize(("kind", "names"), [(1, ["sflow_cnt_generic"]), (7, ["sflow_cnt_vlan"]), (99, [])])
def test_samples_of_older_versions_are_of_one_kind(kind: int, names: list[str]) -> None:
    octets = words(2, 9, 7, 30, kind) + bytes(200)
    found = decode_counters(Cursor(octets), 4)
    assert (found.sequence, found.source_index, [each.name for each in found.blocks]) == (9, 7, names)
    assert found.skipped == (kind not in OLD_BLOCKS)


@pytest.mark.parametrize("cut", [1, 8, 30, 100])
def test_a_sample_that_ends_early_is_refused(cut: int) -> None:
    octets = sample(block(1, GENERIC_OCTETS))
    with pytest.raises(WireError):
        decode_counters(Cursor(octets[:-cut]), 5)


def test_records_beyond_the_ceiling_are_refused() -> None:
    blocks = [block(2000, b"")] * MOST_BLOCKS
    assert decode_counters(Cursor(sample(*blocks)), 5).skipped == MOST_BLOCKS
    with pytest.raises(WireError, match=f"257 records are more than {MOST_BLOCKS}"):
        decode_counters(Cursor(sample(*blocks, blocks[0])), 5)
