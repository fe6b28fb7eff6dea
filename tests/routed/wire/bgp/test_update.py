from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.aggregator import Aggregator, As4Aggregator
from routed.wire.bgp.as_path import As4Path, AsPath, sequence
from routed.wire.bgp.attribute import attribute
from routed.wire.bgp.attribute_spec import AttributeType, Verdict
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.nlri import Nlri
from routed.wire.bgp.reach import MpReachNlri, MpUnreachNlri, parse_next_hop
from routed.wire.bgp.scalar import NextHop, Origin, OriginCode
from routed.wire.bgp.update import Update, decode_update, encode_update
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, STORABLE
from routed.wire.prefix import parse_prefix

AS4 = DecodeContext(as4=True, families=STORABLE)
AS2 = DecodeContext(families=STORABLE)
ADD_PATH = DecodeContext(as4=True, families=STORABLE, add_path=STORABLE)

V4 = Nlri(parse_prefix("10.0.1.0/24"))
V6 = Nlri(parse_prefix("2001:db8::/32"))
BASE = (attribute(Origin(OriginCode.IGP)), attribute(AsPath(sequence(65001))))
NEXT_HOP = attribute(NextHop(bytes((192, 0, 2, 1))))


def encoded(update: Update, context: DecodeContext = AS4) -> bytes:
    w = Writer()
    encode_update(w, update, context)
    return bytes(w)


def decoded(octets: bytes, context: DecodeContext = AS4) -> Update:
    return decode_update(Cursor(octets), context)


@pytest.mark.parametrize(
    ("update", "context"),
    [
        (Update(withdrawn=(V4,)), AS4),
        (Update(attributes=(*BASE, NEXT_HOP), nlri=(V4, V4)), AS2),
        (
            Update(withdrawn=(V4._replace(path_id=1),), nlri=(V4._replace(path_id=2),), attributes=(*BASE, NEXT_HOP)),
            ADD_PATH,
        ),
        (Update(attributes=(*BASE, attribute(MpReachNlri(IPV6_UNICAST, bytes(16), (V6,))))), AS4),
        (Update(attributes=(attribute(MpUnreachNlri(IPV6_UNICAST, (V6._replace(path_id=9),))),)), ADD_PATH),
    ],
)
def test_an_update_survives_the_round_trip(update: Update, context: DecodeContext) -> None:
    assert decoded(encoded(update, context), context) == update


@given(st.binary(max_size=120))
def test_any_octets_decode_or_raise_wire_error(octets: bytes) -> None:
    with suppress(WireError):
        update = decoded(octets)
        again = decoded(encoded(update))
        assert (again.withdrawn, again.attributes, again.nlri) == (update.withdrawn, update.attributes, update.nlri)


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        ("0005", 2),  # withdrawn routes beyond the message
        ("0000 0004 400101", 4),  # attributes beyond the message
        ("0000 0000 21", 4),  # a prefix of 33 bits
        ("0001 21 0000", 2),
    ],
)
def test_what_breaks_the_frame_raises(octets: str, offset: int) -> None:
    """RFC 7606 sections 4 and 5.3: these cost the session."""
    with pytest.raises(WireError) as caught:
        decoded(bytes.fromhex(octets))
    assert caught.value.offset == offset


def test_routes_without_mandatory_attributes_are_to_be_withdrawn() -> None:
    """RFC 7606 section 3.d."""
    update = decoded(encoded(Update(attributes=BASE[:1], nlri=(V4,))))
    assert [(each.type, each.verdict) for each in update.refusals] == [
        (AttributeType.AS_PATH, Verdict.TREAT_AS_WITHDRAW),
        (AttributeType.NEXT_HOP, Verdict.TREAT_AS_WITHDRAW),
    ]
    assert update.nlri == (V4,)


