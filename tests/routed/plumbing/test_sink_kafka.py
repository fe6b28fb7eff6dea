"""The thread of the Kafka carrier, without a library."""

from threading import Event
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from routed.plumbing import sink_kafka as module
from routed.plumbing.carrier import Reports
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.sink_kafka import KafkaCarrier

#: For what another thread does. Units: seconds.
PATIENCE = 60.0
PARCEL = Parcel(1, Address("t"), b"{}\n", 1)


class Courier:
    """Takes orders, and fails when it is told to."""

    is_idle = True

    def __init__(self, *_: Any) -> None:
        self.put_, self.turned, self.renewed, self.closed, self.recovered = (Event() for _ in range(5))
        self.bugs = 0

    def put(self, parcels: list[Parcel]) -> None:
        assert parcels == [PARCEL]
        self.put_.set()

    def renew(self) -> None:
        self.renewed.set()

    def turn(self) -> None:
        if self.bugs:
            self.bugs -= 1
            raise RuntimeError("a bug")
        self.turned.set()

    def recover(self, reason: str) -> None:
        assert reason == "a bug"
        self.recovered.set()

    def close(self) -> None:
        self.closed.set()


def ignore(*_: object) -> None:
    pass


def test_the_thread_takes_orders_outlives_a_bug_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    courier = Courier()
    made: list[Any] = []
    posted: list[Any] = []

    def make(*arguments: Any) -> Courier:
        made.extend(arguments)
        return courier

    monkeypatch.setattr(module, "Courier", make)
    monkeypatch.setattr(make, "renew", lambda its: its.renew(), raising=False)
    monkeypatch.setattr(module, "BUG_PAUSE", 0.0)
    over = Event()

    def post(call: Any, *arguments: Any) -> None:
        posted.append(call)
        if call is not module.log_bug:
            call(*arguments)
            over.set()

    carrier = KafkaCarrier(KafkaSettings(servers="h:1", keys="k_"), begin=lambda call: call(), post=post, say=ignore)
    carrier.start(Reports(delivered=ignore, refused=ignore, up=ignore, down=ignore))
    carrier.send([PARCEL])
    carrier.reopen()
    assert courier.put_.wait(PATIENCE)
    assert courier.renewed.wait(PATIENCE)
    courier.bugs = 1
    assert courier.recovered.wait(PATIENCE)
    assert module.log_bug in posted
    courier.turned.clear()
    assert courier.turned.wait(PATIENCE)
    ended: Deferred[None] = carrier.close()
    assert over.wait(PATIENCE)
    assert courier.closed.is_set()
    assert ended.called
