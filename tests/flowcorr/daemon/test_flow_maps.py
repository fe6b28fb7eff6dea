"""Map files of flow daemons, as the configuration says how they are read."""

from pathlib import Path

import pytest

from flowcorr.correlate.map_keys import prefix_octets
from flowcorr.daemon.flow_maps import FlowMaps
from flowcorr.daemon.settings import flow_settings
from routed.daemon.keys import KEYS
from routed.plumbing.config import configure
from routed.plumbing.statements import parse_statements


@pytest.mark.parametrize(("value", "exporter"), [("false", None), ("true", prefix_octets("0.0.0.0/0"))])
def test_rows_without_ip_are_for_all_exporters_unless_the_configuration_says_otherwise(
    tmp_path: Path, value: str, exporter: tuple[bytes, int] | None
) -> None:
    file = tmp_path / "map"
    file.write_text("set_tag=1 in=2\n")
    text = f"plugins: print[a]\npre_tag_map: {file}\npre_tag_map[a]: {file}2\npre_tag_map_dont_recirculate: {value}"
    file.with_name("map2").write_text("set_label=x\n")
    settings = flow_settings(configure(KEYS, parse_statements(text, "f").statements), "nfacctd")
    maps = FlowMaps(settings.files).take_tags()
    assert {name: row.exporter for name, rows in maps.items() for row in rows.rows} == {None: exporter, "a": exporter}
