"""A router and what it shows: which RIB a message is about, how it is read and shown, and the events of dumps."""

import json
from ipaddress import IPv4Address
from typing import Any, Final

import pytest

from routed.rib._monitoring import MonitoredRib, MonitoringRun
from routed.rib._rib import Rib, sweep_all
from routed.rib._rows import Rows
from routed.service import monitored as module
from routed.service.bmp_records import EventRecord
from routed.service.capabilities import Capabilities
from routed.service.monitored import (
    RIB_OCTETS,
    DumpEvents,
    MonitoredRouter,
    PeerNote,
    PeerNotes,
    RibKey,
    begin_internal,
)
from routed.service.records import BMP_ROUTER, PeerText
from routed.session.bmp_peers import TooManyPeersError, key_of
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.peer_up import PeerUp
from tests.oracles.bmp_build import (
    PEER_UP,
    ROUTE_MONITORING,
    A,
    F,
    L,
    O,
    ends,
    frame,
    open_message,
    peer,
)
from tests.oracles.build import MANDATORY, NET_10, prefix, update

RD_1, RD_2 = b"\0\0\xfd\xe8\0\0\0\1", b"\0\0\xfd\xe8\0\0\0\2"
AS4: Final = bytes.fromhex("41040000fde9")
BOTH_WAYS: Final = bytes.fromhex("450400010103")
LOC: Final = peer(3, address="0.0.0.0")
TEXT: Final = PeerText(address=IPv4Address("192.0.2.61"), port=48521, names=BMP_ROUTER, tag=b'"tag": 7, ')


@pytest.fixture
def router() -> MonitoredRouter:
    return MonitoredRouter(Rib(1), TEXT, set_pd=False)


def up(router: MonitoredRouter, header: bytes, capabilities: bytes = AS4) -> list[Any]:
    """Let a peer come up; what is to be swept."""
    opens = open_message(65000, capabilities=capabilities) + open_message(65001, capabilities=capabilities)
    message = decode_message(frame(PEER_UP, header + ends() + opens))
    assert isinstance(message, PeerUp)
    found, _ = router.peers.up(message)
    return router.up(found)


def down(router: MonitoredRouter, header: bytes) -> list[MonitoredRib]:
    gone = router.peers.down(decode_message(frame(ROUTE_MONITORING, header + update())).peer)  # type: ignore[union-attr]
    assert gone is not None
    return [view.rib for view in router.down(gone.key)]


def find(router: MonitoredRouter, header: bytes, *, says_how: bool = False) -> MonitoredRib:
    rib = router.find(header, says_how=says_how)
    assert rib is not None
    assert router.by_header[header[:RIB_OCTETS]] is rib
    return rib


def take(router: MonitoredRouter, octets: bytes, header: bytes, rows: Rows | None = None) -> None:
    def of(header: bytes, says_how: bool) -> MonitoredRib | None:
        return router.find(header, says_how=says_how)

    message = frame(ROUTE_MONITORING, header + octets)
    run = MonitoringRun(find(router, header).rib, message, router.by_header, of, router.stateless)
    assert run.step(rows) is not None


def test_each_view_of_a_peer_is_a_rib(router: MonitoredRouter) -> None:
    """RFC 7854 section 4.2, RFC 8671: pre- and post-policy, in and out; they go with one Peer Down."""
    up(router, peer())
    flags = [O | L, L, O, 0]
    ribs = [find(router, peer(flags=each)) for each in flags]
    assert len(set(map(id, ribs))) == 4
    assert [view.rib for view in router.all_views()] == router.ribs() == [ribs[3], ribs[2], ribs[1], ribs[0]]
    assert [find(router, peer(flags=each)) for each in flags] == ribs
    assert down(router, peer()) == ribs
    assert (router.all_views(), router.by_header) == ([], {})
    assert router.find(peer(), says_how=False) is None


