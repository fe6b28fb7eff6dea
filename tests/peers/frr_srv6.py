"""FRRouting's bgpd with the zebra that it gets SRv6 locators from: an IPv4 VPN over SRv6 (RFC 9252).

SIDs are for VRFs alone, and for routes that come from the kernel. A kernel need not have VRFs: a network namespace can
be one, which zebra finds in a folder that is mounted for it, so that it sees no other.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from tests.peers.frr import Frr
from tests.peers.program import Program
from tests.peers.waiting import eventually

#: Seconds that a daemon has to begin.
PATIENCE: Final = 60.0
#: Where SIDs come from; bgpd takes 40 bits of it for a block, and transposes the 16 behind it into the label.
LOCATOR: Final = "2001:db8:1:1::/64"
VRF: Final = "red"
RD: Final = "65000:7"


class FrrSrv6(Frr):
    """One router; what it announces are connected networks of a VRF, with a SID of its own choice."""

    zebra: Program | None = None

    def start(self) -> None:
        """Start zebra, then bgpd."""
        zebra = self.home / "zebra.conf"
        zebra.write_text(f"segment-routing\nsrv6\nlocators\nlocator test\nprefix {LOCATOR} func-bits 16\n")
        argv = ["/usr/lib/frr/zebra", "-n", "-u", "root", "-g", "frrvty", "-f", str(zebra), "-P", "0"]
        argv += ["-z", str(self.home / "zserv"), "--vty_socket", str(self.home), "-i", str(self.home / "zebra.pid")]
        steps = [f"mount -t tmpfs none /run/netns && ip netns add {VRF} && ip -n {VRF} link set lo up"]
        steps += [f"ip -n {VRF} address add {route.prefix} dev lo" for route in self.routes]
        script = " && ".join([*steps, f"exec {shlex.join(argv)}"])
        self.zebra = Program(self.network, ["sh", "-c", script], self.home / "output-zebra")
        eventually((self.home / "zserv").exists, PATIENCE, "the socket of zebra")
        super().start()

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        argv, environment = super().command()
        return [*(word for word in argv if word not in {"-Z", "-n"}), "-z", str(self.home / "zserv")], environment

    def kill(self) -> None:
        super().kill()
        if self.zebra is not None:
            self.zebra.kill()
            self.zebra = None

    def function(self) -> str:
        """Return the SID of the VRF, by its own words."""
        found = re.search(r"- sid: (\S+)", self.control("show bgp segment-routing srv6"))
        assert found is not None
        return found[1]

    def _configuration(self) -> Iterator[str]:
        yield from super()._configuration()
        yield from ("segment-routing srv6", "locator test", "exit")
        yield f"router bgp {self.link.local_as} vrf {VRF}"
        yield from (f"bgp router-id {self.link.router_id}", "address-family ipv4 unicast", "redistribute connected")
        yield from (f"rd vpn export {RD}", f"rt vpn both {RD}", "sid vpn export auto", "export vpn", "import vpn")
        yield "exit-address-family"
