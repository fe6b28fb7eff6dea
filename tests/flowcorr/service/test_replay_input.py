"""Captures as an input."""

import struct
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from flowcorr.collect.settings import IntakeSettings
from flowcorr.service.replay_input import ReplayInput
from routed.plumbing.pcap import CaptureError
from tests.flowcorr.exports import NOW, v5, v5_record
from tests.flowcorr.service.flows import Kept
from tests.routed.plumbing.captures import ethernet, frame, ipv4, ipv6, pcap

SIX = {"source": ("2001:db8::1", 40000), "destination": ("2001:db8::9", 2055)}


def udp(payload: bytes) -> bytes:
    return struct.pack("!HHHH", 40000, 2055, 8 + len(payload), 0) + payload


def capture(path: Path, count: int = 3) -> Path:
    packets = [
        (1000.0 + n, ethernet(ipv4(udp(v5(v5_record(octets=n + 1), sequence=n)), protocol=17))) for n in range(count)
    ]
    packets += [(2000.0, frame(b"tcp")), (2001.0, ethernet(ipv6(udp(v5(v5_record(octets=99))), protocol=17, **SIX)))]
    path.write_bytes(pcap(packets))
    return path


def play(path: Path, kept: Kept, **options: object) -> tuple[ReplayInput, list[CaptureError | None], Clock]:
    clock, ends = Clock(), []
    replay = ReplayInput(
        clock,
        path,
        kept.flows,
        on_end=ends.append,
        now=lambda: NOW,
        seconds=clock.seconds,
        **options,  # type: ignore[arg-type]
    )
    replay.startService()
    clock.pump([0.0] * 20)
    return replay, ends, clock


def test_datagrams_of_any_port_and_family_are_played(tmp_path: Path) -> None:
    kept = Kept("sender_address timestamp_arrival")
    replay, ends, _ = play(capture(tmp_path / "a.pcap"), kept)
    assert [row["bytes"] for row in kept.rows] == [1, 2, 3, 99]
    assert [row["sender_address"] for row in kept.rows] == ["192.0.2.1"] * 3 + ["2001:db8::1"]
    assert {row["timestamp_arrival"] for row in kept.rows} == {NOW * 1_000_000}
    assert ends == [None]
    assert (replay.counters.packets, replay.counters.datagrams) == (5, 4)


def test_a_capture_may_be_played_several_times_with_a_pause_before_each(tmp_path: Path) -> None:
    kept = Kept()
    _, ends, clock = play(capture(tmp_path / "a.pcap"), kept, delay=5.0, times=2)
    assert not kept.rows
    clock.pump([5.0, 0.0, 0.0])
    assert (len(kept.rows), ends) == (4, [])
    clock.pump([5.0, 0.0, 0.0])
    assert (len(kept.rows), ends) == (8, [None])


def test_many_datagrams_take_many_turns(tmp_path: Path) -> None:
    kept = Kept()
    _, ends, _ = play(capture(tmp_path / "a.pcap", count=500), kept)
    assert (len(kept.rows), ends) == (501, [None])


def test_a_damaged_capture_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap")
    path.write_bytes(path.read_bytes()[:-3])
    kept = Kept()
    _, ends, _ = play(path, kept)
    assert len(kept.rows) == 3
    assert isinstance(ends[0], CaptureError)


def test_what_is_no_capture_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "no.pcap").write_bytes(b"nothing of the sort")
    with pytest.raises(CaptureError):
        play(tmp_path / "no.pcap", Kept())


def test_bins_of_sflow_go_by_the_capture(tmp_path: Path) -> None:
    frame_octets = ethernet(ipv4(bytes(8), protocol=1))
    raw = struct.pack("!IIIIII", 1, 16 + len(frame_octets), 1, 100, 4, len(frame_octets)) + frame_octets
    raw += bytes(-len(raw) % 4)
    sample = struct.pack("!IIIIIIII", 1, 1, 10, 10, 0, 1, 2, 1) + raw
    datagram = struct.pack("!IIIIIII", 5, 1, 0x0A000001, 0, 1, 0, 1) + struct.pack("!II", 1, len(sample)) + sample
    path = tmp_path / "s.pcap"
    path.write_bytes(pcap([(1000.5, ethernet(ipv4(udp(datagram), protocol=17)))]))
    kept = Kept(settings=IntakeSettings(is_sflow=True))
    play(path, kept)
    assert [(row["bin_time"], row["timestamp_arrival"]) for row in kept.rows] == [(1_000_500_000, NOW * 1_000_000)]