def test_a_filtered_loc_rib_is_another_one(router: MonitoredRouter) -> None:
    """RFC 9069 section 4.2."""
    up(router, LOC)
    assert find(router, LOC) is not find(router, peer(3, F, address="0.0.0.0"))
    keys = [json.loads(b"{" + rib.keys[:-2] + b"}") for rib in (view.rib for view in router.all_views())]
    assert [(one["bmp_rib_type"], one["is_filtered"], one["is_loc"]) for one in keys] == [
        ("Loc-Rib", 0, 1),
        ("Loc-Rib", 1, 1),
    ]


def test_one_address_in_two_vrfs_never_mixes(router: MonitoredRouter) -> None:
    red, blue = peer(1, rd=RD_1), peer(1, rd=RD_2)
    up(router, red)
    up(router, blue)
    take(router, update(MANDATORY, NET_10), red)
    assert [len(find(router, header)) for header in (red, blue)] == [1, 0]
    assert down(router, blue) != down(router, red)
    assert router.views == {}


def test_routes_of_another_type_are_of_the_peer_with_that_address(router: MonitoredRouter) -> None:
    """There are routers that announce a peer with one type and its routes with another."""
    up(router, peer(0))
    rib = find(router, peer(2))
    assert find(router, peer(0)) is rib
    up(router, peer(2))
    assert find(router, peer(2)) is not rib
    assert find(router, peer(0)) is rib


def test_a_peer_that_says_how_it_is_read_need_not_be_up(router: MonitoredRouter) -> None:
    assert router.find(peer(), says_how=False) is None
    rib = find(router, peer(flags=A, asn=7), says_how=True)
    assert (rib.as4, rib.guesses_as4) == (False, False)
    assert find(router, peer(flags=A)) is rib
    assert down(router, peer()) == [rib]


