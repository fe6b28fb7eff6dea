"""Streams to Kafka: the keys that make them, peers that fill them, and what a topic must hold beside the file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.bench.make_table import Shape, updates
from tests.peers.collector import PATIENCE
from tests.peers.kafka import Broker, Record
from tests.peers.raw_speaker import RawSession, prefix, update, usual_attributes
from tests.peers.siege import Target
from tests.peers.test_bmp_replay import played
from tests.peers.waiting import eventually

ASN: Final = 65300
PEERS: Final = ("127.8.0.1", "127.8.0.2")
ROUTES: Final = 3_000
#: Octets in front of the packets of a capture.
PCAP_HEADER: Final = 24
#: How often a daemon may end before its broker has taken everything.
ENDS: Final = 10


def keys(prefix: str, broker: Broker, home: Path, topic: str, **more: object) -> dict[str, object]:
    """Return the keys of one stream to Kafka."""
    settings = {
        "kafka_topic": topic,
        "kafka_broker_host": broker.address,
        "kafka_retry": 1,
        "spool_directory": home / "spool",
        **more,
    }
    if "dump" in prefix:
        del settings["kafka_retry"]
    return {prefix + key: value for key, value in settings.items()}


def log_keys(broker: Broker, home: Path, topic: str, **more: object) -> dict[str, object]:
    return keys("bgp_daemon_msglog_", broker, home, topic, **more)


class Peer:
    """A peer that announces and withdraws routes of its own."""

    def __init__(self, daemon: Target, address: str) -> None:
        self.session = RawSession(daemon.address, address)
        self.session.establish(ASN, hold_time=0)
        self._churned = 0

    def load(self, routes: int = ROUTES) -> None:
        self.session.send(b"".join(updates(Shape(ipv4=routes, ipv6=routes // 10, view=0))))

    def churn(self, count: int = 20) -> None:
        """Announce and withdraw routes, an UPDATE for each."""
        for _ in range(count):
            self._churned += 1
            network = prefix(f"203.0.{self._churned % 256}.0/24")
            self.session.send(update(attributes=usual_attributes(ASN, self._churned), nlri=network))
            self.session.send(update(withdrawn=network))


@contextmanager
def peers(daemon: Target) -> Iterator[list[Peer]]:
    both = [Peer(daemon, address) for address in PEERS]
    yield both
    for peer in both:
        peer.session.close()


def bare(value: bytes | None) -> bytes:
    """Return a row as a file has it."""
    assert value is not None
    row, _, writer = value.rpartition(b', "writer_id": ')
    assert writer
    return row + b"}"


def by_peer(rows: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the rows of each peer, in order."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in rows:
        found[json.loads(row)["peer_ip_src"]].append(row)
    return found


def first_of_each(rows: Iterable[bytes]) -> list[bytes]:
    """Return rows without those that came before: delivery is at least once."""
    return list(dict.fromkeys(rows))


def logged(daemon: Target) -> dict[str, list[bytes]]:
    """Return what the files have, by peer."""
    return by_peer(
        row for path in sorted(daemon.home.glob("messages-*.json")) for row in path.read_bytes().splitlines()
    )


def assert_same(daemon: Target, records: Sequence[Record], *, repeats: bool = True) -> None:
    """Demand that Kafka has what the files have, in the order of each peer."""
    rows = [bare(record.value) for record in records]
    assert by_peer(first_of_each(rows) if repeats else rows) == logged(daemon)


def count(daemon: Target) -> int:
    return sum(map(len, logged(daemon).values()))


def has_all(daemon: Target, records: Sequence[Record]) -> bool:
    return len({record.value for record in records}) >= count(daemon)


def settled(daemon: Target) -> None:
    """Wait until the files have grown no more for a moment: the daemon has read everything."""
    sizes: list[int] = []

    def still() -> bool:
        sizes.append(sum(path.stat().st_size for path in daemon.home.glob("messages-*.json")))
        return len(sizes) > 10 and len(set(sizes[-10:])) == 1

    eventually(still, PATIENCE, "the files to be still")


def errors_are_about(daemon: Target, *words: str) -> None:
    """Demand that all errors are those that were asked for, and stop the daemon."""
    daemon.end()
    errors = [line for line in daemon.text.splitlines() if "ERROR" in line or "Traceback" in line]
    assert errors
    assert all(any(word in error for word in words) for error in errors), errors


def played_out(home: Path, capture: Path, **settings: object) -> list[dict[str, Any]]:
    """Play a capture of BMP to a broker until that has all of it; return the rows of the file."""
    rows, _ = played(home, capture, **settings)
    silence = home / "silence.pcap"
    silence.write_bytes(capture.read_bytes()[:PCAP_HEADER])
    for _ in range(ENDS):
        if spooled(home):  # a daemon ends in seconds; what its broker was too slow for comes with the next one
            played(home, silence, **settings)
    return rows


def spooled(home: Path) -> int:
    """Return the octets that wait on disk."""
    return sum(path.stat().st_size for path in (home / "spool").glob("*/*.spool"))
