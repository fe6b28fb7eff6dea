"""The log of counter samples."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from flowcorr.model.event import CounterSample, ExporterForgotten, ExporterSeen
from flowcorr.service import counter_log
from flowcorr.service.counter_log import CounterLog
from routed.plumbing.names import NameTemplate, Variable, parse_name
from tests.flowcorr.collect.test_samples import block, words
from tests.flowcorr.exports import NOW, packed
from tests.flowcorr.wire.test_sflow_counters import GENERIC_OCTETS, sample

COUNTERS = sample(block(1, GENERIC_OCTETS), block(2, words(*range(1, 14))), block(2000, b""))


class Kept:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.octets, self.rows, self.reopened, self.is_closed = b"", 0, 0, False

    def write(self, octets: bytes, rows: int) -> None:
        self.octets, self.rows = self.octets + octets, self.rows + rows

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> Deferred[None]:
        self.is_closed = True
        return succeed(None)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.octets.splitlines()]


class Rig:
    """A log and the files it opened."""

    def __init__(self, name: str = "counters-$peer_src_ip.json") -> None:
        self.files: dict[str, Kept] = {}
        self.log = CounterLog(template(name), self.open, lambda when: b"at %d" % when)

    def open(self, name: str) -> Any:
        self.files[name] = Kept()
        return self.files[name]


def template(name: str) -> NameTemplate:
    return parse_name(name, {"peer_src_ip": Variable.PEER_ADDRESS})


def event(agent: str = "10.0.0.1", octets: bytes = COUNTERS, sequence: int = 77) -> CounterSample:
    return CounterSample(packed(agent), 105, 0, sequence, NOW * 1_000_000, octets)


def test_each_kind_of_counters_is_a_record() -> None:
    rig = Rig()
    rig.log.hear(event())
    rig.log.hear(event(sequence=78))
    kept = rig.files["counters-10_0_0_1.json"]
    begin, generic, ethernet, *others = kept.lines()
    assert begin == {"seq": 0, "timestamp": f"at {NOW}", "peer_src_ip": "10.0.0.1", "event_type": "log_init"}
    assert list(generic)[:8] == [
        *("seq", "timestamp", "peer_ip_src", "event_type"),
        *("source_id_index", "sflow_seq", "sflow_cnt_seq", "sf_cnt_type"),
    ]
    assert list(generic.values())[:8] == [1, f"at {NOW}", "10.0.0.1", "log", 7, 77, 9, "sflow_cnt_generic"]
    assert (generic["ifIndex"], generic["ifOutOctets"]) == (7, 2**41)
    assert (ethernet["sf_cnt_type"], ethernet["dot3StatsSymbolErrors"]) == ("sflow_cnt_ethernet", 13)
    assert [row["sflow_seq"] for row in others] == [78, 78]
    counted = rig.log.counters
    assert (counted.samples, counted.rows, counted.skipped, counted.refused) == (2, 4, 2, 0)
    assert kept.rows == 5


def test_agents_may_share_a_file() -> None:
    rig = Rig("all.json")
    for agent in ("10.0.0.1", "2001:db8::1"):
        rig.log.hear(event(agent))
    (kept,) = rig.files.values()
    assert [row["event_type"] for row in kept.lines()] == ["log_init", "log", "log"] * 2
    rig.log.hear(ExporterForgotten(packed("10.0.0.1"), 105, 0))
    assert not kept.is_closed
    rig.log.hear(ExporterForgotten(packed("2001:db8::1"), 105, 0))
    assert kept.is_closed


def test_broken_samples_are_counted_and_open_no_file() -> None:
    rig = Rig()
    rig.log.hear(event(octets=COUNTERS[:40]))
    rig.log.hear(ExporterSeen(packed("10.0.0.1"), 105, 0))
    assert (rig.log.counters.refused, rig.files) == (1, {})


def test_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_log, "MOST_FILES", 2)
    rig = Rig()
    for last in (1, 2, 3, 1):
        rig.log.hear(event(f"10.0.0.{last}"))
    assert (len(rig.files), rig.log.counters.without_file) == (2, 1)
    rig.log.hear(ExporterForgotten(packed("10.0.0.1"), 105, 0))
    rig.log.hear(event("10.0.0.3"))
    assert len(rig.files) == 3


def test_files_are_opened_again_and_closed() -> None:
    rig = Rig()
    rig.log.hear(event())
    rig.log.reopen()
    assert rig.log.close().called
    (kept,) = rig.files.values()
    assert (kept.reopened, kept.is_closed) == (1, True)
