"""Decoders of BGP, BMP and MRT as fuzzing calls them: all that may be read of octets is read, and nothing stays."""

import io
from collections.abc import Iterator
from typing import Final

from routed.octets import Cursor, WireError
from routed.wire.bgp._stream import Stream
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.update import decode_update
from routed.wire.bmp import _stream as bmp_stream
from routed.wire.bmp import message as bmp
from routed.wire.bmp.header import frame
from routed.wire.family import STORABLE
from routed.wire.mrt import message as mrt
from routed.wire.mrt.record import Damage, walk_records
from tests.fuzz.mutate import with_true_length
from tests.oracles.attributes import Context
from tests.oracles.compiled import CompiledPeer
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import Agreed
from tests.oracles.nlri import ADDRESS_OCTETS

CONTEXTS: Final = tuple(
    DecodeContext(as4=as4, external=external, families=STORABLE, add_path=add_path)
    for as4 in (False, True)
    for external in (False, True)
    for add_path in (frozenset(), STORABLE)
)

ORACLE_CONTEXTS: Final = tuple(
    Context(as4=as4, external=external, add_path=add_path)
    for as4 in (False, True)
    for external in (False, True)
    for add_path in (frozenset(), frozenset(ADDRESS_OCTETS))
)

#: What the stream cutter lets through (RFC 4271 section 6.1).
SHORTEST_UPDATE: Final = 23


def feed_stream(octets: bytes) -> object:
    """Feed in two halves and then whole, so that messages begin and end inside and outside of a chunk."""
    stream = Stream(4096)
    middle = len(octets) // 2
    found = [*stream.feed(octets[:middle]), *stream.feed(octets[middle:]), *stream.feed(octets)]
    while stream.is_held and stream.error is None:
        found += stream.feed(b"")
    return found, stream.error


def feed_bmp_stream(octets: bytes) -> object:
    """As `feed_stream`, for BMP; a low limit lets real messages be too long."""
    middle = len(octets) // 2
    for limit in (100, 262_144):
        stream = bmp_stream.Stream(limit)
        found = [*stream.feed(octets[:middle]), *stream.feed(octets[middle:]), *stream.feed(octets)]
        assert sum(len(run) if kind >= 0 else count for kind, run, count in found) <= 2 * len(octets)
    return found, stream.error


def decode_bmp(octets: bytes) -> object:
    """Decode, and read what is worked out when asked for."""
    message = bmp.decode_message(octets)
    for name in ("messages", "information", "reason", "groups", "vrf", "add_path"):
        getattr(message, name, None)
    if isinstance(message, bmp.RouteMonitoring):
        message.markings(1)
    return message


def decode_update_in_every_context(octets: bytes) -> object:
    for context in CONTEXTS:
        try:
            decode_update(Cursor(octets[19:]), context)
        except WireError:
            continue
    return None


def apply_in_every_context(octets: bytes) -> object:
    """Take an UPDATE twice into fresh tables, dump them, and take the peer away: nothing may remain."""
    message = octets if len(octets) >= SHORTEST_UPDATE else octets.ljust(SHORTEST_UPDATE, b"\0")
    message = with_true_length(b"\xff" * 16 + message[16:18] + b"\2" + message[19:])
    for context in ORACLE_CONTEXTS:
        peer = CompiledPeer(context)
        peer.apply(message + message)
        peer.dump(peer.snapshot())
        peer.sweep()
        assert not any(peer.held().values())
    return None


def agreed(header: bytes) -> Agreed:
    """Any agreement, by the last octet of the peer's address."""
    way = header[25]
    return Agreed(bool(way & 1), bool(way & 2), frozenset(ADDRESS_OCTETS) if way & 4 else frozenset())


def monitor(octets: bytes) -> object:
    """Take the Route Monitoring messages of a stream twice, with rows and without, and dump and sweep what they left.

    What is no stream of messages is taken as the body of one, in either version.
    """
    stream = bmp_stream.Stream(262_144)
    found = stream.feed(octets)
    runs = [run for kind, run, _ in found if kind == bmp.MessageType.ROUTE_MONITORING]
    runs += [frame(bmp.MessageType.ROUTE_MONITORING, octets[6:], version) for version in (3, 4)]
    for logged in (True, False):
        router = CompiledRouter(agreed)
        router.take(*runs, *runs, logged=logged)
        for key in router.ribs:
            router.dump(key)
        router.sweep()
        assert not any(router.held().values())
    return None


def read_mrt(octets: bytes) -> Iterator[object]:
    for record in walk_records(io.BytesIO(octets).read):
        if not isinstance(record, Damage):
            try:
                yield mrt.decode_message(record)
            except WireError as error:
                yield error
