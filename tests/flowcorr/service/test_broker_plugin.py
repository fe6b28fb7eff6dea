"""A plugin that writes to a broker: topics, keys, encodings, markers, and a sink that has no room."""

import io
import json
from array import array
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import fastavro
import pytest
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.aggregation import Aggregation, AggregationSettings
from flowcorr.service.broker_writer import PATIENCE, BrokerOutput, BrokerWriter
from flowcorr.service.formats import schema_of
from flowcorr.service.markers import CLOSE, INIT
from flowcorr.service.plugins import FlowPlugin, Surroundings
from flowcorr.service.render import Output, RowSettings
from routed.plumbing.kafka_messages import messages_of
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.names import FLOW_KEY_VARIABLES, FLOW_TARGET_VARIABLES, parse_name
from routed.plumbing.parcel import Address, Parcel, rows_of
from routed.plumbing.sink import Framing
from tests.flowcorr.service.test_print_plugin import START, Lines, at_once

PID = 4711
WRITER = f"p/{PID}"


class Place:
    """A sink that keeps what it is given, while it has room."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        self.has_room = self.is_open = True
        self.reopened = 0

    def take(self, address: Address, octets: bytes, rows: int, framing: Framing) -> None:
        self.parcels.append(Parcel(len(self.parcels) + 1, address, octets, rows, framing))

    def ready(self) -> Deferred[None] | None:
        return None if self.has_room else Deferred()

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> Deferred[None]:
        self.is_open = False
        return succeed(None)

    def messages(self, target: str | None = None, settings: KafkaSettings | None = None) -> list[bytes]:
        """Return the messages for a target, as Kafka gets them."""
        settings = settings or KafkaSettings(servers="k:1", keys="k_")
        found = []
        for parcel in self.parcels:
            if target in {None, parcel.address.target}:
                messages = messages_of(parcel, settings)
                each = messages if isinstance(messages, list) else messages.each()
                found += [message.value or b"" for message in each]
        return found


class Daemon:
    """A plugin, the clock it looks at, and records for it."""

    def __init__(self, *, aggregate: str = "tag", topic: str = "flows", key: str | None = None, **options: Any) -> None:
        self.clock, self.patience, self.log, self.place, self.texts = Clock(), Clock(), Lines(), Place(), Texts()
        self.clock.advance(START)
        chosen = parse_aggregate(aggregate, "nfacctd")
        layout = Layout([*ALWAYS, *chosen.columns])
        aggregation = Aggregation(layout, chosen, self.texts, AggregationSettings(refresh=60, roundoff="m"), START)
        settings = BrokerOutput(
            target=parse_name(topic, FLOW_TARGET_VARIABLES),
            key=None if key is None else parse_name(key, FLOW_KEY_VARIABLES),
            **options,
        )
        self.rows = RowSettings(output=settings.output, utc=True, writer_id=WRITER)
        self.schema = schema_of(chosen, aggregation.plan, self.rows)
        self.writer = BrokerWriter(
            settings, self.rows, chosen, aggregation.plan, self.place, self.from_thread, self.patience
        )
        around = Surroundings(clock=self.clock, in_thread=at_once, log=self.log, pid=PID, wall_clock=self.clock.seconds)
        self.plugin = FlowPlugin("p", aggregation, self.writer, around, most_waiting=2)
        self.batch = Batch(layout, 4_096)
        self.plugin.start()

    def from_thread(self, work: Callable[[], Deferred[Any]]) -> Any:
        """Call something and wait, which lets time pass."""
        results: list[Any] = []
        work().addBoth(results.append)
        if not results:
            self.patience.advance(PATIENCE)
        (result,) = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

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


def row(tag: int, **others: Any) -> dict[str, Any]:
    return {"event_type": "purge", "tag": tag, **others, "packets": 1, "bytes": 0, "writer_id": WRITER}


def test_rows_are_messages_that_say_who_wrote_them() -> None:
    daemon = Daemon()
    daemon.take({"tag": 1, "packets": 1}, {"tag": 2, "packets": 1})
    daemon.until(START + 60)
    assert [json.loads(message) for message in daemon.place.messages("flows")] == [row(1), row(2)]
    assert daemon.place.messages()[0].endswith(b', "writer_id": "p/4711"}')
    assert daemon.log.lines[-1] == f"INFO *** Purging cache - END (PID: {PID}, QN: 2/2, ET: 0) ***"
    assert daemon.plugin.counters.rows_written == 2


def test_topics_and_keys_follow_entries() -> None:
    daemon = Daemon(aggregate="tag, src_host, proto", topic="flows_$tag", key="$src_host-$proto")
    host = bytes(10) + b"\xff\xff\xc0\x00\x02\x01"
    daemon.take(
        {"tag": 1, "src_host": host, "proto": 17, "packets": 1},
        {"tag": 2, "src_host": host, "proto": 6, "packets": 1},
        {"tag": 1, "src_host": host, "proto": 6, "packets": 1},
    )
    daemon.until(START + 60)
    keys = sorted((parcel.address.target, parcel.address.key, parcel.rows) for parcel in daemon.place.parcels)
    assert keys == [("flows_1", b"192_0_2_1-17", 1), ("flows_1", b"192_0_2_1-6", 1), ("flows_2", b"192_0_2_1-6", 1)]
    assert {parcel.address.source for parcel in daemon.place.parcels} == {b""}


def test_buffers_without_a_key_take_turns_at_partitions() -> None:
    daemon = Daemon(aggregate="src_port, as_path")
    for port in range(4_000):
        daemon.take({"src_port": port, "as_path": daemon.texts.id_of(b"1_" * 500), "packets": 1})
    daemon.until(START + 60)
    sources = [parcel.address.source for parcel in daemon.place.parcels]
    assert len(set(sources)) == len(sources) > 1
    assert sum(parcel.rows for parcel in daemon.place.parcels) == 4_000


def test_markers_stand_around_the_rows_of_each_topic() -> None:
    daemon = Daemon(topic="flows_$tag", markers=True)
    daemon.take({"tag": 1, "packets": 1}, {"tag": 2, "packets": 1})
    daemon.until(START + 60)
    for tag in (1, 2):
        opening, flow, closing = map(json.loads, daemon.place.messages(f"flows_{tag}"))
        assert opening == {"event_type": "purge_init", "writer_id": WRITER}
        assert flow == row(tag)
        assert list(closing) == ["event_type", "writer_id", "purged_entries", "total_entries", "duration"]
        assert (closing["purged_entries"], closing["total_entries"]) == (2, 2)


def test_an_empty_flush_has_its_markers() -> None:
    daemon = Daemon(markers=True)
    daemon.until(START + 60)
    opening, closing = map(json.loads, daemon.place.messages("flows"))
    assert (opening["event_type"], closing["event_type"], closing["total_entries"]) == ("purge_init", "purge_close", 0)


def test_avro_rows_and_markers_have_their_schemas() -> None:
    daemon = Daemon(output=Output.AVRO, markers=True)
    daemon.take({"tag": 1, "packets": 3})
    daemon.until(START + 60)
    schemas = {one.key: fastavro.parse_schema(json.loads(one.text)) for one in (daemon.schema, INIT, CLOSE)}
    found = []
    for parcel in daemon.place.parcels:
        (octets,) = rows_of(parcel)
        found.append(fastavro.schemaless_reader(io.BytesIO(octets), schemas[parcel.framing.schema], None))
    assert [one.get("event_type") for one in found] == ["purge_init", None, "purge_close"]
    assert (found[1]["tag"], found[1]["packets"], found[1]["writer_id"]) == (1, 3, WRITER)


@pytest.mark.parametrize(("records", "messages"), [(0, [1] * 5), (1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (6, [5])])
def test_a_message_has_so_many_records_of_avro(records: int, messages: list[int]) -> None:
    daemon = Daemon(output=Output.AVRO, bundle=records)
    daemon.take(*({"tag": tag, "packets": 1} for tag in range(5)))
    daemon.until(START + 60)
    schema = fastavro.parse_schema(json.loads(daemon.schema.text))
    (parcel,) = daemon.place.parcels
    found = []
    for octets in rows_of(parcel):
        stream, tags = io.BytesIO(octets), []
        while stream.tell() < len(octets):
            tags.append(fastavro.schemaless_reader(stream, schema, None)["tag"])
        found.append(tags)
    assert [len(tags) for tags in found] == messages
    assert [tag for tags in found for tag in tags] == list(range(5))


@pytest.mark.parametrize("output", [Output.JSON, Output.AVRO_JSON])
def test_a_message_has_so_many_octets_of_json(output: Output) -> None:
    whole = Daemon(output=output)
    daemon = Daemon(output=output, bundle=250)
    for one in (whole, daemon):
        one.take(*({"tag": tag, "packets": 1} for tag in range(5)))
        one.until(START + 60)
    rows = rows_of(whole.place.parcels[0])
    (parcel,) = daemon.place.parcels
    messages = rows_of(parcel)
    assert len(messages) < len(rows)
    assert all(len(message) <= 250 or b"\n" not in message for message in messages)
    assert b"\n".join(messages).split(b"\n") == rows
    assert all(json.loads(line)["writer_id"] == WRITER for message in messages for line in message.split(b"\n"))
    ends = array("I", parcel.framing.ends)
    assert [end - start for start, end in pairwise([0, *ends])] == [len(message) for message in messages]


def test_a_sink_without_room_puts_a_flush_off_and_nothing_comes_twice() -> None:
    daemon = Daemon(markers=True)
    daemon.place.has_room = False
    daemon.take({"tag": 1, "packets": 1})
    daemon.until(START + 60)
    assert daemon.log.lines[-1].startswith("ERROR the broker has confirmed too little")
    assert (daemon.place.parcels, daemon.plugin.counters.failures) == ([], 1)
    daemon.place.has_room = True
    daemon.until(START + 70)
    events = [json.loads(message)["event_type"] for message in daemon.place.messages()]
    assert events == ["purge_init", "purge", "purge_close"]
    assert daemon.plugin.counters.rows_written == 1


def test_the_end_and_a_fresh_connection_reach_the_sink() -> None:
    daemon = Daemon()
    daemon.take({"tag": 1, "packets": 1})
    daemon.plugin.reopen()
    daemon.stop()
    assert daemon.place.reopened == 1
    assert not daemon.place.is_open
    assert len(daemon.place.messages()) == 1
