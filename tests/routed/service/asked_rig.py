"""A collector with a looking glass, and what tests of it say of routes."""

from typing import Any

from routed.service.visible import BgpTables
from routed.wire.family import Afi, Family, Safi
from tests.oracles.build import MANDATORY, label_stack, mp_reach, prefix, update
from tests.routed.service.collector_rig import ADDRESS, Rig
from tests.routed.service.glass_rig import Glass

OTHER = "192.0.2.2"
VPN = Family(Afi.IPV4, Safi.MPLS_VPN)
LABELED = Family(Afi.IPV4, Safi.LABELED_UNICAST)
RD, RD_TEXT = bytes.fromhex("0000fde800000001"), "0:65000:1"
HOP = bytes([192, 0, 2, 1])
ORIGIN_AS = 65001  # of the routes that `announce` makes


class Asked(Rig):
    """A collector with a looking glass."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.glass = Glass(self.rib, BgpTables(self.collector, peer_id=False, clock=self.clock.seconds))


def text(number: int) -> str:
    """Write the prefix that `net` encodes."""
    return f"10.{number}.0.0/16"


def labeled(*nlri: bytes, family: Family = LABELED) -> bytes:
    return update([*MANDATORY[:2], mp_reach(family, HOP, b"".join(nlri))])


def vpn_route(number: int, length: int = 16, rd: bytes = RD) -> bytes:
    return prefix(bytes([10, number, 0, 0]), length, labels=label_stack(100), rd=rd)


def answered(prefix: str, peer: str = ADDRESS, **facts: object) -> dict[str, object]:
    return {"ip_prefix": prefix, "peer_ip_src": peer, **facts}
