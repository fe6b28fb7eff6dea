"""The peers of a router: who is who, and how their UPDATEs are to be read."""

from typing import Final

import pytest

from routed.octets import Cursor, WireError
from routed.session.bmp_peers import (
    BmpPeers,
    MonitoredPeer,
    Reading,
    TooManyPeersError,
    monitored,
    read_stateless,
    stateless_reading,
)
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.peer import PeerHeader, decode_peer_header
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.oracles.bmp_build import PEER_UP, A, L, O, ends, frame, open_message, peer

RD_1, RD_2 = b"\0\0\xfd\xe8\0\0\0\1", b"\0\0\xfd\xe8\0\0\0\2"
AS4: Final = bytes.fromhex("4104000100a0")
NONE: Final = frozenset[object]()


def add_path(receives_4: int = 0, receives_6: int = 0) -> bytes:
    """The capability; directions are 1 (receive), 2 (send) and 3 (both)."""
    offers = bytes([0, 1, 1, receives_4]) * bool(receives_4) + bytes([0, 2, 1, receives_6]) * bool(receives_6)
    return bytes([69, len(offers)]) + offers


def header_of(octets: bytes) -> PeerHeader:
    return decode_peer_header(Cursor(octets))


def peer_up(header: bytes, router: bytes = AS4, other: bytes = AS4) -> PeerUp:
    """A Peer Up; `router` and `other` are the capabilities of the two OPENs, the router's first."""
    opens = open_message(65000, capabilities=router) + open_message(65001, capabilities=other)
    message = decode_message(frame(PEER_UP, header + ends() + opens))
    assert isinstance(message, PeerUp)
    return message


def of(router: bytes, other: bytes) -> MonitoredPeer:
    return monitored(peer_up(peer(), router, other))


def test_facts_are_those_of_the_opens() -> None:
    found = of(AS4, b"")
    assert (found.asn, found.local_as, str(found.bgp_id), found.as4) == (65001, 65696, "10.0.0.1", False)
    assert of(AS4, AS4).as4


def test_one_address_in_two_vrfs_is_two_peers() -> None:
    """RFC 7854 section 4.2: type, distinguisher and address tell peers apart."""
    peers = BmpPeers()
    headers = [peer(1, rd=RD_1), peer(1, rd=RD_2), peer(), peer(address="2001:db8::1")]
    for octets in headers:
        assert peers.find(header_of(octets)) is None
        peers.up(peer_up(octets))
    found = [peers.find(header_of(octets)) for octets in headers]
    assert [one and one.key.distinguisher for one in found] == [RD_1, RD_2, bytes(8), bytes(8)]
    assert list(peers) == found
    gone = peers.down(header_of(headers[0]))
    assert gone == found[0]
    assert peers.find(header_of(headers[0])) is None
    assert peers.find(header_of(headers[1])) == found[1]
    assert len(peers) == 3


def test_all_ribs_of_a_peer_are_one_peer() -> None:
    """RFC 8671 section 5: the Peer Up of the Adj-RIB-In is that of the Adj-RIB-Out too."""
    peers = BmpPeers()
    peers.up(peer_up(peer()))
    assert len({peers.find(header_of(peer(flags=flags))) for flags in (0, L, O, L | O, A)}) == 1


def test_where_no_peer_has_the_type_address_and_distinguisher_count() -> None:
    peers = BmpPeers()
    first, _ = peers.up(peer_up(peer(0)))
    assert peers.find(header_of(peer(2))) == first
    second, _ = peers.up(peer_up(peer(1)))
    assert peers.find(header_of(peer(2))) == second
    assert peers.find(header_of(peer(0))) == first
    assert peers.find(header_of(peer(2, rd=RD_1))) is None
    assert peers.down(header_of(peer(2))) == second
    assert peers.find(header_of(peer(1))) == first
    assert peers.down(header_of(peer(1))) == first
    assert peers.down(header_of(peer(1))) is None
    assert len(peers) == 0


def test_a_second_peer_up_takes_the_place_of_the_first() -> None:
    """Departs from pmacct, which keeps the old OPENs."""
    peers = BmpPeers()
    before, nothing = peers.up(peer_up(peer()))
    after, replaced = peers.up(peer_up(peer(), b"", b""))
    assert (nothing, replaced, after.as4) == (None, before, False)
    assert peers.find(header_of(peer())) == after
    assert len(peers) == 1


