"""BGP sessions passed on: real routers through our pmbgpd to real collectors, of ours and of Debian's.

The proxy is 127.0.0.1 and fd00::1 port 179, where the speakers connect; the collectors share its addresses.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.peers.bird import Bird
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.conftest import Recruit
from tests.peers.exabgp import ExaBgp
from tests.peers.install import require
from tests.peers.network import COLLECTOR, COLLECTOR_6, Network, counter
from tests.peers.route import Route, described
from tests.peers.speaker import Link, Speaker
from tests.peers.waiting import eventually, steadily
from tests.peers.xconnect import FIRST_PORT, Behind, Proxy

BIRD, EXABGP, SECOND_BIRD = "127.0.0.11", "127.0.0.12", "127.0.0.13"
FIRST = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", as_path="64500 64501", local_pref=100, communities="1:2")
SECOND = Route(prefix="10.16.2.0/24", next_hop="192.0.2.17", as_path="64502", local_pref=100, med=7)
THIRD = Route(prefix="10.16.3.0/24", next_hop="192.0.2.18", as_path="64503", local_pref=100)

Collectors = Callable[..., Behind]
Pass = Callable[..., Proxy]


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """Whatever a test starts; what it did not stop itself must stop well, the proxy first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["ours", "pmacct"])
def collectors(request: pytest.FixtureRequest, net: Network, tmp_path: Path, running: ExitStack) -> Collectors:
    """Run collectors of one maker."""
    if request.param == "pmacct":
        require("pmacct")

    def start(number: int, **settings: object) -> Behind:
        return running.enter_context(at_work(Behind(net, tmp_path, request.param, FIRST_PORT + number, **settings)))

    return start


@pytest.fixture
def pass_on(net: Network, tmp_path: Path, running: ExitStack) -> Pass:
    """Run the proxy with a map."""

    def start(*rows: str, **settings: object) -> Proxy:
        return running.enter_context(at_work(Proxy(net, tmp_path, rows, **settings)))

    return start


def routes(collector: Behind, host: str = COLLECTOR, log_type: str = "update") -> list[Any]:
    """Return what a collector logged of the sessions that come from the proxy's address, without their origin."""
    rows = [{key: value for key, value in row.items() if key != "peer_id"} for row in collector.routes(host, log_type)]
    return described(rows, ids_are_picked=False)


def expect(collector: Behind, *wanted: Route, host: str = COLLECTOR, log_type: str = "update") -> None:
    """Wait for exactly these routes."""
    collector.wait_for(host, count=len(wanted), log_type=log_type)
    assert sorted(routes(collector, host, log_type), key=str) == sorted((route.row() for route in wanted), key=str)


def begin(recruit: Recruit, kind: type[Speaker], local: str, *announced: Route, **facts: Any) -> Speaker:
    """Start a speaker with routes."""
    speaker = recruit(kind, Link(local=local, **facts))
    speaker.announce(*announced)
    speaker.start()
    return speaker


def test_each_session_goes_to_its_collector(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    """What is announced and withdrawn arrives there as it was said, and nowhere else."""
    one, two = collectors(1), collectors(2)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}", f"bgp_dst={two.address()} bgp_src={EXABGP}")
    bird, exabgp = begin(recruit, Bird, BIRD, FIRST), begin(recruit, ExaBgp, EXABGP, SECOND)
    expect(one, FIRST)
    expect(two, SECOND)
    proxy.wait_for_text(f"[{BIRD} x {one.address()}] BGP xconnects usage:")
    bird.withdraw(FIRST)
    exabgp.withdraw(SECOND)
    one.wait_for(COLLECTOR, log_type="withdraw", ip_prefix=FIRST.prefix)
    two.wait_for(COLLECTOR, log_type="withdraw", ip_prefix=SECOND.prefix)
    assert {row["peer_ip_src"] for row in (*one.rows(), *two.rows())} == {COLLECTOR}


