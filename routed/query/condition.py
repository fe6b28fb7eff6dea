"""What routes must be like to be found: tests of their attributes, joined by AND, OR and NOT."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class OriginAs:
    """The path ends with this AS."""

    asn: int


@dataclass(frozen=True, slots=True)
class NeighborAs:
    """The path begins with this AS."""

    asn: int


@dataclass(frozen=True, slots=True)
class PathHasAs:
    """The AS is somewhere in the path."""

    asn: int


@dataclass(frozen=True, slots=True)
class PathMatches:
    """The text of the path matches an expression."""

    expression: str


@dataclass(frozen=True, slots=True)
class NextHopIs:
    """The next hop is this address, of 4 or 16 octets, or inside this prefix."""

    address: bytes
    length: int


@dataclass(frozen=True, slots=True)
class HasCommunity:
    """A standard community (RFC 1997) with these halves; None is any."""

    asn: int | None
    value: int | None


@dataclass(frozen=True, slots=True)
class HasExtendedCommunity:
    """An extended community (RFC 4360) that a record writes like this."""

    text: str


@dataclass(frozen=True, slots=True)
class HasLargeCommunity:
    """A large community (RFC 8092) with these parts; None is any."""

    administrator: int | None
    first: int | None
    second: int | None


@dataclass(frozen=True, slots=True)
class OriginIs:
    """ORIGIN: 0 IGP, 1 EGP, 2 INCOMPLETE."""

    origin: int


@dataclass(frozen=True, slots=True)
class Compares:
    """A number compares like this; a route without it does not."""

    field: str  # local_pref, med, as_path_length
    operator: str  # lt, le, eq, ge, gt
    value: int


@dataclass(frozen=True, slots=True)
class HasAttribute:
    """The path has an attribute of this type code."""

    code: int


@dataclass(frozen=True, slots=True)
class AspaIs:
    """What the providers of its ASes make of the path, from a customer or lateral peer (upstream), or a provider."""

    is_upstream: bool
    verdict: str  # valid, invalid, unknown


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one holds."""

    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them holds."""

    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    condition: "Condition"


Condition: TypeAlias = (
    OriginAs
    | NeighborAs
    | PathHasAs
    | PathMatches
    | NextHopIs
    | HasCommunity
    | HasExtendedCommunity
    | HasLargeCommunity
    | OriginIs
    | Compares
    | HasAttribute
    | AspaIs
    | AllOf
    | AnyOf
    | Not
)
