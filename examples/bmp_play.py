"""Record the BMP octets that a router sends, and play them to a collector.

    bmp_play.py -m record -p 1791 -f bmp.dump                  listen, save what one router sends until it closes
    bmp_play.py -m play   -p 1790 -f bmp.dump -d 127.0.0.1     send it to a collector

A file holds the octets of one session as they came, and nothing else. With --routers N, N sessions are recorded, at the
same time if they come so, to FILE, FILE.2, FILE.3 and so on. A file whose name ends in .xz, .gz or .bz2 is compressed
(bmp.dump.xz, bmp.dump.2.xz).

Played, each router is a connection of its own, all at the same time: the files take turns when there are more routers
than files. With --from 127.0.0.1 each has an address of its own: 127.0.0.1, 127.0.0.2 and so on. A collector forgets a
router's routes when the router closes: --stay keeps the sessions open until Ctrl-C.
"""

import argparse
import asyncio
import bz2
import gzip
import lzma
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import IO

CHUNK_OCTETS = 1 << 16
CONNECT_PATIENCE = 30  # seconds that the collector may take to listen
HEADER_OCTETS = 6  # version u8, length u32, type u8 (RFC 7854 section 4.1)
MAX_MESSAGE = 1 << 24  # beyond any that a router sends: a longer one means that the file holds something else
PACES_PER_SECOND = 20  # how often a paced session sends

