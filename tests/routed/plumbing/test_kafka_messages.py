import json
from array import array

import pytest

from routed.plumbing.kafka_messages import Message, Values, deal, messages_of, route_key
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.parcel import Address, Parcel, rows_of
from routed.plumbing.sink import Framing

PLAIN = KafkaSettings(servers="h:1", keys="k_")
BY_ROUTE = KafkaSettings(servers="h:1", keys="k_", route_key=True)
UPDATE = (
    b'{"seq": 1, "log_type": "update", "peer_ip_src": "192.0.2.1", "event_type": "log", "afi": 1, "safi": 128, '
    b'"ip_prefix": "10.0.0.0/8", "as_path_id": 7, "as_path": "1 2", "rd": "0:65000:1"}\n'
)


def text(octets: bytes, key: bytes = b"", writer: str = "") -> Parcel:
    return Parcel(1, Address("topic", key, b"192.0.2.1 179", writer), octets, octets.count(b"\n"))


def test_rows_get_their_writer_as_their_last_key_and_lose_their_newline() -> None:
    first, second = rows_of(text(b'{"a": "x}"}\n{"b": {"c": 1}}\n', writer='we "two"/7'))
    assert json.loads(first) == {"a": "x}", "writer_id": 'we "two"/7'}
    assert json.loads(second) == {"b": {"c": 1}, "writer_id": 'we "two"/7'}
    assert list(json.loads(first))[-1] == "writer_id"


def test_rows_without_a_writer_stay_as_they_are() -> None:
    assert rows_of(text(b"{}\n[1]\n")) == [b"{}", b"[1]"]


def test_binary_rows_are_cut_where_their_ends_are() -> None:
    parcel = Parcel(
        1, Address("t", writer="not for binary rows"), b"}\nabbccc", 3, Framing(array("I", [3, 5, 8]).tobytes(), "s")
    )
    assert rows_of(parcel) == [b"}\na", b"bb", b"ccc"]
    assert values_of(parcel, BY_ROUTE) == [b"}\na", b"bb", b"ccc"]


def values_of(parcel: Parcel, settings: KafkaSettings = PLAIN) -> list[bytes | None]:
    messages = messages_of(parcel, settings)
    assert isinstance(messages, Values)
    assert len(messages) == len(messages.each())
    return [message.value for message in messages.each()]


def test_messages_are_the_rows_and_have_the_record_key_if_there_is_one() -> None:
    parcel = text(b'{"a": 1}\n{"b": 2}\n', writer="w/1")
    assert values_of(parcel) == rows_of(parcel)
    found = messages_of(text(b"{}\n", b"key"), PLAIN)
    assert isinstance(found, Values)
    assert found.each() == [Message(b"{}", b"key")]


def test_several_rows_share_a_message_with_their_writer() -> None:
    several = KafkaSettings(servers="h:1", keys="k_", multi_values=45)
    parcel = text(b'{"a": 1}\n{"b": 2}\n{"c": 3}\n', writer="w/1")
    assert values_of(parcel, several) == [b"\n".join(rows_of(parcel)[:1]), *rows_of(parcel)[1:]]
    several = KafkaSettings(servers="h:1", keys="k_", multi_values=70)
    assert values_of(parcel, several) == [b"\n".join(rows_of(parcel)[:2]), rows_of(parcel)[2]]


def test_messages_are_dealt_to_topics_in_turn() -> None:
    a, b, c = (Message(value) for value in (b"a", b"b", b"c"))
    assert deal([a, b, c], ["t_1", "t_0", "t_1"]) == {"t_1": [a, c], "t_0": [b]}


def test_the_key_of_a_route_is_all_that_tells_it_from_others() -> None:
    assert route_key(UPDATE, b"192_0_2_1") == b"192_0_2_1|1|128|10.0.0.0/8|7|0:65000:1"
    assert route_key(UPDATE.replace(b"10.0.0.0/8", b"11.0.0.0/8"), b"p") != route_key(UPDATE, b"p")
    assert route_key(UPDATE.replace(b'"update"', b'"withdraw"'), b"p") == route_key(UPDATE, b"p")
    bmp = UPDATE.replace(b'"afi"', b'"bmp_rib_type": "Loc-Rib", "is_loc": 1, "peer_ip": "::1", "afi"')
    assert route_key(bmp, b"p") == b"p|Loc-Rib|1|::1|1|128|10.0.0.0/8|7|0:65000:1"


def test_a_record_that_is_of_no_route_has_the_key_of_its_peer() -> None:
    opening = b'{"seq": 0, "peer_ip_src": "192.0.2.1", "event_type": "log_init"}\n'
    assert messages_of(text(opening), BY_ROUTE) == [Message(opening[:-1], b"192.0.2.1 179")]


@pytest.mark.parametrize("kind", [b"withdraw", b"delete"])
def test_a_route_that_is_gone_is_followed_by_a_message_without_value(kind: bytes) -> None:
    gone = UPDATE.replace(b"update", kind)
    key = b"peer|1|128|10.0.0.0/8|7|0:65000:1"
    assert messages_of(text(UPDATE + gone, b"peer"), BY_ROUTE) == [
        Message(UPDATE[:-1], key),
        Message(gone[:-1], key),
        Message(None, key),
    ]