def test_there_is_a_most_of_peers() -> None:
    peers = BmpPeers(2)
    first, second, third = (peer(address=f"192.0.2.{n}") for n in (1, 2, 3))
    peers.up(peer_up(first))
    peers.admit(header_of(second))
    with pytest.raises(TooManyPeersError, match="more than 2 peers"):
        peers.up(peer_up(third))
    with pytest.raises(TooManyPeersError):
        peers.admit(header_of(third))
    peers.up(peer_up(first))
    assert peers.find(header_of(third)) is None
    peers.down(header_of(first))
    peers.up(peer_up(third))
    assert len(peers) == 2


def test_a_peer_without_peer_up_is_what_its_header_says() -> None:
    admitted = BmpPeers().admit(header_of(peer(flags=A, asn=7)))
    assert (admitted.asn, admitted.local_as, admitted.as4) == (7, 0, False)
    assert admitted.reading(header_of(peer(flags=A))) == Reading(False, False, frozenset())


@pytest.mark.parametrize(
    ("router", "other", "into", "out"),
    [
        (add_path(1), add_path(2), {IPV4_UNICAST}, NONE),
        (add_path(2), add_path(1), NONE, {IPV4_UNICAST}),
        (add_path(3, 3), add_path(3, 1), {IPV4_UNICAST}, {IPV4_UNICAST, IPV6_UNICAST}),
        (add_path(1), add_path(1), NONE, NONE),
        (add_path(3), add_path(0, 3), NONE, NONE),
        (add_path(3), b"", NONE, NONE),
        (add_path(7), add_path(3), NONE, NONE),
    ],
)
def test_path_identifiers_go_where_one_sends_and_the_other_receives(
    router: bytes, other: bytes, into: set[object], out: set[object]
) -> None:
    """RFC 7911 section 4; the router receives what is in its Adj-RIB-In."""
    found = of(router, other)
    assert found.reading(header_of(peer())).add_path == into
    assert found.reading(header_of(peer(flags=L))).add_path == into
    assert found.reading(header_of(peer(flags=O))).add_path == out
    assert found.reading(header_of(peer(3, address="0.0.0.0"))).add_path == into | out


@pytest.mark.parametrize(
    ("flags", "agreed", "as4", "guesses"),
    [(0, True, True, False), (0, False, True, True), (A, False, False, False), (A, True, False, True)],
)
def test_as_numbers_are_as_the_flag_says_unless_the_opens_disagree(
    flags: int, agreed: bool, as4: bool, guesses: bool
) -> None:
    """RFC 7854 section 4.2: the A flag."""
    reading = of(AS4, AS4 if agreed else b"").reading(header_of(peer(flags=flags)))
    assert (reading.as4, reading.guesses_as4) == (as4, guesses)


def test_a_loc_rib_has_no_flag_for_old_as_paths() -> None:
    """RFC 9069 section 4.2."""
    reading = of(AS4, AS4).reading(header_of(peer(3, A, address="0.0.0.0")))
    assert (reading.as4, reading.guesses_as4) == (True, False)


@pytest.mark.parametrize(
    ("header", "families"),
    [
        (peer(), {IPV4_UNICAST}),
        (peer(flags=L), {IPV4_UNICAST}),
        (peer(flags=O), {IPV6_UNICAST}),
        (peer(3, address="0.0.0.0"), {IPV4_UNICAST, IPV6_UNICAST}),
    ],
)
def test_stateless_parsing_is_the_open_of_the_router(header: bytes, families: set[object]) -> None:
    """What it receives has identifiers in an Adj-RIB-In, what it sends in an Adj-RIB-Out, any in a Loc-RIB."""
    for capability, expected in ((add_path(1, 2), families), (add_path(3, 3), {IPV4_UNICAST, IPV6_UNICAST})):
        assert stateless_reading(AS4 + capability, header_of(header)) == Reading(True, False, frozenset(expected))
    assert stateless_reading(add_path(7), header_of(header)).add_path == NONE


@pytest.mark.parametrize(
    ("flags", "capabilities", "as4", "guesses"),
    [(0, AS4, True, False), (0, b"", True, True), (A, b"", False, False), (A, AS4, False, True)],
)
def test_as_numbers_of_stateless_parsing_are_as_the_flag_says(
    flags: int, capabilities: bytes, as4: bool, guesses: bool
) -> None:
    reading = stateless_reading(capabilities, header_of(peer(flags=flags)))
    assert (reading.as4, reading.guesses_as4) == (as4, guesses)


@pytest.mark.parametrize("octets", [b"\x45", b"\x45\4\0\1\1", b"\x45\3\0\1\1", AS4 + b"\x41\0"])
def test_stateless_parsing_may_be_malformed(octets: bytes) -> None:
    with pytest.raises(WireError):
        stateless_reading(octets, header_of(peer()))
    assert read_stateless(octets, header_of(peer())) is None
