from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from announcements import RouteGroup, announce, end_of_rib, read_table, read_updates, withdraw

from routed.octets import Cursor
from routed.wire import mrt
from routed.wire.bgp.as_path import AsPath, sequence
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.header import MAX_MESSAGE, decode_message
from routed.wire.bgp.update import Update, decode_update
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, STORABLE, Family
from routed.wire.mrt.rib_attributes import next_hop_attribute
from routed.wire.prefix import Prefix, parse_prefix

CONTEXT = DecodeContext(as4=True, families=STORABLE)
ORIGIN_AND_PATH = bytes.fromhex("40010100 4002060201 0000fde9")  # IGP, 65001
V4 = ORIGIN_AND_PATH + bytes.fromhex("400304 c0000201")
V6 = ORIGIN_AND_PATH + next_hop_attribute(bytes(range(16)))
PEERS = (mrt.MrtPeer(bytes(4), bytes(4), 65001), mrt.MrtPeer(bytes(4), bytes(4), 65002))


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    """A table of two peers: both have the first prefix, each has one of its own, one is IPv6."""
    buffer = BytesIO()
    table = mrt.TableDumpWriter(buffer.write, PEERS, timestamp=0)
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 0, V4, None), (1, 0, V4, None)])
    table.rib(IPV4_UNICAST, parse_prefix("10.1.0.0/16"), [(0, 0, V4, None)])
    table.rib(IPV6_UNICAST, parse_prefix("2001:db8::/32"), [(1, 0, V6, None)])
    path = tmp_path / "table.mrt"
    path.write_bytes(buffer.getvalue())
    return path


def read(message: bytes) -> Update:
    assert len(message) <= MAX_MESSAGE
    kind, body = decode_message(Cursor(message))
    assert kind is MessageType.UPDATE
    return decode_update(body, CONTEXT)


def nlri_of(count: int) -> list[bytes]:
    return [b"\x18\x0a" + index.to_bytes(2, "big") for index in range(count)]


def test_without_peers_each_prefix_has_one_route(table_file: Path) -> None:
    table = read_table(table_file)
    assert table.routes == 3
    assert table.families == [IPV4_UNICAST, IPV6_UNICAST]


def test_routes_with_equal_attributes_are_one_group(table_file: Path) -> None:
    table = read_table(table_file, [0])
    assert table.groups == {RouteGroup(IPV4_UNICAST, V4, 65001): [b"\x08\x0a", b"\x10\x0a\x01"]}


def test_reading_stops_at_the_limit(table_file: Path) -> None:
    assert read_table(table_file, limit=2).routes == 2


@pytest.mark.parametrize(("asn", "path"), [(65001, (65001,)), (65009, (65009, 65001))])
@pytest.mark.parametrize(("family", "attributes"), [(IPV4_UNICAST, V4), (IPV6_UNICAST, V6)])
def test_a_speaker_of_another_as_adds_itself_to_the_path(
    family: Family, attributes: bytes, asn: int, path: tuple[int, ...]
) -> None:
    (message,) = announce(RouteGroup(family, attributes, 65001), [b"\x08\x20"], asn)
    update = read(message)
    assert update.refusals == ()
    assert [number for segment in update.as_path.segments for number in segment.numbers] == list(path)


def test_an_ipv6_route_is_announced_with_its_next_hop() -> None:
    (message,) = announce(RouteGroup(IPV6_UNICAST, V6, 65001), [b"\x20\x20\x01\x0d\xb8"], 65001)
    reach = read(message).mp_reach
    assert reach.next_hop == bytes(range(16))
    assert [route.prefix for route in reach.routes] == [parse_prefix("2001:db8::/32")]


@pytest.mark.parametrize(("family", "attributes"), [(IPV4_UNICAST, V4), (IPV6_UNICAST, V6)])
def test_many_routes_fill_messages_but_none_too_full(family: Family, attributes: bytes) -> None:
    routes = nlri_of(3000)
    messages = list(announce(RouteGroup(family, attributes, 65001), routes, 65009))
    updates = [read(message) for message in messages]
    announced = [route for update in updates for route in (update.nlri or update.mp_reach.routes)]
    assert len(announced) == len(set(announced)) == 3000
    assert all(len(message) > MAX_MESSAGE - 100 for message in messages[:-1])
    assert {update.as_path for update in updates} == {AsPath((*sequence(65009), *sequence(65001)))}


@pytest.mark.parametrize("family", [IPV4_UNICAST, IPV6_UNICAST])
def test_many_routes_are_withdrawn(family: Family) -> None:
    updates = [read(message) for message in withdraw(family, nlri_of(3000))]
    withdrawn = Counter(route.prefix for update in updates for route in (update.withdrawn or update.mp_unreach.routes))
    assert len(withdrawn) == 3000
    assert all(isinstance(prefix, Prefix) for prefix in withdrawn)
    assert not any(update.refusals or update.nlri for update in updates)


@pytest.mark.parametrize("family", [IPV4_UNICAST, IPV6_UNICAST])
def test_end_of_rib_names_its_family(family: Family) -> None:
    assert read(end_of_rib(family)).end_of_rib == family


def test_updates_of_one_as_are_read(tmp_path: Path) -> None:
    update, keepalive = end_of_rib(IPV4_UNICAST), b"\xff" * 16 + b"\x00\x13\x04"
    path = tmp_path / "updates.mrt"
    with path.open("wb") as file:
        for asn, octets, as4 in (
            (65001, update, True),
            (65002, update, True),
            (65001, keepalive, True),
            (65001, update, False),
        ):
            ends = mrt.Endpoints(peer_as=asn, local_as=65000, peer_address=bytes(4), local_address=bytes(4))
            record = mrt.encode_bgp4mp(mrt.BgpMessage(endpoints=ends, octets=octets, as4=as4), 0)
            file.write(record.timestamp.to_bytes(4, "big") + record.type.to_bytes(2, "big"))
            file.write(record.subtype.to_bytes(2, "big") + len(record.octets).to_bytes(4, "big") + record.octets)
    assert read_updates(path, 65001) == [update]


def test_the_shipped_recordings_are_whole() -> None:
    data = Path(__file__).parents[2] / "examples" / "data"
    table, updates = data.glob("*.ribs.*"), data.glob("*.updates.*")
    assert read_table(next(table), [5], limit=1000).routes == 1000
    assert len(read_updates(next(updates), 30844)) == 1719
