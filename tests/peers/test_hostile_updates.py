"""UPDATEs that are wrong, or right and enormous: RFC 7606 decides what they cost their sender, nobody else pays."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Final

import pytest

from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.raw_speaker import (
    IPV4_UNICAST,
    IPV6_UNICAST,
    KEEPALIVE,
    OPTIONAL,
    OPTIONAL_TRANSITIVE,
    UPDATE,
    VPN_IPV4,
    WELL_KNOWN,
    Notification,
    RawSession,
    add_path_capability,
    as_path,
    attribute,
    capability,
    message,
    mp_reach,
    next_hop,
    origin,
    prefix,
    update,
    usual_attributes,
    usual_capabilities,
)
from tests.peers.siege import Siege, target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
GROWTH: Final = 96 << 20
ASN: Final = 65200
SEED: Final = 7606
#: Paths of one prefix that the daemon stores of one peer.
MOST_PATHS: Final = 256
VICTIM: Final = "198.51.100.0/24"
NLRI: Final = prefix(VICTIM)
GOOD: Final = usual_attributes(ASN)


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """One daemon for all attacks, as in life."""
    with target(tmp_path_factory.mktemp("siege"), PORT, bgp_daemon_max_peers=50) as daemon:
        under_siege = Siege(daemon)
        yield under_siege
        under_siege.leave()


@pytest.fixture(autouse=True)
def unharmed(siege: Siege) -> Iterator[None]:
    """After each attack the good peers are as they were and the daemon is not much fatter."""
    before = siege.daemon.resident
    yield
    siege.assert_unharmed()
    # Sweeps of lost tables go on for a while.
    eventually(lambda: siege.daemon.resident < before + GROWTH, PATIENCE, f"memory to be near {before} octets again")


@pytest.fixture
def enemy(siege: Siege, request: pytest.FixtureRequest) -> Iterator[RawSession]:
    """An established session from an address of this test's own, so that its log is its own, too."""
    names = sorted(item.name for item in request.session.items)
    number = names.index(request.node.name)
    with siege.session(f"127.3.{number // 250}.{1 + number % 250}") as session:
        offered = usual_capabilities(ASN, (IPV4_UNICAST, IPV6_UNICAST, VPN_IPV4)) + capability(6)
        session.establish(ASN, capabilities=offered + add_path_capability(IPV6_UNICAST))
        yield session


def logged(siege: Siege, enemy: RawSession, log_type: str, count: int) -> None:
    """Wait for so many routes of one type in the enemy's own log."""
    siege.daemon.wait_for_routes(enemy.source, log_type, count)


#: Attribute -> octets that RFC 7606 section 7 answers with treat-as-withdraw; the rest of the UPDATE is good.
WITHDRAWN: Final = {
    "ORIGIN of no octets": attribute(WELL_KNOWN, 1, b"") + as_path(ASN) + next_hop(),
    "ORIGIN of two octets": attribute(WELL_KNOWN, 1, b"\0\0") + as_path(ASN) + next_hop(),
    "ORIGIN 3": origin(3) + as_path(ASN) + next_hop(),
    "ORIGIN with the flags of MED": attribute(OPTIONAL, 1, b"\0") + as_path(ASN) + next_hop(),
    "ORIGIN missing": as_path(ASN) + next_hop(),
    "AS_PATH missing": origin() + next_hop(),
    "AS_PATH segment beyond its end": origin() + attribute(WELL_KNOWN, 2, b"\x02\x09\0\0\0\x01") + next_hop(),
    "AS_PATH segment of no AS": origin() + attribute(WELL_KNOWN, 2, b"\x02\x00") + next_hop(),
    "AS_PATH segment type 9": origin() + attribute(WELL_KNOWN, 2, b"\x09\x01\0\0\0\x01") + next_hop(),
    "AS_PATH with one octet too many": origin() + attribute(WELL_KNOWN, 2, b"\x02\x01\0\0\0\x01\x02") + next_hop(),
    "NEXT_HOP missing": origin() + as_path(ASN),
    "NEXT_HOP of five octets": origin() + as_path(ASN) + attribute(WELL_KNOWN, 3, b"\xc0\0\2\1\1"),
    "MULTI_EXIT_DISC of three octets": GOOD + attribute(OPTIONAL, 4, b"\0\0\1"),
    "LOCAL_PREF of five octets": GOOD + attribute(WELL_KNOWN, 5, b"\0\0\0\0\1"),
    "COMMUNITIES of six octets": GOOD + attribute(OPTIONAL_TRANSITIVE, 8, b"\0\1\0\1\0\1"),
    "ORIGINATOR_ID of three octets": GOOD + attribute(OPTIONAL, 9, b"\1\2\3"),
    "CLUSTER_LIST of five octets": GOOD + attribute(OPTIONAL, 10, b"\1\2\3\4\5"),
    "EXTENDED COMMUNITIES of nine octets": GOOD + attribute(OPTIONAL_TRANSITIVE, 16, b"\0" * 9),
    "LARGE COMMUNITIES of eleven octets": GOOD + attribute(OPTIONAL_TRANSITIVE, 32, b"\0" * 11),
    "last attribute beyond the attributes": GOOD + b"\x80\x04\x09\0\0",
}

