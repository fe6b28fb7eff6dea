"""The manual pages of the daemons say what the daemons do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from routed.daemon.keys import KEYS
from routed.daemon.manual import main, pages
from routed.plumbing.config import Daemons, Status

FOLDER = Path(__file__).parents[3] / "docs" / "man"
PAGES = dict(pages())


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_in_docs_are_current(name: str) -> None:
    """`python -m routed.daemon.manual docs/man` mends them."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]


@pytest.mark.parametrize(("name", "kind"), [("pmbgpd.8", Daemons.PMBGPD), ("pmbmpd.8", Daemons.PMBMPD)])
def test_a_page_has_the_keys_that_its_daemon_reads_and_no_others(name: str, kind: Daemons) -> None:
    text = PAGES[name].replace("\\-", "-")
    for key in KEYS:
        reads = bool(key.daemons & kind) and key.status is Status.BUILT
        assert (f"\n\\fB{key.name}\\fR\n" in text) is reads, key.name


@pytest.mark.parametrize("name", ["nfacctd", "sfacctd"])
def test_the_page_of_a_flow_daemon_has_the_keys_of_flows(name: str) -> None:
    text = PAGES[f"{name}.8"].replace("\\-", "-")
    for key in (f"{name}_port", f"{name}_as", "aggregate", "pre_tag_map", "print_output_file", "imt_path"):
        assert f"\n\\fB{key}\\fR\n" in text, key
    other = {"nfacctd": "sfacctd", "sfacctd": "nfacctd"}[name]
    assert f"\n\\fB{other}_port\\fR\n" not in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="SKIPPED: groff is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_mistake_that_groff_finds(name: str) -> None:
    done = subprocess.run(
        ["groff", "-k", "-man", "-Tutf8", "-ww"], input=PAGES[name], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "pmbgpd" in done.stdout


def test_pages_are_written_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manual", str(tmp_path / "man")])
    main()
    assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "man").iterdir()} == PAGES
