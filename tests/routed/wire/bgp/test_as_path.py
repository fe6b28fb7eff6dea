import pytest

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.as_path import (
    As4Path,
    AsPath,
    Segment,
    SegmentType,
    decode_segments,
    encode_segments,
    format_as_path,
    merge_as4_path,
    sequence,
)

SET, SEQUENCE = SegmentType.AS_SET, SegmentType.AS_SEQUENCE
CONFED_SEQUENCE, CONFED_SET = SegmentType.AS_CONFED_SEQUENCE, SegmentType.AS_CONFED_SET


def path(*segments: tuple[SegmentType, tuple[int, ...]]) -> AsPath:
    return AsPath(tuple(Segment(*segment) for segment in segments))


@pytest.mark.parametrize("as4", [True, False])
def test_all_segment_types_survive_the_round_trip(as4: bool) -> None:
    segments = path((CONFED_SEQUENCE, (65001,)), (CONFED_SET, (3, 2)), (SEQUENCE, (1, 2, 2)), (SET, (9, 8))).segments
    w = Writer()
    encode_segments(w, segments, as4=as4)
    assert decode_segments(Cursor(bytes(w)), as4=as4) == segments


def test_wide_numbers_become_as_trans_in_two_octets() -> None:
    w = Writer()
    encode_segments(w, sequence(4_200_000_000, 65001), as4=False)
    assert decode_segments(Cursor(bytes(w)), as4=False) == sequence(23456, 65001)


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        ("0501000003e8", 10),  # an unknown segment type
        ("0200", 11),  # a segment without numbers
        ("0202000003e8", 12),  # a count beyond the attribute
        ("0201000003e802", 17),  # an octet that no segment starts with
        ("0202000003e800000000", 10),  # AS 0 (RFC 7607)
    ],
)
def test_malformed_segments_are_refused_where_they_are(octets: str, offset: int) -> None:
    """RFC 7606 section 7.2."""
    with pytest.raises(WireError) as caught:
        decode_segments(Cursor(bytes.fromhex(octets), 10), as4=True)
    assert caught.value.offset == offset


def test_a_long_sequence_is_cut_where_a_segment_is_full() -> None:
    assert [len(segment.numbers) for segment in sequence(*range(600))] == [255, 255, 90]


def test_length_counts_a_set_once_and_confederations_not_at_all() -> None:
    """RFC 4271 section 9.1.2.2, RFC 5065 section 5.3."""
    assert path((CONFED_SEQUENCE, (1, 2)), (SEQUENCE, (3, 4)), (SET, (5, 6, 7)), (CONFED_SET, (8, 9))).length == 3


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (AsPath(), None),
        (path((SEQUENCE, (1, 2))), 2),
        (path((SEQUENCE, (1,)), (SET, (7,))), 7),
        (path((SEQUENCE, (1,)), (SET, (7, 8))), None),
    ],
)
def test_origin_is_the_last_as_unless_it_is_one_of_several(value: AsPath, origin: int | None) -> None:
    assert value.origin_as == origin


def test_text_is_what_operators_read() -> None:
    value = path(
        (SEQUENCE, (4_200_000_000, 65001)), (SET, (300, 200, 300)), (CONFED_SEQUENCE, (2, 1)), (CONFED_SET, (4, 3))
    )
    assert format_as_path(value.segments) == "4200000000 65001 {200,300} (2 1) [3,4]"
    assert format_as_path(()) == ""


@pytest.mark.parametrize(
    ("narrow", "wide", "merged"),
    [
        (path((SEQUENCE, (1, 23456, 23456))), sequence(100_000, 200_000), "1 100000 200000"),
        (path((SEQUENCE, (23456,))), sequence(100_000), "100000"),
        (path((SEQUENCE, (1,))), sequence(2, 3), "1"),  # the longer AS4_PATH is stale
        (path((SEQUENCE, (1, 2)), (SET, (3, 4))), (), "1 2 {3,4}"),
        (path((CONFED_SEQUENCE, (65001,)), (SEQUENCE, (1, 23456))), sequence(1, 70_000), "(65001) 1 70000"),
        (path((SEQUENCE, (5,)), (SET, (6, 7)), (SEQUENCE, (23456,))), sequence(90_000), "5 {6,7} 90000"),
    ],
)
def test_as4_path_replaces_the_tail_of_as_path(narrow: AsPath, wide: tuple[Segment, ...], merged: str) -> None:
    """RFC 6793 section 4.2.3."""
    assert format_as_path(merge_as4_path(narrow, As4Path(wide)).segments) == merged


def test_confederation_segments_inside_as4_path_are_ignored() -> None:
    """RFC 6793 section 6."""
    wide = As4Path((Segment(CONFED_SEQUENCE, (65_001,)), *sequence(70_000)))
    assert merge_as4_path(path((SEQUENCE, (1, 23456))), wide) == AsPath((*sequence(1), *sequence(70_000)))
