"""What we read from sessions of real routers is what NetGauze, an independent reader, says of them."""

import gzip
import json
import os
from pathlib import Path

import pytest

from routed.wire.bmp._stream import Stream
from routed.wire.bmp.message import decode_message, encode_message
from tests.oracles.bmp_capture import messages, streams
from tests.oracles.bmp_netgauze import our_facts, their_facts

GOLDEN = Path(__file__).parents[3] / "golden" / "bmp"
CAPTURES = (
    ("netgauze/evpn/evpn.pcap", "netgauze/evpn/evpn-bmp.json.gz"),
    *(
        (f"pmacct/{case}/traffic-0{number}.pcap", f"pmacct/{case}/traffic-0{number}-bmp.netgauze.json.gz")
        for case, number in (
            ("200-BMP-HUAWEI-locrib_instance", 0),
            ("202-BMP-CISCO-HUAWEI-multiple-sources", 1),
            ("202-BMP-CISCO-HUAWEI-multiple-sources", 2),
        )
    ),
)


@pytest.fixture(scope="session")
def captures():
    """The larger collection of recordings that developers keep beside the project."""
    beside = Path(__file__).parents[5] / "shared" / "data"
    path = Path(os.environ.get("ROUTED_TEST_DATA", beside)) / "bmp"
    if not path.is_dir():
        pytest.skip(f"NOT TESTED against larger BMP recordings: {path} is missing, see ROUTED_TEST_DATA")
    return path


def expected(path):
    octets = path.read_bytes()
    text = gzip.decompress(octets) if path.suffix == ".gz" else octets
    return [their_facts(json.loads(line)) for line in text.splitlines()]


def cut(octets):
    """The messages of a stream, by the compiled cutter; octets behind the last whole one stay in it."""
    stream = Stream()
    found = [message for _, run, _ in stream.feed(octets) for message in messages(run)]
    assert stream.error is None
    return found


@pytest.mark.parametrize("name", ["netgauze-v4-add-path", "netgauze-v4-vpn"])
def test_reads_what_netgauze_reads_in_version_4(name):
    found = cut((GOLDEN / f"{name}.bmp").read_bytes())
    assert [our_facts(decode_message(octets)) for octets in found] == expected(GOLDEN / f"{name}.json.gz")


@pytest.mark.parametrize("name", ["netgauze-v4-add-path", "netgauze-v4-vpn"])
def test_real_messages_of_version_4_survive_the_round_trip(name):
    for octets in cut((GOLDEN / f"{name}.bmp").read_bytes()):
        assert encode_message(decode_message(octets), 4) == octets


@pytest.mark.parametrize(("capture", "theirs"), CAPTURES, ids=lambda name: name.rpartition("/")[2])
def test_reads_what_netgauze_reads_in_larger_captures(captures, capture, theirs):
    found = [message for stream in streams(captures / capture) for message in cut(stream)]
    assert sorted_by_time(map(our_facts, map(decode_message, found))) == sorted_by_time(expected(captures / theirs))


def test_every_recorded_message_survives_the_round_trip(captures):
    paths = sorted(captures.rglob("*.pcap"))
    assert paths
    for path in paths:
        for stream in streams(path):
            for octets in cut(stream):
                assert encode_message(decode_message(octets), octets[0]) == octets, path


def sorted_by_time(facts):
    """In an order that does not depend on which of two senders is read first."""
    return sorted(facts, key=lambda each: str(each.get("time")))
