"""The AMQP carrier over a broker in memory: order, confirmations, connections that come and go."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from routed.plumbing.amqp_connection import AmqpError
from routed.plumbing.amqp_settings import AmqpSettings, parse_hosts
from routed.plumbing.carrier import Reports
from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.sink import Framing
from routed.plumbing.sink_amqp import FIRST_RETRY, MAX_UNCONFIRMED, SLICE, AmqpCarrier

SETTINGS = AmqpSettings(keys="x_amqp_", hosts=(("one", 1), ("two", 2)), retry=10)


class Channel:
    """A connection to a broker that confirms when a test says so."""

    def __init__(self) -> None:
        self.lost: Deferred[str] = Deferred()
        self.published: list[tuple[str, bytes, str, str]] = []
        self.waiting: list[Deferred[Any]] = []
        self.producer: Any = None

    def publish(self, routing_key: str, body: bytes, content_type: str, schema: str) -> Deferred[Any]:
        self.published.append((routing_key, body, content_type, schema))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def pauses(self, producer: Any) -> None:
        self.producer = producer

    def alarms(self, raised: Callable[[str], None], over: Callable[[], None]) -> None:
        self.alarm, self.all_clear = raised, over

    def close(self) -> Deferred[None]:
        self.break_off("closed")
        return succeed(None)

    def break_off(self, reason: str) -> None:
        waiting, self.waiting = self.waiting, []
        if not self.lost.called:
            self.lost.callback(reason)
        for deferred in waiting:
            if not deferred.called:
                deferred.errback(RuntimeError(reason))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body, *_ in self.published]


class Rig:
    """A carrier and the connections that it got."""

    def __init__(self, settings: AmqpSettings = SETTINGS, *, refusals: int = 0) -> None:
        self.clock, self.channels, self.refusals = Clock(), list[Channel](), refusals
        self.asked: list[tuple[str, int]] = []
        self.said: list[Any] = []
        self.carrier = AmqpCarrier(settings, self._connect, self.clock)
        self.carrier.start(
            Reports(
                delivered=lambda numbers: self.said.append(list(numbers)),
                refused=lambda *what: self.said.append(what),
                up=lambda: self.said.append("up"),
                down=self.said.append,
            )
        )

    def _connect(self, host: str, port: int) -> Deferred[Any]:
        self.asked.append((host, port))
        if self.refusals:
            self.refusals -= 1
            return fail(AmqpError(f"{host} refuses"))
        self.channels.append(Channel())
        return succeed(self.channels[-1])

    def turn(self) -> None:
        """Let the reactor turn until nothing more is to be done now."""
        self.turns = 0
        later = self.clock.callLater

        def call_later(delay: float, *what: Any) -> Any:
            self.turns += 1
            return later(delay, *what)

        with patch.object(self.clock, "callLater", call_later):
            self.clock.advance(0)


def parcels(*rows: Sequence[bytes]) -> list[Parcel]:
    made = []
    for number, bodies in enumerate(rows, 1):
        octets = b"".join(body + b"\n" for body in bodies)
        made.append(Parcel(number, Address("key"), octets, len(bodies)))
    return made


def test_each_row_is_a_message_and_a_parcel_is_delivered_with_its_last() -> None:
    rig = Rig()
    rig.carrier.send(parcels([b"a", b"b"], [b"c"]))
    rig.turn()
    [channel] = rig.channels
    assert channel.published == [("key", body, "application/json", "") for body in (b"a", b"b", b"c")]
    for at in (2, 0):
        channel.waiting[at].callback(None)
    assert rig.said == ["up"]
    channel.waiting[1].callback(None)
    assert rig.said == ["up", [1, 2]]


def test_records_of_avro_say_so_and_name_their_schema() -> None:
    rig = Rig()
    ends = (2).to_bytes(4, "little") + (3).to_bytes(4, "little")
    rig.carrier.send([Parcel(1, Address("key"), b"abc", 2, Framing(ends, "bgp_dump:0123"))])
    rig.turn()
    assert rig.channels[0].published == [("key", body, "avro/binary", "bgp_dump") for body in (b"ab", b"c")]


def test_what_was_not_confirmed_goes_again_in_order_over_the_next_connection() -> None:
    rig = Rig()
    rig.carrier.send(parcels([b"a", b"b"], [b"c"], [b"d"]))
    rig.turn()
    first = rig.channels[0]
    first.waiting[0].callback(None)
    first.waiting[2].callback(None)  # behind one that is not confirmed: goes again
    first.break_off("gone")
    assert rig.said == ["up", "gone"]
    rig.clock.advance(FIRST_RETRY)
    rig.turn()
    assert rig.asked == [("one", 1), ("two", 2)]
    assert rig.channels[1].bodies == [b"b", b"c", b"d"]
    for deferred in rig.channels[1].waiting:
        deferred.callback(None)
    assert rig.said == ["up", "gone", "up", [1], [2], [3]]


def test_a_broker_that_refuses_is_tried_again_less_and_less_often() -> None:
    rig = Rig(refusals=6)
    waits = []
    while rig.refusals:
        before = len(rig.asked)
        waits.append(0)
        while len(rig.asked) == before:
            rig.clock.advance(1)
            waits[-1] += 1
    assert waits == [1, 2, 4, 8, 10]
    assert rig.said == [f"{host} refuses" for host in ("one", "two") * 3]
    rig.clock.advance(10)
    assert rig.said[-1] == "up"


def test_the_reactor_turns_between_a_few_messages_and_few_are_unconfirmed() -> None:
    rig = Rig()
    rig.carrier.send(parcels([b"row"] * (MAX_UNCONFIRMED + 1)))
    [channel] = rig.channels
    rig.turn()
    assert len(channel.published) == MAX_UNCONFIRMED
    assert rig.turns == MAX_UNCONFIRMED // SLICE
    channel.waiting[0].callback(None)
    rig.turn()
    assert len(channel.published) == MAX_UNCONFIRMED + 1


def test_a_broker_that_reads_slowly_pauses_it() -> None:
    rig = Rig()
    [channel] = rig.channels
    channel.producer.pauseProducing()
    rig.carrier.send(parcels([b"a"]))
    rig.turn()
    assert channel.published == []
    channel.producer.resumeProducing()
    rig.turn()
    assert channel.bodies == [b"a"]


def test_an_alarm_of_the_broker_is_told_and_nothing_published_until_it_is_over() -> None:
    rig = Rig()
    rig.channels[0].alarm("low on disk")
    rig.carrier.send(parcels([b"a"]))
    rig.turn()
    assert rig.channels[0].bodies == []
    rig.channels[0].all_clear()
    rig.turn()
    assert rig.channels[0].bodies == [b"a"]
    assert rig.said == ["up", "x_amqp_host: the broker takes nothing at the moment: low on disk", "up"]


def test_the_next_connection_does_not_know_of_an_alarm() -> None:
    rig = Rig()
    rig.channels[0].alarm("low on disk")
    rig.channels[0].break_off("gone")
    rig.carrier.send(parcels([b"a"]))
    rig.clock.advance(FIRST_RETRY)
    rig.turn()
    assert rig.channels[1].bodies == [b"a"]


def test_a_message_that_the_broker_could_not_keep_goes_again() -> None:
    rig = Rig()
    rig.carrier.send(parcels([b"a"], [b"b"]))
    rig.turn()
    rig.channels[0].waiting[0].errback(RuntimeError("nacked"))
    assert rig.said[1] == "x_amqp_host: a message was refused: nacked"
    rig.clock.advance(FIRST_RETRY)
    rig.turn()
    assert rig.channels[1].bodies == [b"a", b"b"]


def test_routing_keys_take_turns() -> None:
    rig = Rig(AmqpSettings(keys="x_", hosts=(("one", 1),), routing_keys=2))
    rig.carrier.send(parcels([b"a", b"b", b"c"]))
    rig.turn()
    assert [key for key, *_ in rig.channels[0].published] == ["key_0", "key_1", "key_0"]


def test_reopening_goes_over_to_a_fresh_connection() -> None:
    rig = Rig()
    rig.carrier.send(parcels([b"a"]))
    rig.turn()
    rig.carrier.reopen()
    rig.clock.advance(FIRST_RETRY)
    rig.turn()
    assert [channel.bodies for channel in rig.channels] == [[b"a"], [b"a"]]


def test_closing_ends_everything() -> None:
    rig = Rig(refusals=1)
    assert rig.carrier.close().called
    assert rig.clock.getDelayedCalls() == []
    rig = Rig()
    rig.carrier.send(parcels([b"a"]))
    assert rig.carrier.close().called
    assert (rig.clock.getDelayedCalls(), rig.said) == ([], ["up"])


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("broker", (("broker", 5672),)),
        ("a:1, b", (("a", 1), ("b", 5672))),
        ("2001:db8::1", (("2001:db8::1", 5672),)),
        ("[2001:db8::1],[::1]:9", (("2001:db8::1", 5672), ("::1", 9))),
    ],
)
def test_hosts_are_names_or_addresses_with_ports_or_without(text: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert parse_hosts(text) == hosts


@pytest.mark.parametrize("text", ["", "a,,b", "a:0", "a:65536", "a:x", "amqp://a", "[a", "a b"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no host|no valid port"):
        parse_hosts(text)
