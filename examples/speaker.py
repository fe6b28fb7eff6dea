"""A small BGP speaker that plays a recorded table into a collector, then updates until it is told to stop.

    python examples/speaker.py --connect 127.0.0.1:10179 --bind 127.0.0.11 --asn 65001 --table FILE

The table is an MRT file (TABLE_DUMP_V2; plain, gzip or bzip2). It goes out as a router would send it: routes with
equal attributes share UPDATEs, End-of-RIB follows. After that come the UPDATEs of a second MRT file, or, without one, a
few of the table's own routes are withdrawn and announced again. What happens is told in JSON, one line each, on
standard output.

With `--export` it also tells a flow collector of traffic that follows the table. SIGUSR1 makes it begin, or pause.
"""

import argparse
import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

from announcements import Table, announce, end_of_rib, read_table, read_updates, withdraw
from flow_exporter import NAMES, VERSIONS, FlowExporter, Traffic
from router_session import SessionLostError, connect, report, run_until_stopped

from routed.octets import Cursor, Writer
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol, RouteRefresh
from routed.wire.bgp.codepoints import AS_TRANS, MAX_AS2, CeaseSubcode, ErrorCode, MessageType
from routed.wire.bgp.header import HEADER_OCTETS, decode_message, encode_message
from routed.wire.bgp.notification import Notification, decode_notification, encode_notification
from routed.wire.bgp.open import Capabilities, OpenMessage, decode_open, encode_open
from routed.wire.prefix import parse_address

HOLD_TIME = 90
BULK_OCTETS = 1 << 17
ROUTES_PER_SECOND = 5  # withdrawn and announced again, when there are no recorded updates
EXPORTS_PER_SECOND = 10

_KEEPALIVE = encode_message(MessageType.KEEPALIVE)
_FRAME_LENGTH = slice(16, 18)


