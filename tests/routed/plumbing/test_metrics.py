from dataclasses import dataclass

import pytest

from routed.plumbing import metrics
from routed.plumbing.metrics import Kind, Metric, Reading, Registry, Sample, SinkCounters, counter, gauge


@dataclass(slots=True)
class QueueCounters:
    """What waits."""

    octets_taken: int = 0
    rows: int = gauge("rows that wait")
    seen_total: int = counter("all that came")


def test_the_registry_walks_live_values() -> None:
    registry, counters = Registry(), SinkCounters()
    registry.add("sink", counters, {"path": "/x"})
    counters.rows_written += 3
    samples = list(registry.walk())
    assert Sample("sink_rows_written", (("path", "/x"),), 3) in samples
    assert len(samples) == 4


def test_removed_counters_are_no_longer_walked() -> None:
    registry = Registry()
    registry.add("sink", SinkCounters(), {"path": "/x"})
    registry.add("sink", SinkCounters(), {"path": "/y"})
    registry.remove("sink", {"path": "/x"})
    assert {sample.labels for sample in registry.walk()} == {(("path", "/y"),)}


def test_fields_become_metrics_by_the_conventions_of_prometheus() -> None:
    registry = Registry()
    registry.add("queue", QueueCounters(octets_taken=7), {"name": "b"})
    registry.add("queue", QueueCounters(octets_taken=8), {"name": "a"})
    registry.add("flowcorr_queue", QueueCounters())
    families = {family.metric.name: family for family in registry.families()}
    assert list(families) == [
        "routed_queue_taken_bytes_total",
        "routed_queue_rows",
        "routed_queue_seen_total",
        "flowcorr_queue_taken_bytes_total",
        "flowcorr_queue_rows",
        "flowcorr_queue_seen_total",
    ]
    taken = families["routed_queue_taken_bytes_total"]
    assert taken.metric == Metric("routed_queue_taken_bytes_total", Kind.COUNTER, "What waits: octets taken")
    assert taken.readings == (((("name", "b"),), 7), ((("name", "a"),), 8))
    assert families["routed_queue_rows"].metric == Metric("routed_queue_rows", Kind.GAUGE, "rows that wait")
    assert families["routed_queue_seen_total"].metric.meaning == "all that came"


def test_a_measure_is_read_when_it_is_asked_for() -> None:
    registry, length = Registry(), [1]
    metric = Metric("routed_length", Kind.GAUGE, "How long it is")
    registry.measure(metric, lambda: [Reading((), length[0])])
    length[0] = 2
    [family] = registry.families()
    assert family == (metric, (Reading((), 2),), False)


@pytest.mark.parametrize(("readings", "is_cut"), [(3, False), (4, True)])
def test_a_metric_with_very_many_readings_is_cut(readings: int, is_cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_READINGS", 3)
    registry = Registry()
    many = [Reading((("peer", str(number)),), number) for number in range(readings)]
    registry.measure(Metric("routed_peers", Kind.GAUGE, "Peers"), lambda: iter(many))
    [family] = registry.families()
    assert (len(family.readings), family.is_cut) == (3, is_cut)
