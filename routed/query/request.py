"""What may be asked of a looking glass, as values."""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

from routed.query.condition import Condition

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: Routes of one answer, unless a question asks for fewer.
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 2_000


class QueryType(Enum):
    """The kinds of messages."""

    LOOKUP = 1  # pmacct's: the longest match in the table of one peer
    PEERS = 2  # pmacct's: who is connected
    SEARCH = 3  # ours: any number of questions


class Match(Enum):
    """How a route's prefix relates to the one that is asked for."""

    EXACT = "exact"
    LONGEST = "longest"
    LESS_SPECIFIC = "less-specific"
    MORE_SPECIFIC = "more-specific"


class Wanted(Enum):
    """What an answer holds."""

    ROUTES = "routes"
    COUNT = "count"
    VALIDATION = "validation"
    PEERS = "peers"
    ROUTERS = "routers"  # that speak BMP
    ISIS_DATABASE = "isis-database"
    ISIS_HOSTNAMES = "isis-hostnames"
    ISIS_NEIGHBORS = "isis-neighbors"
    ISIS_ROUTES = "isis-routes"
    RELOAD = "reload"  # nothing: maps and configuration are read again

    @property
    def is_command(self) -> bool:
        """Tell whether something is to be done instead of answered."""
        return self is Wanted.RELOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFilter:
    """Whose tables count; what is None does not matter. A BMP router is asked for by `router`."""

    address: Address | None = None
    port: int | None = None
    router_id: IPv4Address | None = None
    router: Address | None = None
    rib_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of ours."""

    wanted: Wanted = Wanted.ROUTES
    match: Match = Match.LONGEST
    prefix: Network | None = None  # none: all prefixes
    peer: PeerFilter = field(default_factory=PeerFilter)
    afi: int | None = None
    safi: int | None = None
    rd: str | None = None  # as records write it; none: routes without one, unless there is no prefix either
    origin_as: int | None = None  # of a route that is made up, to be validated
    system: str | None = None  # of IS-IS, by id or name: whose LSPs, name, adjacency or prefixes
    root: str | None = None  # of IS-IS, likewise: from whom shortest paths begin
    where: Condition | None = None
    roa: tuple[str, ...] | None = None  # statuses of origins, each alone: v, i and u; none: any
    fields: tuple[str, ...] | None = None  # none: all
    all_attributes: bool = False  # also those that pmacct's records leave out
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """pmacct's question: the longest match for an address or prefix in the table of one peer."""

    prefix: Network
    peer: Address
    port: int | None = None
    rd: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A message: pmacct's kinds have one question, or several in a row."""

    kind: QueryType
    questions: tuple[Lookup | Question, ...] = ()
