"""`pmnetworks` gives the rows that `bgpdump` and `awk` gave."""

import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from routed.daemon.pmnetworks import main
from routed.octets import Writer
from routed.wire.mrt import Damage, encode_record, read
from tests.peers.install import require

ROOT: Final = Path(__file__).resolve().parents[2]
GOLDEN: Final = ROOT / "tests" / "golden" / "mrt"
#: A table of fourteen peers of 2014, which comes beside the project.
TABLE: Final = ROOT.parent / "shared" / "data" / "tables" / "routeviews.route-views.jinx.ribs.1401487200.bz2"
#: Records of it: prefixes of several peers, and the time that a test may take.
RECORDS: Final = 20_000
PATIENCE: Final = 120

#: From the lines of bgpdump (fields divided by bars: the fourth is the peer, the sixth the prefix, the seventh the AS
#: path) to rows: the last word of the path, of a set the last number in it.
AWK: Final = r"""
    $4 == peer && $7 != "" {
        count = split($7, path, " "); gsub(/[{}]/, "", path[count]); count = split(path[count], set, ",")
        print set[count] "," $6
    }
"""


def rows_of_guide(table: Path, peer: str) -> set[str]:
    """Run the pipeline."""
    dump = subprocess.run(["bgpdump", "-m", table], capture_output=True, check=True, timeout=PATIENCE)
    arguments = ["awk", "-F|", "-v", f"peer={peer}", AWK]
    return set(subprocess.run(arguments, input=dump.stdout, capture_output=True, check=True).stdout.decode().split())


def peers_of(table: Path) -> Iterator[str]:
    dump = subprocess.run(["bgpdump", "-m", table], capture_output=True, check=True, timeout=PATIENCE)
    return (peer for peer in {line.split("|")[3] for line in dump.stdout.decode().splitlines()})


@pytest.fixture(name="table")
def a_table(tmp_path: Path) -> Path:
    """The beginning of a table, as much as is quick to read."""
    require("bgpdump")
    if not TABLE.exists():
        pytest.skip(f"SKIPPED: {TABLE} is not there")
    w = Writer()
    for record in islice(read(TABLE), RECORDS):
        assert not isinstance(record, Damage)
        encode_record(w, record)
    table = tmp_path / "table"
    table.write_bytes(bytes(w))
    return table


def rows_of_ours(tmp_path: Path, table: Path, peer: str) -> list[str]:
    rows = tmp_path / "networks"
    assert main(["--peer", peer, "--output", str(rows), str(table)]) == 0
    return rows.read_text().split()


def test_the_rows_of_a_real_table(tmp_path: Path, table: Path) -> None:
    expected = rows_of_guide(table, "196.223.14.55")
    ours = rows_of_ours(tmp_path, table, "196.223.14.55")
    assert len(expected) > RECORDS / 2
    assert sorted(ours) == sorted(expected)


def test_the_rows_of_another_writer(tmp_path: Path) -> None:
    """Those of paths with identifiers cannot be compared: `bgpdump` puts the identifier where the path was."""
    require("bgpdump")
    table = GOLDEN / "quagga_rib"
    compared = 0
    for peer in peers_of(table):
        if expected := rows_of_guide(table, peer):
            assert sorted(rows_of_ours(tmp_path, table, peer)) == sorted(expected)
            compared += 1
    assert compared
