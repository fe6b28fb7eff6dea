"""ExaBGP: every attribute it can spell, path identifiers and label stacks of our choice.

It reads commands from a helper, which here is `tail` following a file that the test appends to.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from routed.wire.family import Afi, Family, Safi
from tests.peers.route import Route
from tests.peers.speaker import Speaker

_SAFI: Final = {Safi.UNICAST: "unicast", Safi.LABELED_UNICAST: "nlri-mpls", Safi.MPLS_VPN: "mpls-vpn"}
_ORIGIN: Final = {"i": "igp", "e": "egp", "u": "incomplete"}
_EXTENDED: Final = {"RT": "target", "SoO": "origin"}


class ExaBgp(Speaker):
    """One exabgp process."""

    package = "exabgp"
    ids_are_picked = False
    understands_reasons = False  # release 4.2 stumbles over every NOTIFICATION it receives

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        configuration, commands = self.home / "exabgp.conf", self.home / "commands"
        commands.write_text("".join(f"announce {self._words(route)}\n" for route in self.routes))
        configuration.write_text("\n".join(self._configuration(str(commands))) + "\n")
        environment = {"exabgp.daemon.user": "root", "exabgp.api.cli": "false", "exabgp.tcp.port": "179"}
        return ["/usr/sbin/exabgp", str(configuration)], environment

    def announce(self, *routes: Route) -> None:
        self.routes += routes
        if self.program is not None:
            self._tell(*(f"announce {self._words(route)}" for route in routes))

    def withdraw(self, *routes: Route) -> None:
        self.routes = [route for route in self.routes if route not in routes]
        self._tell(*(f"withdraw {self._words(route)}" for route in routes))

    def shut_down(self, reason: str) -> None:
        assert not reason, "exabgp cannot say why"
        self._tell(f"neighbor {self.link.remote} teardown 2")

    def _tell(self, *commands: str) -> None:
        with (self.home / "commands").open("a") as file:
            file.writelines(f"{command}\n" for command in commands)

    def _words(self, route: Route) -> str:
        return "route " + " ".join(self._facts(route))

    def _facts(self, route: Route) -> Iterator[str]:
        yield route.prefix
        if route.rd:
            yield f"rd {route.rd}"
        if route.path_id is not None:
            yield f"path-information 0.0.0.{route.path_id}"
        yield f"next-hop {route.next_hop} origin {_ORIGIN[route.origin]}"
        if route.labels:
            yield f"label [ {' '.join(map(str, route.labels))} ]"
        if route.as_path:
            path = route.as_path.replace("{", "( ").replace("}", " )").replace(",", " ")
            yield f"as-path [ {path} ]"
        if route.local_pref is not None:
            yield f"local-preference {route.local_pref}"
        if route.med is not None:
            yield f"med {route.med}"
        if route.communities:
            yield f"community [ {route.communities} ]"
        if route.large_communities:
            yield f"large-community [ {route.large_communities} ]"
        if pairs := [community.split(":", 1) for community in route.extended_communities.split()]:
            yield f"extended-community [ {' '.join(f'{_EXTENDED[kind]}:{value}' for kind, value in pairs)} ]"

    def _configuration(self, commands: str) -> Iterator[str]:
        link = self.link
        yield f"process control {{ run /usr/bin/tail -n +1 -f {commands}; encoder text; }}"
        yield f"neighbor {link.remote} {{"
        yield f"router-id {link.router_id}; local-address {link.local}; hold-time {link.hold_time};"
        yield f"local-as {link.local_as}; peer-as {link.remote_as};"
        if link.password:
            yield f"md5-password '{link.password}';"
        add_path = "add-path send;" if link.add_path else ""
        restart = f"graceful-restart {link.restart_time};" if link.restart_time else ""
        yield f"capability {{ {add_path} {restart} }}"
        yield f"family {{ {' '.join(f'{_family(family)};' for family in link.families)} }}"
        if link.add_path:
            families = (family for family in link.families if family.afi == Afi.IPV4)
            yield f"add-path {{ {' '.join(f'{_family(family)};' for family in families)} }}"
        yield "api { processes [ control ]; }\n}"


def _family(family: Family) -> str:
    return f"{'ipv4' if family.afi == Afi.IPV4 else 'ipv6'} {_SAFI[Safi(family.safi)]}"
