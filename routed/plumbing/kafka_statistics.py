"""The statistics of librdkafka as counters of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from routed.plumbing.metrics import counter, gauge


@dataclass(slots=True)
class KafkaCounters:
    """What the client library counts for one producer, taken over every few seconds."""

    messages_sent: int = counter("messages that the brokers have acknowledged")
    octets_sent: int = counter("octets of these messages")
    requests: int = counter("requests sent to brokers")
    request_errors: int = counter("requests that failed")
    request_retries: int = counter("requests that were sent again")
    request_timeouts: int = counter("requests that were not answered in time")
    producers: int = counter("producers made: the first, and one for each failure for good")
    messages_queued: int = gauge("messages in the queue of the client library")
    octets_queued: int = gauge("octets of these messages")
    brokers_connected: int = gauge("brokers that there is a connection to")
    round_trip_us: int = gauge("mean round trip to the slowest broker, microseconds")


#: Sums over all brokers: ours, the library's.
_SUMS = (
    ("requests", "tx"),
    ("request_errors", "txerrs"),
    ("request_retries", "txretries"),
    ("request_timeouts", "req_timeouts"),
)


class StatisticsReader:
    """Takes statistics over; what a producer has counted goes on where the one before it ended."""

    def __init__(self, counters: KafkaCounters) -> None:
        self._counters = counters
        self._seen: dict[str, int] = {}

    def begin(self) -> None:
        """Expect the numbers of a new producer."""
        self._seen = {}
        self._counters.producers += 1

    def take(self, text: str) -> None:
        """Take over what the library says."""
        told: dict[str, Any] = orjson.loads(text)
        brokers = [each for each in told["brokers"].values() if each.get("nodeid", -1) >= 0]
        self._grow("messages_sent", told["txmsgs"])
        self._grow("octets_sent", told["txmsg_bytes"])
        for name, theirs in _SUMS:
            self._grow(name, sum(each[theirs] for each in told["brokers"].values()))
        counters = self._counters
        counters.messages_queued, counters.octets_queued = told["msg_cnt"], told["msg_size"]
        counters.brokers_connected = sum(each["state"] == "UP" for each in brokers)
        counters.round_trip_us = max((each["rtt"]["avg"] for each in brokers), default=0)

    def _grow(self, name: str, value: int) -> None:
        setattr(self._counters, name, getattr(self._counters, name) + value - self._seen.get(name, 0))
        self._seen[name] = value
