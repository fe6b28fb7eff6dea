"""The compiled cutter of rows beside the obvious one."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing._message_ends import bundle_ends, row_ends, stamp

#: Rows as they come and as they never do: empty, without a brace, the last one without a newline.
TEXTS = st.lists(st.sampled_from([b"{}", b"}", b"", b'{"a": "x}"}', b"[1]", b"\n", b"}\n"]), max_size=12).map(
    b"\n".join
)
ENDING = b', "writer_id": "w/1"}'


def rows_of(octets: bytes) -> list[bytes]:
    rows = octets.split(b"\n")
    return rows if rows[-1] else rows[:-1]


def cut(octets: bytes, ends: bytes) -> list[bytes]:
    """Return values that end there and have a newline between."""
    start, values = 0, []
    for end in array("I", ends):
        values.append(octets[start:end])
        start = end + 1
    return values


@given(TEXTS)
def test_rows_end_before_their_newlines(octets: bytes) -> None:
    assert cut(octets, row_ends(octets)) == rows_of(octets)


def test_rows_may_be_many() -> None:
    octets = b"{}\n" * 10_000
    assert cut(octets, row_ends(octets)) == rows_of(octets)
    stamped, ends = stamp(octets, ENDING)
    assert set(cut(stamped, ends)) == {b"{" + ENDING}


@given(TEXTS)
def test_what_is_stamped_differs_by_the_last_key_of_each_row(octets: bytes) -> None:
    wanted = b"\n".join(row[:-1] + ENDING if row.endswith(b"}") else row for row in octets.split(b"\n"))
    assert stamp(octets, ENDING) == (wanted, row_ends(wanted))


@given(TEXTS, st.integers(0, 20))
def test_bundles_hold_all_rows_and_as_many_as_they_may(octets: bytes, most: int) -> None:
    bundles = cut(octets, bundle_ends(row_ends(octets), most))
    assert [row for bundle in bundles for row in bundle.split(b"\n")] == rows_of(octets)
    for bundle, following in pairwise(bundles):
        assert len(bundle) <= most or b"\n" not in bundle
        assert len(bundle) + 1 + len(following.split(b"\n")[0]) > most


@pytest.mark.parametrize(("most", "count"), [(1, 3), (5, 3), (6, 2), (8, 2), (9, 1), (1000, 1)])
def test_bundles_are_as_long_as_they_may_be(most: int, count: int) -> None:
    octets = b"{}\n{1}\n{}\n"
    assert len(cut(octets, bundle_ends(row_ends(octets), most))) == count
