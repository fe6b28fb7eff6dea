"""What two systems tell each other about their adjacency: its state as each sees it (RFC 5303 section 3.2)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS, AdjacencyState, TlvType
from routed.wire.isis.tlv import encode_tlv

_SOURCE: Final = "RFC 5303 3.2"


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """How a system sees an adjacency; parts that are None were left out."""

    state: AdjacencyState
    circuit_id: int | None = None
    neighbor: bytes | None = None  # system id that it hears
    neighbor_circuit_id: int | None = None


def decode_three_way(c: Cursor) -> ThreeWay:
    """Decode the state of an adjacency.

    Octets: state u8, and as far as there is something: extended circuit id u32, system id of the neighbour[6],
        extended circuit id of the neighbour u32.
    Raises: WireError, also for a state that there is not.
    """
    offset, state = c.offset, AdjacencyState(c.u8())
    if not state.is_assigned:
        raise WireError(f"adjacency state {int(state)} is above {int(AdjacencyState.DOWN)}", offset, _SOURCE)
    circuit_id = c.u32() if c.remaining else None
    neighbor = c.take(SYSTEM_ID_OCTETS) if c.remaining else None
    return ThreeWay(state, circuit_id, neighbor, c.u32() if c.remaining else None)


def encode_three_way(w: Writer, three_way: ThreeWay) -> None:
    """Encode the state of an adjacency, up to the first part that is None."""
    value = bytes((three_way.state,))
    if three_way.circuit_id is not None:
        value += three_way.circuit_id.to_bytes(4, "big")
        if three_way.neighbor is not None:
            value += three_way.neighbor
            if three_way.neighbor_circuit_id is not None:
                value += three_way.neighbor_circuit_id.to_bytes(4, "big")
    encode_tlv(w, TlvType.THREE_WAY_ADJACENCY, value)
