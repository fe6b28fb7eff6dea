"""Very many peers at a time, and the two keys that say how many and how fast."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.raw_speaker import (
    KEEPALIVE,
    KEEPALIVE_TYPE,
    OPEN,
    Notification,
    RawSession,
    open_message,
    prefix,
    update,
    usual_attributes,
)
from tests.peers.siege import Target, target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

if TYPE_CHECKING:
    from pathlib import Path

PORT, BATCH_PORT = reserved_port(), reserved_port()
SESSIONS: Final = 2000
ROUTES_EACH: Final = 3
DESCRIPTORS: Final = 2 * SESSIONS + 200
ASN: Final = 65400
#: Connection rejected (RFC 4486 section 4).
REJECTED: Final = Notification(6, 5)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process, and the daemon that it starts, open enough sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        pytest.skip(f"the hard limit of descriptors is {hard}, {DESCRIPTORS} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def source(number: int) -> str:
    """Return the address of a peer."""
    return f"127.5.{number // 250}.{1 + number % 250}"


def routes(number: int) -> list[str]:
    """Return the prefixes of a peer; some are its own, one is everybody's."""
    return [f"10.{number >> 8}.{number & 255}.0/24", f"100.64.{number >> 8}.{number & 255}/32", "192.0.2.0/24"]


def admitted(daemon: Target, address: str) -> bool:
    """Try whether a session from an address would be let in now."""
    with RawSession(daemon.address, address) as session:
        session.send(open_message(ASN, address))
        answer = session.receive()
        return answer is not None and answer.kind == OPEN


@contextmanager
def crowd(daemon: Target) -> Iterator[list[RawSession]]:
    """Connect all, say everything at once, and demand that each session is established."""
    with ExitStack() as connected:
        sessions = [connected.enter_context(RawSession(daemon.address, source(n))) for n in range(SESSIONS)]
        for number, session in enumerate(sessions):
            nlri = b"".join(map(prefix, routes(number)))
            announcement = update(attributes=usual_attributes(ASN, 1 + number), nlri=nlri)
            session.send(open_message(ASN, session.source, hold_time=240) + KEEPALIVE + announcement)
        for session in sessions:
            answers = session.receive(), session.receive()
            assert [answer and answer.kind for answer in answers] == [OPEN, KEEPALIVE_TYPE], session.source
        yield sessions


@pytest.mark.usefixtures("many_descriptors")
def test_two_thousand_sessions_and_not_one_more(tmp_path: Path) -> None:
    """All are established, all routes are in the dump, the next peer is refused until one leaves (RFC 4486 4)."""
    if is_pmacct():
        pytest.skip("pmacct selects and cannot go beyond 1,024 descriptors")
    keys = {"bgp_daemon_max_peers": SESSIONS, "bgp_daemon_msglog_file": tmp_path / "messages.json"}
    with target(tmp_path, PORT, **keys) as daemon, crowd(daemon) as sessions:
        with RawSession(daemon.address, "127.5.200.1") as surplus:
            surplus.send(open_message(ASN, "127.5.200.1"))
            assert surplus.verdict() == REJECTED
        rows = daemon.next_dump()
        dumped = Counter((row["peer_ip_src"], row["ip_prefix"]) for row in rows if row["event_type"] == "dump")
        assert dumped == Counter((source(n), network) for n in range(SESSIONS) for network in routes(n))
        sessions[0].close()
        eventually(lambda: admitted(daemon, "127.5.200.1"), PATIENCE, "room for one more")


def test_batches_let_peers_in_little_by_little(tmp_path: Path) -> None:
    """Three an interval: the fourth is turned away and comes in with the next batch."""
    keys = {"bgp_daemon_batch": 3, "bgp_daemon_batch_interval": 5}
    with target(tmp_path, BATCH_PORT, **keys) as daemon:
        assert [admitted(daemon, source(number)) for number in range(5)] == [True] * 3 + [False] * 2
        eventually(lambda: admitted(daemon, source(3)), PATIENCE, "the next batch")
