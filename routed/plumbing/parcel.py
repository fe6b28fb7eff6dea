"""What travels to a broker: a buffer of rows, where it is to go, and its number in its sink."""

import json
from array import array
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from routed.plumbing.sink import TEXT, Framing

#: What a parcel weighs besides its rows. Units: octets.
OVERHEAD: Final = 256


class Address(NamedTuple):
    """Where the rows of one source go at a broker.

    `target`: the topic of Kafka or the routing key of AMQP, with all variables put in. `key`: the record key of Kafka,
    empty for none. `source`: names the source whose order is kept, where neither of the two does. `writer`: who wrote
    the rows, the last key of JSON ones; it travels with them, since they may be delivered by a later run.
    """

    target: str
    key: bytes = b""
    source: bytes = b""
    writer: str = ""


class Parcel(NamedTuple):
    """A buffer of whole rows on its way. Numbers of a sink rise, over restarts as long as its spool lives."""

    number: int
    address: Address
    octets: bytes
    rows: int
    framing: Framing = TEXT

    @property
    def weight(self) -> int:
        """Return about how many octets the parcel takes, in memory and on disk."""
        return OVERHEAD + len(self.octets) + len(self.framing.ends)


class ParcelQueue:
    """Parcels by rising number, first in, first out; knows its weight. Units: octets."""

    __slots__ = ("_parcels", "octets", "rows")

    def __init__(self) -> None:
        self._parcels: deque[Parcel] = deque()
        self.octets = self.rows = 0

    def __bool__(self) -> bool:
        return bool(self._parcels)

    def __iter__(self) -> Iterator[Parcel]:
        return iter(self._parcels)

    @property
    def first(self) -> Parcel:
        """Show the oldest; there must be one."""
        return self._parcels[0]

    def put(self, parcel: Parcel) -> None:
        """Append a parcel."""
        self._parcels.append(parcel)
        self.octets += parcel.weight
        self.rows += parcel.rows

    def take(self) -> Parcel:
        """Take the oldest; there must be one."""
        parcel = self._parcels.popleft()
        self.octets -= parcel.weight
        self.rows -= parcel.rows
        return parcel

    def take_all(self) -> list[Parcel]:
        """Take everything."""
        parcels = list(self._parcels)
        self._parcels.clear()
        self.octets = self.rows = 0
        return parcels

    def head(self, octets: int) -> list[Parcel]:
        """Show the oldest ones up to about that many octets, and leave them queued."""
        parcels: list[Parcel] = []
        for parcel in self._parcels:
            if octets <= 0:
                break
            parcels.append(parcel)
            octets -= parcel.weight
        return parcels


def rows_of(parcel: Parcel) -> list[bytes]:
    """Return the rows as a broker gets them, one by one: JSON without its newline and with its writer."""
    if parcel.framing.ends:
        ends = array("I", parcel.framing.ends)
        return [parcel.octets[start:end] for start, end in pairwise([0, *ends])]
    rows = parcel.octets.split(b"\n")
    if not rows[-1]:
        rows.pop()
    if not parcel.address.writer:
        return rows
    ending = ending_of(parcel.address.writer)
    return [row[:-1] + ending for row in rows]


@lru_cache(64)
def ending_of(writer: str) -> bytes:
    """Return what takes the place of the last brace of a row; to cut and join is faster than to replace."""
    return b', "writer_id": %s}' % json.dumps(writer, ensure_ascii=False).encode()
