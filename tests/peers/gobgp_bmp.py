"""GoBGP as a router with neighbours of its own, which reports to a BMP station: every policy, statistics, mirroring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from routed.wire.family import Family
from tests.peers.bmp_play import MARK
from tests.peers.bmp_station import PORT
from tests.peers.gobgp import GoBgp, family_name
from tests.peers.network import COLLECTOR, Network
from tests.peers.speaker import Link

#: Seconds between two statistics reports; GoBGP takes no less.
STATISTICS: Final = 15


class GoBgpRouter(GoBgp):
    """One gobgpd whose neighbours connect to it where otherwise the BGP collector is.

    Args:
        policy: which RIBs it shows: `pre-policy`, `post-policy`, `local-rib` or `all`.
    """

    def __init__(self, network: Network, home: Path, neighbors: Sequence[Link], policy: str) -> None:
        super().__init__(network, home, Link(local=COLLECTOR))
        self._neighbors, self._policy = neighbors, policy

    def reset(self, neighbor: str, *, down: bool) -> None:
        """Shut a session with a neighbour down, or let it come up again."""
        self.control("neighbor", neighbor, "disable" if down else "enable")

    def _configuration(self) -> Iterator[str]:
        link = self.link
        yield f'[global.config]\nas = {link.local_as}\nrouter-id = "{link.router_id}"'
        yield f'port = 179\nlocal-address-list = ["{COLLECTOR}"]'
        yield '[global.apply-policy.config]\nimport-policy-list = ["marked"]'
        yield 'default-import-policy = "accept-route"'
        yield '[[policy-definitions]]\nname = "marked"\n[[policy-definitions.statements]]\nname = "mark"'
        yield '[policy-definitions.statements.actions]\nroute-disposition = "accept-route"'
        yield '[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = "add"'
        yield "[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]"
        yield f'communities-list = ["{MARK}"]'
        for neighbor in self._neighbors:
            yield f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{neighbor.local}"'
            yield f"peer-as = {neighbor.local_as}\n[neighbors.transport.config]\npassive-mode = true"
            yield "[neighbors.timers.config]\nidle-hold-time-after-reset = 1"
            yield from map(_with_family, neighbor.families)
        yield f'[[bmp-servers]]\n[bmp-servers.config]\naddress = "{COLLECTOR}"\nport = {PORT}'
        yield f'route-monitoring-policy = "{self._policy}"\nstatistics-timeout = {STATISTICS}'
        yield 'route-mirroring-enabled = true\nsys-name = "router under test"\nsys-descr = "GoBGP"'


def _with_family(family: Family) -> str:
    return f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family_name(family)}"'
