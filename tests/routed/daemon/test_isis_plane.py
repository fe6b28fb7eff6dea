"""IS-IS in every daemon with a routing plane, from the configuration to routes, with a map in place of a neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from twisted.internet.defer import ensureDeferred

from routed.daemon import isis_plane
from routed.daemon.bgp_plane import BgpPlane
from routed.daemon.bmp_plane import BmpPlane
from routed.daemon.plane import RoutingPlanes, routing_settings
from routed.daemon.settings import pmbgpd_settings, pmbmpd_settings, read_configuration
from routed.plumbing.statements import parse_statements
from tests.routed.daemon.plane_rig import Here, Lines, Reactor, reload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from routed.plumbing.config import Configuration
    from routed.service.isis import Isis

pytestmark = pytest.mark.usefixtures("no_sockets")

NEAR = "node=192.0.2.1 area_id=1 adj_metric=192.0.2.2,10\n"
FAR = "node=192.0.2.2 area_id=1 adj_metric=192.0.2.1,10 reach_metric=198.51.100.0/24,5\n"


def flow_settings(configuration: Configuration) -> Any:
    return routing_settings(configuration, "nfacctd")


DAEMONS: dict[str, tuple[Callable[..., Any], Callable[[Configuration], Any]]] = {
    "pmbgpd": (BgpPlane, pmbgpd_settings),
    "pmbmpd": (BmpPlane, pmbmpd_settings),
    "nfacctd": (RoutingPlanes, flow_settings),
}


class Rig:
    """A daemon's planes with IS-IS."""

    def __init__(self, name: str, folder: Path) -> None:
        self.map = folder / "igp.map"
        self.map.write_text(NEAR + FAR)
        self.log, self.reactor = Lines(), Reactor()
        make, self._settings = DAEMONS[name]
        self.planes = make(self.reactor, self.settings(), cast("Any", self.log), seed=1)

    def settings(self, *lines: str) -> Any:
        text = (
            "isis_daemon: true",
            "isis_daemon_ip: 192.0.2.1",
            "isis_daemon_net: 49.0001.1920.0000.2001.00",
            f"igp_daemon_map: {self.map}",
            *lines,
        )
        return self._settings(read_configuration(parse_statements("\n".join(text), "f")))

    @property
    def isis(self) -> Isis:
        owner = self.planes._foundation if isinstance(self.planes, RoutingPlanes) else self.planes._own
        found: Isis = owner.isis.isis
        return found

    def run(self) -> None:
        for _ in range(50):
            self.reactor.advance(0.1)

    def stop(self) -> None:
        ended: list[object] = []
        ensureDeferred(self.planes.stop()).addBoth(ended.append)
        self.run()
        assert ended == [None]


@pytest.fixture(params=DAEMONS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(isis_plane, "PoolThreads", Here)
    return Rig(request.param, tmp_path)


def test_every_daemon_has_its_routes_and_follows_a_reload(rig: Rig) -> None:
    rig.planes.start()
    rig.run()
    assert [str(prefix) for prefix in rig.isis.igp.routes] == ["198.51.100.0/24"]
    assert len(rig.isis.igp.table) == 1
    if isinstance(rig.planes, RoutingPlanes):
        assert [plane.name for plane in rig.planes] == ["igp"]
        assert rig.planes.igp is rig.isis.igp

    rig.map.write_text(NEAR + FAR.replace("198.51.100.0/24,5", "203.0.113.0/24,5"))
    rig.log.lines.clear()
    reload(rig.planes, rig.settings("isis_daemon_msglog: true"), rig.log)
    rig.run()
    assert [str(prefix) for prefix in rig.isis.igp.routes] == ["203.0.113.0/24"]
    assert "INFO IS-IS route 203.0.113.0/24 update, metric 15" in rig.log.lines

    rig.map.write_text("node=192.0.2.1\n")
    reload(rig.planes, rig.settings(), rig.log)
    rig.run()
    assert f"ERROR [{rig.map}] Rolling back old map." in rig.log.lines
    assert len(rig.isis.igp.routes) == 1
    rig.stop()