def test_several_sessions_share_a_collector(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    """`tmp_bgp_lookup_compare_ports` tells them apart; each loses its own routes when it goes."""
    if is_pmacct():
        pytest.skip("pmacct 1.7.7 crashes at a prefix in the map")
    one = collectors(1)
    pass_on(f"bgp_dst={one.address()} bgp_src=127.0.0.0/27")
    bird = begin(recruit, Bird, BIRD, FIRST)
    begin(recruit, ExaBgp, EXABGP, SECOND)
    expect(one, FIRST, SECOND)
    ports = {row["ip_prefix"]: row["peer_tcp_port"] for row in one.routes(COLLECTOR, "update")}
    assert len(set(ports.values())) == 2
    bird.shut_down("goodbye")
    one.wait_for(COLLECTOR, event_type="log_close", peer_tcp_port=ports[FIRST.prefix])
    assert [row["ip_prefix"] for row in one.routes(COLLECTOR, "delete")] == [FIRST.prefix]


def test_what_an_operator_says_reaches_the_other_end(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    one = collectors(1)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    expect(one, FIRST)
    bird.shut_down("maintenance until noon")
    one.wait_for_text("maintenance until noon")
    if not is_pmacct():
        proxy.wait_for_text(
            "BGP_NOTIFICATION received from src peer (6, 2). Shutdown Message: 'maintenance until noon'"
        )


@pytest.mark.usefixtures("not_pmacct")
@pytest.mark.parametrize("farewell", [signal.SIGINT, signal.SIGKILL])
def test_a_collector_may_restart(
    recruit: Recruit, collectors: Collectors, pass_on: Pass, farewell: signal.Signals
) -> None:
    """The router hears why, or gets a Cease; it comes again until the collector is back."""
    one = collectors(1)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    expect(one, FIRST)
    if farewell is signal.SIGINT:
        one.stop()
        bird.wait_for_text("shutting down")
    else:
        one.kill()
        bird.wait_for_text("the collector closed the connection")
    proxy.wait_for_text(f"[{BIRD} x {one.address()}] unable to connect to BGP collector: Connection refused")
    bird.wait_for_text("Connection rejected")
    one.message_log.unlink()
    again = collectors(1)
    expect(again, FIRST)


@pytest.mark.usefixtures("not_pmacct")
def test_a_router_that_dies_is_a_cease_for_its_collector(
    recruit: Recruit, collectors: Collectors, pass_on: Pass
) -> None:
    one = collectors(1)
    pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    expect(one, FIRST)
    bird.kill()
    one.wait_for(COLLECTOR, event_type="log_close")
    one.wait_for_text("BGP_NOTIFICATION received (6, 4). Shutdown Message: 'the router closed the connection'")


@pytest.mark.usefixtures("not_pmacct")
def test_the_proxy_says_farewell_to_both_ends(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    one = collectors(1)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    expect(one, FIRST)
    proxy.stop()
    bird.wait_for_text("shutting down")
    one.wait_for(COLLECTOR, event_type="log_close")
    one.wait_for_text("BGP_NOTIFICATION received (6, 2). Shutdown Message: 'pmacct received SIGINT - shutting down'")


@pytest.mark.usefixtures("not_pmacct")
def test_a_reloaded_map_is_for_new_sessions(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    """The sessions that are there stay; a map that is no good changes nothing."""
    one, two = collectors(1), collectors(2)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    expect(one, FIRST)
    proxy.reload(f"bgp_dst={two.address()} bgp_src=127.0.0.0/24")
    begin(recruit, ExaBgp, EXABGP, SECOND)
    expect(two, SECOND)
    bird.announce(THIRD)
    one.wait_for(COLLECTOR, log_type="update", ip_prefix=THIRD.prefix)
    proxy.reload(f"bgp_dst={one.address()}", f"bgp_src={BIRD}")
    assert f"[{proxy.map}:1] required key missing: 'bgp_src'" in proxy.text
    assert f"[{proxy.map}:2] required key missing: 'bgp_dst'" in proxy.text
    begin(recruit, Bird, SECOND_BIRD, FIRST)
    two.wait_for(COLLECTOR, log_type="update", ip_prefix=FIRST.prefix)
    assert not one.rows(COLLECTOR, event_type="log_close")


@pytest.mark.usefixtures("not_pmacct")
def test_a_router_without_a_row_is_refused_until_it_has_one(
    recruit: Recruit, collectors: Collectors, pass_on: Pass
) -> None:
    one = collectors(1)
    proxy = pass_on(f"bgp_dst={one.address()} bgp_src={EXABGP}")
    bird = begin(recruit, Bird, BIRD, FIRST)
    bird.wait_for_text("Connection rejected")
    proxy.wait_for_text(f"[{BIRD}] unable to xconnect BGP peer. Missing entry in bgp_daemon_xconnect_map")
    assert one.rows() == []
    proxy.reload(f"bgp_dst={one.address()} bgp_src={BIRD}")
    expect(one, FIRST)


@pytest.mark.usefixtures("not_pmacct")
@pytest.mark.parametrize(
    ("router", "collector"), [("fd00::11", COLLECTOR_6), ("fd00::11", COLLECTOR), (BIRD, COLLECTOR_6)]
)
@pytest.mark.parametrize("kind", [Bird, ExaBgp], ids=lambda kind: kind.package)
def test_both_versions_of_ip_on_either_side(  # noqa: PLR0917
    recruit: Recruit, collectors: Collectors, pass_on: Pass, kind: type[Speaker], router: str, collector: str
) -> None:
    route = Route(family=IPV6_UNICAST, prefix="fd16:1::/48", next_hop="2001:db8::11", local_pref=100)
    one = collectors(1)
    proxy = pass_on(f"bgp_dst={one.address(collector)} bgp_src={router}")
    begin(recruit, kind, router, route, families=(IPV4_UNICAST, IPV6_UNICAST))
    expect(one, route, host=collector)
    proxy.wait_for_text(f"[{router} x {one.address(collector)}] BGP xconnects usage: 1/16")


@pytest.mark.usefixtures("not_pmacct")
@pytest.mark.parametrize(("router", "host"), [(BIRD, COLLECTOR), ("fd00::11", COLLECTOR_6)])
def test_both_sides_are_signed(  # noqa: PLR0917
    recruit: Recruit, collectors: Collectors, pass_on: Pass, tmp_path: Path, router: str, host: str
) -> None:
    """RFC 2385: one key for the router, another one for the collector, which knows the proxy by its own key."""
    (tmp_path / "keys").write_text(f"{router}, of-the-router\n{host}, of-the-collector\n")
    (tmp_path / "keys-behind").write_text(f"{host}, of-the-collector\n")
    one = collectors(1, bgp_daemon_md5_file=tmp_path / "keys-behind")
    pass_on(f"bgp_dst={one.address(host)} bgp_src={router}", bgp_daemon_md5_file=tmp_path / "keys")
    begin(recruit, Bird, router, FIRST, password="of-the-router", families=(IPV4_UNICAST,))
    one.wait_for(host, log_type="update", ip_prefix=FIRST.prefix)


@pytest.mark.usefixtures("not_pmacct")
def test_a_collector_with_another_key_is_not_reached(
    recruit: Recruit, collectors: Collectors, pass_on: Pass, tmp_path: Path
) -> None:
    """Others are not kept waiting meanwhile; once the key is right it is."""
    (tmp_path / "keys").write_text(f"{COLLECTOR}, wrong\n")
    (tmp_path / "keys-behind").write_text(f"{COLLECTOR}, right\n")
    one, two = collectors(1, bgp_daemon_md5_file=tmp_path / "keys-behind"), collectors(2)
    proxy = pass_on(
        f"bgp_dst={one.address()} bgp_src={BIRD}",
        f"bgp_dst={two.address(COLLECTOR_6)} bgp_src={EXABGP}",
        bgp_daemon_md5_file=tmp_path / "keys",
    )
    begin(recruit, Bird, BIRD, FIRST)
    eventually(partial(counter, proxy.pid, "TCPMD5Failure"), PATIENCE, "the kernel to count a wrong signature")
    begin(recruit, ExaBgp, EXABGP, SECOND)
    expect(two, SECOND, host=COLLECTOR_6)
    proxy.wait_for_text("unable to connect to BGP collector: Connection timed out")
    (tmp_path / "keys").write_text(f"{COLLECTOR}, right\n")
    proxy.reload(*proxy.map.read_text().splitlines())
    one.wait_for(COLLECTOR, within=3 * PATIENCE, log_type="update", ip_prefix=FIRST.prefix)


@pytest.mark.usefixtures("not_pmacct")
def test_a_frozen_collector_holds_nobody_else_up(recruit: Recruit, collectors: Collectors, pass_on: Pass) -> None:
    one, two = collectors(1), collectors(2)
    pass_on(f"bgp_dst={one.address()} bgp_src={BIRD}", f"bgp_dst={two.address()} bgp_src={EXABGP}")
    bird, exabgp = begin(recruit, Bird, BIRD, FIRST), begin(recruit, ExaBgp, EXABGP, SECOND)
    expect(one, FIRST)
    expect(two, SECOND)
    one.freeze()
    exabgp.announce(THIRD)
    two.wait_for(COLLECTOR, log_type="update", ip_prefix=THIRD.prefix)
    bird.announce(THIRD)
    steadily(lambda: not one.rows(COLLECTOR, ip_prefix=THIRD.prefix), 0.5, "the silence of the frozen collector")
    one.thaw()
    one.wait_for(COLLECTOR, log_type="update", ip_prefix=THIRD.prefix)
    assert not one.rows(COLLECTOR, event_type="log_close")
