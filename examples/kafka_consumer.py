"""Receive records from Kafka, as the daemons produce them: print them, send them on, or rebuild tables from them.

    python examples/kafka_consumer.py -t pmacct.bgp -g my-group -e --print
    python examples/kafka_consumer.py -t pmacct.bgp -g my-group -e --table --until-end

Records of Avro need the schemas that the daemon writes out (`*_avro_schema_file`), or the registry that it used.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from urllib.request import Request, urlopen

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from rebuilt_table import Tables

#: Messages fetched at a time, and how long they are waited for. Units: seconds.
BATCH, PATIENCE = 10_000, 1.0
#: How long the broker may take to answer. Units: seconds.
BROKER_PATIENCE = 10.0
#: Octets in front of an Avro record that a registry knows: a zero and the number of its schema.
HEAD = 5


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Understand the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", "--topic", required=True)
    parser.add_argument("-g", "--group_id", required=True, help="who shares a group shares the records")
    parser.add_argument("-H", "--host", default="127.0.0.1:9092", help="broker, or a list")
    parser.add_argument("-X", "--property", action="append", default=[], help="of librdkafka: name=value")
    parser.add_argument("-e", "--earliest", action="store_true", help="begin with the oldest record, not with new ones")
    parser.add_argument("-a", "--avro", metavar="FILE", help="the schema of the records")
    parser.add_argument("-r", "--registry", metavar="URL", help="who knows their schemas")
    parser.add_argument("-n", "--num", type=int, default=0, help="messages to receive; 0 is for ever")
    parser.add_argument("-E", "--until-end", action="store_true", help="stop where the topic ends now")
    parser.add_argument("-p", "--print", action="store_true", help="print each record")
    parser.add_argument("-T", "--to_topic", help="produce each record there")
    parser.add_argument("-u", "--url", help="post each record there")
    parser.add_argument("--table", action="store_true", help="rebuild tables, and print their routes at the end")
    return parser.parse_args(words)


def messages(options: argparse.Namespace) -> Iterator[Message]:
    """Yield the messages of the topic, in the order of each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": options.host,
            "group.id": options.group_id,
            "auto.offset.reset": "earliest" if options.earliest else "latest",
            "enable.auto.commit": not options.until_end,  # who reads all takes nothing from the group
            **dict(each.split("=", 1) for each in options.property),
        }
    )
    left: dict[int, int] = {}  # partitions that have not ended, with the offset of their end
    if options.until_end:
        left = _take_all(consumer, options.topic)
    else:
        consumer.subscribe([options.topic])
    number = 0
    try:
        while left or not options.until_end:
            for message in consumer.consume(BATCH, PATIENCE):
                if (error := message.error()) is not None:
                    if error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise KafkaException(error)
                    continue  # the library goes on trying
                yield message
                number += 1
                if number == options.num:
                    return
                if message.offset() + 1 >= left.get(message.partition(), 0):
                    left.pop(message.partition(), None)
    finally:
        consumer.close()


def _take_all(consumer: Consumer, topic: str) -> dict[int, int]:
    """Read all partitions from their beginning; where each of them ends now, unless it is empty."""
    partitions = consumer.list_topics(topic, timeout=BROKER_PATIENCE).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    ends = {}
    for number in partitions:
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=BROKER_PATIENCE)
        if end > first:
            ends[number] = end
    return ends


def records(value: bytes, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the records of a message: several where rows were joined (`kafka_multi_values`)."""
    if options.registry or options.avro:
        import fastavro  # noqa: PLC0415 (only who receives Avro needs it)

        octets = io.BytesIO(value)
        if options.registry:
            schema = from_registry(options.registry, int.from_bytes(octets.read(HEAD)[1:], "big"))
        else:
            schema = from_file(options.avro)
        record = fastavro.schemaless_reader(octets, schema, None)
        assert isinstance(record, dict)
        yield record
    else:
        yield from map(json.loads, value.splitlines())


@cache
def from_registry(url: str, number: int) -> Any:
    """Ask a registry for a schema."""
    import fastavro  # noqa: PLC0415 (as above)

    with urlopen(f"{url}/schemas/ids/{number}") as answer:
        return fastavro.parse_schema(json.loads(json.load(answer)["schema"]))


@cache
def from_file(path: str) -> Any:
    """Read a schema that the daemon has written out."""
    import fastavro  # noqa: PLC0415 (as above)

    return fastavro.schema.load_schema(path)


def send_on(record: dict[str, Any], key: bytes | None, options: argparse.Namespace, producer: Producer | None) -> None:
    """Print a record, produce it anew or post it, as was asked for."""
    text = json.dumps(record)
    if options.print:
        print(text, flush=True)
    if producer is not None:
        producer.produce(options.to_topic, text, key)
        producer.poll(0)
    if options.url:
        with urlopen(Request(options.url, text.encode(), {"Content-Type": "application/json"})):
            pass


def main(words: Sequence[str]) -> None:
    """Receive."""
    options, tables = arguments(words), Tables()
    producer = Producer({"bootstrap.servers": options.host}) if options.to_topic else None
    for message in messages(options):
        value = message.value()
        if value is None:
            continue  # the route of this key is gone, for whoever compacts the topic
        for record in records(value, options):
            if options.table:
                tables.take(record)
            send_on(record, message.key(), options, producer)
    if producer is not None:
        producer.flush()
    if options.table:
        for route in tables.routes():
            print(json.dumps(route))
        print(f"{len(tables)} routes", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(0)