OPENERS: dict[str, Callable[..., IO[bytes]]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


class NotBmpError(Exception):
    """A file holds something else than BMP messages."""


def open_octets(path: Path, mode: str) -> IO[bytes]:
    """Open a file that may be compressed."""
    return OPENERS.get(path.suffix, open)(path, mode)


def numbered(path: Path, number: int) -> Path:
    """Return the name for the session of that number, from 1."""
    if number == 1:
        return path
    suffix = path.suffix if path.suffix in OPENERS else ""
    return path.with_name(f"{path.name.removesuffix(suffix)}.{number}{suffix}")


def read_messages(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the messages of a file; what is left of one that is cut comes last."""
    for number in count(1):
        header = file.read(HEADER_OCTETS)
        if not header:
            return
        length = int.from_bytes(header[1:5], "big")
        if header[0] not in (3, 4) or (len(header) == HEADER_OCTETS and not HEADER_OCTETS <= length <= MAX_MESSAGE):
            raise NotBmpError(f"{name}: message {number} begins with {header.hex()}, which is no BMP header")
        yield header + file.read(length - len(header))


def read_chunks(file: IO[bytes], _name: str) -> Iterator[bytes]:
    """Yield the octets of a file."""
    while octets := file.read(CHUNK_OCTETS):
        yield octets


async def paced(messages: Iterator[bytes], per_second: float) -> AsyncIterator[bytes]:
    """Yield octets, so many messages a second."""
    started, bulk = time.monotonic(), bytearray()
    for sent, message in enumerate(messages, start=1):
        bulk += message
        wait = started + sent / per_second - time.monotonic()
        if wait > 1 / PACES_PER_SECOND:
            yield bytes(bulk)
            bulk.clear()
            await asyncio.sleep(wait)
    yield bytes(bulk)


class Recorder:
    """Saves each connection to a file of its own, until there were enough."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._path, self._wanted = arguments.file[0], arguments.routers
        self._begun = self._ended = 0
        self.done = asyncio.Event()

    async def record(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Save what a router sends until it closes."""
        self._begun += 1
        if self._begun > self._wanted:
            writer.close()
            return
        path, octets = numbered(self._path, self._begun), 0
        say(f"{writer.get_extra_info('peername')[0]} connected: {path}")
        with open_octets(path, "wb") as file, suppress(ConnectionError):
            while part := await reader.read(CHUNK_OCTETS):
                file.write(part)
                file.flush()
                octets += len(part)
        writer.close()
        say(f"{path}: {octets} octets")
        self._ended += 1
        if self._ended == self._wanted:
            self.done.set()


async def record(arguments: argparse.Namespace) -> None:
    """Listen and save."""
    recorder = Recorder(arguments)
    server = await asyncio.start_server(recorder.record, arguments.address, arguments.port)
    say(f"listening on port {server.sockets[0].getsockname()[1]}")
    await recorder.done.wait()
    server.close()


async def connect(
    arguments: argparse.Namespace, source: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the collector, which may have to begin to listen."""
    give_up = time.monotonic() + CONNECT_PATIENCE
    local = (source, 0) if source else None
    while True:
        try:
            return await asyncio.open_connection(arguments.address, arguments.port, local_addr=local)
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.2)


async def send(arguments: argparse.Namespace, path: Path, writer: asyncio.StreamWriter) -> int:
    """Send a file as fast as it may go; return its octets."""
    total = 0
    with open_octets(path, "rb") as file:
        parts = (read_messages if arguments.rate else read_chunks)(file, str(path))
        async for octets in paced(parts, arguments.rate) if arguments.rate else at_once(parts):
            writer.write(octets)
            await writer.drain()
            total += len(octets)
    return total


async def at_once(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield octets without a pause."""
    for part in parts:
        yield part


async def play_one(arguments: argparse.Namespace, number: int) -> None:
    """Be one router: connect, send, close, as often as wanted."""
    path = arguments.file[number % len(arguments.file)]
    source = str(ip_address(arguments.source) + number) if arguments.source else None
    for repetition in range(1, arguments.times + 1):
        if repetition > 1:
            await asyncio.sleep(arguments.pause)
        reader, writer = await connect(arguments, source)
        name, started = writer.get_extra_info("sockname")[0], time.monotonic()
        try:
            octets = await send(arguments, path, writer)
            say(f"{name} sent {path}: {octets} octets in {time.monotonic() - started:.1f} s")
            if arguments.stay and repetition == arguments.times:
                await reader.read()  # until the collector closes
                say(f"{name} was closed by the collector")
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def play(arguments: argparse.Namespace) -> None:
    """Be all routers."""
    routers = arguments.routers or len(arguments.file)
    await asyncio.gather(*(play_one(arguments, number) for number in range(routers)))


def say(text: str) -> None:
    """Tell a person what happens."""
    print(text, flush=True)


def positive(kind: type) -> Callable[[str], float]:
    """Return what parses a number above zero."""

    def parse(word: str) -> float:
        number: float = kind(word)
        if number <= 0:
            raise argparse.ArgumentTypeError(f"{word} is not above 0")
        return number

    return parse


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whole = positive(int)
    parser.add_argument("-m", "--mode", required=True, choices=["record", "play"])
    parser.add_argument("-p", "--port", required=True, type=int, help="TCP port to listen on, or to connect to")
    parser.add_argument(
        "-f", "--file", required=True, type=Path, nargs="+", help="where the octets are; several only to play"
    )
    parser.add_argument(
        "-d", "--address", metavar="ADDRESS", help="collector to play to (127.0.0.1), or our address to record at (any)"
    )
    parser.add_argument("-n", "--routers", type=whole, metavar="N", help="sessions (1 to record, one per file to play)")
    playing = parser.add_argument_group("to play")
    playing.add_argument(
        "--from", dest="source", metavar="ADDRESS", help="address of the first router; the next follow"
    )
    playing.add_argument("--rate", type=positive(float), metavar="N", help="messages a second and router (no limit)")
    playing.add_argument("--times", type=whole, default=1, metavar="N", help="connect and play so often (1)")
    playing.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between two times (0)")
    playing.add_argument("--stay", action="store_true", help="keep the last sessions open until Ctrl-C")
    arguments = parser.parse_args(words)
    if arguments.mode == "record":
        arguments.routers = arguments.routers or 1
        if len(arguments.file) > 1:
            parser.error("record takes one file name; the others are made from it")
    else:
        arguments.address = arguments.address or "127.0.0.1"
    return arguments


async def main(words: list[str] | None = None) -> int:
    """Record or play, until done or told to stop."""
    arguments = parse_arguments(words)
    work = asyncio.create_task(record(arguments) if arguments.mode == "record" else play(arguments))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        return 0
    except (OSError, EOFError, lzma.LZMAError, NotBmpError) as error:
        print(f"bmp_play.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
