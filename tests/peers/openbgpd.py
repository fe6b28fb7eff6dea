"""OpenBGPD: unicast of both versions, ADD-PATH, TCP-MD5; routes live in its configuration."""

from collections.abc import Iterator, Sequence
from typing import Final

from routed.wire.family import Afi
from tests.peers.route import Route
from tests.peers.speaker import Speaker

_ORIGIN: Final = {"i": "igp", "e": "egp", "u": "incomplete"}


class OpenBgpd(Speaker):
    """One bgpd with its helpers."""

    package = "openbgpd"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        self._write()
        return ["/usr/sbin/bgpd", "-d", "-v", "-f", str(self.home / "bgpd.conf")], {}

    def announce(self, *routes: Route) -> None:
        self.routes += routes
        self._reload()

    def withdraw(self, *routes: Route) -> None:
        self.routes = [route for route in self.routes if route not in routes]
        self._reload()

    def shut_down(self, reason: str) -> None:
        self.control("neighbor", self.link.remote, "down", reason)

    def ask_again(self) -> None:
        self.control("neighbor", self.link.remote, "refresh")

    def control(self, *words: str) -> str:
        """Give bgpd a command."""
        return self.network.run("/usr/sbin/bgpctl", "-s", str(self.home / "control"), *words)

    def _reload(self) -> None:
        if self.program is not None:
            self._write()
            self.control("reload")

    def _write(self) -> None:
        path = self.home / "bgpd.conf"
        path.write_text("\n".join(self._configuration()) + "\n")
        path.chmod(0o600)  # bgpd refuses a configuration that others may read

    def _configuration(self) -> Iterator[str]:
        link = self.link
        yield f"AS {link.local_as}"
        yield f"router-id {link.router_id}"
        yield "fib-update no"
        yield f'socket "{self.home}/control"'
        yield f"listen on {link.local} port 1179"
        yield f"holdtime {link.hold_time}"
        yield "holdtime min 3"
        yield f"neighbor {link.remote} {{"
        yield f"remote-as {link.remote_as}\nlocal-address {link.local}\nport 179"
        if link.near:
            yield "ttl-security yes"
        elif link.local_as != link.remote_as:
            yield "multihop 4"
        if link.role:
            yield f"announce policy {link.role} enforce"
        if link.password:
            yield f"tcp md5sig password {link.password}"
        for family in link.families:
            yield f"announce {'IPv4' if family.afi == Afi.IPV4 else 'IPv6'} unicast"
        if link.add_path:
            yield "announce add-path send all"
        yield "}"
        yield "allow to any"
        for route in self.routes:
            yield f"network {route.prefix} set {{ {' '.join(self._sets(route))} }}"
            yield f"match to any prefix {route.prefix} set nexthop {route.next_hop}"

    def _sets(self, route: Route) -> Iterator[str]:
        yield f"origin {_ORIGIN[route.origin]}"
        if path := self.link.own_path(route):
            yield f"prepend-self {len(path)}"
        if route.local_pref is not None:
            yield f"localpref {route.local_pref}"
        if route.med is not None:
            yield f"metric {route.med}"
        yield from (f"community {one}" for one in route.communities.split())
        yield from (f"large-community {one}" for one in route.large_communities.split())
        for community in route.extended_communities.split():
            kind, value = community.split(":", 1)
            yield f"ext-community {kind.lower()} {value}"