class Speaker:
    """One BGP session, from our OPEN to our Cease."""

    def __init__(self, arguments: argparse.Namespace, table: Table) -> None:
        self._arguments = arguments
        self._table = table
        self._first_updates = _in_bulk(
            table, arguments.asn
        )  # made before we connect: no speaker builds them on the way
        self._hold_time = HOLD_TIME
        self._exporting = asyncio.Event()
        self._traffic = Traffic(table, seed=arguments.asn) if arguments.export else None

    async def run(self) -> None:
        """Speak until cancelled, or until the collector closes."""
        self._reader, self._writer = await connect(self._arguments)
        tasks = []
        try:
            await self._open()
            self._report("established", hold_time=self._hold_time)
            parts = (self._listen, self._keep_alive, self._speak, self._export)
            tasks = [asyncio.create_task(part()) for part in parts]
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            self._writer.write(_cease())
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _open(self) -> None:
        """Exchange OPENs and KEEPALIVEs (RFC 4271 section 8)."""
        self._writer.write(self._open_message())
        kind, body = await self._receive()
        if kind is not MessageType.OPEN:
            raise SessionLostError(f"{kind.name} instead of OPEN")
        self._hold_time = min(HOLD_TIME, decode_open(body).hold_time)
        self._writer.write(_KEEPALIVE)
        await self._receive()

    def _open_message(self) -> bytes:
        asn = self._arguments.asn
        families = (Multiprotocol(family) for family in self._table.families)
        w = Writer()
        encode_open(
            w,
            OpenMessage(
                my_as=asn if asn <= MAX_AS2 else AS_TRANS,
                hold_time=HOLD_TIME,
                bgp_identifier=parse_address(self._arguments.bind),
                parameters=(Capabilities((*families, RouteRefresh(), FourOctetAs(asn))),),
            ),
        )
        return encode_message(MessageType.OPEN, bytes(w))

    async def _receive(self) -> tuple[MessageType, Cursor]:
        try:
            header = await self._reader.readexactly(HEADER_OCTETS)
            length = int.from_bytes(header[_FRAME_LENGTH], "big")
            octets = header + await self._reader.readexactly(length - HEADER_OCTETS)
        except asyncio.IncompleteReadError as error:
            raise SessionLostError("connection closed by the collector") from error
        kind, body = decode_message(Cursor(octets))
        if kind is MessageType.NOTIFICATION:
            raise SessionLostError(f"NOTIFICATION {decode_notification(body)}")
        return kind, body

    async def _listen(self) -> None:
        while True:
            await self._receive()

    async def _keep_alive(self) -> None:
        while self._hold_time:
            await asyncio.sleep(self._hold_time / 3)
            self._writer.write(_KEEPALIVE)

    async def _speak(self) -> None:
        started = time.monotonic()
        for bulk in self._first_updates:
            self._writer.write(bulk)
            await self._writer.drain()
        self._report("table sent", routes=self._table.routes, seconds=round(time.monotonic() - started, 3))
        async for updates in self._live():
            self._writer.writelines(updates)
            await self._writer.drain()
            self._report("live", updates=len(updates))

    async def _live(self) -> AsyncIterator[list[bytes]]:
        """Yield the UPDATEs of one second after the other."""
        source = self._recorded() if self._arguments.updates else self.invented()
        for updates in source:
            await asyncio.sleep(1)
            yield updates

    def _recorded(self) -> Iterator[list[bytes]]:
        updates = cycle(read_updates(self._arguments.updates, self._arguments.asn))
        while second := list(islice(updates, self._arguments.rate)):
            yield second

    def invented(self) -> Iterator[list[bytes]]:
        """Withdraw a few routes in one second and announce them again in the next."""
        for group, nlri in cycle(self._table.groups.items()):
            few = nlri[:ROUTES_PER_SECOND]
            yield list(withdraw(group.family, few))
            yield list(announce(group, few, self._arguments.asn))

    async def _export(self) -> None:
        """Export flows, while that is wanted."""
        arguments = self._arguments
        if self._traffic is None:
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin_or_pause)
        if not arguments.wait:
            self._exporting.set()
        exporter = FlowExporter(arguments.export_version)
        host, _, port = arguments.export.rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((arguments.bind, 0))
            sock.connect((host, int(port)))
            while await self._exporting.wait():
                flows = self._traffic.draw(arguments.flows // EXPORTS_PER_SECOND)
                for datagram in exporter.datagrams(flows, time.time(), time.monotonic()):
                    with suppress(ConnectionRefusedError):  # nobody listens, yet or any more: UDP does not mind
                        sock.send(datagram)
                self._report("flows", flows=len(flows["source"]), protocol=NAMES[arguments.export_version])
                await asyncio.sleep(1 / EXPORTS_PER_SECOND)

    def _begin_or_pause(self) -> None:
        if self._exporting.is_set():
            self._exporting.clear()
            self._report("flows paused")
        else:
            self._exporting.set()

    def _report(self, event: str, **facts: object) -> None:
        report(self._arguments, event, **facts)


def _in_bulk(table: Table, asn: int) -> list[bytes]:
    """Return the UPDATEs of a table and its End-of-RIB markers, joined into pieces worth a system call."""
    bulks, bulk = [], bytearray()
    for group, nlri in table.groups.items():
        for update in announce(group, nlri, asn):
            bulk += update
        if len(bulk) > BULK_OCTETS:
            bulks.append(bytes(bulk))
            bulk.clear()
    bulks.append(bytes(bulk) + b"".join(map(end_of_rib, table.families)))
    return bulks


def _cease() -> bytes:
    """Return the NOTIFICATION of an operator who stops the router (RFC 9003)."""
    text = b"the example speaker was stopped"
    w = Writer()
    encode_notification(
        w, Notification(ErrorCode.CEASE, CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, bytes((len(text),)) + text)
    )
    return encode_message(MessageType.NOTIFICATION, bytes(w))


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connect", required=True, metavar="HOST:PORT", help="where the collector listens")
    parser.add_argument("--bind", required=True, metavar="ADDRESS", help="our address, and BGP identifier (IPv4)")
    parser.add_argument("--asn", required=True, type=int, help="our AS number")
    parser.add_argument("--table", required=True, type=Path, help="MRT file, TABLE_DUMP_V2")
    parser.add_argument(
        "--peer", type=int, action="append", default=[], metavar="N", help="place in the table's peer index; repeatable"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="stop reading the table after so many routes")
    parser.add_argument("--updates", type=Path, metavar="FILE", help="MRT file, BGP4MP: updates of our AS to play")
    parser.add_argument("--wait", action="store_true", help="connect when standard input ends")
    parser.add_argument("--rate", type=int, default=10, metavar="N", help="recorded updates a second (default 10)")
    parser.add_argument("--export", metavar="HOST:PORT", help="where a flow collector listens")
    parser.add_argument("--export-version", type=int, choices=VERSIONS, default=10, help="of NetFlow; 10 is IPFIX")
    parser.add_argument("--flows", type=int, default=1000, metavar="N", help="flows a second (default 1000)")
    return parser.parse_args(words)


async def main() -> int:
    """Read the table, speak, and stop at SIGINT or SIGTERM."""
    arguments = parse_arguments()
    table = read_table(arguments.table, arguments.peer, arguments.limit)
    speaker = Speaker(arguments, table)
    report(arguments, "table read", routes=table.routes, attribute_sets=len(table.groups))
    return await run_until_stopped(arguments, speaker.run)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
