"""Dumps of a full table to Kafka: rows a second from the first in the topic to the last, daemon and broker together.

One broker on the same machine takes the dumps of all daemons, each with its own topic of one partition.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.bench import cases, report
from tests.bench.daemons import OURS, PMBGPD, Kind
from tests.bench.measure import CpuMeter
from tests.peers.kafka import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.bench.cases import Ground, Load
    from tests.bench.plan import Measuring

#: A Java for work.
LARGE_JAVA: Final = ("-Xms1g", "-Xmx1g", "-XX:+UseG1GC")
#: Octets of one message where several rows share it.
BUNDLE: Final = 65_536
SEVERAL: Final = replace(
    OURS, name="ours, several rows a message", extra={"bgp_table_dump_kafka_multi_values": str(BUNDLE)}
)
KINDS: Final = (OURS, SEVERAL, PMBGPD)
#: The client library without a daemon: what can be had at all.
ALONE: Final = "the client library alone"
ROW: Final = bytes(330)
BATCH, MOST_UNDER_WAY = 512, 50_000
#: Rounds that do not count: the broker goes on compiling itself in those that follow the first.
WARM_UPS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumped:
    """What a dump to the broker cost the daemon, and the broker."""

    rows: int
    cpu: float
    wall: float
    broker_cpu: float
    pause_ms: float | None
    busy_ms: float | None


def compressed(folder: Path) -> Kind:
    """Return ours with batches that the client library compresses."""
    properties = folder / "librdkafka.conf"
    properties.write_text("global, compression.codec, lz4\n")
    return replace(OURS, name="ours, compressed", extra={"bgp_table_dump_kafka_config_file": str(properties)})


class Topic:
    """How far a topic has come."""

    def __init__(self, broker: Broker, name: str) -> None:
        self._partition = TopicPartition(name, 0)
        self._consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "bench", "log_level": "0"})

    def end(self) -> int:
        """Return how many messages it has."""
        return int(self._consumer.get_watermark_offsets(self._partition, timeout=10)[1])


@contextmanager
def kafka(folder: Path) -> Iterator[Broker]:
    """Run a broker that keeps little."""
    broker = Broker(folder, {"num.partitions": "1", "log.retention.bytes": str(1 << 30)}, java=LARGE_JAVA)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def dump(ground: Ground, kind: Kind, load: Load, broker: Broker, topic: str) -> Dumped:
    """Dump the tables at the next full minute, from the first sign in the topic until it has grown no more."""
    broker.create(topic, 1)
    keys = {
        f"{kind.dump}_kafka_topic": topic,
        f"{kind.dump}_kafka_broker_host": broker.address.partition(":")[0],
        f"{kind.dump}_kafka_broker_port": str(broker.port),
        f"{kind.dump}_refresh_time": "60",
        f"{kind.dump}_file": "",
    }
    if kind.name != PMBGPD.name:
        keys[f"{kind.dump}_spool_directory"] = "{folder}/spool"
    seen = Topic(broker, topic)
    several = "kafka_multi_values" in " ".join(kind.extra)
    with ground.start(kind, **keys) as daemon:
        player, _ = cases.play(daemon, load)
        meter, broker_meter = CpuMeter(daemon.pid), CpuMeter(broker.pid)
        while True:
            base = seen.end()
            player.stay(until=lambda base=base: seen.end() > base)
            begin, before, broker_before = time.monotonic(), meter.seconds(), broker_meter.seconds()
            sizes = [(begin, seen.end())]

            def is_over(base: int = base, sizes: list[tuple[float, int]] = sizes) -> bool:
                now, end = time.monotonic(), seen.end()
                if end != sizes[-1][1]:
                    sizes.append((now, end))
                return end - base >= load.routes + 2 if not several else now - sizes[-1][0] > cases.SETTLED

            player.stay(until=is_over)
            if several or sizes[-1][1] - base >= load.routes:
                break
        wall = max(0.001, sizes[-1][0] - begin)
        cpu, broker_cpu = meter.seconds() - before, broker_meter.seconds() - broker_before
        player.close()
    pause_ms, busy_ms = cases.longest_pause(daemon)
    return Dumped(rows=load.routes, cpu=cpu, wall=wall, broker_cpu=broker_cpu, pause_ms=pause_ms, busy_ms=busy_ms)


def alone(broker: Broker, topic: str, rows: int) -> Dumped:
    """Produce rows of a usual length with nothing but the client library, as fast as it takes them."""
    broker.create(topic, 1)
    producer = Producer({"bootstrap.servers": broker.address, "enable.idempotence": "true", "linger.ms": "5"})
    left = [rows]

    def delivered(_error: object, _message: object) -> None:
        left[0] -= 1

    cpu, broker_meter, begin = time.process_time(), CpuMeter(broker.pid), time.monotonic()
    for _ in range(rows // BATCH):
        producer.produce_batch(topic, [{"value": ROW} for _ in range(BATCH)], partition=0, on_delivery=delivered)
        while len(producer) > MOST_UNDER_WAY:
            producer.poll(0.005)
    producer.flush()
    return Dumped(
        rows=rows - left[0],
        cpu=time.process_time() - cpu,
        wall=time.monotonic() - begin,
        broker_cpu=broker_meter.seconds(),
        pause_ms=None,
        busy_ms=None,
    )


def compare(measuring: Measuring, folder: Path) -> str:
    """Let the daemons take turns at a broker that has compiled itself, and keep each one's fastest round."""
    streams, routes = measuring.full_views(1)
    load = cases.Load(name="generated", streams=streams, peers=1, routes=routes)
    best: dict[str, Dumped] = {}
    numbers = count()
    with kafka(folder) as broker:
        for number in range(WARM_UPS):
            alone(broker, f"warm-{number}", routes)
        for _ in range(measuring.plan.rounds):
            for kind in measuring.plan.among((*KINDS, compressed(folder))):
                one = dump(measuring.ground, kind, load, broker, f"dump-{next(numbers)}")
                sys.stderr.write(f"kafka, {kind.name}: {one}\n")
                if kind.name not in best or one.wall < best[kind.name].wall:
                    best[kind.name] = one
            one = alone(broker, f"alone-{next(numbers)}", routes)
            sys.stderr.write(f"kafka, {ALONE}: {one}\n")
            if ALONE not in best or one.wall < best[ALONE].wall:
                best[ALONE] = one
    return table(best)


def table(figures: Mapping[str, Dumped]) -> str:
    """Compare daemons on dumping into the same broker."""
    rows = []
    theirs = figures.get(PMBGPD.name)
    for name, one in figures.items():
        ratios = ("", "")
        if theirs is not None and name != PMBGPD.name:
            ratios = (f"{theirs.wall / one.wall:.1f}", f"{theirs.cpu / one.cpu:.1f}")
        pauses = ["" if figure is None else f"{figure:.0f}" for figure in (one.pause_ms, one.busy_ms)]
        speeds = (report.per_second(one.rows / one.wall), report.per_second(one.rows / one.cpu))
        rows.append((name, f"{one.rows:,}", *speeds, f"{one.broker_cpu:.1f}", *pauses, *ratios))
    head = (
        "daemon",
        "rows",
        "rows/s",
        "rows/CPU s",
        "CPU s of the broker",
        "longest pause, ms",
        "busiest turn, ms",
        "rows/s, times those of pmbgpd",
        "rows/CPU s, times those of pmbgpd",
    )
    return report.table(head, rows)
