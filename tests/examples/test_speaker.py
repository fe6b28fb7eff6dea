import asyncio
import json
from pathlib import Path

import pytest
import speaker
from announcements import RouteGroup, Table

from routed.octets import Cursor, Writer
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.header import decode_message, encode_message
from routed.wire.bgp.notification import Notification, decode_notification, encode_notification
from routed.wire.bgp.open import OpenMessage, decode_open, encode_open
from routed.wire.bgp.update import decode_update
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, STORABLE
from routed.wire.mrt.rib_attributes import next_hop_attribute
from routed.wire.prefix import parse_prefix

ORIGIN_AND_PATH = bytes.fromhex("40010100 4002060201 0000fde9")
V4 = RouteGroup(IPV4_UNICAST, ORIGIN_AND_PATH + bytes.fromhex("400304 c0000201"), 65001)
V6 = RouteGroup(IPV6_UNICAST, ORIGIN_AND_PATH + next_hop_attribute(bytes(16)), 65001)
KEEPALIVE = encode_message(MessageType.KEEPALIVE)


class Transport:
    """What a speaker writes to, as far as it uses it."""

    def __init__(self) -> None:
        self.octets = b""
        self.closed = False

    def write(self, octets: bytes) -> None:
        self.octets += octets

    def writelines(self, parts: list[bytes]) -> None:
        self.octets += b"".join(parts)

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        self.closed = True

    async def wait_closed(self) -> None:
        return

    @property
    def messages(self) -> list[tuple[MessageType, Cursor]]:
        c, messages = Cursor(self.octets), []
        while c.remaining:
            messages.append(decode_message(c))
        return messages


def collector_open(hold_time: int = 30) -> bytes:
    w = Writer()
    encode_open(w, OpenMessage(my_as=65000, hold_time=hold_time, bgp_identifier=b"\x0a\0\0\x01"))
    return encode_message(MessageType.OPEN, bytes(w))


def notification() -> bytes:
    w = Writer()
    encode_notification(w, Notification(6, 5))
    return encode_message(MessageType.NOTIFICATION, bytes(w))


@pytest.fixture
def table() -> Table:
    table = Table()
    table.add(V4, b"\x08\x0a")
    table.add(V4, b"\x10\x0a\x01")
    table.add(V6, b"\x20\x20\x01\x0d\xb8")
    return table


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def converse(table: Table, transport: Transport, monkeypatch: pytest.MonkeyPatch):
    """Let a speaker of an AS talk to a collector that says these octets and closes, or goes silent."""

    def converse(octets: bytes, asn: int = 4_200_000_000, *, closes: bool = True, turns: int = 50) -> None:
        arguments = speaker.parse_arguments(
            ["--connect", "[::1]:179", "--bind", "127.0.0.11", "--asn", str(asn), "--table", "unused"]
        )

        async def connected(*_: object, **__: object) -> tuple[asyncio.StreamReader, Transport]:
            reader = asyncio.StreamReader()
            reader.feed_data(octets)
            if closes:
                reader.feed_eof()
            return reader, transport

        async def talk() -> None:
            monkeypatch.setattr(asyncio, "open_connection", connected)
            session = asyncio.create_task(speaker.Speaker(arguments, table).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            if not session.done():
                session.cancel()
            await session

        asyncio.run(talk())

    return converse


def test_opens_with_its_as_and_the_families_of_its_table(converse, transport: Transport) -> None:
    with pytest.raises(asyncio.CancelledError):
        converse(collector_open() + KEEPALIVE, closes=False)
    kind, body = transport.messages[0]
    told = decode_open(body)
    assert kind is MessageType.OPEN
    assert (told.my_as, told.asn, told.bgp_identifier) == (23456, 4_200_000_000, b"\x7f\0\0\x0b")
    assert told.having(FourOctetAs) == (FourOctetAs(4_200_000_000),)
    assert told.having(Multiprotocol) == (Multiprotocol(IPV4_UNICAST), Multiprotocol(IPV6_UNICAST))


def test_plays_the_table_and_says_when_it_is_complete(converse, transport: Transport, capsys) -> None:
    with pytest.raises(asyncio.CancelledError):
        converse(collector_open() + KEEPALIVE, closes=False)
    kinds = [kind for kind, _ in transport.messages]
    assert kinds[:2] == [MessageType.OPEN, MessageType.KEEPALIVE]
    context = DecodeContext(as4=True, families=STORABLE)
    updates = [decode_update(body, context) for kind, body in transport.messages if kind is MessageType.UPDATE]
    assert [str(route.prefix) for route in updates[0].nlri] == ["10.0.0.0/8", "10.1.0.0/16"]
    assert [route.prefix for route in updates[1].mp_reach.routes] == [parse_prefix("2001:db8::/32")]
    assert [update.end_of_rib for update in updates[2:]] == [IPV4_UNICAST, IPV6_UNICAST]
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["established", "table sent"]


def test_says_why_it_leaves(converse, transport: Transport) -> None:
    """RFC 9003."""
    with pytest.raises(asyncio.CancelledError):
        converse(collector_open() + KEEPALIVE, closes=False)
    kind, body = transport.messages[-1]
    assert kind is MessageType.NOTIFICATION
    assert decode_notification(body).shutdown_text == "the example speaker was stopped"
    assert transport.closed


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "closed by the collector"),
        (notification(), "cease/connection rejected"),
        (KEEPALIVE, "KEEPALIVE instead of OPEN"),
        (collector_open() + KEEPALIVE, "closed by the collector"),
        (collector_open() + KEEPALIVE + notification(), "cease/connection rejected"),
    ],
)
def test_a_lost_session_is_told(converse, transport: Transport, octets: bytes, why: str) -> None:
    with pytest.raises(speaker.SessionLostError, match=why):
        converse(octets)
    assert transport.closed


def test_invented_updates_withdraw_and_announce_again(table: Table) -> None:
    arguments = speaker.parse_arguments(
        ["--connect", "h:1", "--bind", "127.0.0.11", "--asn", "65001", "--table", str(Path("unused"))]
    )
    seconds = speaker.Speaker(arguments, table).invented()
    context = DecodeContext(as4=True, families=STORABLE)
    withdrawn, announced = (
        [decode_update(decode_message(Cursor(octets))[1], context) for octets in next(seconds)] for _ in range(2)
    )
    assert [route.prefix for update in withdrawn for route in update.withdrawn] == [
        route.prefix for update in announced for route in update.nlri
    ]
