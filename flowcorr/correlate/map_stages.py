"""Stages that write what the rows of a map give into the flows that they match: the first match decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flowcorr.columns.column import NO_ADDRESS
from flowcorr.correlate._match import Rules, Test
from flowcorr.correlate.map_keys import Condition, address_octets
from flowcorr.correlate.maps import FlowMap, FlowRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address

    from numpy.typing import NDArray

    from flowcorr.columns._batch import Batch
    from flowcorr.columns._texts import Texts
    from flowcorr.columns.layout import Layout

#: `mpls_vpn_rd_origin` of a route distinguisher that a map gave.
FROM_MAP: Final = 4
RD_OCTETS: Final = 8


class RdStage:
    """Route distinguishers by `flow_to_rd_map`."""

    def __init__(self, rds: FlowMap[bytes], layout: Layout, texts: Texts) -> None:
        self._rules = rds.rules(layout, texts)
        self._values = _octets([bytes(RD_OCTETS), *(row.gives for row in rds.rows)])

    def __call__(self, batch: Batch) -> None:
        """Write them into the flows that a row matches."""
        numbers = self._rules.first(batch)
        matched = np.flatnonzero(numbers)
        rows = batch.rows
        rows["mpls_vpn_rd"][matched] = self._values[numbers[matched]]
        rows["mpls_vpn_rd_origin"][matched] = FROM_MAP


class SourceSideStage:
    """A number of the source side by its map; a row of `bgp` leaves what the route says, none gives 0."""

    def __init__(self, column: str, numbers: FlowMap[int | None], layout: Layout, texts: Texts) -> None:
        self._column, self._rules = column, numbers.rules(layout, texts)
        self._values = np.array([0, *(row.gives or 0 for row in numbers.rows)], dtype=np.uint32)
        self._is_of_route = np.array([False, *(row.gives is None for row in numbers.rows)])

    def __call__(self, batch: Batch) -> None:
        """Write it."""
        numbers, values = self._rules.first(batch), batch.rows[self._column]
        values[:] = np.where(self._is_of_route[numbers], values, self._values[numbers])


class NextHopStage:
    """BGP next hops for the tunnel ends that flows name, by `bgp_peer_dst_ip_map` read the other way round."""

    def __init__(self, ends: FlowMap[IPv4Address | IPv6Address], layout: Layout, texts: Texts) -> None:
        # a row: routes with that BGP next hop leave by this address
        turned = [_turned(row) for row in ends.rows]
        self._rules: Rules = FlowMap(tuple(turned)).rules(layout, texts)
        self._values = _octets([NO_ADDRESS, *(row.gives for row in turned)])

    def __call__(self, batch: Batch) -> None:
        """Write them over the addresses that a row gives."""
        numbers = self._rules.first(batch)
        matched = np.flatnonzero(numbers)
        batch.rows["bgp_next_hop"][matched] = self._values[numbers[matched]]


def _turned(row: FlowRow[IPv4Address | IPv6Address]) -> FlowRow[bytes]:
    [next_hop] = row.conditions
    end = Condition(Test.OCTETS, "bgp_next_hop", address_octets(row.gives))
    return FlowRow(
        where=row.where, exporter=row.exporter, conditions=(end,), name=None, jump=None, gives=next_hop.value
    )


def _octets(values: Sequence[bytes]) -> NDArray[np.void]:
    return np.frombuffer(b"".join(values), dtype=f"V{len(values[0])}")
