"""The dashboard and the scrape file say what is so: every metric that they name is there, with the labels it has."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from routed.plumbing.exposition import expose
from routed.plumbing.metrics import Registry
from routed.service.measures import measure_process
from tests.routed.daemon import test_bgp_plane, test_bmp_plane
from tests.routed.daemon.conftest import no_sockets
from tests.routed.daemon.test_looking_glass import HttpServer, Server, http_servers, servers

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DASHBOARD: dict[str, Any] = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
REACTOR = SimpleNamespace(longest_turn=0.0, busiest_turn=0.0, long_turns=0)

__all__ = ["http_servers", "no_sockets", "servers"]

pytestmark = pytest.mark.usefixtures("no_sockets")


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture
def names(http_servers: list[HttpServer], servers: list[Server]) -> set[str]:
    """The metrics of both daemons, as Prometheus knows them."""
    found: set[str] = set()
    for protocol, module in (("bgp", test_bgp_plane), ("bmp", test_bmp_plane)):
        registry: Registry = module.Rig(f"{protocol}_daemon_lg: true\n{protocol}_daemon_lg_http: true").plane.metrics
        measure_process(registry, cast("Any", REACTOR), protocol, "1")
        text = b"".join(expose(registry)).decode()
        assert list(text_string_to_metric_families(text))
        found |= set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert len(http_servers) == len(servers) == 2
    return found


def test_the_dashboard_names_metrics_that_there_are(names: set[str]) -> None:
    named = {name for text in expressions() for name in re.findall(r"\b(?:routed|process)_\w+", text)}
    named |= set(re.findall(r"routed_\w+", DASHBOARD["templating"]["list"][1]["query"]))
    assert len(named) > 20
    assert named - names == set()


def test_names_follow_the_conventions_of_prometheus(names: set[str]) -> None:
    for name in names:
        assert re.fullmatch(r"(routed|process)_[a-z0-9]+(_[a-z0-9]+)*", name)
        assert not re.search(r"octets|_ms\b|milli|total_|count$", name)


def test_every_panel_has_a_place_and_an_expression() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
    assert all(expressions())


def test_the_scrape_file_asks_where_the_daemon_listens() -> None:
    text = (EXAMPLES / "prometheus.yml").read_text()
    assert '["127.0.0.1:17980"]' in text
    assert "metrics_path" not in text  # /metrics is what Prometheus asks for
