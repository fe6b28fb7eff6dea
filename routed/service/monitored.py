"""A router and what it shows: its peers, a RIB for each view of each peer, and the events that dumps repeat."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.octets import Cursor
from routed.rib._monitoring import MonitoredRib
from routed.rib.families import bits_of
from routed.rib.serials import next_serial
from routed.service.bmp_records import route_end, route_keys
from routed.service.capabilities import Capabilities, compare
from routed.session.bmp_peers import BmpPeers, MonitoredPeer, PeerKey, Reading, read_stateless
from routed.wire.bmp.peer import PeerHeader, decode_peer_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.rib._rib import PeerRib, Rib
    from routed.rib._rows import Rows
    from routed.rib._table import Table
    from routed.service.bmp_records import EventRecord
    from routed.service.records import PeerText
    from routed.service.settings import RenderSettings
    from routed.wire.bmp.peer_up import PeerUp

#: Events of one router that wait for the next dump, and their octets: a mirrored message is long, TLVs can be.
MAX_EVENTS: Final = 65_536
MAX_EVENT_OCTETS: Final = 64 << 20
#: Octets of the Peer Ups of one router that every dump shows; the peers there may be take half of it.
MAX_STANDING_OCTETS: Final = 64 << 20
#: What a record takes besides its facts. Units: octets.
RECORD_OCTETS: Final = 256
#: Headers of one router that are remembered; of those that name the same RIB a router could make up thousands.
MAX_HEADERS: Final = 65_536
#: Octets of the capabilities of one router's peers that are kept for whoever asks.
MAX_NOTED_OCTETS: Final = 16 << 20
#: The octets of a per-peer header that say which RIB a message is about.
RIB_OCTETS: Final = 26


class RibKey(NamedTuple):
    """Which RIB of a peer."""

    is_post: bool
    is_out: bool
    is_loc: bool
    is_filtered: bool


@dataclass(slots=True, eq=False)
class View:
    """One RIB of a monitored peer."""

    header: PeerHeader  # of its first message
    peer: MonitoredPeer
    rib: MonitoredRib
    internal_end: bytes = b""  # of rows that no message of the router causes
    serial: int = field(default_factory=next_serial)  # of its tables

    def describe(self, router: PeerText, *, set_pd: bool) -> None:
        """Write down how its rows show it."""
        rib, asn = self.rib, self.peer.asn
        rib.own_as = asn
        rib.keys, rib.vpn_keys = route_keys(self.header, set_pd=set_pd)
        rib.end = route_end(router, self.header, asn, "route_monitor")
        self.internal_end = route_end(router, self.header, asn, "internal")
        rib.tag, rib.tagger = router.tag, router.tagger


class PeerNote(NamedTuple):
    """What is told of a peer to whoever asks."""

    since: float  # when its Peer Up came. Units: seconds since 1970
    capabilities: Capabilities


@dataclass(slots=True)
class PeerNotes:
    """Notes of the peers of a router; when they are long, those of further peers have no capabilities."""

    by_peer: dict[PeerKey, PeerNote] = field(default_factory=dict)
    octets: int = 0

    def take(self, peer: PeerKey, message: PeerUp, arrived: float) -> None:
        """Note what a Peer Up says."""
        self.forget(peer)
        capabilities = compare(message.sent_open, message.received_open)
        if self.octets + capabilities.octets > MAX_NOTED_OCTETS:
            capabilities = Capabilities()
        self.octets += capabilities.octets
        self.by_peer[peer] = PeerNote(arrived, capabilities)

    def forget(self, peer: PeerKey) -> None:
        """Know nothing of a peer any more."""
        note = self.by_peer.pop(peer, None)
        if note is not None:
            self.octets -= note.capabilities.octets


@dataclass(slots=True)
class DumpEvents:
    """The events for dumps: those since the last one, and before them what still holds of earlier ones."""

    init: EventRecord | None = None
    ups: dict[PeerKey, dict[RibKey, EventRecord]] = field(default_factory=dict)
    recent: deque[EventRecord] = field(default_factory=deque)
    taken: list[EventRecord] = field(default_factory=list)  # recent ones, in the dump that is being written
    recent_octets: int = 0
    standing_octets: int = 0

    def add(self, record: EventRecord) -> int:
        """Take an event; when there are too many the oldest go. Returns: how many."""
        self.recent.append(record)
        self.recent_octets += weight(record)
        return self._trim()

    def stand(self, peer: PeerKey, rib: RibKey, record: EventRecord) -> bool:
        """Show a Peer Up in every dump until the peer goes down, if there is room for it: tell whether."""
        before = self.ups.get(peer, {}).get(rib)
        octets = self.standing_octets + weight(record) - (0 if before is None else weight(before))
        if octets > MAX_STANDING_OCTETS:
            return False
        self.standing_octets = octets
        self.ups.setdefault(peer, {})[rib] = record
        return True

    def forget(self, peer: PeerKey) -> None:
        """Show the Peer Ups of a peer no more."""
        self.standing_octets -= sum(map(weight, self.ups.pop(peer, {}).values()))

    def take(self) -> list[EventRecord]:
        """Return what a dump shows; `settle` follows."""
        recent = {id(record) for record in self.recent}
        standing = chain([self.init] if self.init else [], *(ups.values() for ups in self.ups.values()))
        events = [record for record in standing if id(record) not in recent] + list(self.recent)
        self.taken.extend(self.recent)
        self.recent.clear()
        self.recent_octets = 0
        return events

    def settle(self, *, is_whole: bool) -> int:
        """Let what was taken be of earlier days, or of the next dump when there was none. Returns: events lost."""
        if not is_whole:
            self.recent.extendleft(reversed(self.taken))
            self.recent_octets += sum(map(weight, self.taken))
        self.taken.clear()
        return self._trim()

    def _trim(self) -> int:
        """Let the oldest events go when there are too many. Returns: how many."""
        lost = 0
        while len(self.recent) > MAX_EVENTS or self.recent_octets > MAX_EVENT_OCTETS:
            self.recent_octets -= weight(self.recent.popleft())
            lost += 1
        return lost


@dataclass(slots=True)
class RouterCounters:
    """What the messages of one router came to."""

    messages: int = 0
    discarded: int = 0
    peers: int = 0  # that came up, each time
    monitoring: int = 0
    announced: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    unknown: int = 0
    dropped: int = 0  # routes for which there was no room
    orphans: int = 0
    malformed: int = 0
    passed_over: int = 0  # UPDATEs with routes of families that are not stored
    end_of_ribs: int = 0
    mirrored: int = 0
    paused: int = 0  # times that the router was not read because too much waited
    events_lost: int = 0  # of those that dumps show: too many between two of them
    peer_ups_lost: int = 0  # which dumps do not repeat: too many of them


class MonitoredRouter:
    """The peers of one session and their RIBs. No I/O and no clock."""

    def __init__(self, rib: Rib, text: PeerText, *, set_pd: bool) -> None:
        self.text = text
        self.peers = BmpPeers()
        self.by_header: dict[bytes, MonitoredRib] = {}  # found before; emptied whenever a peer changes
        self.views: dict[PeerKey, dict[RibKey, View]] = {}
        self.events = DumpEvents()
        self.notes = PeerNotes()
        self.counters = RouterCounters()
        self.connected_at = 0.0  # seconds since 1970
        self._rib, self._set_pd = rib, set_pd
        self._all_views: list[View] | None = None  # as long as they are the same and show the same way
        self._of_rib: dict[MonitoredRib, View] = {}

    def find(self, octets: bytes, *, says_how: bool) -> MonitoredRib | None:
        """Return the RIB that a per-peer header (42 octets) names, made at its first route; None for an unknown peer.

        `says_how`: whether the UPDATE itself says how it is to be read, so that no Peer Up is needed. A Loc-RIB needs
        none either: RFC 9069 section 5.1 asks for one, but there are routers that send none.
        Raises: TooManyPeersError.
        """
        header = decode_peer_header(Cursor(octets))
        peer = self.peers.find(header)
        if peer is None:
            if not says_how and not header.is_loc:
                return None
            peer = self.peers.admit(header)
            self.counters.peers += 1
        views = self.views.setdefault(peer.key, {})
        key = RibKey(header.is_post, header.is_out, header.is_loc, header.is_filtered)
        view = views.get(key)
        if view is None:
            view = views[key] = self._make_view(header, peer)
        elif header.is_legacy_as_path != view.header.is_legacy_as_path:
            view.rib.guesses_as4 = True
        if len(self.by_header) >= MAX_HEADERS:
            self.by_header.clear()
        self.by_header[octets[:RIB_OCTETS]] = view.rib
        return view.rib

    def up(self, peer: MonitoredPeer) -> list[tuple[MonitoredRib, int, Table]]:
        """Read the UPDATEs of a peer by its OPENs from now on; tables to be swept, whose path identifiers changed."""
        gone = []
        self.by_header.clear()
        for view in self.views.get(peer.key, {}).values():
            view.peer = peer
            reread = self._reread(view.rib, peer.reading(view.header))
            if reread:
                view.serial = next_serial()
            gone += reread
            view.describe(self.text, set_pd=self._set_pd)
        self._all_views = None
        return gone

    def stateless(self, header: bytes, octets: bytes) -> tuple[bool, bool, int] | None:
        """Return what stateless parsing says beside a per-peer header (42 octets), as `MonitoringRun` asks for it."""
        reading = read_stateless(octets, decode_peer_header(Cursor(header)))
        return None if reading is None else (reading.as4, reading.guesses_as4, bits_of(reading.add_path))

    def down(self, key: PeerKey) -> list[View]:
        """Take all RIBs of a peer out, to be swept."""
        self.by_header.clear()
        self.events.forget(key)
        self.notes.forget(key)
        return self._take_out(self.views.pop(key, {}))

    def lost(self) -> Iterator[View]:
        """Take all RIBs out, one at a time, to be swept."""
        self.by_header.clear()
        while self.views:
            _, views = self.views.popitem()
            yield from self._take_out(views)

    def view_of(self, rib: MonitoredRib) -> View:
        """Return what a RIB belongs to."""
        return self._of_rib[rib]

    def all_views(self) -> list[View]:
        """Return the RIBs in the order of dumps: peers as they came up, pre-policy before post-policy.

        The list is another one as soon as anything about them has changed, and not to be changed by others.
        """
        if self._all_views is None:
            self._all_views = [view for views in self.views.values() for _, view in sorted(views.items())]
        return self._all_views

    def views_of(self, key: PeerKey) -> list[View]:
        """Return the RIBs of a peer, in the same order."""
        return [view for _, view in sorted(self.views.get(key, {}).items())]

    # -- for dumps --------------------------------------------------------------------------------------------------

    def ribs(self) -> list[PeerRib]:
        """Return what is dumped."""
        return [view.rib for view in self.all_views()]

    def begin_dump(self, rows: Rows, rib: PeerRib, timestamp: bytes, _render: RenderSettings) -> None:
        """Let the rows that follow be dump rows of one RIB."""
        assert isinstance(rib, MonitoredRib)
        rows.own_as = rib.own_as
        rows.dump(timestamp, b"", self.text.dump_tag, self.text.dump_tagger)
        rows.source(rib.keys, rib.vpn_keys, self.text.dump_tag, self.text.dump_tagger, rib.end)

    def closing_facts(self, _entries: int) -> bytes:
        """Return nothing: the compatible record has no keys of its own."""
        return b""

    def take_events(self) -> list[EventRecord]:
        """Return the events that follow the routes."""
        return self.events.take()

    def events_written(self, *, is_whole: bool) -> None:
        """Learn whether what was taken is in a dump."""
        self.counters.events_lost += self.events.settle(is_whole=is_whole)

    # -- rest -------------------------------------------------------------------------------------------------------

    def retag(self, text: PeerText) -> None:
        """Show the router another way from now on."""
        self.text = text
        for view in self.all_views():
            view.describe(text, set_pd=self._set_pd)
        self._all_views = None

    def _make_view(self, header: PeerHeader, peer: MonitoredPeer) -> View:
        reading = peer.reading(header)
        rib = MonitoredRib(self._rib, as4=reading.as4, external=False, add_path=bits_of(reading.add_path))
        rib.guesses_as4 = reading.guesses_as4
        view = View(header, peer, rib)
        view.describe(self.text, set_pd=self._set_pd)
        self._of_rib[rib] = view
        self._all_views = None
        return view

    def _reread(self, rib: MonitoredRib, reading: Reading) -> list[tuple[MonitoredRib, int, Table]]:
        gone = rib.reread(as4=reading.as4, guesses_as4=reading.guesses_as4, add_path=bits_of(reading.add_path))
        return [(rib, family, table) for family, table in gone]

    def _take_out(self, views: dict[RibKey, View]) -> list[View]:
        self._all_views = None
        for view in views.values():
            del self._of_rib[view.rib]
        return list(views.values())


def begin_internal(rows: Rows, view: View) -> None:
    """Let the rows that follow be of routes that go although no message withdraws them."""
    rib = view.rib
    rows.own_as = rib.own_as
    rows.source(rib.keys, rib.vpn_keys, rib.tag, rib.tagger, view.internal_end)


def weight(record: EventRecord) -> int:
    """Return about how many octets a record takes."""
    return RECORD_OCTETS + len(record.facts)
