import bz2
import gzip
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import Cursor, Writer
from routed.wire import mrt
from routed.wire.mrt.record import MAX_RECORD_OCTETS, decode_record

PLAIN = mrt.Record(1_700_000_000, mrt.MrtType.BGP4MP, 4, b"plain")
EXTENDED = mrt.Record(1_700_000_001, mrt.MrtType.BGP4MP_ET, 4, b"extended", 250_000)
UNKNOWN = mrt.Record(0, mrt.MrtType(777), 9, b"")


def octets_of(*records: mrt.Record) -> bytes:
    w = Writer()
    for record in records:
        mrt.encode_record(w, record)
    return bytes(w)


@pytest.mark.parametrize("record", [PLAIN, EXTENDED, UNKNOWN], ids=lambda record: record.type.name)
def test_a_record_survives_the_round_trip(record: mrt.Record) -> None:
    assert decode_record(Cursor(octets_of(record))) == record


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_files_are_read_whatever_their_compression(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(compress(octets_of(PLAIN, EXTENDED, UNKNOWN)))
    assert list(mrt.read(path)) == [PLAIN, EXTENDED, UNKNOWN]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_a_file_that_is_cut_ends_with_damage(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = compress(octets_of(PLAIN, EXTENDED))
    path.write_bytes(whole[:-1])
    *good, last = mrt.read(path)
    assert isinstance(last, mrt.Damage)
    assert good == [PLAIN, EXTENDED][: len(good)]


@given(st.integers(min_value=0))
def test_records_before_a_cut_are_read(at: int) -> None:
    octets = octets_of(PLAIN, EXTENDED)
    cut = at % len(octets)
    *good, last = mrt.walk_records(BytesIO(octets[:cut]).read) if cut else [mrt.Damage(0, "")]
    border = len(octets_of(PLAIN))
    assert isinstance(last, mrt.Damage) or cut == border
    assert good == ([PLAIN] if cut > border else [])
    if isinstance(last, mrt.Damage):
        assert last.offset == (border if cut > border else 0)


@pytest.mark.parametrize(("length", "words"), [(MAX_RECORD_OCTETS, "0 of"), (MAX_RECORD_OCTETS + 1, "is beyond")])
def test_a_length_beyond_reason_is_not_believed(length: int, words: str) -> None:
    header = bytes(8) + length.to_bytes(4, "big")
    (damage,) = mrt.walk_records(BytesIO(header).read)
    assert isinstance(damage, mrt.Damage)
    assert words in damage.why


def test_an_extended_record_without_room_for_microseconds_is_damage() -> None:
    header = bytes(4) + (17).to_bytes(2, "big") + bytes(2) + (3).to_bytes(4, "big")
    *_, damage = mrt.walk_records(BytesIO(header + bytes(3)).read)
    assert isinstance(damage, mrt.Damage)


def test_corrupt_data_ends_with_damage(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(octets_of(PLAIN))[:12] + b"\xff" * 30)
    (damage,) = mrt.read(path)
    assert isinstance(damage, mrt.Damage)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bird-mrtdump_rib", {"PeerIndexTable": 2, "Rib": 12}),
        ("bird-mrtdump_bgp", {"BgpMessage": 15, "StateChange": 12}),
        ("quagga_rib", {"PeerIndexTable": 1, "Rib": 6}),
        ("openbgpd_rib_table", {"TableDumpEntry": 31}),
        ("bview.20140112.1600_3samples.bz2", {"Rib": 3}),
        ("bgpipe-sample.mrt.gz", {"BgpMessage": 500}),
    ],
)
def test_real_files_say_what_their_origin_says_they_do(golden: Path, name: str, says: dict[str, int]) -> None:
    assert Counter(type(mrt.decode_message(record)).__name__ for record in mrt.read(golden / name)) == says


@pytest.mark.parametrize("name", ["bird-mrtdump_rib", "bird-mrtdump_bgp", "quagga_rib", "bgpipe-sample.mrt.gz"])
def test_records_of_real_files_are_given_back_octet_by_octet(golden: Path, name: str) -> None:
    octets = (golden / name).read_bytes()
    plain = gzip.decompress(octets) if name.endswith(".gz") else octets
    assert octets_of(*mrt.read(golden / name)) == plain
