"""What the example routers have in common: a connection from an address, until somebody ends it, told in JSON."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable

CONNECT_PATIENCE = 30  # seconds that the collector may take to listen

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class SessionLostError(Exception):
    """The collector ended the session."""


async def connect(arguments: argparse.Namespace) -> Streams:
    """Connect from `--bind` to `--connect`, as soon as somebody listens there.

    Raises: ConnectionRefusedError when nobody does for `CONNECT_PATIENCE`.
    """
    host, _, port = arguments.connect.rpartition(":")
    give_up = time.monotonic() + CONNECT_PATIENCE
    while True:
        try:
            return await asyncio.open_connection(host, int(port), local_addr=(arguments.bind, 0))
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.2)


async def run_until_stopped(arguments: argparse.Namespace, run: Callable[[], Awaitable[None]]) -> int:
    """Run a session until it is lost, or until SIGINT or SIGTERM; return the exit status."""
    if arguments.wait:
        sys.stdin.read()
    session = asyncio.ensure_future(run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, session.cancel)
    try:
        await session
    except asyncio.CancelledError:
        report(arguments, "stopped")
        return 0
    except (SessionLostError, OSError) as error:
        report(arguments, "lost", why=str(error))
        return 1
    return 0


def report(arguments: argparse.Namespace, event: str, **facts: object) -> None:
    """Tell one fact on standard output."""
    print(json.dumps({"speaker": arguments.bind, "asn": arguments.asn, "event": event, **facts}), flush=True)