def test_what_a_router_makes_up_has_an_end(router: MonitoredRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADERS", 3)
    router.peers._most = 2
    up(router, peer())
    ribs = {id(find(router, peer(kind))) for kind in range(4)}
    assert len(ribs) == 2  # a Loc-RIB, and one for all other types
    assert len(router.by_header) == 1
    find(router, peer(address="192.0.2.7"), says_how=True)
    with pytest.raises(TooManyPeersError):
        router.find(peer(address="192.0.2.8"), says_how=True)


@pytest.mark.parametrize("first", [0, A])
def test_headers_that_contradict_each_other_are_looked_into(router: MonitoredRouter, first: int) -> None:
    """One RIB with the A flag and without: AS numbers are as long as they look from then on."""
    up(router, peer(), AS4 if not first else b"")
    rib = find(router, peer(flags=first))
    assert not rib.guesses_as4
    assert find(router, peer(flags=A ^ first)) is rib
    assert rib.guesses_as4


def test_a_peer_that_comes_up_again_is_read_by_its_new_opens(router: MonitoredRouter) -> None:
    """Routes stay where they can; a table whose path identifiers come or go is swept."""
    up(router, peer())
    take(router, update(MANDATORY, NET_10), peer())
    rib = find(router, peer())
    assert up(router, peer(), b"") == []
    assert (len(rib), rib.as4, rib.guesses_as4) == (1, True, True)
    ((of, family, table),) = up(router, peer(), AS4 + BOTH_WAYS)
    assert (of, family, len(table), len(rib), rib.guesses_as4) == (rib, 0, 1, 0, False)
    assert find(router, peer()) is rib
    assert router.view_of(rib).peer.add_path_in
    take(router, update(MANDATORY, prefix(b"\x0a", 8, path_id=5)), peer())
    assert len(rib) == 1


def test_stateless_parsing_is_read_for_the_rib_that_the_header_names(router: MonitoredRouter) -> None:
    receives = bytes.fromhex("450400010101")
    assert router.stateless(peer(), receives) == (True, True, 1)
    assert router.stateless(peer(flags=O), AS4 + receives) == (True, False, 0)
    assert router.stateless(peer(flags=A), receives + BOTH_WAYS) == (False, False, 1)
    assert router.stateless(peer(), receives[:-1]) is None


def test_rows_show_router_peer_and_tag(router: MonitoredRouter) -> None:
    header = peer(1, L, rd=RD_1, asn=7)
    up(router, header)
    rib, rows = find(router, header), Rows()
    rows.clock = lambda seconds: (b"%d" % seconds, b"")
    rows.log_monitored(b"later", b', "timestamp_arrival": "now"')
    take(router, update(MANDATORY, NET_10), header, rows)
    router.retag(PeerText(address=IPv4Address("192.0.2.61"), port=9, names=BMP_ROUTER, tag=b'"tag": 8, '))
    take(router, update(MANDATORY, NET_10), header, rows)
    rows.log_monitored(b"later", b', "timestamp_arrival": "now"')
    (view,) = router.lost()
    begin_internal(rows, view)
    for family, table in rib.detach():
        assert sweep_all(rib.rib, family, table, 10, rows)
    found = [json.loads(row) for row in rows.take().splitlines()]
    facts = ["timestamp", "rd", "tag", "bmp_router_port", "peer_asn", "bmp_msg_type"]
    assert [[row[key] for key in facts] for row in found] == [
        ["1700000000.250000", "0:65000:1", 7, 48521, 65001, "route_monitor"],
        ["1700000000.250000", "0:65000:1", 8, 9, 65001, "route_monitor"],
        ["later", "0:65000:1", 8, 9, 65001, "internal"],
    ]
    assert len(rib.rib.paths) == 0


def test_a_router_that_is_lost_gives_everything_back(router: MonitoredRouter) -> None:
    for header in (peer(), LOC, peer(1, rd=RD_1)):
        up(router, header)
        find(router, header)
    find(router, peer(flags=L))
    assert len(list(router.lost())) == 4
    assert (router.views, router._of_rib, router.by_header) == ({}, {}, {})


# -- the events of dumps ----------------------------------------------------------------------------------------------


def event(name: str) -> EventRecord:
    return EventRecord(name, 0, 0, b"")


def names(events: list[EventRecord]) -> list[str]:
    return [record.kind for record in events]


PEER, OTHER = (key_of(decode_message(frame(ROUTE_MONITORING, header + update())).peer) for header in (peer(), LOC))  # type: ignore[union-attr]
IN, POST = RibKey(False, False, False, False), RibKey(True, False, False, False)


def stands(events: DumpEvents, name: str, key: Any = None, rib: RibKey = IN) -> None:
    """Take an event that holds until another one takes its place."""
    record = event(name)
    if key is None:
        events.init = record
    else:
        events.stand(key, rib, record)
    events.add(record)


def test_a_dump_shows_everything_since_the_last_one_in_order() -> None:
    events = DumpEvents()
    stands(events, "init")
    stands(events, "up", PEER)
    events.add(event("stats"))
    events.add(event("down"))
    assert names(events.take()) == ["init", "up", "stats", "down"]


def test_a_dump_begins_with_what_still_holds_from_earlier() -> None:
    """Departs from pmacct, whose dumps forget peers that came up before the last one."""
    events = DumpEvents()
    stands(events, "init")
    stands(events, "up", PEER)
    stands(events, "up post", PEER, POST)
    stands(events, "up other", OTHER)
    events.add(event("stats"))
    events.take()
    assert names(events.take()) == ["init", "up", "up post", "up other"]
    events.add(event("stats"))
    stands(events, "up again", PEER)
    events.forget(OTHER)
    events.add(event("down other"))
    assert names(events.take()) == ["init", "up post", "stats", "up again", "down other"]
    stands(events, "init again")
    assert names(events.take()) == ["up again", "up post", "init again"]
    assert names(events.take()) == ["init again", "up again", "up post"]


def test_a_dump_of_nothing_is_empty() -> None:
    assert DumpEvents().take() == []


def test_a_peer_that_goes_down_holds_no_more(router: MonitoredRouter) -> None:
    up(router, peer())
    stands(router.events, "up", PEER)
    router.take_events()
    down(router, peer())
    assert names(router.take_events()) == []


def test_events_that_wait_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go and are counted; what still holds is shown nevertheless."""
    monkeypatch.setattr(module, "MAX_EVENTS", 2)
    events = DumpEvents()
    stands(events, "up", PEER)
    assert [events.add(event(name)) for name in ("a", "b", "c")] == [0, 1, 1]
    assert names(events.take()) == ["up", "b", "c"]


def test_long_events_that_wait_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirrored message has half a million digits."""
    monkeypatch.setattr(module, "MAX_EVENT_OCTETS", 2_000)
    events = DumpEvents()
    assert [events.add(EventRecord(name, 0, 0, bytes(500))) for name in ("a", "b", "c")] == [0, 0, 1]
    assert names(events.take()) == ["b", "c"]
    events.add(EventRecord("d", 0, 0, bytes(1_500)))
    assert names(events.take()) == ["d"]
    assert events.add(EventRecord("too long by itself", 0, 0, bytes(2_000))) == 1
    assert (names(events.take()), events.recent_octets) == ([], 0)


def test_what_was_in_no_dump_is_in_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs a dump and none of its events; they take room again beside what came meanwhile."""
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    events = DumpEvents()
    stands(events, "up", PEER)
    events.add(event("a"))
    assert names(events.take()) == ["up", "a"]
    events.add(event("b"))
    assert events.settle(is_whole=False) == 0
    assert names(events.take()) == ["up", "a", "b"]
    for name in ("c", "d"):
        assert events.add(event(name)) == 0
    assert events.settle(is_whole=False) == 2
    assert names(events.take()) == ["up", "b", "c", "d"]
    events.add(event("e"))
    assert events.settle(is_whole=True) == 0
    assert names(events.take()) == ["up", "e"]
    assert events.settle(is_whole=True) == events.recent_octets == 0


def test_peer_ups_that_stand_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A router can say 250,000 octets about each of its peers; when some go there is room again."""
    monkeypatch.setattr(module, "MAX_STANDING_OCTETS", 2_000)
    events = DumpEvents()
    assert events.stand(PEER, IN, EventRecord("in", 0, 0, bytes(600)))
    assert events.stand(PEER, POST, EventRecord("post", 0, 0, bytes(600)))
    assert not events.stand(OTHER, IN, EventRecord("no room", 0, 0, bytes(600)))
    assert events.stand(PEER, POST, EventRecord("post again", 0, 0, bytes(800)))
    assert not events.stand(PEER, IN, EventRecord("no room for more", 0, 0, bytes(900)))
    assert names(events.take()) == ["in", "post again"]
    events.forget(PEER)
    events.forget(PEER)
    assert events.standing_octets == 0
    events.stand(OTHER, IN, EventRecord("room", 0, 0, bytes(600)))
    assert names(events.take()) == ["room"]


@pytest.mark.parametrize("room", [1, 2])
def test_capabilities_are_noted_as_long_as_there_is_room(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("4-bytes AS [65] ASN [65001]",)
    each = Capabilities(lines, lines)
    monkeypatch.setattr(module, "MAX_NOTED_OCTETS", room * each.octets)
    notes, keys = PeerNotes(), []
    for address in ("192.0.2.1", "192.0.2.2"):
        message = decode_message(frame(PEER_UP, peer(address=address) + ends() + open_message(capabilities=AS4) * 2))
        assert isinstance(message, PeerUp)
        keys.append(key_of(message.peer))
        notes.take(keys[-1], message, 5.0)
        notes.take(keys[-1], message, 6.0)  # once more: the last one counts
    assert notes.octets == room * each.octets
    assert [notes.by_peer[key] for key in keys] == [
        PeerNote(6.0, each),
        PeerNote(6.0, each if room == 2 else Capabilities()),
    ]
    for key in keys:
        notes.forget(key)
    assert (notes.by_peer, notes.octets) == ({}, 0)
