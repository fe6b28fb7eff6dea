"""A station under attack: two good routers live beside whatever a test does, and nothing may happen to them.

No namespace is needed: everybody is a loopback address and the station has a port of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.peers.bmp_octets import (
    GLOBAL_INSTANCE,
    LOC_RIB,
    POST_POLICY,
    announcement,
    initiation,
    peer_up,
    per_peer_header,
    withdrawal,
)
from tests.peers.bmp_station import LoopbackStation
from tests.peers.collector import PATIENCE
from tests.peers.raw_speaker import RawSession
from tests.peers.waiting import eventually

#: The RIBs that a good router shows.
VIEWS: Final = ((GLOBAL_INSTANCE, 0), (GLOBAL_INSTANCE, POST_POLICY), (LOC_RIB, 0))
PROBED: Final = per_peer_header()


class GoodRouter:
    """A router with one neighbour and a known table in several RIBs."""

    def __init__(self, daemon: LoopbackStation, source: str, table: Mapping[str, int]) -> None:
        self.source, self.table = source, table
        self._daemon = daemon
        self._probes = 0
        self._session = RawSession(daemon.address, source)
        headers = [per_peer_header(peer_type=kind, flags=flags) for kind, flags in VIEWS]
        self._session.send(initiation(source) + peer_up(headers[0]) + peer_up(headers[-1]))
        for network, origin_as in table.items():
            self._session.send(b"".join(announcement(header, network, asn=origin_as) for header in headers))
        daemon.wait_for_routes(source, "update", len(table) * len(VIEWS))

    def assert_unharmed(self) -> None:
        """Demand that the session is read and has lost none of its routes."""
        self._probes += 1
        probe = f"203.0.{self._probes // 250}.{1 + self._probes % 250}/32"
        self._session.send(announcement(PROBED, probe) + withdrawal(PROBED, probe))
        for log_type in ("update", "withdraw"):
            what = f"{log_type} of the route that {self.source} announces after it all"
            eventually(lambda of=log_type: self._logged(of, probe), PATIENCE, what)
        rows = self._daemon.log_of(self.source)
        lost = [row for row in rows if row.get("log_type") in ("withdraw", "delete") and row["ip_prefix"] in self.table]
        assert not lost
        assert [row["event_type"] for row in rows if row["event_type"] != "log"] == ["log_init"]
        assert [row["bmp_msg_type"] for row in rows if "log_type" not in row and "bmp_msg_type" in row] == [
            *("init", "peer_up", "peer_up")
        ]

    def _logged(self, log_type: str, network: str) -> bool:
        return bool(self._daemon.log_of(self.source, log_type=log_type, ip_prefix=network))

    def leave(self) -> None:
        """Close the session."""
        self._session.close()


class Siege:
    """The station, and the two it must protect."""

    def __init__(self, daemon: LoopbackStation) -> None:
        self.daemon = daemon
        self.sessions = 0  # of the enemy's, so far
        first = {f"10.1.{number}.0/24": 64600 + number for number in range(100)}
        second = {f"10.{number}.0.0/16": 64800 + number for number in range(100)}
        self.good = (GoodRouter(daemon, "127.4.1.1", first), GoodRouter(daemon, "127.4.1.2", second))

    def session(self, source: str, patience: float = PATIENCE) -> RawSession:
        """Connect from an address of the enemy's."""
        self.sessions += 1
        return RawSession(self.daemon.address, source, patience=patience)

    def assert_unharmed(self) -> None:
        """Demand that nobody was harmed."""
        for router in self.good:
            router.assert_unharmed()

    def leave(self) -> None:
        """End the good sessions."""
        for router in self.good:
            router.leave()
