"""Verification of paths by providers, on the examples of the draft and on hand-made paths."""

from collections.abc import Sequence

import pytest

from routed.rib.aspa import Verdict, ases_of, verify_downstream, verify_upstream

VALID, INVALID, UNKNOWN = Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN
#: 1 and 2 are customers of 10 and 20, which are customers of 100; 100 and 200 have no providers.
ASPAS = {
    1: frozenset({10}),
    2: frozenset({20}),
    10: frozenset({100}),
    20: frozenset({100, 200}),
    100: frozenset({0}),
    200: frozenset({0}),
}


def segment(kind: int, *ases: int) -> bytes:
    """Write one segment of an AS_PATH."""
    return bytes((kind, len(ases))) + b"".join(asn.to_bytes(4, "big") for asn in ases)


@pytest.mark.parametrize(
    ("path", "ases"),
    [
        (segment(2, 100, 10, 1), (1, 10, 100)),
        (segment(2, 100, 100, 10, 1, 1, 1), (1, 10, 100)),
        (segment(3, 65001) + segment(2, 10, 1), (1, 10)),
        (segment(2, 10) + segment(2, 10, 1), (1, 10)),
        (segment(2, 10) + segment(1, 1, 2), None),
        (b"", ()),
    ],
)
def test_paths_are_read_from_their_origin(path: bytes, ases: Sequence[int] | None) -> None:
    """Repetitions and confederations do not count; a set makes a path unfit."""
    assert ases_of(path) == ases


@pytest.mark.parametrize(
    ("path", "upstream", "downstream"),
    [
        ((1,), VALID, VALID),
        ((1, 10), VALID, VALID),
        ((1, 10, 100), VALID, VALID),
        ((1, 20), INVALID, VALID),
        ((1, 10, 100, 20), INVALID, VALID),
        ((1, 10, 100, 20, 2), INVALID, VALID),
        ((1, 10, 100, 200, 20, 2), INVALID, VALID),
        ((10, 1, 20), INVALID, INVALID),
        ((100, 10, 1, 77, 20), INVALID, INVALID),
        ((77, 10), UNKNOWN, VALID),
        ((77, 78, 79), UNKNOWN, UNKNOWN),
        ((1, 10, 77, 78, 79, 20, 2), INVALID, INVALID),
        ((77, 10, 100, 20, 78), INVALID, UNKNOWN),
        ((100, 20, 1, 10, 200), INVALID, INVALID),
        ((), INVALID, INVALID),
        (None, INVALID, INVALID),
    ],
)
def test_paths_are_judged_both_ways(path: Sequence[int] | None, upstream: Verdict, downstream: Verdict) -> None:
    """Upstream a path may only go up; downstream it may go up, then across, then down."""
    assert verify_upstream(ASPAS, path) is upstream
    assert verify_downstream(ASPAS, path) is downstream
