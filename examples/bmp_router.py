"""A small router that shows its peers and RIBs to a BMP collector, then what changes until it is told to stop.

    python examples/bmp_router.py --connect 127.0.0.1:11790 --bind 127.0.0.21 --table FILE

The table is an MRT file (TABLE_DUMP_V2; plain, gzip or bzip2). Its peers are those of the router. Each is shown before
and after the import policy, and the Loc-RIB beside them (see bmp_ribs.py). After that come the UPDATEs of a second MRT
file as the largest peer sends them, statistics every few seconds, and the second largest peer goes down now and then.
What happens is told in JSON, one line each, on standard output.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from itertools import count, cycle, islice
from pathlib import Path

from announcements import end_of_rib, read_updates
from bmp_messages import (
    Speaker,
    adj_rib_in,
    initiation,
    loc_rib,
    loc_rib_up,
    monitoring,
    peer_down,
    peer_up,
    statistics,
    termination,
)
from bmp_ribs import Changes, Peer, Ribs, read_changes, read_peers, updates_for
from router_session import SessionLostError, connect, report, run_until_stopped

from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST

STATISTICS_EVERY = 5  # seconds
FLAP_EVERY, DOWN_AT, UP_AT = 20, 2, 6  # seconds: a peer goes down and comes up again

REJECTED, IN_ADJ_RIB_IN, IN_LOC_RIB = 0, 7, 8  # statistics (RFC 7854 section 4.8)


class Router:
    """One BMP session, from our Initiation to our Termination."""

    def __init__(self, arguments: argparse.Namespace, ribs: Ribs) -> None:
        self._arguments, self._ribs = arguments, ribs
        self._self = Speaker(IPv4Address(arguments.bind), arguments.asn, IPv4Address(arguments.bind))
        self._restless = sorted(ribs.peers, key=lambda peer: len(peer.pre))[-2:][0]
        self._first = [b"".join(part) for part in self._tables()]  # made before we connect, not on the way

    async def run(self) -> None:
        """Show everything until cancelled, or until the collector closes."""
        self._reader, self._writer = await connect(self._arguments)
        listening = asyncio.create_task(self._reader.read())
        showing = asyncio.create_task(self._show())
        try:
            done, _ = await asyncio.wait((listening, showing), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise SessionLostError("connection closed by the collector")
        except asyncio.CancelledError:
            self._writer.write(termination("the example router was stopped"))
            raise
        finally:
            listening.cancel()
            showing.cancel()
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _show(self) -> None:
        self._writer.write(initiation(self._arguments.name, "an example router with recorded peers"))
        self._report("router up", name=self._arguments.name, peers=len(self._ribs.peers))
        started = time.monotonic()
        for part in self._first:
            self._writer.write(part)
            await self._writer.drain()
        self._report("table sent", routes=self._ribs.routes, seconds=round(time.monotonic() - started, 3))
        recorded = self._recorded()
        for second in count(1):
            await asyncio.sleep(1)
            self._writer.write(b"".join(self._changed(second, next(recorded))))
            await self._writer.drain()

    def _tables(self) -> Iterator[Iterator[bytes]]:
        """Yield what a session begins with, RIB by RIB."""
        for peer in self._ribs.peers:
            yield self._peer_table(peer)
        yield self._loc_rib_table()

    def _peer_table(self, peer: Peer) -> Iterator[bytes]:
        yield peer_up(peer.speaker, self._self)
        for is_post, routes in ((False, peer.pre), (True, peer.post)):
            yield monitoring(adj_rib_in(peer.speaker, is_post=is_post), (*updates_for(routes), *_END_OF_RIBS))

    def _loc_rib_table(self) -> Iterator[bytes]:
        yield loc_rib_up(self._self)
        yield monitoring(loc_rib(self._self), (*updates_for(self._ribs.loc), *_END_OF_RIBS))

    def _recorded(self) -> Iterator[list[bytes]]:
        """Yield the UPDATEs of one second after the other."""
        path, transit = self._arguments.updates, self._ribs.transit
        recorded = read_updates(path, transit.speaker.asn) if path else []
        seconds = cycle(recorded)
        while True:
            yield list(islice(seconds, self._arguments.rate))

    def _changed(self, second: int, recorded: list[bytes]) -> Iterator[bytes]:
        """Yield what is to be shown of one second."""
        for update in recorded:
            yield from self._updated(self._ribs.transit, update)
        self._report("live", updates=len(recorded))
        if second % STATISTICS_EVERY == 1:
            yield from self._counted()
        peer = self._restless
        if second % FLAP_EVERY == DOWN_AT:
            yield peer_down(peer.speaker)
            yield self._chosen(self._ribs.lose(peer))
            self._report("peer down", peer=str(peer.speaker.address), peer_as=peer.speaker.asn)
        elif second % FLAP_EVERY == UP_AT:
            loc = self._ribs.regain(peer)
            yield from self._peer_table(peer)
            yield self._chosen(loc)
            self._report("peer up", peer=str(peer.speaker.address), peer_as=peer.speaker.asn)

    def _updated(self, peer: Peer, update: bytes) -> Iterator[bytes]:
        accepted, loc = self._ribs.take(peer, read_changes(update, peer))
        yield monitoring(adj_rib_in(peer.speaker, is_post=False), (update,))
        yield monitoring(adj_rib_in(peer.speaker, is_post=True), updates_for(accepted))
        yield self._chosen(loc)

    def _chosen(self, changes: Changes) -> bytes:
        return monitoring(loc_rib(self._self), updates_for(changes))

    def _counted(self) -> Iterator[bytes]:
        for peer in self._ribs.peers:
            counted = {REJECTED: len(peer.pre) - len(peer.post), IN_ADJ_RIB_IN: len(peer.pre)}
            yield statistics(adj_rib_in(peer.speaker, is_post=False), counted)
        yield statistics(loc_rib(self._self), {IN_LOC_RIB: len(self._ribs.loc)})

    def _report(self, event: str, **facts: object) -> None:
        report(self._arguments, event, **facts)


_END_OF_RIBS = (end_of_rib(IPV4_UNICAST), end_of_rib(IPV6_UNICAST))


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connect", required=True, metavar="HOST:PORT", help="where the collector listens")
    parser.add_argument("--bind", required=True, metavar="ADDRESS", help="our address, and BGP identifier (IPv4)")
    parser.add_argument("--asn", type=int, default=65000, help="our AS number (default 65000)")
    parser.add_argument("--name", default="example-router", help="our name")
    parser.add_argument("--table", required=True, type=Path, help="MRT file, TABLE_DUMP_V2")
    parser.add_argument("--limit", type=int, metavar="N", help="stop reading the table after so many prefixes")
    parser.add_argument("--updates", type=Path, metavar="FILE", help="MRT file, BGP4MP: updates of the largest peer")
    parser.add_argument("--wait", action="store_true", help="connect when standard input ends")
    parser.add_argument("--rate", type=int, default=10, metavar="N", help="recorded updates a second (default 10)")
    return parser.parse_args(words)


async def main() -> int:
    """Read the table, show it, and stop at SIGINT or SIGTERM."""
    arguments = parse_arguments()
    gc.disable()  # half a million routes, and no cycle among them
    ribs = Ribs(read_peers(arguments.table, arguments.limit))
    router = Router(arguments, ribs)
    report(
        arguments,
        "ribs read",
        peers=len(ribs.peers),
        pre=sum(len(peer.pre) for peer in ribs.peers),
        post=sum(len(peer.post) for peer in ribs.peers),
        loc=len(ribs.loc),
    )
    return await run_until_stopped(arguments, router.run)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
