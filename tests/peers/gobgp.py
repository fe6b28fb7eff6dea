"""GoBGP: unicast, labelled unicast, L3VPN, ADD-PATH and AS sets, all through its command line client."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from routed.wire.family import (
    IPV4_LABELED,
    IPV4_UNICAST,
    IPV4_VPN,
    IPV6_LABELED,
    IPV6_UNICAST,
    IPV6_VPN,
    Afi,
    Family,
    Safi,
)
from tests.peers.collector import PATIENCE
from tests.peers.route import Route
from tests.peers.speaker import Speaker
from tests.peers.waiting import eventually

#: What it has and no collector of ours stores.
EVPN: Final = Family(Afi.L2VPN, Safi.EVPN)
IPV4_FLOWSPEC: Final = Family(Afi.IPV4, Safi.FLOWSPEC)
LINK_STATE: Final = Family(Afi.LINK_STATE, Safi.LINK_STATE)

#: By family: its name in the configuration and its name on the command line.
_NAMES: Final[dict[Family, tuple[str, str]]] = {
    IPV4_UNICAST: ("ipv4-unicast", "ipv4"),
    IPV6_UNICAST: ("ipv6-unicast", "ipv6"),
    IPV4_LABELED: ("ipv4-labelled-unicast", "ipv4-mpls"),
    IPV6_LABELED: ("ipv6-labelled-unicast", "ipv6-mpls"),
    IPV4_VPN: ("l3vpn-ipv4-unicast", "vpnv4"),
    IPV6_VPN: ("l3vpn-ipv6-unicast", "vpnv6"),
    EVPN: ("l2vpn-evpn", "evpn"),
    IPV4_FLOWSPEC: ("ipv4-flowspec", "ipv4-flowspec"),
    LINK_STATE: ("ls", "ls"),
}
_ORIGIN: Final = {"i": "igp", "e": "egp", "u": "incomplete"}
_API: Final = "127.0.0.1"  # inside the namespace only


class GoBgp(Speaker):
    """One gobgpd process; it waits five to ten seconds before it first connects."""

    package = "gobgpd"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        configuration = self.home / "gobgpd.toml"
        configuration.write_text("\n".join(self._configuration()) + "\n")
        return ["/usr/bin/gobgpd", "-f", str(configuration), "--pprof-disable", "--api-hosts", f"{_API}:50051"], {}

    def start(self) -> None:
        super().start()
        eventually(lambda: "Add Peer" in self.text(), PATIENCE, "gobgpd to read its configuration")
        for route in self.routes:
            self._tell("add", route)

    def announce(self, *routes: Route) -> None:
        self.routes += routes
        if self.program is not None:
            for route in routes:
                self._tell("add", route)

    def withdraw(self, *routes: Route) -> None:
        for route in routes:
            self._tell("del", route)
            self.routes.remove(route)

    def shut_down(self, reason: str) -> None:
        # not `disable`, which ought to replace it: that one forgets the reason
        self.control("neighbor", self.link.remote, "shutdown", "--reason", reason)

    def control(self, *words: str) -> str:
        """Give gobgpd a command."""
        return self.network.run("/usr/bin/gobgp", "-u", _API, *words)

    def _tell(self, verb: str, route: Route) -> None:
        self.control("global", "rib", verb, "-a", _NAMES[route.family][1], *self._words(route))

    def _words(self, route: Route) -> Iterator[str]:
        yield route.prefix
        labels = "/".join(map(str, route.labels))
        if route.family.safi == Safi.LABELED_UNICAST:
            yield labels
        if route.family.safi == Safi.MPLS_VPN:
            yield from ("label", labels, "rd", route.rd)
        if kinds := route.extended_communities.split():
            yield "rt"
            yield from (kind.removeprefix("RT:") for kind in kinds)
        yield from ("origin", _ORIGIN[route.origin], "nexthop", route.next_hop)
        if path := self.link.own_path(route):
            yield from ("aspath", " ".join(path).replace(",", " "))
        if route.local_pref is not None:
            yield from ("local-pref", str(route.local_pref))
        if route.med is not None:
            yield from ("med", str(route.med))
        if route.communities:
            yield from ("community", route.communities.replace(" ", ","))
        if route.large_communities:
            yield from ("large-community", route.large_communities.replace(" ", ","))
        if route.path_id is not None:  # any number that differs from path to path; gobgpd sends one of its own
            yield from ("identifier", str(zlib.crc32(route.next_hop.encode())))

    def _configuration(self) -> Iterator[str]:
        link = self.link
        yield f'[global.config]\nas = {link.local_as}\nrouter-id = "{link.router_id}"\nport = -1'
        yield f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{link.remote}"\npeer-as = {link.remote_as}'
        if link.password:
            yield f'auth-password = "{link.password}"'
        yield f'[neighbors.transport.config]\nlocal-address = "{link.local}"\nremote-port = 179'
        if link.local_as != link.remote_as:
            yield "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 4"
        yield "[neighbors.timers.config]\nconnect-retry = 5\nidle-hold-time-after-reset = 1"
        yield f"hold-time = {link.hold_time}\nkeepalive-interval = {link.hold_time // 3}"
        if link.restart_time:
            yield f"[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = {link.restart_time}"
        for family in link.families:
            yield f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{_NAMES[family][0]}"'
            if link.add_path and family.safi == Safi.UNICAST:
                yield "[neighbors.afi-safis.add-paths.config]\nsend-max = 4"
            if link.restart_time:
                yield "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true"


def family_name(family: Family) -> str:
    """Return what a configuration calls a family."""
    return _NAMES[family][0]
