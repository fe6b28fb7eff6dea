"""The table of one peer as a dictionary: the oracle of the compiled stores and of what the message log says.

Sources: RFC 4271 3.2 (an announcement replaces), RFC 7911 5 (the path identifier is part of the key).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.oracles.nlri import Nlri
from tests.oracles.update import AttributeSet, Judgement

Key = tuple[tuple[int, int], bytes | None, bytes, int, int | None]


class Route(NamedTuple):
    """What is stored."""

    nlri: Nlri
    attributes: AttributeSet


class Row(NamedTuple):
    """One line of the message log: `update`, or `withdraw` with the attributes that were stored."""

    log_type: str
    route: Route


@dataclass(slots=True)
class PeerTable:
    """Routes of one peer, and what the UPDATEs so far did to them."""

    routes: dict[Key, Route] = field(default_factory=dict)
    announced: int = 0
    withdrawn: int = 0
    unchanged: int = 0

    def apply(self, judgement: Judgement) -> Iterator[Row]:
        """Apply one UPDATE in its order; withdrawing what is not there says nothing."""
        for operation in judgement.operations:
            key = operation.nlri.key()
            before = self.routes.get(key)
            if operation.attributes is not None:
                route = Route(operation.nlri, operation.attributes)
                self.announced += 1
                self.unchanged += before == route
                self.routes[key] = route
                yield Row("update", route)
            elif before is not None:
                self.withdrawn += 1
                del self.routes[key]
                yield Row("withdraw", before)

    def dump(self) -> list[Route]:
        """All routes: by AFI, SAFI, then address, a shorter prefix before those it covers; then RD and path."""
        return sorted(self.routes.values(), key=_dump_order)


def _dump_order(route: Route) -> tuple[tuple[int, int], bytes, int, bytes, int]:
    nlri = route.nlri
    return (nlri.family, nlri.address, nlri.length, nlri.rd or b"", nlri.path_id or 0)
