"""Metrics as text, read by the library that Prometheus itself offers for that."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from routed.plumbing import exposition, metrics
from routed.plumbing.exposition import CONTENT_TYPE, expose
from routed.plumbing.metrics import Kind, Metric, Reading, Registry, SinkCounters


def written(registry: Registry) -> str:
    return b"".join(expose(registry)).decode()


def read(registry: Registry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(written(registry))
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_the_text_is_what_prometheus_reads() -> None:
    registry = Registry()
    registry.add("sink", SinkCounters(rows_written=5), {"sink": 'a "b" \\ c\nd'})
    registry.measure(Metric("routed_pause_seconds", Kind.GAUGE, "Pauses\nand \\"), lambda: [Reading((), 0.25)])
    assert read(registry) == {
        ("routed_sink_rows_written_total", frozenset({("sink", 'a "b" \\ c\nd')})): 5,
        ("routed_sink_written_bytes_total", frozenset({("sink", 'a "b" \\ c\nd')})): 0,
        ("routed_sink_rows_lost_total", frozenset({("sink", 'a "b" \\ c\nd')})): 0,
        ("routed_sink_failures_total", frozenset({("sink", 'a "b" \\ c\nd')})): 0,
        ("routed_pause_seconds", frozenset()): 0.25,
    }
    assert "# HELP routed_pause_seconds Pauses\\nand \\\\\n# TYPE routed_pause_seconds gauge\n" in written(registry)
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


def test_many_readings_are_written_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "READINGS_AT_ONCE", 2)
    registry = Registry()
    many = [Reading((("peer", str(number)),), number) for number in range(5)]
    registry.measure(Metric("routed_peers", Kind.GAUGE, "Peers"), lambda: many)
    parts = list(expose(registry))
    assert [part.count(b"\nrouted_peers{") + part.startswith(b"routed_peers{") for part in parts] == [2, 2, 1, 0]
    assert sum(read(registry).values()) == 10


def test_what_is_cut_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_READINGS", 1)
    registry = Registry()
    registry.measure(
        Metric("routed_peers", Kind.GAUGE, "Peers"), lambda: [Reading((("peer", name),), 1) for name in "ab"]
    )
    assert read(registry) == {
        ("routed_peers", frozenset({("peer", "a")})): 1,
        ("routed_metrics_cut", frozenset({("metric", "routed_peers")})): 1,
    }


def test_a_metric_without_readings_is_still_declared() -> None:
    registry = Registry()
    registry.measure(Metric("routed_peers", Kind.GAUGE, "Peers"), list)
    assert written(registry).startswith("# HELP routed_peers Peers\n# TYPE routed_peers gauge\n# HELP ")
