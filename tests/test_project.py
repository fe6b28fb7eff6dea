"""Facts about the project that no single module knows."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flowcorr", "lg", "routed")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.p*") if path.suffix in {".py", ".pyx", ".pxd"}
)
COMPILED = [path for path in SOURCES if path.suffix == ".pyx"]

#: What Python may see of a compiled module: functions, classes, values.
SEEN_BY_PYTHON = re.compile(r"^(def|cpdef|class|cdef class) |^[A-Za-z]\w* = ", re.MULTILINE)
#: Their classes are for compiled modules alone.
INTERNAL = {"_origin_filter", "_pinned"}


def test_every_compiled_module_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [source for module in project["tool"]["setuptools"]["ext-modules"] for source in module["sources"]]
    assert declared == [str(path.relative_to(ROOT)) for path in COMPILED]


def test_every_compiled_module_that_python_sees_has_its_types() -> None:
    for path in COMPILED:
        if SEEN_BY_PYTHON.search(path.read_text(encoding="utf-8")) and path.stem not in INTERNAL:
            assert path.with_suffix(".pyi").exists(), path


def test_every_source_has_its_place_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w*]*\w[\w*]*(?:\.pyx?|\.pxd)?", page))
    patterns = [word for word in words if "*" in word]
    homeless = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name != "__init__.py"
        and words.isdisjoint({path.name, path.stem if path.stem.startswith("_") else path.name})
        and path.with_suffix(".pyx").name not in words
        and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert homeless == [], "docs/architecture.md has no place for these"


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("*.md")]
    assert sorted(numbers) == [f"{number:04}" for number in range(1, len(numbers) + 1)]
