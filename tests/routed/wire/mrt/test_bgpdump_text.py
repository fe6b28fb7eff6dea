"""What we read from real MRT files is what bgpdump, an independent reader, printed for them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from routed.octets import Cursor, WireError
from routed.wire import mrt
from routed.wire.bgp.header import decode_message
from routed.wire.bgp.update import decode_update

Text = Callable[[Path], list[str]]

GOLDEN = (
    "bview.64k_stream_overflow.gz",
    "bview.ipv4_unicast_add_path.gz",
    "updates.20100722.2015.gz",
    "updates.long_withdrawal.gz",
)
CORPUS = ("updates.20071015.1505.gz", "updates.20160811.1600.gz")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The larger collection of recordings that developers keep beside the project."""
    beside = Path(__file__).parents[5] / "shared" / "data"
    path = Path(os.environ.get("ROUTED_TEST_DATA", beside)) / "mrt" / "bgpdump"
    if not path.is_dir():
        pytest.skip(f"NOT TESTED against larger MRT recordings: {path} is missing, see ROUTED_TEST_DATA")
    return path


@pytest.mark.parametrize("name", GOLDEN)
def test_reads_what_bgpdump_reads(name: str, golden: Path, bgpdump_text: Text, expected_text: Text) -> None:
    assert bgpdump_text(golden / name) == expected_text(golden / f"{name}.expected.gz")


@pytest.mark.parametrize("name", CORPUS)
def test_reads_what_bgpdump_reads_in_larger_files(
    name: str, corpus: Path, bgpdump_text: Text, expected_text: Text
) -> None:
    assert bgpdump_text(corpus / name) == expected_text(corpus / "expected" / f"{name}.bgp.gz")


def test_nlri_that_overrun_are_an_error_although_bgpdump_skips_them(golden: Path) -> None:
    (record,) = mrt.read(golden / "updates.nlri_mask_trailing_bits.gz")
    message = mrt.decode_message(record)
    _, body = decode_message(Cursor(message.octets))
    with pytest.raises(WireError) as caught:
        decode_update(body, message.context)
    assert caught.value.offset == len(message.octets)
