"""FRRouting's bgpd, alone and without a kernel: unicast and L3VPN, confederations; a route map per route."""

from collections.abc import Iterator, Sequence
from typing import Final

from routed.wire.family import Afi, Family, Safi
from tests.peers.collector import is_pmacct
from tests.peers.route import Route
from tests.peers.speaker import Speaker
from tests.peers.waiting import eventually

_SAFI: Final = {Safi.UNICAST: "unicast", Safi.MPLS_VPN: "vpn"}
_EXTENDED: Final = {"RT": "rt", "SoO": "soo"}


class Frr(Speaker):
    """One bgpd process; the next hop of its routes is always its own address."""

    package = "frr"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        configuration, sockets = self.home / "frr.conf", self.home / "vty"
        configuration.write_text("\n".join(self._configuration()) + "\n")
        sockets.mkdir(exist_ok=True)
        argv = ["/usr/lib/frr/bgpd", "-u", "root", "-g", "root", "-f", str(configuration), "-Z", "-n", "-S"]
        argv += ["-P", "0", "-p", "0"]  # neither a terminal nor BGP is listened for
        return [*argv, "--vty_socket", str(sockets), "-i", str(self.home / "pid")], {}

    def announce(self, *routes: Route) -> None:
        self.routes += routes
        for route in routes:
            self._configure(*_route_map(route))
            self._configure(*self._inside(route.family, f"{_network(route)} route-map {_name(route)}"))

    def withdraw(self, *routes: Route) -> None:
        self.routes = [route for route in self.routes if route not in routes]
        for route in routes:
            self._configure(*self._inside(route.family, "no " + _network(route)))

    def shut_down(self, reason: str) -> None:
        message = f" message {reason}" if reason else ""
        self._configure(self._router(), f"neighbor {self.link.remote} shutdown{message}")

    def ask_again(self) -> None:
        self.control(f"clear bgp {self.link.remote} soft in")

    def send_again(self) -> None:
        self.control(f"clear bgp {self.link.remote} soft out")

    def control(self, *commands: str) -> str:
        """Give bgpd commands."""
        eventually((self.home / "vty" / "bgpd.vty").exists, 5, "the control socket of bgpd")
        words = [word for command in commands for word in ("-c", command)]
        return self.network.run("vtysh", "--vty_socket", str(self.home / "vty"), "-d", "bgpd", *words)

    def _configure(self, *lines: str) -> None:
        if self.program is not None:
            self.control("configure terminal", *lines)

    def _router(self) -> str:
        return f"router bgp {self.link.local_as}"

    def _inside(self, family: Family, line: str) -> tuple[str, str, str]:
        return self._router(), f"address-family {_family(family)}", line

    def _configuration(self) -> Iterator[str]:
        link = self.link
        peer = f"neighbor {link.remote}"
        yield f"log file {self.home}/output-log informational"
        yield "bgp route-map delay-timer 0"
        for route in self.routes:
            yield from _route_map(route)
        yield self._router()
        yield f"bgp router-id {link.router_id}"
        yield "bgp log-neighbor-changes"
        if link.restart_time:
            yield f"bgp graceful-restart\nbgp graceful-restart restart-time {link.restart_time}"
            yield "bgp graceful-restart preserve-fw-state\nno bgp hard-administrative-reset"
        if link.confederation:
            yield f"bgp confederation identifier {link.confederation}"
            yield f"bgp confederation peers {link.remote_as}"
        yield from ("no bgp ebgp-requires-policy", "no bgp network import-check", "no bgp default ipv4-unicast")
        yield f"{peer} remote-as {link.remote_as}"
        yield f"{peer} update-source {link.local}"
        yield f"{peer} disable-connected-check"
        yield f"{peer} timers {link.hold_time // 3} {link.hold_time}"
        yield f"{peer} timers connect 1"
        yield f"{peer} advertisement-interval 0"
        yield from (f"{peer} {option}" for option in self._options())
        for family in link.families:
            yield f"address-family {_family(family)}"
            yield f"{peer} activate"
            if link.add_path and family.safi == Safi.UNICAST:
                yield f"{peer} addpath-tx-all-paths"
            for route in self.routes:
                if route.family == family:
                    yield f"{_network(route)} route-map {_name(route)}"
            yield "exit-address-family"

    def _options(self) -> Iterator[str]:
        link = self.link
        if link.password:
            yield f"password {link.password}"
        if link.role:
            yield f"local-role {link.role} strict-mode"
        if link.near:
            yield "ttl-security hops 1"
        if link.extended and not is_pmacct():
            yield "extended-optional-parameters"


def _family(family: Family) -> str:
    return f"{'ipv4' if family.afi == Afi.IPV4 else 'ipv6'} {_SAFI[Safi(family.safi)]}"


def _name(route: Route) -> str:
    return "to-" + route.prefix.replace("/", "-")


def _network(route: Route) -> str:
    vpn = f" rd {route.rd} label {route.labels[0]}" if route.rd else ""
    return f"network {route.prefix}{vpn}"


def _route_map(route: Route) -> Iterator[str]:
    yield f"route-map {_name(route)} permit 10"
    if path := [asn for asn in route.as_path.split() if not asn.startswith("(")]:
        yield "set as-path prepend " + " ".join(path)
    if route.local_pref is not None:
        yield f"set local-preference {route.local_pref}"
    if route.med is not None:
        yield f"set metric {route.med}"
    if route.communities:
        yield f"set community {route.communities}"
    if route.large_communities:
        yield f"set large-community {route.large_communities}"
    for community in route.extended_communities.split():
        kind, value = community.split(":", 1)
        yield f"set extcommunity {_EXTENDED[kind]} {value}"
    yield "exit"
