import json
from array import array

import pytest

from routed.plumbing.kafka_messages import messages_of, route_key, rows_in
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.parcel import Address, Parcel, bundles_of, rows_of
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
    assert [message["value"] for message in messages_of(parcel, BY_ROUTE)] == [b"}\na", b"bb", b"ccc"]


@pytest.mark.parametrize(
    ("most", "bundles"),
    [
        (1, [b"{}", b"{1}", b"{}"]),
        (6, [b"{}\n{1}", b"{}"]),
        (5, [b"{}", b"{1}", b"{}"]),
        (9, [b"{}\n{1}\n{}"]),
        (1000, [b"{}\n{1}\n{}"]),
    ],
)
def test_bundles_are_as_long_as_they_may_be(most: int, bundles: list[bytes]) -> None:
    assert bundles_of(text(b"{}\n{1}\n{}\n"), most) == bundles


def test_messages_have_the_record_key_if_there_is_one() -> None:
    assert messages_of(text(b"{}\n"), PLAIN) == [{"value": b"{}"}]
    assert messages_of(text(b"{}\n", b"key"), PLAIN) == [{"value": b"{}", "key": b"key"}]


def test_rows_of_a_message_are_counted() -> None:
    several = KafkaSettings(servers="h:1", keys="k_", multi_values=100)
    [message] = messages_of(text(b"{}\n{}\n"), several)
    assert rows_in(message["value"], several) == 2
    assert rows_in(b"a\nb", PLAIN) == 1
    assert rows_in(None, PLAIN) == 0


def test_the_key_of_a_route_is_all_that_tells_it_from_others() -> None:
    assert route_key(UPDATE, b"192_0_2_1") == b"192_0_2_1|1|128|10.0.0.0/8|7|0:65000:1"
    assert route_key(UPDATE.replace(b"10.0.0.0/8", b"11.0.0.0/8"), b"p") != route_key(UPDATE, b"p")
    assert route_key(UPDATE.replace(b'"update"', b'"withdraw"'), b"p") == route_key(UPDATE, b"p")
    bmp = UPDATE.replace(b'"afi"', b'"bmp_rib_type": "Loc-Rib", "is_loc": 1, "peer_ip": "::1", "afi"')
    assert route_key(bmp, b"p") == b"p|Loc-Rib|1|::1|1|128|10.0.0.0/8|7|0:65000:1"


def test_a_record_that_is_of_no_route_has_the_key_of_its_peer() -> None:
    opening = b'{"seq": 0, "peer_ip_src": "192.0.2.1", "event_type": "log_init"}\n'
    assert messages_of(text(opening), BY_ROUTE) == [{"value": opening[:-1], "key": b"192.0.2.1 179"}]


@pytest.mark.parametrize("kind", [b"withdraw", b"delete"])
def test_a_route_that_is_gone_is_followed_by_a_message_without_value(kind: bytes) -> None:
    gone = UPDATE.replace(b"update", kind)
    key = b"peer|1|128|10.0.0.0/8|7|0:65000:1"
    assert messages_of(text(UPDATE + gone, b"peer"), BY_ROUTE) == [
        {"value": UPDATE[:-1], "key": key},
        {"value": gone[:-1], "key": key},
        {"value": None, "key": key},
    ]
