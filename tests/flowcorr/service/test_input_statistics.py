"""What the input counts is to be had as metrics and as lines."""

import pytest

from flowcorr.service import input_statistics
from flowcorr.service.input_statistics import register, status_lines
from routed.plumbing.metrics import Registry
from tests.flowcorr.exports import NOW, Input, v5, v5_record


def counted() -> Input:
    i = Input("src_host")
    i.take(v5(v5_record(), sequence=1), v5(v5_record(), sequence=9), b"short", sender="192.0.2.7")
    return i


def test_metrics_have_names_and_labels() -> None:
    registry = Registry()
    register(registry, counted().intake, lambda: 5)
    found = {
        (family.metric.name, *(value for _, value in reading.labels)): reading.value
        for family in registry.families()
        for reading in family.readings
    }
    assert found["flowcorr_input_datagrams_total",] == 2
    assert found["flowcorr_input_flows_total",] == 2
    assert found["flowcorr_input_exporters",] == 1
    assert found["flowcorr_input_dropped_total",] == 5
    assert found["flowcorr_input_refused_total", "short datagram"] == 1
    assert found["flowcorr_input_exporter_missing_total", "0", "192.0.2.7", "v5"] == 7


def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_statistics, "MOST_LINES", 2)
    i = Input("src_host")
    for last in range(1, 6):
        i.take(v5(v5_record()), sender=f"192.0.2.{last}")
    lines = list(status_lines(i.intake, "::", NOW))
    assert [line.split()[2] for line in lines[1:-2]] == ["agent=192.0.2.1:0", "agent=192.0.2.2:0", "3"]


def test_lines_tell_the_state_of_each_exporter() -> None:
    lines = list(status_lines(counted().intake, "0.0.0.0:2100", NOW))
    assert lines == [
        "+++",
        f"stats [0.0.0.0:2100] agent=192.0.2.7:0 time={NOW} packets=2 bytes=144 seq_good=1 seq_jmp_fwd=1 seq_jmp_bck=0",
        f"stats [0.0.0.0:2100] time={NOW} discarded_packets=1",
        "---",
    ]
