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


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def places_in(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_link_of_a_page_leads_somewhere() -> None:
    lost = []
    for page in PAGES:
        for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
            path, _, place = link.partition("#")
            target = page if not path else page.parent / path
            is_lost = "://" not in link and (not target.exists() or (place and place not in places_in(target)))
            lost += [f"{page.relative_to(ROOT)}: {link}"] if is_lost else []
    assert lost == []


def test_the_index_of_the_documentation_names_every_page() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name}" not in index]
    assert missing == ["README.md"]


def test_the_index_of_the_examples_names_every_configuration_and_unit() -> None:
    index = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    files = [path for pattern in ("*.conf", "*.service") for path in (ROOT / "examples").glob(pattern)]
    assert [path.name for path in files if f"({path.name})" not in index] == []
