"""A looking glass that says what a test wants, on a loopback port, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import orjson
import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from lg.server import Server

#: Seconds that whatever must come may take on a machine that has much else to do.
PATIENCE: Final = 60.0
#: Seconds in which what never comes does not come.
IMPATIENCE: Final = 0.2

Frames = list[bytes]
Reply = Callable[[Frames], "Frames | None"]
T = TypeVar("T")


def growing_patience(attempt: Callable[[float], T], is_right: Callable[[T], bool]) -> T:
    """Return what an attempt comes to that must see a part of the way in its time, and then run out of time."""
    patience = IMPATIENCE
    while not is_right(result := attempt(patience)) and patience < PATIENCE:
        patience *= 4
    return result


def frames(*members: object) -> Frames:
    """Write values as frames."""
    return [member if isinstance(member, bytes) else orjson.dumps(member) for member in members]


def page(rows: Sequence[object], **facts: object) -> Frames:
    """Write the answer to one search."""
    header = {"results": len(rows), "query_type": 3, "queries": 1}
    return frames(header, {"query": 0, "results": len(rows), **facts}, *rows)


@contextmanager
def looking_glass(
    reply: Reply,
    *,
    password: str | None = None,
    keys: tuple[bytes, bytes] | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """Answer until the end of the context; an answer of None is none."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    if password is not None:
        authenticator.configure_plain(domain="*", passwords={"user": password})
        router.plain_server = True
    if keys is not None:
        authenticator.configure_curve(domain="*", location=zmq.auth.CURVE_ALLOW_ANY)
        router.curve_publickey, router.curve_secretkey = keys
        router.curve_server = True
    if port is None:
        port = router.bind_to_random_port("tcp://127.0.0.1")
    else:
        router.bind(f"tcp://127.0.0.1:{port}")
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            if router.poll(20):
                identity, empty, *asked = router.recv_multipart()
                answer = reply(asked)
                if answer is not None:
                    router.send_multipart([identity, empty, *answer])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Server(port=port)
    finally:
        is_over.set()
        thread.join()
        authenticator.stop()
        context.destroy(linger=0)
