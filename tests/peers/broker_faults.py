"""A broker and its daemons that die in the middle of a dump: what they had logged and dumped arrives after a restart.

One scenario for every broker. A pmbgpd and a pmbmpd log and dump into it; it stops answering before their dump, so all
of that is on its way when it is killed, and they are, with -9. They are back before it is.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from tests.peers.bmp_octets import announcement, per_peer_header, usual_session, withdrawal
from tests.peers.bmp_station import LoopbackStation
from tests.peers.collector import PATIENCE, Collector, at_work
from tests.peers.kafka_streams import PEERS, bare, errors_are_about, first_of_each, peers, spooled
from tests.peers.raw_speaker import RawSession
from tests.peers.siege import Target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

#: Streams, by the prefix of their keys.
BGP_LOG, BGP_DUMP, BMP_LOG, BMP_DUMP = "bgp_daemon_msglog_", "bgp_table_dump_", "bmp_daemon_msglog_", "bmp_dump_"
STREAMS: Final = (BGP_LOG, BGP_DUMP, BMP_LOG, BMP_DUMP)
#: Of the daemons before and after: their spools have it, and their configurations are in other places.
NAME: Final = "mortal"
ROUTES: Final = 300
CHURNED: Final = 20
ROUTER: Final = "127.9.7.1"
NETWORKS: Final = tuple(f"10.1.{number}.0/24" for number in range(200))


class Streams(Protocol):
    """What the scenario needs of a broker. `word`: what complaints about it have in them."""

    word: str

    def keys(self, prefix: str, home: Path) -> Mapping[str, object]:
        """Return the keys of a stream, whose spool is in `home`."""

    def freeze(self) -> None:
        """Let it answer no more."""

    def die(self) -> None:
        """Kill it with -9."""

    def revive(self) -> None:
        """Start it again."""

    def read(self, prefix: str, enough: Callable[[list[bytes]], object]) -> list[bytes]:
        """Return all that came on a stream, in order, once it is enough."""


def all_die_in_a_dump(home: Path, broker: Streams) -> None:
    """Demand that everything arrives that the files of the dead have, in the order of each peer."""
    ports = reserved_port(), reserved_port()
    with daemons(home / "first", ports, broker, home) as (bgp, bmp), peers(bgp) as both:
        session = RawSession(bmp.address, ROUTER)
        session.send(usual_session(*NETWORKS))
        for peer in both:
            peer.load(ROUTES)
        broker.read(BGP_LOG, lambda rows: len(rows) >= 2 * ROUTES)
        broker.read(BMP_LOG, lambda rows: len(rows) >= len(NETWORKS))
        broker.freeze()
        frozen = time.time()
        for peer in both:
            peer.churn(CHURNED)
        header = per_peer_header()
        session.send(withdrawal(header, *NETWORKS[:CHURNED]) + announcement(header, *NETWORKS[:CHURNED]))
        for address in PEERS:
            bgp.wait_for_routes(address, "withdraw", CHURNED)
        bmp.wait_for_routes(ROUTER, "update", len(NETWORKS) + CHURNED)
        wanted = {
            BGP_DUMP: dumped(bgp, 2, frozen),
            BMP_DUMP: dumped(bmp, 1, frozen),
            BGP_LOG: logged(bgp),
            BMP_LOG: logged(bmp),
        }
        last = {bytes(rows[-1]) for stream in wanted.values() for rows in by_source(stream).values()}
        eventually(lambda: all(is_spooled(home, row) for row in last), PATIENCE, "the spools to hold everything")
        bgp.kill()
        bmp.kill()
        broker.die()
        session.close()
        dead = {f"{NAME}/{bgp.pid}", f"{NAME}/{bmp.pid}"}
    with daemons(home / "again", ports, broker, home) as again:
        broker.revive()
        writers = set()
        for stream, rows in wanted.items():
            found = broker.read(stream, lambda found, rows=rows: set(rows) <= set(map(bare, found)))
            number = json.loads(rows[0])["seq"]  # of all records of a dump
            came = [row for row in found if "dump" not in stream or json.loads(row)["seq"] == number]
            assert by_source(first_of_each(map(bare, came))) == by_source(rows)
            writers |= {json.loads(row)["writer_id"] for row in came}
        assert writers == dead
        eventually(lambda: spooled(home) == 0, PATIENCE, "the spools to be removed")
        for daemon in again:
            errors_are_about(daemon, broker.word)


@contextmanager
def daemons(
    home: Path, ports: tuple[int, int], broker: Streams, spools: Path
) -> Iterator[tuple[Target, LoopbackStation]]:
    """Run both, with files in places of their own."""
    bgp, bmp = home / "bgp", home / "bmp"
    bgp.mkdir(parents=True)
    bmp.mkdir()
    keys = {prefix: broker.keys(prefix, spools) for prefix in STREAMS}
    bgp_keys = {**keys[BGP_LOG], **keys[BGP_DUMP], "core_proc_name": NAME}
    bmp_keys = {**keys[BMP_LOG], **keys[BMP_DUMP], "core_proc_name": NAME, "bmp_dump_file": bmp / "dump.json"}
    target, station = Target(bgp, ports[0], **bgp_keys), LoopbackStation(bmp, ports[1], **bmp_keys)
    with ExitStack() as stack:
        yield stack.enter_context(at_work(target)), stack.enter_context(at_work(station))


def logged(daemon: Collector) -> list[bytes]:
    """Return what the message logs have."""
    return [row for path in sorted(daemon.home.glob("messages-*.json")) for row in path.read_bytes().splitlines()]


def dumped(daemon: Collector, tables: int, after: float) -> list[bytes]:
    """Return the first dump that began after a moment, once it is there."""
    path = daemon.home / "dump.json"

    def whole() -> list[bytes]:
        rows = path.read_bytes().splitlines() if path.exists() else []
        fresh = bool(rows) and float(json.loads(rows[0])["timestamp"]) >= after
        return rows if fresh and sum(b'"dump_close"' in row for row in rows) == tables else []

    return eventually(whole, 60 + PATIENCE, f"a dump of {daemon.name}")


def by_source(rows: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the rows of each peer or router, in order."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in rows:
        record: dict[str, Any] = json.loads(row)
        found[record.get("peer_ip_src") or record["bmp_router"]].append(row)
    return found


def is_spooled(home: Path, row: bytes) -> bool:
    """Tell whether a row waits on disk, which it does behind all that came before."""
    for path in (home / "spool").glob("*/*.spool"):
        with suppress(FileNotFoundError):  # it was delivered
            if row in path.read_bytes():
                return True
    return False
