"""The pages of a daemon: questions by GET and POST, metrics, health."""

import json
from dataclasses import fields
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import ensureDeferred

from routed.plumbing.http import Asked, HttpError, Reply
from routed.plumbing.metrics import Registry
from routed.query.codec import MAX_QUESTIONS
from routed.service.answering import SEARCHES, WAITING
from routed.service.http_pages import QueryPages, Readiness, StatusPages
from routed.service.measures import ROUTER_COUNTERS, measure_bgp, measure_bmp, measure_stores
from routed.service.monitored import RouterCounters
from routed.service.visible import BgpTables, BmpTables
from routed.wire.family import IPV4_UNICAST
from tests.oracles.build import MANDATORY, prefix, update
from tests.routed.service import bmp_rig
from tests.routed.service.collector_rig import ADDRESS, END_OF_RIB, KEPT, Rig, announce, announce_ipv6, grace
from tests.routed.service.glass_rig import Glass

OTHER = "192.0.2.2"


class Asking(Rig):
    """A collector with pages."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.tables = BgpTables(self.collector, peer_id=False, clock=self.clock.seconds)
        self.glass = Glass(self.rib, self.tables)
        self.pages = QueryPages(self.glass.answerer)

    def begin(self, path: str, **facts: Any) -> list[Any]:
        """Ask; what comes of it, when it does."""
        asked = {"method": "GET", "path": path, "parameters": (), "body": b"", "content_type": "", **facts}
        came: list[Any] = []
        ensureDeferred(self.pages.pages()[path].answer(Asked(**asked))).addBoth(came.append)
        return came

    def ask(self, path: str, **facts: Any) -> Any:
        """Ask and return what the answer says; errors are raised."""
        came = self.begin(path, **facts)
        for _ in range(20):
            self.glass.clock.advance(0)
        [reply] = came
        if not isinstance(reply, Reply):
            reply.raiseException()
        octets = b"".join(reply.parts)
        assert reply.length == len(octets)
        return json.loads(octets)

    def get(self, path: str, **parameters: Any) -> Any:
        return self.ask(path, parameters=tuple((name.rstrip("_"), str(value)) for name, value in parameters.items()))

    def post(self, body: object, path: str = "/query", content_type: str = "application/json") -> Any:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(path, method="POST", body=octets, content_type=content_type)

    def refusal(self, **facts: Any) -> tuple[int, str]:
        with pytest.raises(HttpError) as refused:
            self.ask(**facts)
        return refused.value.status, str(refused.value)


@pytest.fixture
def rig() -> Asking:
    """A peer with 10.1.0.0/16, 10.2.0.0/16 and 10.2.3.0/24."""
    rig = Asking()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)))
    return rig


def found(answer: Any) -> list[str]:
    assert answer["results"] == len(answer["rows"])
    return [row["ip_prefix"] for row in answer["rows"]]


def test_get_and_post_answer_the_same(rig: Asking) -> None:
    question = {"ip_prefix": "10.2.3.4", "fields": ["ip_prefix", "as_path"]}
    answer = rig.get("/query", ip_prefix="10.2.3.4", fields="ip_prefix,as_path")
    assert answer == {"results": 1, "rows": [{"ip_prefix": "10.2.3.0/24", "as_path": "65001"}]}
    assert rig.post(question) == answer


@pytest.mark.parametrize(
    ("parameters", "routes"),
    [
        ({}, ["10.1.0.0/16", "10.2.0.0/16", "10.2.3.0/24"]),
        ({"ip_prefix": "10.2.0.0/16", "match": "more-specific"}, ["10.2.0.0/16", "10.2.3.0/24"]),
        ({"origin_as": 65001, "as_path_length": "<=1", "limit": 3}, ["10.1.0.0/16", "10.2.0.0/16", "10.2.3.0/24"]),
        ({"origin_as": 65002}, []),
        ({"where": '{"not": {"as": 65001}}'}, []),
        ({"where": '{"as": 65001}', "as_path": "^65001$", "peer_tcp_port": 1000, "afi": 1, "safi": 1}, ["10.1.0.0/16"]),
        ({"all_attributes": "true", "ip_prefix": "10.1.0.0"}, ["10.1.0.0/16"]),
    ],
)
def test_parameters_are_members_and_conditions(rig: Asking, parameters: dict[str, Any], routes: list[str]) -> None:
    assert found(rig.get("/query", **parameters))[: len(routes)] == routes


def test_facts_and_pages(rig: Asking) -> None:
    assert rig.get("/query", select="count") == {"results": 0, "count": 3, "rows": []}
    first = rig.get("/query", limit=2)
    assert found(first) + found(rig.get("/query", cursor=first["cursor"])) == [
        "10.1.0.0/16",
        "10.2.0.0/16",
        "10.2.3.0/24",
    ]


def test_several_questions_at_a_time(rig: Asking) -> None:
    one, two, three = rig.post([{"ip_prefix": "10.1.0.1"}, {"rd": "red"}, {"select": "peers"}])
    assert found(one) == ["10.1.0.0/16"]
    assert two == {"results": 0, "error": "rd: red is not written like 0:65000:100", "rows": []}
    assert three["rows"][0]["state"] == "established"
    assert rig.pages.counters.not_understood == 1


def test_peers_and_routers(rig: Asking) -> None:
    assert [row["peer_as"] for row in rig.get("/peers")["rows"]] == [65001]
    assert rig.get("/peers", peer_ip_src="192.0.2.9") == {"results": 0, "rows": []}
    assert rig.get("/routers") == {"results": 0, "rows": []}


def test_pmaccts_question(rig: Asking) -> None:
    assert found(rig.get("/lookup", ip_prefix="10.2.3.4", peer_ip_src=ADDRESS)) == ["10.2.3.0/24"]
    assert found(rig.post({"ip_prefix": "10.1.0.1", "peer_ip_src": ADDRESS}, "/lookup")) == ["10.1.0.0/16"]


@pytest.mark.parametrize(
    ("facts", "status", "text"),
    [
        ({"path": "/query", "parameters": (("x", "1"),)}, 400, "unknown member x; "),
        ({"path": "/query", "parameters": (("limit", "x"),)}, 400, "limit: [x] is not a number"),
        ({"path": "/query", "parameters": (("limit", "1"), ("limit", "2"))}, 400, "limit: once is enough"),
        ({"path": "/query", "parameters": (("where", "{"),)}, 400, "where: "),
        ({"path": "/query", "parameters": (("where", "[" * 5_000),)}, 400, "where: "),
        ({"path": "/query", "parameters": (("all_attributes", "x"),)}, 400, "all_attributes: [x] is not true or false"),
        ({"path": "/query", "parameters": (("cursor", "x"),)}, 400, "cursor: not one of ours"),
        ({"path": "/query", "parameters": (("rd", "x"),)}, 400, "rd: x is not written"),
        ({"path": "/peers", "parameters": (("select", "peers"), ("select", "peers"))}, 400, "select: once is enough"),
        ({"path": "/lookup"}, 400, "lookup error"),
        ({"path": "/lookup", "parameters": (("ip_prefix", "::"), ("peer_ip_src", ADDRESS))}, 404, "prefix not found"),
        ({"path": "/lookup", "parameters": (("ip_prefix", "::"), ("peer_ip_src", "::1"))}, 404, "peer not found"),
        ({"path": "/query", "method": "POST", "body": b"{}"}, 415, "a body is JSON"),
        ({"path": "/lookup", "method": "POST", "body": b"{}", "content_type": "text/plain"}, 415, "a body is JSON"),
        ({"path": "/query", "method": "POST", "body": b"{", "content_type": "application/json"}, 400, "not JSON: "),
        ({"path": "/query", "method": "POST", "body": b"[" * 9_999, "content_type": "text/json"}, 400, "not JSON: "),
        (
            {"path": "/query", "method": "POST", "body": b"7", "content_type": "text/json"},
            400,
            "a question is a J",
        ),
        (
            {"path": "/query", "method": "POST", "body": b"[]", "content_type": "text/json"},
            400,
            "0 questions are n",
        ),
        ({"path": "/query", "method": "POST", "body": b"[{}, 7]", "content_type": "text/json"}, 400, "a question is a"),
    ],
)
def test_refusals_have_a_status_and_a_text(rig: Asking, facts: dict[str, Any], status: int, text: str) -> None:
    found_status, found_text = rig.refusal(**facts)
    assert (found_status, found_text[: len(text)]) == (status, text)


@pytest.mark.parametrize(("questions", "is_refused"), [(MAX_QUESTIONS, False), (MAX_QUESTIONS + 1, True)])
def test_questions_of_one_request_have_an_end(rig: Asking, questions: int, is_refused: bool) -> None:
    body = json.dumps([{"select": "count", "limit": 1}] * questions).encode()
    came = rig.begin("/query", method="POST", body=body, content_type="application/json")
    for _ in range(questions + 1):
        rig.glass.clock.advance(0)
    assert isinstance(came[0], Reply) is not is_refused


def test_who_asks_when_too_many_wait_is_told_to_come_again(rig: Asking) -> None:
    rig.glass.thread.held = True
    for _ in range(SEARCHES + WAITING):
        rig.begin("/query")
    with pytest.raises(HttpError) as refused:
        rig.get("/query")
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    assert rig.pages.counters.refused == 1


# -- status -----------------------------------------------------------------------------------------------------------


class Status:
    """The pages about a daemon itself."""

    def __init__(self, rig: Any, tables: Any, patience: float = 300) -> None:
        self.registry = Registry()
        readiness = Readiness(rig.clock.seconds, lambda: tables.end_of_ribs, patience)
        self.pages = StatusPages(self.registry, readiness).pages()

    def get(self, path: str) -> tuple[int, str]:
        came: list[Reply] = []
        asked = Asked(method="GET", path=path, parameters=(), body=b"", content_type="")
        ensureDeferred(self.pages[path].answer(asked)).addBoth(came.append)
        return came[0].status, b"".join(came[0].parts).decode()

    def metrics(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        status, text = self.get("/metrics")
        assert status == 200
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series = found.setdefault(sample.name, {})
                labels = tuple(sample.labels.items())
                assert labels not in series, "a series is there twice"
                series[labels] = sample.value
        return found


def test_health_is_told_to_everybody() -> None:
    rig = Asking()
    status = Status(rig, rig.tables)
    assert status.get("/health") == (200, '{"status": "ok"}\n')
    assert [path for path, page in status.pages.items() if page.is_open] == ["/health", "/ready"]


def test_ready_is_who_has_seen_a_whole_table() -> None:
    rig = Asking()
    status = Status(rig, rig.tables)
    peer = rig.connect()
    rig.send(peer, announce(1))
    assert status.get("/ready") == (503, '{"status":"loading","reason":"no End-of-RIB so far"}\n')
    rig.send(peer, END_OF_RIB)
    assert status.get("/ready") == (200, '{"status": "ready"}\n')


def test_ready_is_who_has_waited_long_enough() -> None:
    rig = Asking()
    status = Status(rig, rig.tables, 10)
    rig.clock.advance(9)
    assert status.get("/ready")[0] == 503
    rig.clock.advance(1)
    assert status.get("/ready")[0] == 200


def test_a_bmp_router_that_shows_a_whole_table_is_enough() -> None:
    rig = bmp_rig.Rig()
    status = Status(rig, BmpTables(rig.collector))
    wire = rig.up(bmp_rig.peer_up(), bmp_rig.announce(1))
    assert status.get("/ready")[0] == 503
    wire.send(bmp_rig.monitoring(bmp_rig.P1, END_OF_RIB))
    rig.settle()
    assert status.get("/ready")[0] == 200


def test_bgp_peers_are_measured() -> None:
    rig = Asking()
    status = Status(rig, rig.tables)
    peers = [rig.connect(graceful=grace(IPV4_UNICAST)), rig.connect(1001, OTHER)]
    waiting = rig.accept(1002, "192.0.2.3")
    measure_bgp(status.registry, rig.collector, lambda: [*peers, waiting], rig.clock.seconds)
    measure_stores(status.registry, rig.rib, rig.tables)
    rig.send(peers[0], announce(1, 2), announce_ipv6())
    rig.send(peers[1], announce(1))
    rig.clock.advance(5)
    rig.collector.closed(peers.pop(0), KEPT)
    rig.settle()
    metrics = status.metrics()
    one, other = (("peer", ADDRESS),), (("peer", OTHER),)
    assert metrics["routed_bgp_peer_up"] == {other: 1, one: 0}
    assert metrics["routed_bgp_peer_uptime_seconds"] == {other: 5}
    ipv4 = (("afi", "1"), ("safi", "1"))
    assert metrics["routed_bgp_peer_routes"] == {(*other, *ipv4): 1, (*one, *ipv4): 2}
    assert metrics["routed_bgp_peer_stale_routes"] == {(*other, *ipv4): 0, (*one, *ipv4): 2}
    announced = metrics["routed_bgp_peer_routes_announced_total"]
    assert announced == {(*other, *ipv4): 1, (*one, *ipv4): 0}  # of this session, by family
    states = metrics["routed_bgp_peers"]
    assert {labels[0][1]: count for labels, count in states.items()} == {
        "open_sent": 1,
        "open_confirm": 0,
        "established": 1,
        "closing": 0,
        "restarting": 1,
    }
    assert metrics["routed_rib_prefixes"][ipv4] == 2
    assert metrics["routed_rib_routes"] == {(): 3}
    assert metrics["routed_rib_tables"] == {(): 2}
    assert metrics["routed_rib_paths"] == {(): 1}
    assert set(metrics["routed_rib_memory_bytes"]) == {(("store", name),) for name in ("prefixes", "paths", "tables")}
    assert all(metrics["routed_rib_memory_bytes"].values())


def test_peers_that_share_an_address_are_told_apart() -> None:
    rig = Asking(compare_ports=True)
    peers = [rig.connect(1000), rig.connect(1001)]
    status = Status(rig, rig.tables)
    measure_bgp(status.registry, rig.collector, lambda: peers, rig.clock.seconds)
    names = {labels[0][1] for labels in status.metrics()["routed_bgp_peer_up"]}
    assert names == {f"[{ADDRESS}]:1000", f"[{ADDRESS}]:1001"}


def test_routers_are_measured() -> None:
    rig = bmp_rig.Rig()
    tables = BmpTables(rig.collector)
    status = Status(rig, tables)
    measure_bmp(status.registry, rig.collector, lambda: rig.now)
    rig.up(bmp_rig.peer_up(), bmp_rig.announce(1, 2))
    metrics = status.metrics()
    router = (("router", bmp_rig.ADDRESS), ("router_port", "1000"))
    assert metrics["routed_bmp_routers"] == {(): 1}
    assert metrics["routed_bmp_router_peers"] == {router: 1}
    assert metrics["routed_bmp_router_monitoring_messages_total"] == {router: 1}
    assert metrics["routed_bmp_router_routes_announced_total"] == {router: 2}
    assert metrics["routed_bmp_router_routes_dropped_total"] == {router: 0}
    assert ROUTER_COUNTERS.keys() == {field.name for field in fields(RouterCounters)}
    [(labels, routes)] = metrics["routed_bmp_rib_routes"].items()
    assert routes == 2
    assert dict(labels) == {
        **dict(router),
        "peer": "192.0.2.1",
        "peer_type": "0",
        "rd": "",
        "rib": "Adj-Rib-In Pre-Policy",
        "filtered": "0",
        "afi": "1",
        "safi": "1",
    }
