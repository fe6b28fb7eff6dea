"""What an adjacency of IS-IS, and our own part in the link-state database, report."""

from dataclasses import dataclass
from enum import Enum

from routed.model.event import Event
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.snp import Csnp, Psnp


class Refusal(Enum):
    """Why a PDU does not count."""

    MALFORMED = "malformed"
    UNAUTHENTIC = "authentication failed"
    LEVEL_1 = "of level 1"
    LAN = "a LAN hello on a point-to-point circuit"
    OWN = "from a system with our own id"
    ELSEWHERE = "about an adjacency with another system"
    NO_ADJACENCY = "no adjacency"
    TOO_OFTEN = "the adjacency comes up too often"  # the hello counts, and nothing follows from it yet


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjacencyUp(Event):
    """Both sides hear each other.

    `addresses` are packed, `protocols` are NLPIDs. `mtu` is the length of the neighbour's hello, which is that of its
    largest PDU where it pads. Units: hold time in seconds, mtu in octets.
    """

    system_id: bytes
    areas: tuple[bytes, ...]
    addresses: tuple[bytes, ...]
    protocols: tuple[int, ...]
    hold_time: int
    mtu: int
    is_three_way: bool


@dataclass(frozen=True, slots=True)
class AdjacencyDown(Event):
    """The neighbour does not count any more."""

    system_id: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class LspReceived(Event):
    """The neighbour of an adjacency that is up sent an LSP of level 2; its checksum was not looked at."""

    lsp: Lsp


@dataclass(frozen=True, slots=True)
class CsnpReceived(Event):
    """It said what it holds."""

    csnp: Csnp


@dataclass(frozen=True, slots=True)
class PsnpReceived(Event):
    """It acknowledged LSPs or asked for them."""

    psnp: Psnp


@dataclass(frozen=True, slots=True)
class PduRefused(Event):
    """A PDU came that does not count."""

    why: Refusal
    text: str
