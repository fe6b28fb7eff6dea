"""BIRD 2: all families, ADD-PATH, graceful restart, TCP-MD5; every route is a static protocol of its own."""

from collections.abc import Sequence
from typing import Final

from routed.wire.family import Afi, Family, Safi
from tests.peers.route import Route
from tests.peers.speaker import Speaker
from tests.peers.waiting import eventually

_CHANNEL: Final = {
    Safi.UNICAST: "ipv{}",
    Safi.MULTICAST: "ipv{} multicast",
    Safi.LABELED_UNICAST: "ipv{} mpls",
    Safi.MPLS_VPN: "vpn{} mpls",
}
_ORIGIN: Final = {"i": "ORIGIN_IGP", "e": "ORIGIN_EGP", "u": "ORIGIN_INCOMPLETE"}
_EXTENDED: Final = {"RT": "rt", "SoO": "ro"}
_WELL_KNOWN: Final = {"no-export": "65535:65281", "no-advertise": "65535:65282", "local-AS": "65535:65283"}


class Bird(Speaker):
    """One bird process with one BGP protocol called `collector`."""

    package = "bird2"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        self._write()
        recover = ["-R"] if self.link.restart_time and (self.home / "output-log").exists() else []
        socket, configuration = str(self.home / "control"), str(self.home / "bird.conf")
        return ["/usr/sbin/bird", "-f", *recover, "-c", configuration, "-s", socket], {}

    def announce(self, *routes: Route) -> None:
        self.routes += routes
        self._reload()

    def withdraw(self, *routes: Route) -> None:
        self.routes = [route for route in self.routes if route not in routes]
        self._reload()

    def shut_down(self, reason: str) -> None:
        self.control("disable", "collector", f'"{reason}"')

    def ask_again(self) -> None:
        self.control("reload", "in", "collector")

    def send_again(self) -> None:
        self.control("reload", "out", "collector")

    def control(self, *words: str) -> str:
        """Give bird a command."""
        return self.network.run("/usr/sbin/birdc", "-s", str(self.home / "control"), *words)

    def _reload(self) -> None:
        if self.program is not None:
            eventually((self.home / "control").exists, 5, "the control socket of bird")
            self._write()
            self.control("configure")

    def _write(self) -> None:
        link = self.link
        options = [
            f"local {link.local} port 1179 as {link.local_as};",
            f"neighbor {link.remote} port 179 as {link.remote_as};",
            "strict bind; multihop; connect delay time 1; connect retry time 1; error wait time 1, 2;",
            f"hold time {link.hold_time};",
            f'password "{link.password}";' if link.password else "",
            f"local role {link.role}; require roles on;" if link.role else "",
            "multihop 1; ttl security on;" if link.near else "",
            "enable extended messages on;" if link.extended else "",
            f"graceful restart on; graceful restart time {link.restart_time};" if link.restart_time else "",
            f"long lived graceful restart on; long lived stale time {link.long_lived_time};"
            if link.long_lived_time
            else "",
            *(self._channel(family) for family in link.families),
        ]
        text = [
            f"router id {link.router_id};",
            f'log "{self.home}/output-log" all;',
            "protocol device {}",
            *(f"{_net(family)} table {_table(family)};" for family in link.families),
            *(_static(number, route) for number, route in enumerate(self.routes)),
            "protocol bgp collector {",
            *options,
            "}",
        ]
        (self.home / "bird.conf").write_text("\n".join(text) + "\n")

    def _channel(self, family: Family) -> str:
        channel = _CHANNEL[Safi(family.safi)].format(_version(family))
        add_path = "add paths tx;" if self.link.add_path else ""
        next_hop = "next hop address 2001:db8::11;" if family.afi == Afi.IPV6 else ""
        if self.link.extended_next_hop and family.afi == Afi.IPV4:
            next_hop = "extended next hop on;"
        return f"{channel} {{ table {_table(family)}; import none; export all; {next_hop} {add_path} }};"


def _version(family: Family) -> int:
    return 4 if family.afi == Afi.IPV4 else 6


def _net(family: Family) -> str:
    return f"{'vpn' if family.safi == Safi.MPLS_VPN else 'ipv'}{_version(family)}"


def _table(family: Family) -> str:
    return f"table_{family.afi}_{family.safi}"


def _static(number: int, route: Route) -> str:
    labels = f"mpls {'/'.join(map(str, route.labels))}" if route.labels else ""
    sets = [
        f"bgp_origin = {_ORIGIN[route.origin]};",
        *(f"bgp_path.prepend({asn});" for asn in reversed(route.as_path.split())),
        f"bgp_local_pref = {route.local_pref};" if route.local_pref is not None else "",
        f"bgp_med = {route.med};" if route.med is not None else "",
        *(f"bgp_community.add({_tuple(_WELL_KNOWN.get(one, one))});" for one in route.communities.split()),
        *(f"bgp_large_community.add({_tuple(one)});" for one in route.large_communities.split()),
        *(_extended(one) for one in route.extended_communities.split()),
    ]
    path = f"route {route.rd} {route.prefix} via {route.next_hop} {labels} {{ {' '.join(sets)} }};"
    return f"protocol static r{number} {{ {_net(route.family)} {{ table {_table(route.family)}; }}; {path} }}"


def _tuple(community: str) -> str:
    return f"({community.replace(':', ',')})"


def _extended(community: str) -> str:
    kind, asn, value = community.split(":")
    return f"bgp_ext_community.add(({_EXTENDED[kind]}, {asn}, {value}));"