#: Attribute -> octets that RFC 7606 answers with attribute discard: the route stays.
DISCARDED: Final = {
    "ATOMIC_AGGREGATE of one octet": GOOD + attribute(WELL_KNOWN, 6, b"\0"),
    "AGGREGATOR of seven octets": GOOD + attribute(OPTIONAL_TRANSITIVE, 7, b"\0" * 7),
    "AS4_PATH beyond its end": GOOD + attribute(OPTIONAL_TRANSITIVE, 17, b"\x02\x09\0\0\0\x01"),
    "COMMUNITIES twice": GOOD + attribute(OPTIONAL_TRANSITIVE, 8, b"\0\1\0\1") * 2,
    "unknown optional attribute": GOOD + attribute(OPTIONAL_TRANSITIVE, 250, b"\0" * 300),
}

#: What leaves no way to find the NLRI -> the subcode of the UPDATE Message Error it gets, where there is but one.
RESET: Final = {
    "withdrawn routes beyond the message": (message(UPDATE, b"\xff\xff\0\0"), 1),
    "attributes beyond the message": (message(UPDATE, b"\0\0\xff\xff"), 1),
    "MP_REACH_NLRI twice": (update(attributes=GOOD + mp_reach(2, 1, "2001:db8::1", b"") * 2), 1),
    "prefix of 33 bits": (update(attributes=GOOD, nlri=b"\x21\x0a\0\0\0\0"), 10),
    "prefix beyond the message": (update(attributes=GOOD, nlri=b"\x20\x0a"), 10),
    "next hop of MP_REACH_NLRI beyond it": (update(attributes=attribute(OPTIONAL, 14, b"\0\2\1\xff\0") + GOOD), None),
    "MP_UNREACH_NLRI of two octets": (update(attributes=attribute(OPTIONAL, 15, b"\0\2")), None),
}


@pytest.mark.parametrize("case", WITHDRAWN)
def test_malformed_attribute_is_treated_as_withdraw(siege: Siege, enemy: RawSession, case: str) -> None:
    """RFC 7606 section 2: the route goes, the session stays and later routes count."""
    if is_pmacct():
        pytest.skip("pmacct has no RFC 7606")
    enemy.send(update(attributes=GOOD, nlri=NLRI))
    enemy.send(update(attributes=WITHDRAWN[case], nlri=NLRI))
    enemy.send(update(attributes=GOOD, nlri=prefix("198.51.101.0/24")))
    logged(siege, enemy, "withdraw", 1)
    logged(siege, enemy, "update", 2)
    assert [row["ip_prefix"] for row in siege.daemon.log_of(enemy.source, "withdraw")] == [VICTIM]


@pytest.mark.parametrize("case", DISCARDED)
def test_malformed_attribute_is_discarded(siege: Siege, enemy: RawSession, case: str) -> None:
    """RFC 7606 section 2: route and session stay."""
    enemy.send(update(attributes=DISCARDED[case], nlri=NLRI))
    enemy.send(update(attributes=GOOD, nlri=prefix("198.51.101.0/24")))
    logged(siege, enemy, "update", 2)
    assert not siege.daemon.log_of(enemy.source, "withdraw")


@pytest.mark.parametrize("case", RESET)
def test_update_that_hides_its_routes_resets_the_session(siege: Siege, enemy: RawSession, case: str) -> None:
    """RFC 7606 sections 3 and 5: what was valid before it counted, then the session ends and its routes go."""
    if is_pmacct():
        pytest.skip("pmacct has no RFC 7606")
    octets, subcode = RESET[case]
    enemy.send(update(attributes=GOOD, nlri=NLRI) + octets)
    verdict = enemy.verdict()
    assert verdict is not None
    assert verdict == Notification(3, verdict.subcode if subcode is None else subcode)
    logged(siege, enemy, "delete", 1)


