"""FRRouting's bgpd as a router with neighbours of its own, which reports to a BMP station; IPv4, IPv6 and L3VPN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from routed.wire.family import Afi, Family, Safi
from tests.peers.bmp_play import MARK
from tests.peers.bmp_station import PORT
from tests.peers.frr import Frr
from tests.peers.network import COLLECTOR, Network
from tests.peers.speaker import Link

#: Milliseconds between two statistics reports; the least is 100.
STATISTICS_MS: Final = 2000


class FrrRouter(Frr):
    """One bgpd whose neighbours connect to it where otherwise the BGP collector is."""

    def __init__(self, network: Network, home: Path, neighbors: Sequence[Link]) -> None:
        super().__init__(network, home, Link(local=COLLECTOR))
        self._neighbors = neighbors

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        argv, environment = super().command()
        listening = [*argv[: argv.index("-p")], "-p", "179", "-l", COLLECTOR, *argv[argv.index("-p") + 2 :]]
        return [*listening, "-M", "bmp"], environment

    def reset(self, neighbor: str, *, down: bool) -> None:
        """Shut a session with a neighbour down, or let it come up again."""
        no = "" if down else "no "
        self._configure(self._router(), f"{no}neighbor {neighbor} shutdown")

    def _configuration(self) -> Iterator[str]:
        yield f"log file {self.home}/output-log informational"
        yield "bgp route-map delay-timer 0"
        yield "route-map marked permit 10"
        yield f"set community {MARK} additive"
        yield "exit"
        yield "bmp mirror buffer-limit 1048576"
        yield self._router()
        yield f"bgp router-id {self.link.router_id}"
        yield from ("no bgp ebgp-requires-policy", "no bgp default ipv4-unicast")
        families: dict[Family, None] = {}
        for link in self._neighbors:
            peer = f"neighbor {link.local}"
            yield f"{peer} remote-as {link.local_as}"
            yield from (f"{peer} disable-connected-check", f"{peer} passive", f"{peer} timers connect 1")
            for family in link.families:
                families[family] = None
                yield f"address-family {_family(family)}"
                yield from (f"{peer} activate", f"{peer} soft-reconfiguration inbound", f"{peer} route-map marked in")
                yield "exit-address-family"
        yield "bmp targets station"
        yield f"bmp connect {COLLECTOR} port {PORT} min-retry 100 max-retry 1000"
        yield f"bmp stats interval {STATISTICS_MS}"
        yield "bmp mirror"
        for family in families:
            for policy in ("pre-policy", "post-policy"):
                yield f"bmp monitor {_family(family)} {policy}"
        yield "exit"


def _family(family: Family) -> str:
    safi = {Safi.UNICAST: "unicast", Safi.MPLS_VPN: "vpn"}[Safi(family.safi)]
    return f"{'ipv4' if family.afi == Afi.IPV4 else 'ipv6'} {safi}"
