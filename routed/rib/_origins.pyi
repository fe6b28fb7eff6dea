"""Types of the compiled validation of stored routes; see `_origins.pyx` for its theory of operation."""

from array import array
from collections.abc import Sequence

from typing_extensions import Buffer

from routed.rib._found import Found
from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._vrps import Vrps

def statuses(vrps: Vrps, peer: PeerRib, family: int, prefixes: Buffer, paths: Buffer) -> bytes:
    """Return the statuses of routes of a peer, each among all of its routes: u, i, v, U or V.

    Args:
        prefixes, paths: n unsigned 32-bit ids, as look-ups return them; a route without one of them (0) is unknown.
    Raises: ValueError for ids that the stores never gave out.
    """

def settle(found: Found, ribs: Sequence[PeerRib], vrps: Vrps | None) -> None:
    """Judge routes that a search or a look-up found, among those of their peers as they are now.

    Args:
        ribs: of the peers that were asked, in the same order.
        vrps: None for no validation.
    """

def concerned(rib: Rib, family: int, changed: Vrps, start: int, most: int) -> tuple[array[int], int]:
    """Return the ids of the prefixes of a family that a change of payloads is about, and where to go on: 0 at the end.

    Args:
        changed: the payloads that came or went.
        start, most: the first prefix id to look at, and how many.
    """

def look_again(
    peer: PeerRib,
    family: int,
    prefixes: Buffer,
    before: Vrps,
    after: Vrps,
    rows: Rows | None = None,
    start: int = 0,
    most: int = ...,
) -> tuple[int, int]:
    """Judge the routes of a peer to some prefixes by two stores of payloads, each alone, and log those that differ.

    Args:
        prefixes: ids, as `concerned` returns them; what has gone since is left out.
        start, most: the first of them to look at, and how many.
    Returns: how many routes differ, and where to go on: the number of prefixes at the end.
    """