def test_broken_attributes_at_random_cost_only_their_sender(siege: Siege) -> None:
    """A thousand UPDATEs with attributes of any type, flags and length, over as many sessions as it takes."""
    draw = random.Random(SEED)
    session, sessions = None, 0
    for _ in range(1000):
        if session is None:
            sessions += 1
            session = siege.session(f"127.3.100.{1 + sessions % 250}")
            session.establish(ASN)
        code = draw.choice((*range(1, 36), 128, 255))
        broken = attribute(draw.randrange(256) & ~0x10, code, draw.randbytes(draw.randrange(40)))
        try:
            session.send(update(attributes=GOOD + broken, nlri=NLRI) + KEEPALIVE)
        except ConnectionError:
            session.close()
            session = None
    if session is not None:
        session.close()
    assert sessions < 1000


def test_one_prefix_with_a_hundred_thousand_path_identifiers(siege: Siege, enemy: RawSession) -> None:
    """RFC 7911: each identifier is a route of its own, up to a ceiling; what is beyond is dropped and said."""
    network = prefix("2001:db8:1::/48")
    for first in range(0, 100_000, 250):
        nlri = b"".join(struct.pack("!I", number) + network for number in range(first, first + 250))
        enemy.send(update(attributes=mp_reach(*IPV6_UNICAST, "2001:db8::1", nlri) + origin() + as_path(ASN)))
    nlri = bytes(4) + prefix("2001:db8:2::/48")
    enemy.send(update(attributes=mp_reach(*IPV6_UNICAST, "2001:db8::1", nlri) + origin() + as_path(ASN)))
    stored = 100_000 if is_pmacct() else MOST_PATHS
    logged(siege, enemy, "update", stored + 1)
    assert len(siege.daemon.log_of(enemy.source, "update")) == stored + 1
    if stored < 100_000:
        assert f"[{enemy.source}] " in siege.daemon.text
        assert "too many paths of a prefix" in siege.daemon.text


def test_one_prefix_in_twenty_thousand_vpns(siege: Siege, enemy: RawSession) -> None:
    """RFC 4364: each route distinguisher opens a table of its own."""
    labelled = b"\x00\x01\x01", prefix("10.0.0.0/24")[1:]
    for first in range(0, 20_000, 100):
        numbers = range(first, first + 100)
        nlri = b"".join(b"\x70" + labelled[0] + struct.pack("!HHI", 0, ASN, n) + labelled[1] for n in numbers)
        gateway = struct.pack("!HBB", *VPN_IPV4, 12) + bytes(8) + b"\xc0\0\2\1\0"
        enemy.send(update(attributes=attribute(OPTIONAL, 14, gateway + nlri) + origin() + as_path(ASN)))
    logged(siege, enemy, "update", 20_000)


def test_longest_path_and_most_communities_of_a_message(siege: Siege, enemy: RawSession) -> None:
    """A message of 4,096 octets can hold 900 hops or 1,000 communities."""
    enemy.send(update(attributes=origin() + as_path(*[ASN] * 900) + next_hop(), nlri=NLRI))
    values = b"".join(struct.pack("!HH", ASN, number) for number in range(1000))
    tagged = GOOD + attribute(OPTIONAL_TRANSITIVE, 8, values)
    enemy.send(update(attributes=tagged, nlri=prefix("198.51.101.0/24")))
    logged(siege, enemy, "update", 2)
    rows = siege.daemon.log_of(enemy.source, "update")
    assert [len(row["as_path"].split()) for row in rows] == [900, 1]
    assert len(rows[1]["comms"].split()) == 1000


def test_extended_messages_full_of_attributes(siege: Siege, enemy: RawSession) -> None:
    """RFC 8654: messages of 65,535 octets with a path of 15,000 hops for each of 50 prefixes."""
    if is_pmacct():
        pytest.skip("pmacct has no extended messages")
    attributes = origin() + as_path(*range(1, 15_001)) + next_hop()
    for batch in range(4):
        networks = (f"198.{18 + batch}.{number}.0/24" for number in range(50))
        enemy.send(update(attributes=attributes, nlri=b"".join(map(prefix, networks))))
    logged(siege, enemy, "update", 200)


def test_attribute_sets_without_end_for_one_prefix(siege: Siege, enemy: RawSession) -> None:
    """Each replaces the last, which must not stay behind."""
    tag = struct.Struct("!HHHHHH").pack
    for number in range(50_000):
        tags = attribute(OPTIONAL_TRANSITIVE, 8, tag(1, number, 2, number >> 8, 3, number % 777) * 20)
        enemy.send(update(attributes=GOOD + tags, nlri=NLRI))
    logged(siege, enemy, "update", 50_000)
