"""Facts about the project that no single module knows."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPILED = sorted(path for package in ("flowcorr", "lg", "routed") for path in (ROOT / package).rglob("*.pyx"))


def test_every_compiled_module_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [source for module in project["tool"]["setuptools"]["ext-modules"] for source in module["sources"]]
    assert declared == [str(path.relative_to(ROOT)) for path in COMPILED]


def test_every_compiled_module_has_its_types() -> None:
    # Python sees nothing of these
    private = {
        "_as4",
        "_attribute_text",
        "_avro_attributes",
        "_clean_text",
        "_fields",
        "_ids",
        "_labels",
        "_lists",
        "_message_header",
        "_moments",
        "_monitoring_message",
        "_nlri",
        "_old_samples",
        "_order",
        "_origin_filter",
        "_packet",
        "_path_facts",
        "_pinned",
        "_prefix_sid",
        "_rates",
        "_reading",
        "_records",
        "_routes",
        "_sample_extended",
        "_sample_packets",
        "_samples",
        "_source_rates",
        "_table",
        "_text",
        "_times",
        "_told",
        "_values",
        "_vrp_index",
        "_vrp_records",
        "_vrp_status",
        "_vrp_tree",
    }
    for path in COMPILED:
        assert path.with_suffix(".pyi").exists() or path.stem in private, path
