"""Write a RIB as TABLE_DUMP_V2, prefix by prefix, from attribute octets that are passed through as they are.

Source: RFC 6396 section 4.3, RFC 8050 section 4.
"""

from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Final

from routed.wire.bgp.nlri import Nlri
from routed.wire.family import Family
from routed.wire.mrt.record import Record
from routed.wire.mrt.table_dump_v2 import (
    MrtPeer,
    PeerIndexTable,
    Rib,
    RibEntry,
    encode_nlri_octets,
    encode_peer_index_table,
    encode_rib,
    max_entries,
)
from routed.wire.prefix import Prefix

_HEADER: Final = Struct(">IHHI")

#: An entry as it is handed in: peer index, originated time, attribute octets, path identifier or None.
Entry = tuple[int, int, bytes, int | None]

_MAX_SEQUENCE: Final = 0xFFFF_FFFF


class TableDumpWriter:
    """Writes one table: the peer index at once, then a record for each call of `rib`.

    The attribute octets of an entry are those of an UPDATE but for MP_REACH_NLRI, which holds the next hop only: see
    `rib_attributes`. AS numbers in them have four octets.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        peers: Iterable[MrtPeer],
        *,
        timestamp: int,
        collector_id: bytes = bytes(4),
        view: str = "",
    ) -> None:
        self._write = write
        self._timestamp = timestamp
        self._sequence = 0
        self._write_record(encode_peer_index_table(PeerIndexTable(collector_id, view, tuple(peers)), timestamp))

    def rib(self, family: Family, prefix: Prefix, entries: Iterable[Entry]) -> None:
        """Write the routes to a unicast or multicast prefix."""
        self._write_ribs(family, bytes((prefix.length,)) + prefix.address[: (prefix.length + 7) // 8], entries)

    def generic_rib(self, family: Family, route: Nlri, entries: Iterable[Entry]) -> None:
        """Write the routes to a prefix of any storable family: labels and route distinguisher are in `route`."""
        self._write_ribs(family, encode_nlri_octets(route, family), entries)

    def _write_ribs(self, family: Family, nlri: bytes, entries: Iterable[Entry]) -> None:
        for part in _parts(family, entries):
            self._write_record(encode_rib(Rib(self._sequence, family, nlri, part), self._timestamp))
            self._sequence = (self._sequence + 1) & _MAX_SEQUENCE

    def _write_record(self, record: Record) -> None:
        octets = record.octets
        self._write(_HEADER.pack(record.timestamp, record.type, record.subtype, len(octets)) + octets)


def _parts(family: Family, entries: Iterable[Entry]) -> Iterator[tuple[RibEntry, ...]]:
    """Cut entries into what fits one record each: all with a path identifier or all without, and not too many."""
    rows = [RibEntry(*entry) for entry in entries]
    for add_path in (False, True):
        run = [row for row in rows if (row.path_id is not None) is add_path]
        limit = max_entries(family, add_path=add_path)
        for at in range(0, len(run), limit):
            yield tuple(run[at : at + limit])
