"""Apache Kafka for the tests: one broker in KRaft mode, from the jars that its project publishes.

Maven brings the jars into a cache outside the tree, once per machine, and checks their checksums itself (`-C`); those
of Kafka's own are checked again, against the list below. Java and Maven come from the distribution (`install`).
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.peers.install import require
from tests.peers.waiting import eventually
from tests.ports import reserved_port

VERSION: Final = "3.9.1"
#: SHA-256 of the jar that holds the broker.
BROKER_SHA256: Final = "5631c61356d55611c158291a69ad028f3c4fed5d0a610c62a0853c65c89d10f6"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routed-tests" / f"kafka-{VERSION}"
COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
#: A Java that starts quickly and stays small; a benchmark takes another one.
SMALL_JAVA: Final = ("-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qk"
#: Seconds that a broker may take to start, or records to arrive, on a machine that has much else to do.
PATIENCE: Final = 180.0


def jars() -> Path:
    """Return the directory of the jars, or skip the test where they cannot be had."""
    require("openjdk-17-jre-headless")
    library = CACHE / "libs"
    if not library.is_dir():
        require("maven")
        _fetch(library)
    [broker] = library.glob(f"kafka_*-{VERSION}.jar")
    assert hashlib.sha256(broker.read_bytes()).hexdigest() == BROKER_SHA256, f"{broker} is not what was published"
    return library


def _fetch(library: Path) -> None:
    """Bring the jars; another test may do the same at the same time."""
    fresh = CACHE / f"fresh-{os.getpid()}"
    fresh.mkdir(parents=True, exist_ok=True)
    (fresh / "pom.xml").write_text(POM)
    command = ["mvn", "-B", "-q", "-C", COPY, "-DincludeScope=runtime", "-DoutputDirectory=libs"]
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"SKIPPED: Apache Kafka {VERSION} cannot be fetched: {done.stdout[-500:]}")
    if not library.is_dir():
        (fresh / "libs").rename(library)
    shutil.rmtree(fresh)


class Record(NamedTuple):
    """A message of a topic."""

    partition: int
    key: bytes | None
    value: bytes | None


class Reader:
    """Reads a topic from its beginning, on and on."""

    def __init__(self, address: str, topic: str) -> None:
        self._topic = topic
        self._records: list[Record] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": "tests",
                "enable.auto.commit": "false",
                "auto.offset.reset": "earliest",
                "log_level": "0",
            }
        )
        eventually(self._assign, PATIENCE, f"the topic {topic}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, at_least: int, until: Callable[[list[Record]], object] | None = None) -> list[Record]:
        """Return all records so far, in the order of each partition, once there are enough."""
        deadline = time.monotonic() + PATIENCE
        while len(self._records) < at_least or (until is not None and not until(self._records)):
            assert time.monotonic() < deadline, f"{len(self._records)} records of {self._topic} came"
            self.more()
        return list(self._records)

    def more(self) -> list[Record]:
        """Look once for more records; return all."""
        for message in self._consumer.consume(10_000, 0.2):
            error = message.error()
            assert error is None or error.retriable() or error.code() == KafkaError._TRANSPORT, error
            if error is None:
                self._records.append(Record(message.partition(), message.key(), message.value()))
        return self._records

    def _assign(self) -> bool:
        found = self._consumer.list_topics(self._topic, timeout=5).topics[self._topic]
        self._consumer.assign([TopicPartition(self._topic, number, 0) for number in found.partitions])
        return bool(found.partitions) and found.error is None


class Broker:
    """One broker, which keeps its data and its port over stops and kills.

    Args:
        home: where its files are.
        properties: additions to its configuration.
        data: where its data are, in `home` unless given.
        more_listeners: additions to its listeners, each with a comma in front.
        java: the switches of its Java.
    """

    def __init__(
        self,
        home: Path,
        properties: Mapping[str, str] | None = None,
        *,
        data: Path | None = None,
        more_listeners: str = "",
        java: Sequence[str] = SMALL_JAVA,
    ) -> None:
        self.home, self.port, self._controller = home, reserved_port(), reserved_port()
        self.address = f"127.0.0.1:{self.port}"
        self._java = ["java", *java, "-cp", f"{jars()}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home / "kafka.out"
        home.mkdir(exist_ok=True)
        data = data or home / "kafka-data"
        self._configuration = home / "kafka.properties"
        configuration = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller}{more_listeners}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(data),
            "num.partitions": "3",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "group.initial.rebalance.delay.ms": "0",
            **(properties or {}),
        }
        self._configuration.write_text("".join(f"{name}={value}\n" for name, value in configuration.items()))
        self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._configuration))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        with self._log.open("ab") as log:
            command = [*self._java, "kafka.Kafka", str(self._configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home)
        try:
            eventually(self._answers, PATIENCE, "Kafka to answer")
        except TimeoutError as timeout:
            timeout.add_note(self._log.read_text(errors="replace")[-3000:])
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, well or with SIGKILL."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def has_left(self) -> bool:
        """Tell whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def create(self, topic: str, partitions: int = 3, **properties: str) -> None:
        """Make a topic."""
        admin = AdminClient({"bootstrap.servers": self.address})
        made = admin.create_topics([NewTopic(topic, partitions, 1, config=properties)])
        made[topic].result(PATIENCE)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            AdminClient({"bootstrap.servers": self.address, "log_level": "0"}).list_topics(timeout=1)
        except Exception:  # noqa: BLE001 (whatever it says: not yet)
            return False
        return True

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([*self._java, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