def test_multiprotocol_routes_need_no_next_hop_attribute() -> None:
    update = decoded(encoded(Update(attributes=(attribute(MpReachNlri(IPV6_UNICAST, bytes(16), (V6,))),))))
    assert [each.type for each in update.refusals] == [AttributeType.ORIGIN, AttributeType.AS_PATH]


def test_the_strongest_verdict_counts() -> None:
    """RFC 7606 section 3.h."""
    # ORIGIN of value 9 (withdraw), ATOMIC_AGGREGATE with a value (discard)
    update = decoded(bytes.fromhex("0000 0008 40010109 40060100"))
    assert [each.verdict for each in update.refusals] == [Verdict.TREAT_AS_WITHDRAW, Verdict.ATTRIBUTE_DISCARD]
    assert update.verdict is Verdict.TREAT_AS_WITHDRAW
    assert Update().verdict is None


@pytest.mark.parametrize(
    ("update", "family"),
    [
        (Update(), IPV4_UNICAST),
        (Update(attributes=(attribute(MpUnreachNlri(IPV6_UNICAST)),)), IPV6_UNICAST),
        (Update(attributes=(attribute(MpUnreachNlri(IPV6_UNICAST, (V6,))),)), None),
        (Update(attributes=(attribute(MpUnreachNlri(IPV6_UNICAST)), *BASE)), None),
        (Update(withdrawn=(V4,)), None),
    ],
)
def test_end_of_rib_is_an_update_that_withdraws_nothing(update: Update, family: tuple[int, int] | None) -> None:
    """RFC 4724 section 2."""
    assert decoded(encoded(update)).end_of_rib == family


def test_paths_and_aggregators_of_two_octet_speakers_are_merged() -> None:
    """RFC 6793 section 4.2.3."""
    wide = (attribute(As4Path(sequence(70_000))), attribute(As4Aggregator(70_000, bytes(4))))
    narrow = (attribute(AsPath(sequence(65001, 23456))), attribute(Aggregator(23456, bytes(4))))
    update = decoded(encoded(Update(attributes=(*narrow, *wide)), AS2), AS2)
    assert update.as_path == AsPath((*sequence(65001), *sequence(70_000)))
    assert update.aggregator == Aggregator(70_000, bytes(4))


def test_an_aggregator_with_a_number_of_its_own_makes_as4_attributes_stale() -> None:
    """RFC 6793 section 4.2.3: a two-octet speaker has aggregated since."""
    wide = (attribute(As4Path(sequence(70_000))), attribute(As4Aggregator(70_000, bytes(4))))
    narrow = (attribute(AsPath(sequence(65001, 23456))), attribute(Aggregator(65001, bytes(4))))
    update = Update(attributes=(*narrow, *wide))
    assert update.as_path == AsPath(sequence(65001, 23456))
    assert update.aggregator == Aggregator(65001, bytes(4))


@pytest.mark.parametrize(
    ("length", "address", "link_local", "rd"),
    [
        (4, (0, 4), None, None),
        (16, (0, 16), None, None),
        (32, (0, 16), (16, 32), None),
        (12, (8, 12), None, (0, 8)),
        (24, (8, 24), None, (0, 8)),
        (48, (8, 24), (32, 48), (0, 8)),
    ],
)
def test_next_hops_come_apart_by_their_length(
    length: int, address: tuple[int, int], link_local: tuple[int, int] | None, rd: tuple[int, int] | None
) -> None:
    """RFC 2545 section 3, RFC 4364 section 4.3.2, RFC 4659 section 3.2.1, RFC 8950 section 3."""
    octets = bytes(range(length))
    parts = parse_next_hop(octets)
    assert parts.address == octets[slice(*address)]
    assert parts.link_local == (octets[slice(*link_local)] if link_local else None)
    assert parts.rd == (octets[slice(*rd)] if rd else None)


def test_a_next_hop_of_no_known_form_is_refused() -> None:
    with pytest.raises(WireError):
        parse_next_hop(bytes(5))
