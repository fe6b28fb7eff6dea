"""What compiled modules know of IANA's registries is what the rest of the program knows."""

import re
from pathlib import Path

import pytest

from routed.octets import CodePoint
from routed.wire.bgp.as_path import SegmentType
from routed.wire.bgp.attribute_spec import AttributeType
from routed.wire.bgp.codepoints import UpdateSubcode

PAGE = Path(__file__).resolve().parents[3] / "routed/rib/_codepoints.pxd"
TABLES = [
    {name: int(value) for name, value in re.findall(r"^    (\w+) = (\d+)$", table, re.MULTILINE)}
    for table in PAGE.read_text(encoding="utf-8").split("cdef enum:")[1:]
]


@pytest.mark.parametrize(
    ("table", "registry"), list(zip(TABLES, (AttributeType, SegmentType, UpdateSubcode), strict=True))
)
def test_compiled_modules_know_code_points_by_their_names(table: dict[str, int], registry: type[CodePoint]) -> None:
    assert table
    assert table == {name: registry[name] for name in table}
