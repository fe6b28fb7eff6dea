"""Tables rebuilt from records: those of a message log as they come, or those of a dump.

A record may arrive twice and the tables are the same. A dump takes the place of a table when it is whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]
#: Whose table: address of the peer, or router, monitored peer and kind of RIB.
Owner = tuple[Any, ...]
#: Which route of it.
Route = tuple[Any, ...]

_OWNER = ("peer_ip_src", "bmp_router", "peer_ip", "pd", "bmp_rib_type", "is_filtered")
_ROUTE = ("afi", "safi", "rd", "ip_prefix", "as_path_id")
_SESSION = ("peer_ip_src", "bmp_router")


class Tables:
    """The tables of everybody whose records were taken."""

    def __init__(self) -> None:
        self._routes: dict[Owner, dict[Route, Record]] = {}
        self._dumps: dict[Owner, dict[Owner, dict[Route, Record]]] = {}  # under way, by session

    def take(self, record: Record) -> None:
        """Take the next record of a message log or of a dump."""
        session = _values(record, _SESSION)
        match record["event_type"]:
            case "log" if "ip_prefix" in record and record["ip_prefix"] is not None:
                self._log(record)
            case "log_init" | "log_close":
                self._forget(session)
            case "log" if record.get("bmp_msg_type") == "peer_down":
                self._forget(session, record["peer_ip"])
            case "dump_init":
                self._dumps[session] = {}
            case "dump" if record.get("ip_prefix") is not None and session in self._dumps:
                routes = self._dumps[session].setdefault(_values(record, _OWNER), {})
                routes[_values(record, _ROUTE)] = record
            case "dump_close" if session in self._dumps:
                self._forget(session)
                self._routes |= self._dumps.pop(session)

    def __len__(self) -> int:
        return sum(map(len, self._routes.values()))

    def routes(self) -> Iterator[Record]:
        """Yield the last record of every route that is there."""
        for routes in self._routes.values():
            yield from routes.values()

    def _log(self, record: Record) -> None:
        routes = self._routes.setdefault(_values(record, _OWNER), {})
        if record["log_type"] == "update":
            routes[_values(record, _ROUTE)] = record
        else:
            routes.pop(_values(record, _ROUTE), None)

    def _forget(self, session: Owner, peer: str | None = None) -> None:
        """Forget what a session, or one peer of it, has shown."""
        for owner in list(self._routes):
            if owner[: len(_SESSION)] == session and peer in {None, owner[_OWNER.index("peer_ip")]}:
                del self._routes[owner]


def _values(record: Record, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in names)
