"""The `print` plugin from records to files, with a clock that tests move."""

import errno
import json
import os
from collections.abc import Callable
from datetime import UTC
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import fastavro
import pytest
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.internet.task import Clock

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.aggregation import Aggregation, AggregationSettings
from flowcorr.correlate.bins import Length
from flowcorr.service import print_writer
from flowcorr.service.plugins import FlowPlugin, Surroundings, stop_all
from flowcorr.service.print_settings import PrintSettings
from flowcorr.service.print_writer import PrintWriter
from flowcorr.service.render import Output, RowSettings
from routed.plumbing import fifo
from routed.plumbing.buffer import Buffer, Written
from routed.plumbing.names import FLOW_VARIABLES, NameTemplate, parse_name
from routed.plumbing.output_file import Replacement, open_output, open_replacement

T = TypeVar("T")
START = 6_000.0
PID = 4321
CLOSING = '{"event_type": "purge_close", "writer_id": "p/4321", "purged_entries": 1, "total_entries": 1, "duration": 0}'


class Lines:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(f"INFO {text}")

    def warning(self, text: str) -> None:
        self.lines.append(f"WARN {text}")

    def error(self, text: str) -> None:
        self.lines.append(f"ERROR {text}")


def dated(text: str) -> NameTemplate:
    return parse_name(text, FLOW_VARIABLES, dated=True)


def at_once(work: Callable[[], T]) -> Deferred[T]:
    return execute(work)


