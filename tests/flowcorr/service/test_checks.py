"""Which rows are written."""

import pytest

from flowcorr.service._checks import BYTES, BYTES_A_PACKET, PACKETS, PACKETS_A_FLOW, Check
from tests.flowcorr.service.rows import Rows


@pytest.mark.parametrize(
    ("checks", "all_checks", "kept"),
    [
        ((), False, {1, 2, 3}),
        ((Check(PACKETS, 10),), False, {2, 3}),
        ((Check(PACKETS, 10, is_maximum=True),), False, {1}),
        ((Check(BYTES_A_PACKET, 100),), True, {2}),
        ((Check(PACKETS, 100), Check(BYTES, 50)), False, {2, 3}),
        ((Check(PACKETS, 100), Check(BYTES, 50)), True, {3}),
        ((Check(PACKETS_A_FLOW, 1),), True, {2}),
    ],
)
def test_rows_that_fail_their_checks_are_left_out(checks: tuple[Check, ...], all_checks: bool, kept: set[int]) -> None:
    rows = Rows("tag, flows")
    rows.add(tag=1, packets=0, bytes=0, flows=0)
    rows.add(tag=2, packets=10, bytes=1000, flows=2)
    rows.add(tag=3, packets=100, bytes=50, flows=0)
    assert {row["tag"] for row in rows.json(checks=checks, all_checks=all_checks)} == kept
    assert rows.left_out == 3 - len(kept)
