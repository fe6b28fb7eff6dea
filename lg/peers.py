"""Peers and routers as a person wants to see them in a row: how long, how many routes of what, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lg.answer import Record

#: Short names of families, by AFI and SAFI.
AFIS: Final = {1: "IPv4", 2: "IPv6"}
SAFIS: Final = {1: "", 2: " multicast", 4: " labelled", 128: " VPN"}
#: Units of a time, longest first: how many seconds, and the letter.
UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
#: Members that a row has no room for; JSON has them.
LONG: Final = frozenset({"capabilities", "capabilities_received", "messages_received", "messages_sent", "peer_type"})


def is_peer(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is about a peer or a router, and not a route."""
    return "state" in record and "ip_prefix" not in record


def summary(record: Record) -> Record:
    """Return what a row shows of a peer or router.

    A daemon of another age may say things otherwise: what is not as expected is left as it came.
    """
    row = {name: value for name, value in record.items() if name not in LONG}
    if isinstance(row.get("uptime"), int):
        row["uptime"] = duration(row["uptime"])
    if isinstance(row.get("families"), list):
        row["routes"] = families(row.pop("families"))
    if isinstance(row.get("ribs"), list):
        row["routes"] = "; ".join(f"{rib['bmp_rib_type']}: {families(rib['families'])}" for rib in row.pop("ribs"))
    for name in ("counters", "refused"):
        if isinstance(row.get(name), dict):
            row[name] = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in row[name].items() if count)
    return {name: value for name, value in row.items() if value != ""}


def duration(seconds: int) -> str:
    """Write a time in its two largest units: `3d 7h`, `12s`."""
    parts: list[str] = []
    for size, letter in UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count}{letter}")
    return " ".join(parts[:2]) or "0s"


def families(members: Iterable[Mapping[str, Any]]) -> str:
    """Write how many routes of each family there are."""
    return ", ".join(
        f"{AFIS.get(one['afi'], one['afi'])}{SAFIS.get(one['safi'], ' ' + str(one['safi']))} {one['routes']}"
        + (f" ({one['stale']} stale)" if one.get("stale") else "")
        for one in members
    )
