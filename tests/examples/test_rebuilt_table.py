from typing import Any

import pytest
from rebuilt_table import Tables

PEER = {"peer_ip_src": "192.0.2.1"}
ROUTE = {"afi": 1, "safi": 1, "ip_prefix": "10.0.0.0/8"}


def log(kind: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "log", "log_type": kind, **PEER, **ROUTE, **more}


def taken(*records: dict[str, Any]) -> list[Any]:
    tables = Tables()
    for record in records:
        tables.take(record)
    return [route.get("med", route["ip_prefix"]) for route in tables.routes()]


def test_the_last_update_of_a_route_counts_and_a_withdrawal_ends_it() -> None:
    assert taken(log("update", med=1), log("update", med=2)) == [2]
    assert taken(log("update"), log("withdraw")) == []
    assert taken(log("update"), log("delete")) == []
    assert taken(log("update", med=1), log("update", as_path_id=2, med=2), log("withdraw", as_path_id=2)) == [1]


def test_records_that_come_twice_change_nothing() -> None:
    records = [log("update", med=1), log("withdraw"), log("update", med=3)]
    assert taken(*records, *records[1:]) == [3]


@pytest.mark.parametrize("marker", ["log_init", "log_close"])
def test_a_session_begins_and_ends_without_routes(marker: str) -> None:
    other = log("update", peer_ip_src="192.0.2.2", med=5)
    assert taken(log("update"), other, {"event_type": marker, **PEER}) == [5]


def test_a_dump_takes_the_place_of_a_table_when_it_is_whole() -> None:
    opened, closed = ({"event_type": kind, **PEER} for kind in ("dump_init", "dump_close"))
    dumped = {"event_type": "dump", **PEER, **ROUTE, "med": 2}
    assert taken(log("update", med=1), log("update", med=3, ip_prefix="::/0"), opened, dumped) == [1, 3]
    assert taken(log("update", med=1), log("update", med=3, ip_prefix="::/0"), opened, dumped, closed) == [2]


def test_a_monitored_peer_that_goes_down_takes_its_routes_along() -> None:
    router = {"event_type": "log", "bmp_router": "192.0.2.9", "peer_ip": "192.0.2.1", **ROUTE, "log_type": "update"}
    down = {"event_type": "log", "bmp_router": "192.0.2.9", "peer_ip": "192.0.2.1", "bmp_msg_type": "peer_down"}
    assert taken(router, router | {"peer_ip": "192.0.2.2", "med": 7}, down) == [7]


def test_records_of_avro_have_null_where_json_has_nothing() -> None:
    end_of_rib = {"event_type": "log", "log_type": "end-of-rib", **PEER, "afi": 1, "safi": 1, "ip_prefix": None}
    assert taken(log("update", med=1, rd=None), end_of_rib) == [1]