class Daemon:
    """A plugin, the clock it looks at, and records for it."""

    def __init__(
        self,
        folder: Path,
        file: str | None = "out.json",
        *,
        aggregate: str = "tag",
        output: Output = Output.JSON,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.clock, self.log, self.folder = Clock(), Lines(), folder
        self.clock.advance(START)
        chosen = parse_aggregate(aggregate, "nfacctd")
        how = AggregationSettings(**{"refresh": 60, "roundoff": "m", "zone": UTC, **(options or {})})
        self.texts = Texts()
        layout = Layout([*ALWAYS, *chosen.columns])
        aggregation = Aggregation(layout, chosen, self.texts, how, START)
        where = PrintSettings(
            name="p",
            output=output,
            file=dated(str(folder / file)) if file else None,
            zone=UTC,
            **{key: dated(str(folder / value)) if key == "latest" else value for key, value in settings.items()},
        )
        rows = RowSettings(output=output, utc=True, has_history=how.history is not None)
        self.writer = PrintWriter(where, rows, chosen, aggregation.plan, PID)
        around = Surroundings(clock=self.clock, in_thread=at_once, log=self.log, pid=PID, wall_clock=self.clock.seconds)
        self.plugin = FlowPlugin("p", aggregation, self.writer, around, most_waiting=2)
        self.aggregation, self.batch = aggregation, Batch(layout, 64)
        self.plugin.start()

    def take(self, *rows: dict[str, Any]) -> None:
        for row in rows:
            self.batch.append(**row)
        self.plugin.take(self.batch, None)
        self.batch.clear()
        self.texts.sweep()

    def until(self, moment: float) -> None:
        while self.clock.seconds() < moment:
            self.clock.advance(min(1.0, moment - self.clock.seconds()))

    def stop(self) -> None:
        done: list[object] = []
        ensureDeferred(self.plugin.stop()).addBoth(done.append)
        for _ in range(100):
            self.clock.advance(0.5)
        assert done == [None]

    def rows(self, name: str = "out.json") -> list[Any]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def tags(self, name: str = "out.json") -> list[int]:
        return [row["tag"] for row in self.rows(name)]


MINUTES: dict[str, Any] = {"history": Length(seconds=60)}


def test_what_is_finished_is_written_and_let_go(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, aggregate="tag, as_path")
    daemon.take({"tag": 1, "as_path": daemon.texts.id_of(b"64500"), "packets": 2})
    daemon.until(START + 59)
    assert not (tmp_path / "out.json").exists()
    daemon.until(START + 60)
    expected = {"event_type": "purge", "tag": 1, "as_path": "64500", "packets": 2, "bytes": 0}
    assert daemon.rows() == [expected]
    assert daemon.log.lines == [
        f"INFO *** Purging cache - START (PID: {PID}) ***",
        f"INFO *** Purging cache - END (PID: {PID}, QN: 1/1, ET: 0) ***",
    ]
    assert (daemon.texts.count, daemon.aggregation.entries) == (0, 0)
    assert (daemon.plugin.counters.rows_written, daemon.plugin.counters.flushes_waiting) == (1, 0)


def test_an_empty_flush_is_logged_and_makes_no_file(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.until(START + 60)
    assert daemon.log.lines[1] == f"INFO *** Purging cache - END (PID: {PID}, QN: 0/0, ET: 0) ***"
    assert list(tmp_path.iterdir()) == []


def test_empty_files_where_they_are_asked_for(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "%H%M.csv", output=Output.CSV, empty_files=True, options=MINUTES)
    daemon.until(START + 60)
    assert [path.name for path in tmp_path.iterdir()] == ["0140.csv"]
    assert (tmp_path / "0140.csv").read_text() == "TAG,PACKETS,BYTES\n"


def test_records_of_the_next_bin_do_not_come_into_the_flush(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, append=True, options=MINUTES)
    daemon.take({"tag": 1})
    daemon.clock.rightNow = START + 60  # the reactor was busy: its timer comes after the records
    daemon.take({"tag": 2})
    assert daemon.tags() == [1]


def test_without_append_a_static_name_holds_the_last_flush(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    for tag in (1, 2):
        daemon.take({"tag": tag})
        daemon.until(START + 60 * tag)
    assert daemon.tags() == [2]


def test_with_append_rows_follow_each_other_under_one_header(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, output=Output.CSV, append=True)
    for tag in (1, 2):
        daemon.take({"tag": tag})
        daemon.until(START + 60 * tag)
    assert (tmp_path / "out.json").read_text() == "TAG,PACKETS,BYTES\n1,0,0\n2,0,0\n"


def test_late_rows_do_not_erase_those_of_their_bin(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "%H%M.json", options=MINUTES)
    second = 1_000_000
    daemon.take({"tag": 1, "bin_time": int(START) * second})
    daemon.until(START + 60)
    daemon.take({"tag": 2, "bin_time": int(START + 5) * second}, {"tag": 3, "bin_time": int(START + 65) * second})
    daemon.until(START + 120)
    assert daemon.tags("0140.json") == [1, 2]
    assert daemon.tags("0141.json") == [3]


def test_names_follow_their_variables(tmp_path: Path) -> None:
    daemon = Daemon(
        tmp_path,
        "$peer_src_ip/$tag-$tag2-$ref-$hst-%H.json",
        aggregate="peer_src_ip, tag, tag2",
        options=MINUTES,
        refresh=60,
        history=60,
    )
    ipv4, ipv6 = IPV4_MAPPED + bytes([192, 0, 2, 1]), bytes.fromhex("20010db8") + bytes(11) + b"\1"
    daemon.take(
        {"peer_src_ip": ipv4, "tag": 1, "tag2": 2**64 - 1, "packets": 1},
        {"peer_src_ip": ipv6, "packets": 2},
        {"peer_src_ip": ipv4, "tag": 1, "tag2": 2**64 - 1, "bin_time": 5_900_000_000, "packets": 4},
        {"packets": 8},
    )
    daemon.until(START + 60)
    assert [row["packets"] for row in daemon.rows(f"192_0_2_1/1-{2**64 - 1}-60-60-01.json")] == [4, 1]
    assert [row["packets"] for row in daemon.rows("2001_db8__1/0-0-60-60-01.json")] == [2]
    assert [row["packets"] for row in daemon.rows("unknown/0-0-60-60-01.json")] == [8]


def test_the_link_leads_to_the_latest_file(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "%H%M.json", options=MINUTES, latest="latest.json")
    daemon.take({"tag": 1, "bin_time": 5_880_000_000}, {"tag": 2})
    daemon.until(START + 60)
    assert (tmp_path / "latest.json").readlink() == tmp_path / "0140.json"


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (Output.CSV, ["--START (4321)--", "TAG,PACKETS,BYTES", "7,0,0", "--END (4321)--"]),
        (
            Output.JSON,
            [
                '{"event_type": "purge_init", "writer_id": "p/4321"}',
                '{"event_type": "purge", "tag": 7, "packets": 0, "bytes": 0}',
                CLOSING,
            ],
        ),
    ],
)
def test_markers_stand_around_rows(tmp_path: Path, output: Output, lines: list[str]) -> None:
    daemon = Daemon(tmp_path, output=output, markers=True)
    daemon.take({"tag": 7})
    daemon.until(START + 60)
    assert (tmp_path / "out.json").read_text().splitlines() == lines


def test_a_table_that_is_full_is_written_at_once_and_is_no_latest_file(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, append=True, latest="latest.json", options={"most_entries": 2})
    daemon.take(*({"tag": tag} for tag in range(5)))
    daemon.clock.advance(0)
    assert daemon.tags() == [0, 1, 2, 3]
    assert not (tmp_path / "latest.json").exists()
    assert daemon.plugin.counters.flushes_early == 2
    assert "INFO Finished cache entries. Purging." in daemon.log.lines
    daemon.stop()
    assert daemon.tags() == [0, 1, 2, 3, 4]


def test_at_the_end_everything_is_written(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, append=True, options=MINUTES)
    daemon.take({"tag": 1}, {"tag": 2, "bin_time": 8_000_000_000})
    daemon.stop()
    assert daemon.tags() == [1, 2]


def test_a_destination_that_fails_is_tried_again_and_nothing_is_lost(tmp_path: Path) -> None:
    place = tmp_path / "there"
    place.write_text("in the way")
    daemon = Daemon(tmp_path, "there/out.json", append=True)
    daemon.take({"tag": 1})
    daemon.until(START + 62)
    assert [line for line in daemon.log.lines if "ERROR" in line] == [f"ERROR {place}: File exists: retrying"]
    place.unlink()
    daemon.until(START + 70)
    assert daemon.tags("there/out.json") == [1]
    assert daemon.log.lines[-2] == "INFO written again"
    assert daemon.plugin.counters.rows_lost == 0


def test_when_too_much_waits_the_oldest_is_given_up_and_counted(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("in the way")
    daemon = Daemon(tmp_path, "there/out.json", append=True)
    for number in range(4):
        daemon.take({"tag": number})
        daemon.until(START + 60 * (number + 1))
    assert daemon.plugin.counters.rows_lost == 1
    assert f"ERROR {tmp_path / 'there'}: File exists: given up, 1 rows lost" in daemon.log.lines
    (tmp_path / "there").unlink()
    daemon.stop()
    assert daemon.tags("there/out.json") == [1, 2, 3]


def test_an_end_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("in the way")
    daemon = Daemon(tmp_path, "there/out.json")
    daemon.take({"tag": 1})
    daemon.stop()
    assert daemon.plugin.counters.rows_lost == 1


class FullOnce:
    """An output that takes one buffer and then refuses."""

    warning, torn = "", False

    def __init__(self, refusals: list[OSError], output: Any) -> None:
        self.refusals, self.output = refusals, output
        self.close = output.close

    def append(self, buffers: list[Buffer]) -> Any:
        if self.refusals and buffers[0].octets.startswith(b"{"):
            return Written(0, error=self.refusals.pop())
        return self.output.append(buffers)


@pytest.mark.parametrize("append", [True, False])
def test_a_full_disk_costs_no_row_and_doubles_none(
    tmp_path: Path, append: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [OSError(errno.ENOSPC, "No space left on device")]
    monkeypatch.setattr(print_writer, "open_output", lambda *at: FullOnce(refusals, open_output(*at)))

    def replace(*at: Any) -> Replacement:
        made = open_replacement(*at)
        return Replacement(FullOnce(refusals, made.output), made.target, made.temporary)

    monkeypatch.setattr(print_writer, "open_replacement", replace)
    daemon = Daemon(tmp_path, append=append)
    daemon.take({"tag": 1}, {"tag": 2})
    daemon.until(START + 62)
    assert daemon.tags() == [1, 2]
    assert daemon.plugin.counters.rows_written == 2


def test_standard_output_has_one_header(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = Daemon(tmp_path, None, output=Output.CSV, lock_file=tmp_path / "lock")
    for tag in (1, 2):
        daemon.take({"tag": tag})
        daemon.until(START + 60 * tag)
    assert capfd.readouterr().out == "TAG,PACKETS,BYTES\n1,0,0\n2,0,0\n"
    assert (tmp_path / "lock").exists()


def test_a_fifo_that_nobody_reads_loses_rows_and_says_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.json")
    daemon = Daemon(tmp_path, aggregate="tag, label", append=True)
    daemon.take(*({"tag": tag, "label": daemon.texts.id_of(b"x" * 60_000)} for tag in range(3)))
    daemon.until(START + 62)
    counters = daemon.plugin.counters
    assert counters.rows_lost > 0
    assert counters.rows_written + counters.rows_lost == 3
    assert daemon.log.lines[-1] == f"WARN nobody reads the output: {counters.rows_lost} rows lost"


def test_a_reader_of_a_fifo_that_falls_behind_reads_whole_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush whose end found no room is ended by the next one; rows whose container did not begin are lost."""
    monkeypatch.setattr(fifo, "PATIENCE_MS", 0)
    os.mkfifo(tmp_path / "out.avro")
    reader = os.open(tmp_path / "out.avro", os.O_RDONLY | os.O_NONBLOCK)
    daemon = Daemon(tmp_path, "out.avro", aggregate="tag, label", output=Output.AVRO)
    for flush in range(1, 4):
        label = daemon.texts.id_of(b"\n" * 25_000)
        daemon.take(*({"tag": 10 * flush + number, "label": label} for number in range(3)))
        daemon.until(START + 60 * flush + 2)
    got = os.read(reader, 1 << 20)
    daemon.take({"tag": 41})
    daemon.until(START + 242)
    got += os.read(reader, 1 << 20)
    os.close(reader)
    first, last = (b"Obj\1" + one for one in got.split(b"Obj\1")[1:])
    assert [row["tag"] for row in fastavro.reader(BytesIO(first))] == [10, 11, 12]
    assert [row["tag"] for row in fastavro.reader(BytesIO(last))] == [41]
    counters = daemon.plugin.counters
    assert (counters.rows_written, counters.rows_lost) == (4, 6)


def test_a_plugin_whose_end_hangs_keeps_no_other_from_writing(tmp_path: Path) -> None:
    class Hanging:
        async def stop(self) -> None:
            await Deferred()

    daemon = Daemon(tmp_path)
    daemon.take({"tag": 1})
    over = ensureDeferred(stop_all([Hanging(), daemon.plugin]))
    daemon.clock.advance(1)
    assert daemon.tags() == [1]
    assert not over.called


def test_entries_are_let_go_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcorr.service.plugins.RELEASED", 2)
    daemon = Daemon(tmp_path)
    turns: list[int] = []
    call_later = daemon.clock.callLater

    def spy(delay: float, *call: Any) -> Any:
        turns.extend([daemon.aggregation.entries] * (delay == 0))
        return call_later(delay, *call)

    monkeypatch.setattr(daemon.clock, "callLater", spy)
    daemon.take(*({"tag": tag} for tag in range(5)))
    daemon.until(START + 60)
    assert [entries for entries in turns if entries] == [3, 1]
    assert daemon.aggregation.entries == 0


def test_containers_are_whole_and_take_more_records(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "out.avro", output=Output.AVRO, append=True, markers=True)
    for tag in (1, 2):
        daemon.take({"tag": tag})
        daemon.until(START + 60 * tag)
    with (tmp_path / "out.avro").open("rb") as file:
        assert [row["tag"] for row in fastavro.reader(file)] == [1, 2]


@pytest.mark.parametrize("content", [b"no container", b"Obj\1\2\x80\x80\x80", None])
def test_what_is_no_container_of_these_records_is_left_alone(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        other = Daemon(tmp_path, "out.avro", aggregate="tos", output=Output.AVRO)
        other.take({"tos": 1})
        other.stop()
        content = (tmp_path / "out.avro").read_bytes()
    (tmp_path / "out.avro").write_bytes(content)
    daemon = Daemon(tmp_path, "out.avro", output=Output.AVRO, append=True)
    daemon.take({"tag": 1})
    daemon.until(START + 61)
    assert "container" in daemon.log.lines[-1]
    assert (tmp_path / "out.avro").read_bytes() == content
