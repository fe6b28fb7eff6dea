"""MRT records as the text that `bgpdump -m` prints, for comparison with text that others made."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from routed.octets import Cursor
from routed.wire import mrt
from routed.wire.bgp.as_path import SegmentType
from routed.wire.bgp.attribute import Attribute, find
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.community import Communities
from routed.wire.bgp.header import decode_message
from routed.wire.bgp.reach import MpReachNlri, parse_next_hop
from routed.wire.bgp.scalar import AtomicAggregate, LocalPref, MultiExitDisc, NextHop, Origin
from routed.wire.bgp.update import Update, decode_update
from routed.wire.prefix import format_prefix

NAMES = {0xFFFFFF01: "no-export", 0xFFFFFF02: "no-advertise", 0xFFFFFF03: "no-export-subconfed"}
MARKS = {SegmentType.AS_SET: "{}", SegmentType.AS_CONFED_SEQUENCE: "()", SegmentType.AS_CONFED_SET: "[]"}


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).parents[3] / "golden" / "mrt"


@pytest.fixture(scope="session")
def bgpdump_text() -> Callable[[Path], list[str]]:
    """Return the lines of one file, sorted: bgpdump has an order of its own inside a message."""

    def text(path: Path) -> list[str]:
        return sorted(_Dump().lines(path))

    return text


@pytest.fixture(scope="session")
def expected_text() -> Callable[[Path], list[str]]:
    def text(path: Path) -> list[str]:
        return sorted(map(_compress_addresses, gzip.decompress(path.read_bytes()).decode().splitlines()))

    return text


def _compress_addresses(line: str) -> str:
    """Return a line with its addresses as RFC 5952 wants them: bgpdump also writes one zero group as `::`."""

    def compress(field: str) -> str:
        with suppress(ValueError):
            return str(ip_address(field))
        return field

    return "|".join(map(compress, line.split("|")))


class _Dump:
    def __init__(self) -> None:
        self._peers: tuple[mrt.MrtPeer, ...] = ()

    def lines(self, path: Path) -> Iterator[str]:
        for record in mrt.read(path):
            assert isinstance(record, mrt.Record), record
            match message := mrt.decode_message(record):
                case mrt.PeerIndexTable():
                    self._peers = message.peers
                case mrt.Rib():
                    yield from self._rib(record.timestamp, message)
                case mrt.BgpMessage():
                    yield from _updates(record.timestamp, message)
                case mrt.StateChange():
                    head = _head(record.timestamp, "STATE", message.endpoints)
                    yield f"{head}|{message.old_state:d}|{message.new_state:d}"

    def _rib(self, timestamp: int, rib: mrt.Rib) -> Iterator[str]:
        for entry in rib.entries:
            peer = self._peers[entry.peer_index]
            read = mrt.decode_rib_attributes(entry.attributes, rib.family)
            assert not read.refusals
            update = Update(attributes=read.attributes)
            name = "TABLE_DUMP2" if entry.path_id is None else "TABLE_DUMP2_AP"
            route = [format_prefix(rib.route.prefix)] + ([] if entry.path_id is None else [str(entry.path_id)])
            yield "|".join(
                [
                    name,
                    str(timestamp),
                    "B",
                    str(ip_address(peer.address)),
                    str(peer.asn),
                    *route,
                    _tail(update, rib.family.afi),
                ]
            )


def _updates(timestamp: int, message: mrt.BgpMessage) -> Iterator[str]:
    kind, body = decode_message(Cursor(message.octets))
    if kind is not MessageType.UPDATE:
        return
    update = decode_update(body, message.context)
    assert not update.refusals, update.refusals
    withdrawn = (*update.withdrawn, *(update.mp_unreach.routes if update.mp_unreach else ()))
    for route in withdrawn:
        yield f"{_head(timestamp, 'W', message.endpoints)}|{format_prefix(route.prefix)}"
    for afi, routes in ((1, update.nlri), (2, update.mp_reach.routes if update.mp_reach else ())):
        for route in routes:
            yield f"{_head(timestamp, 'A', message.endpoints)}|{format_prefix(route.prefix)}|{_tail(update, afi)}"


def _head(timestamp: int, what: str, ends: mrt.Endpoints) -> str:
    return f"BGP4MP|{timestamp}|{what}|{ip_address(ends.peer_address)}|{ends.peer_as}"


def _tail(update: Update, afi: int) -> str:
    attributes = update.attributes
    local_pref, med, origin = find(attributes, LocalPref), find(attributes, MultiExitDisc), find(attributes, Origin)
    communities, aggregator = find(attributes, Communities), update.aggregator
    return "|".join(
        [
            _path(update),
            origin.code.name if origin else "INCOMPLETE",
            _next_hop(attributes, afi),
            str(local_pref.preference if local_pref else 0),
            str(med.metric if med else 0),
            " ".join(NAMES.get(c, f"{c >> 16}:{c & 0xFFFF}") for c in communities.values) if communities else "",
            "AG" if find(attributes, AtomicAggregate) else "NAG",
            f"{aggregator.asn} {ip_address(aggregator.address)}" if aggregator else "",
            "",
        ]
    )


def _next_hop(attributes: tuple[Attribute, ...], afi: int) -> str:
    plain, reach = find(attributes, NextHop), find(attributes, MpReachNlri)
    if afi == 1 and plain:
        return str(ip_address(plain.address))
    return str(ip_address(parse_next_hop(reach.next_hop).address)) if reach else "255.255.255.255"


def _path(update: Update) -> str:
    words = []
    for segment in update.as_path.segments if update.as_path else ():
        opens, closes = MARKS.get(segment.type, ("", ""))
        comma = "," if segment.type in {SegmentType.AS_SET, SegmentType.AS_CONFED_SET} else " "
        words.append(opens + comma.join(map(str, segment.numbers)) + closes)
    return " ".join(words)
