"""The families that tables exist for, as the indices and bits by which compiled code knows them."""

from collections.abc import Iterable
from typing import Final

from routed.wire.family import Afi, Family, Safi

#: The storable families in the order of dumps: a family's index is its place here.
FAMILIES: Final = tuple(
    Family(afi, safi)
    for afi in (Afi.IPV4, Afi.IPV6)
    for safi in (Safi.UNICAST, Safi.MULTICAST, Safi.LABELED_UNICAST, Safi.MPLS_VPN)
)
INDEX: Final = {family: index for index, family in enumerate(FAMILIES)}


def bits_of(families: Iterable[Family]) -> int:
    """Return the set of families as one bit each, those that are not storable left out."""
    return sum(1 << INDEX[family] for family in set(families) if family in INDEX)
