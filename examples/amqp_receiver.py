"""Receive records from an AMQP broker, as the daemons publish them: print them, or rebuild tables from them.

    python examples/amqp_receiver.py -e pmacct -k bgp -q my-queue --print
    python examples/amqp_receiver.py -e pmacct -k bgp -q my-queue --table --num 100000

A queue is declared and bound to the exchange; records that come while nobody receives are kept there if the queue is
durable (`--durable`). Records of Avro need the schemas that the daemon writes out (`*_avro_schema_file`).
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pika
from rebuilt_table import Tables

#: Records that the broker sends ahead of their acknowledgement.
AHEAD = 1_000


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Understand the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-e", "--exchange", required=True, help="where the daemon publishes")
    parser.add_argument("-k", "--routing_key", required=True, action="append", help="may be repeated")
    parser.add_argument("-q", "--queue", required=True, help="declared if it is not there")
    parser.add_argument("-H", "--host", default="localhost")
    parser.add_argument("-P", "--port", type=int, default=5_672)
    parser.add_argument("-V", "--vhost", default="/")
    parser.add_argument("-U", "--user", default="guest")
    parser.add_argument("-W", "--password", default="guest")
    parser.add_argument("-D", "--durable", action="store_true", help="the queue survives a restart of the broker")
    parser.add_argument("-a", "--avro", metavar="PATH", help="what the names of schema files begin with")
    parser.add_argument("-n", "--num", type=int, default=0, help="records to receive; 0 is for ever")
    parser.add_argument("-p", "--print", action="store_true", help="print each record")
    parser.add_argument("-u", "--url", help="post each record there")
    parser.add_argument("-t", "--table", action="store_true", help="rebuild tables, and print their routes at the end")
    return parser.parse_args(words)


def messages(options: argparse.Namespace) -> Iterator[tuple[Any, bytes]]:
    """Yield properties and bodies, each acknowledged when the next one is asked for."""
    credentials = pika.PlainCredentials(options.user, options.password)
    where = pika.ConnectionParameters(options.host, options.port, options.vhost, credentials)
    with pika.BlockingConnection(where) as connection:
        channel = connection.channel()
        channel.queue_declare(options.queue, durable=options.durable)
        for key in options.routing_key:
            channel.queue_bind(options.queue, options.exchange, key)
        channel.basic_qos(prefetch_count=AHEAD)
        for number, (method, properties, body) in enumerate(channel.consume(options.queue), 1):
            yield properties, body
            channel.basic_ack(method.delivery_tag)
            if number == options.num:
                channel.cancel()
                return


def records(properties: Any, body: bytes, avro: str | None) -> Iterator[dict[str, Any]]:
    """Yield the records of a message: several where lines were joined."""
    if properties.content_type == "avro/binary":
        import fastavro  # noqa: PLC0415 (only who receives Avro needs it)

        if avro is None:
            raise SystemExit("these records are Avro: say with --avro where their schemas are")
        record = fastavro.schemaless_reader(io.BytesIO(body), schema(f"{avro}-{properties.type}"), None)
        assert isinstance(record, dict)
        yield record
    else:
        yield from map(json.loads, body.splitlines())


@cache
def schema(path: str) -> Any:
    """Read a schema that the daemon has written out."""
    import fastavro  # noqa: PLC0415 (as above)

    return fastavro.parse_schema(json.loads(Path(path).read_text(encoding="utf-8")))


def main(words: Sequence[str]) -> None:
    """Receive."""
    options, tables = arguments(words), Tables()
    for properties, body in messages(options):
        for record in records(properties, body, options.avro):
            if options.table:
                tables.take(record)
            if options.print:
                print(json.dumps(record), flush=True)
            if options.url:
                headers = {"Content-Type": "application/json"}
                with urlopen(Request(options.url, json.dumps(record).encode(), headers)):
                    pass
    if options.table:
        for route in tables.routes():
            print(json.dumps(route))
        print(f"{len(tables)} routes", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(0)
