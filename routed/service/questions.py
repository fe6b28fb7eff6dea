"""What questions of ours mean for the tables: families, searches, route distinguishers, and where pages end."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from os import urandom
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from routed.query.codec import QueryError
from routed.query.request import Match
from routed.rib.families import FAMILIES, INDEX
from routed.wire.family import Afi, Safi
from routed.wire.rd import parse_rd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from routed.query.request import Question

#: Families that an address is looked up in when none is named; the first with a route counts.
GLOBAL_SAFIS: Final = (Safi.UNICAST, Safi.LABELED_UNICAST)
VPN_SAFIS: Final = (Safi.MPLS_VPN,)

#: A prefix: its family, address and length.
Net = tuple[int, bytes, int]
#: Where a page ends: a table, a family and a prefix, by their numbers.
Place = tuple[int, int, int]

#: Octets of what tells one set of tables from another.
MARK_OCTETS: Final = 8
_GONE: Final = "cursor: peers have come or gone, begin again"


def afi_of(network: IPv4Network | IPv6Network) -> Afi:
    """Return the address family of a prefix."""
    return Afi.IPV4 if network.version == 4 else Afi.IPV6


def families_of(question: Question) -> Sequence[int]:
    """Return the families that a question is about, as indices.

    Raises: QueryError when none of them is stored, or the prefix is of another.
    """
    afi = question.afi
    if question.prefix is not None:
        if afi not in {None, afi_of(question.prefix)}:
            raise QueryError("afi: the prefix is of another")
        afi = afi_of(question.prefix)
    is_vpn = question.rd is not None
    families = _families(afi, question.safi, is_vpn if question.prefix is not None else None)
    if not families:
        raise QueryError("safi: such routes are not stored")
    if is_vpn and question.safi not in {None, *VPN_SAFIS}:
        raise QueryError("rd: such routes have none")
    if question.prefix is not None and not is_vpn and question.safi in VPN_SAFIS:
        raise QueryError("rd: a prefix of a VPN has one")
    return families


@lru_cache(maxsize=64)
def _families(afi: int | None, safi: int | None, is_vpn: bool | None) -> Sequence[int]:
    """Return the families of an AFI and SAFI, None for any; without a SAFI, those with or without distinguishers."""
    return [
        INDEX[family]
        for family in FAMILIES
        if afi in {None, family.afi}
        and safi in {None, family.safi}
        and (safi is not None or is_vpn in {None, family.safi in VPN_SAFIS})
    ]


class Part(NamedTuple):
    """One search: families as bits, and prefixes inside or around one, None for any."""

    families: int
    within: Net | None = None
    around: Net | None = None


def parts_of(question: Question) -> list[Part]:
    """Return what searches a question about whole tables takes, one after the other.

    Raises: QueryError.
    """
    families, network = families_of(question), question.prefix
    if network is None:
        return [Part(sum(1 << family for family in families))]
    if question.match is Match.LONGEST:
        raise QueryError("roa: of one prefix with match exact, less-specific or more-specific")
    nets = [(family, network.network_address.packed, network.prefixlen) for family in families]
    return [
        Part(
            1 << net[0],
            within=None if question.match is Match.LESS_SPECIFIC else net,
            around=None if question.match is Match.MORE_SPECIFIC else net,
        )
        for net in nets
    ]


def rd_of(question: Question) -> bytes | None:
    """Return the route distinguisher that is asked for, in octets.

    Raises: QueryError.
    """
    if question.rd is None:
        return None
    try:
        return parse_rd(question.rd)
    except ValueError:
        raise QueryError(f"rd: {question.rd} is not written like 0:65000:100") from None


class Cursors:
    """Writes and reads where pages end.

    A place is of use only among the very tables that it was found in: if one of them was replaced by another, some of
    its routes would be in no page. So a cursor says, in few octets, which tables these were.
    """

    def __init__(self) -> None:
        self._key = urandom(blake2b.MAX_KEY_SIZE)  # tables are numbered anew when the daemon starts again

    def write(self, after: Place, tables: Iterable[int]) -> str:
        """Write where a page ends; `tables` are the numbers of those that are searched."""
        return ".".join((self._mark(tables), *map(str, after)))

    def read(self, text: str | None, tables: list[int]) -> Place | None:
        """Read where a page begins.

        Raises: QueryError.
        """
        if text is None:
            return None
        mark, *parts = text.split(".")
        if len(mark) != 2 * MARK_OCTETS or len(parts) != 3 or not all(map(is_number, parts)):
            raise QueryError("cursor: not one of ours")
        rib, family, prefix = map(int, parts)
        if mark != self._mark(tables) or rib >= len(tables) or family >= len(FAMILIES) or prefix > 0xFFFFFFFF:
            raise QueryError(_GONE)
        return rib, family, prefix

    def _mark(self, tables: Iterable[int]) -> str:
        octets = b"".join(number.to_bytes(8, "big") for number in tables)
        return blake2b(octets, digest_size=MARK_OCTETS, key=self._key).hexdigest()


def read_peer_cursor(text: str | None) -> bytes:
    """Read where a page of peers begins: behind which of them.

    Raises: QueryError.
    """
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        raise QueryError("cursor: not one of ours") from None


def is_number(text: str) -> bool:
    """Tell whether a text is a number that a cursor may have."""
    return text.isascii() and text.isdecimal() and len(text) <= 10


def project(rows: list[bytes], fields: tuple[str, ...] | None) -> list[bytes]:
    """Leave only some fields in records."""
    if fields is None:
        return rows
    wanted = frozenset(fields)
    return [orjson.dumps({key: value for key, value in orjson.loads(row).items() if key in wanted}) for row in rows]
