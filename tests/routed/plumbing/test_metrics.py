from routed.plumbing.metrics import Registry, Sample, SinkCounters


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
