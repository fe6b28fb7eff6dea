"""Run the tests of the compiled modules with those modules built for AddressSanitizer and UBSan.

    python tests/fuzz/sanitized.py [pytest arguments]

A copy of the tree is built with `-fsanitize=address,undefined` and with bounds checks on, in a temporary folder; the
tree itself is not touched. Then pytest runs there under the preloaded runtime: the fuzz corpus, the unit tests of each
compiled module and the properties with few examples. The first finding ends the run with the sanitizer's report.

Leaks are not looked for: the interpreter keeps what it likes until the process ends. What the stores hold is counted
instead, and the properties demand that the counters return to zero.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = ("routed", "flowcorr", "lg", "tests", "examples", "pyproject.toml", "README.md", "LICENSE")

#: Built elsewhere, or made by a build: the copy starts from sources alone.
LEFT_OUT: Final = shutil.ignore_patterns("*.so", "*.c", "*.o", "__pycache__", ".hypothesis", "build")

#: Properties of what is written in Python: there is nothing in them for the sanitizers.
PURE: Final = (
    "test_bmp",
    "test_bmp_collector",
    "test_bmp_os_ken",
    "test_isis_scapy",
    "test_os_ken",
    "test_update_oracle",
)

#: What the modules are compiled with in place of their usual optimisation.
FLAGS: Final = ("-O1", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
USUAL_FLAGS: Final = '"-O3"'

#: Limits on the address space are not for the sanitizer, which reserves terabytes of it.
RUNNABLE: Final = "not memory_that_cannot_be_had"

#: A process that a sanitizer ends takes what pytest has captured of its report with it.
UNCAPTURED: Final = ("-p", "no:cacheprovider", "--capture=sys")
#: One process for each core; none takes the place of one that a sanitizer ended.
PROCESSES: Final = ("-n", "2", "--max-worker-restart", "0")

#: The files in which `decoder.py` leaves what it passes to a decoder begin with it.
LAST_OCTETS: Final = "last_octets"

BUILD: Final = ("-c", "from setuptools import setup; setup()", "--quiet", "build_ext", "--inplace", "--parallel", "2")


def main(arguments: list[str]) -> int:
    """Build, run, and return the status of pytest."""
    with tempfile.TemporaryDirectory(prefix="sanitized-") as folder:
        tree = Path(folder)
        copy(tree)
        sources = compiled_sources(tree)
        instrument(tree, sources)
        build = {**os.environ, "LDFLAGS": " ".join(FLAGS)}
        subprocess.run([sys.executable, *BUILD], cwd=tree, env=build, check=True)
        tests = arguments or selection(tree, sources)
        command = [sys.executable, "-m", "pytest", "-q", "-x", *UNCAPTURED, *PROCESSES, "-k", RUNNABLE, *tests]
        status = subprocess.run(command, cwd=tree, env=environment(tree), check=False).returncode
        for path in tree.glob(f"{LAST_OCTETS}*") if status else ():
            sys.stderr.write(f"a decoder was last given {path.read_bytes().hex()}\n")
        return status


def copy(tree: Path) -> None:
    """Copy what the tests need."""
    for part in filter(lambda name: (ROOT / name).exists(), PARTS):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / part, tree / part)


def compiled_sources(tree: Path) -> list[str]:
    """List the Cython sources that `pyproject.toml` declares."""
    with (tree / "pyproject.toml").open("rb") as file:
        modules = tomllib.load(file)["tool"]["setuptools"]["ext-modules"]
    return [source for module in modules for source in module["sources"]]


def instrument(tree: Path, sources: list[str]) -> None:
    """Ask for the sanitizers, and for the bounds checks of typed memory views, in the copy."""
    project = tree / "pyproject.toml"
    declaration = project.read_text(encoding="utf-8")
    if USUAL_FLAGS not in declaration:
        raise SystemExit(f"no module in pyproject.toml is built with {USUAL_FLAGS}")
    flags = ", ".join(f'"{flag}"' for flag in FLAGS)
    project.write_text(declaration.replace(USUAL_FLAGS, flags), encoding="utf-8")
    for source in (tree / source for source in sources):
        text = source.read_text(encoding="utf-8")
        source.write_text(text.replace("boundscheck=False", "boundscheck=True"), encoding="utf-8")


#: Folders of tests that cover the modules of another folder, which has none of its own.
ELSEWHERE: Final = {"tests/flowcorr/wire": "tests/flowcorr/collect"}


def selection(tree: Path, sources: list[str]) -> list[str]:
    """Choose the tests that run compiled code: corpus, properties, and the unit tests of each module.

    Those are named after it; a module without any is covered by its folder.
    """
    properties = sorted((tree / "tests/properties").glob("test_*.py"))
    tests = ["tests/fuzz", *(str(test.relative_to(tree)) for test in properties if test.stem not in PURE)]
    for source in map(Path, sources):
        folder = Path("tests") / source.parent
        found = sorted((tree / folder).glob(f"test_{source.stem.lstrip('_')}*.py"))
        tests += [str(test.relative_to(tree)) for test in found] or [ELSEWHERE.get(str(folder), str(folder))]
    return list(dict.fromkeys(tests))


def environment(tree: Path) -> dict[str, str]:
    """Set up the sanitizers: their runtime first, and the C allocator instead of Python's arenas."""
    runtime = subprocess.run(
        [os.environ.get("CC", "gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return {
        **os.environ,
        "LD_PRELOAD": runtime.stdout.strip(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        "HYPOTHESIS_PROFILE": "sanitized",
        "FUZZ_LAST": str(tree / LAST_OCTETS),
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
