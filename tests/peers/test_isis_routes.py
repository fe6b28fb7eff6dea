"""A network of four routers: the routes that `pmbgpd` has are those that FRR itself computes, also when a link fails.

    collector ── r1 ──70000── r2
                 │             │
                10            10
                 │             │
                 r3 ──70000── r4

Both ways from r1 to r4 cost the same, in numbers of more than 16 bits. IPv6 has a topology of its own (RFC 5120).
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.collector import Collector
from tests.peers.frr_isis import PATIENCE, FrrIsis
from tests.peers.network import Network, network
from tests.peers.waiting import eventually

LINKS: Final = {(1, 2): 70_000, (1, 3): 10, (2, 4): 10, (3, 4): 70_000}

Routes = dict[str, tuple[int, tuple[str, ...]]]


def lay(one: Network, other: Network, names: tuple[str, str], prefix: str) -> None:
    """Lay a cable between two namespaces."""
    one.run("ip", *f"link add {names[0]} type veth peer name {names[1]} netns {other.name}".split())
    for host, name, last in ((one, names[0], 1), (other, names[1], 2)):
        host.run("ip", *f"link set {name} up".split())
        host.run("ip", *f"address add {prefix}.{last}/30 dev {name}".split())


@pytest.fixture
def routers(net: Network, tmp_path: Path) -> Iterator[dict[int, FrrIsis]]:
    """Four routers, of which the first has a cable to the namespace of the collector: `isis0` there."""
    with ExitStack() as stack:
        hosts = {number: stack.enter_context(network()) for number in range(1, 5)}
        interfaces: dict[int, dict[str, list[str]]] = {number: {} for number in hosts}
        for serial, ((one, other), metric) in enumerate(LINKS.items(), 1):
            lay(hosts[one], hosts[other], (f"to{other}", f"to{one}"), f"10.9.{serial}")
            for here, there in ((one, other), (other, one)):
                interfaces[here][f"to{there}"] = [f"isis metric {metric}"]
        lay(net, hosts[1], ("isis0", "isis0"), "10.9.9")
        interfaces[1]["isis0"] = ["isis metric 10"]
        made = {}
        for number, host in hosts.items():
            host.run("ip", *f"address add 10.9.100.{number}/32 dev lo".split())
            host.run("ip", *f"address add 2001:db8:9::{number}/128 dev lo".split())
            made[number] = FrrIsis(
                host,
                tmp_path,
                f"r{number}",
                net=f"49.0001.0000.0000.000{number}.00",
                interfaces=interfaces[number],
                extra=("topology ipv6-unicast", "spf-interval 1"),
            )
            stack.callback(made[number].kill)
        for router in made.values():
            router.start()
        yield made


def of_frr(router: FrrIsis) -> Routes:
    """Return metric and next routers of what a router has from IS-IS, but for prefixes of its own links.

    FRR leaves what it says itself out of its calculation; in ours it counts, without a first hop.
    """
    shell = ("vtysh", "--vty_socket", str(router.home), "-d", "zebra")
    found: Routes = {}
    for family in ("ip", "ipv6"):
        isis = json.loads(router.network.run(*shell, "-c", f"show {family} route isis json"))
        connected = json.loads(router.network.run(*shell, "-c", f"show {family} route connected json"))
        for prefix, (route, *_) in isis.items():
            if prefix not in connected:
                hops = (f"r{hop['interfaceName'].removeprefix('to')}" for hop in route["nexthops"])
                found[prefix] = route["metric"], tuple(sorted(set(hops)))
    return found


class Pmbgpd(Collector):
    """The collector, and what its looking glass says of IS-IS."""

    def __init__(self, network: Network, home: Path, **settings: object) -> None:
        self._network = network
        self.records = home / "isis.json"
        super().__init__(
            network,
            home,
            {
                "bgp_daemon_lg": "true",
                "isis_daemon": "true",
                "isis_daemon_ip": "10.9.9.1",
                "isis_daemon_net": "49.0001.0000.0000.00aa.00",
                "isis_daemon_iface": "isis0",
                "isis_daemon_hello_interval": 1,
                "isis_daemon_hello_multiplier": 60,
                "isis_daemon_hostname": "listener",
                "isis_daemon_msglog_file": self.records,
                "isis_dump_file": home / "isis-dump.json",
                "isis_dump_refresh_time": 60,
                **settings,
            },
        )

    def reload(self, **settings: object) -> None:
        """Have it take other values."""
        file = self.home / f"{self.name}.conf"
        kept = [line for line in file.read_text().splitlines() if line.partition(":")[0] not in settings]
        file.write_text("\n".join([*kept, *(f"{key}: {value}" for key, value in settings.items())]) + "\n")
        os.kill(self.pid, signal.SIGUSR2)

    def ask(self, *switches: str) -> list[dict[str, Any]]:
        """Ask the looking glass."""
        words = (sys.executable, "-m", "lg.cli", "--json", *switches)
        return [json.loads(line) for line in self._network.run(*words).splitlines()]

    def routes(self, *switches: str) -> Routes:  # type: ignore[override]  # of IS-IS here
        """Return metric and first hops of the routes that do not belong to the first router."""
        return {
            route["ip_prefix"]: (route["metric"], tuple(sorted(hop["hostname"] for hop in route["first_hops"])))
            for route in self.ask("--isis-routes", "--limit", "2000", *switches)
            if route["first_hops"]
        }

    def logged(self) -> dict[str, int]:
        """Return the metrics of the routes that the message log leaves."""
        found: dict[str, int] = {}
        for line in self.records.read_text().splitlines() if self.records.exists() else ():
            record = json.loads(line)
            if record["isis_type"] == "route":
                found[record["ip_prefix"]] = record["metric"]
                if record["log_type"] == "withdraw":
                    del found[record["ip_prefix"]]
        return found


def wait_for_agreement(collector: Pmbgpd, router: FrrIsis, least: int) -> Routes:
    """Wait until the collector and a router have the same, and at least so many."""

    def agreed() -> Routes:
        theirs = of_frr(router)
        logged = collector.logged()
        if len(theirs) < least or any(logged.get(prefix) != metric for prefix, (metric, _) in theirs.items()):
            return {}
        return theirs if collector.routes() == theirs else {}

    try:
        return eventually(agreed, 2 * PATIENCE, "the routes of FRR")
    except TimeoutError as timeout:
        timeout.add_note(f"FRR: {of_frr(router)}\nwe: {collector.routes()}\n{collector.text[-3000:]}")
        raise


def test_routes_are_those_that_frr_computes(net: Network, routers: dict[int, FrrIsis], tmp_path: Path) -> None:
    home = tmp_path / "collector"
    home.mkdir()
    collector = Pmbgpd(net, home)
    try:
        first = routers[1]
        both = ("r2", "r3")
        eventually(lambda: of_frr(first).get("10.9.100.4/32", (0, ()))[1] == both, 2 * PATIENCE, "two ways in FRR")
        routes = wait_for_agreement(collector, first, 8)
        assert routes["10.9.100.4/32"][1] == both
        assert routes["10.9.100.4/32"][0] > 70_000
        assert {"2001:db8:9::2/128", "2001:db8:9::3/128", "2001:db8:9::4/128"} <= routes.keys()
        assert eventually(first.neighbors, PATIENCE, "neighbours of FRR")["listener"] == "Up"
        assert {each["hostname"] for each in collector.ask("--isis-hostnames")} == {"listener", "r1", "r2", "r3", "r4"}

        # the view of a router that is no neighbour
        eventually(lambda: collector.routes("--root", "r4") == of_frr(routers[4]), 2 * PATIENCE, "the view of r4")

        # what is overloaded is reached, and nothing goes through it
        routers[2].control("configure terminal", "router isis test", "set-overload-bit")
        eventually(lambda: of_frr(first).get("10.9.100.4/32", (0, ()))[1] == ("r3",), 2 * PATIENCE, "one way in FRR")
        around = wait_for_agreement(collector, first, 8)
        assert (around["10.9.100.2/32"], around["10.9.100.4/32"][1]) == (routes["10.9.100.2/32"], ("r3",))

        first.network.run("ip", "link", "set", "to2", "down")
        eventually(
            lambda: of_frr(first).get("10.9.100.2/32", (0, ()))[1] == ("r3",), 2 * PATIENCE, "another way in FRR"
        )
        after = wait_for_agreement(collector, first, 7)
        assert after["10.9.100.2/32"][1] == ("r3",)
        assert after["10.9.100.2/32"][0] > routes["10.9.100.2/32"][0]
        metric = after["10.9.100.4/32"][0]
        (found,) = collector.ask("--isis-routes", "--prefix", "10.9.100.4", "--fields", "ip_prefix,metric,next_hop")
        assert found == {"ip_prefix": "10.9.100.4/32", "metric": metric, "next_hop": "10.9.100.4"}

        # another secret and another name at both ends
        first.control("configure terminal", "interface isis0", "isis password md5 new")
        collector.reload(isis_daemon_hello_password="new", isis_daemon_hostname="renamed")
        eventually(lambda: first.neighbors().get("renamed") == "Up", 2 * PATIENCE, "our other name in FRR")

        (neighbor,) = collector.ask("--isis-neighbors")
        assert (neighbor["state"], neighbor["hostname"], neighbor["three_way"]) == ("up", "r1", True)
        routers[1].kill()
        eventually(lambda: not collector.logged(), PATIENCE, "no routes without a neighbour")
        assert collector.ask("--isis-routes") == []
        assert [each["state"] for each in collector.ask("--isis-neighbors")] == ["down"]
    finally:
        collector.stop()
