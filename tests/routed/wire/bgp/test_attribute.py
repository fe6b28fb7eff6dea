import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import Cursor, Writer
from routed.wire.bgp.aggregator import Aggregator, As4Aggregator
from routed.wire.bgp.as_path import As4Path, AsPath, sequence
from routed.wire.bgp.attribute import Attribute, attribute, decode_attributes, encode_attributes, find
from routed.wire.bgp.attribute_spec import AttributeSpec, AttributeType, AttributeValue, Verdict
from routed.wire.bgp.attribute_table import SPECS
from routed.wire.bgp.community import (
    Communities,
    ExtendedCommunities,
    Ipv6ExtendedCommunities,
    LargeCommunities,
    LargeCommunity,
)
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.nlri import Nlri
from routed.wire.bgp.prefix_sid import LabelIndex, PrefixSid
from routed.wire.bgp.reach import MpReachNlri, MpUnreachNlri
from routed.wire.bgp.scalar import (
    Aigp,
    AigpTlv,
    AigpTlvType,
    AtomicAggregate,
    ClusterList,
    LocalPref,
    MultiExitDisc,
    NextHop,
    OnlyToCustomer,
    Opaque,
    Origin,
    OriginatorId,
    OriginCode,
)
from routed.wire.family import IPV6_UNICAST, STORABLE, Family
from routed.wire.prefix import parse_prefix

INTERNAL = DecodeContext(as4=True, external=False, families=STORABLE)
INTERNAL_AS2 = DecodeContext(as4=False, external=False, families=STORABLE)
EXTERNAL = DecodeContext(as4=True, external=True, families=STORABLE)

ROUTES = (Nlri(parse_prefix("2001:db8::/32")), Nlri(parse_prefix("::/0")))
A = AttributeType

#: A value for each row of the table, so that a row added tomorrow fails here until it has one.
EXAMPLES: dict[AttributeType, AttributeValue] = {
    A.ORIGIN: Origin(OriginCode.EGP),
    A.AS_PATH: AsPath(sequence(65001, 65002)),
    A.NEXT_HOP: NextHop(bytes((192, 0, 2, 1))),
    A.MULTI_EXIT_DISC: MultiExitDisc(0),
    A.LOCAL_PREF: LocalPref(4_294_967_295),
    A.ATOMIC_AGGREGATE: AtomicAggregate(),
    A.AGGREGATOR: Aggregator(65001, bytes(4)),
    A.COMMUNITIES: Communities((2, 1, 2)),
    A.ORIGINATOR_ID: OriginatorId(b"\x0a\0\0\x01"),
    A.CLUSTER_LIST: ClusterList((b"\x0a\0\0\x01", b"\x0a\0\0\x02")),
    A.MP_REACH_NLRI: MpReachNlri(IPV6_UNICAST, bytes(15) + b"\x01", ROUTES),
    A.MP_UNREACH_NLRI: MpUnreachNlri(IPV6_UNICAST, ROUTES),
    A.EXTENDED_COMMUNITIES: ExtendedCommunities((bytes(8), bytes(range(8)))),
    A.AS4_PATH: As4Path(sequence(4_200_000_000)),
    A.AS4_AGGREGATOR: As4Aggregator(4_200_000_000, bytes(4)),
    A.PMSI_TUNNEL: Opaque(bytes(5)),
    A.IPV6_EXTENDED_COMMUNITIES: Ipv6ExtendedCommunities((bytes(range(20)),)),
    A.AIGP: Aigp((AigpTlv(AigpTlvType.AIGP, bytes(7) + b"\x09"), AigpTlv(AigpTlvType(7), b"?"))),
    A.LARGE_COMMUNITY: LargeCommunities((LargeCommunity(1, 2, 3), LargeCommunity(1, 2, 3))),
    A.ONLY_TO_CUSTOMER: OnlyToCustomer(65001),
    A.PREFIX_SID: PrefixSid((LabelIndex(0, 7),)),
}

every_row = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type.name)


def context_for(spec: AttributeSpec) -> DecodeContext:
    return INTERNAL if spec.expected(INTERNAL) else INTERNAL_AS2


def encoded(*attributes: Attribute, context: DecodeContext = INTERNAL) -> bytes:
    w = Writer()
    encode_attributes(w, attributes, context)
    return bytes(w)


def framed(flags: int, type_: int, value: bytes) -> bytes:
    return bytes((flags, type_, len(value))) + value


def verdicts(octets: bytes, context: DecodeContext = INTERNAL) -> list[tuple[AttributeType | None, Verdict]]:
    return [(each.type, each.verdict) for each in decode_attributes(Cursor(octets), context).refusals]


@every_row
def test_a_value_survives_the_round_trip(spec: AttributeSpec) -> None:
    value, context = EXAMPLES[spec.type], context_for(spec)
    octets = encoded(Attribute(spec.type, value, spec.flags), context=context)
    read = decode_attributes(Cursor(octets), context)
    assert read.refusals == ()
    assert read.attributes == (Attribute(spec.type, value, spec.flags),)


@every_row
@given(octets=st.binary(max_size=80))
def test_any_octets_give_a_value_or_the_verdict_of_the_row(spec: AttributeSpec, octets: bytes) -> None:
    context = context_for(spec)
    read = decode_attributes(Cursor(framed(spec.flags, spec.type, octets)), context)
    if read.attributes:
        (only,) = read.attributes
        again = decode_attributes(Cursor(encoded(only, context=context)), context)
        assert again.attributes == read.attributes
        assert not read.refusals
    else:
        assert [refusal.verdict for refusal in read.refusals] == [spec.verdict]


@every_row
def test_an_empty_value_is_malformed_unless_the_attribute_is_a_flag_or_a_path(spec: AttributeSpec) -> None:
    """RFC 7606 section 4."""
    wanted = [] if spec.type in {A.AS_PATH, A.ATOMIC_AGGREGATE} else [(spec.type, spec.verdict)]
    assert verdicts(framed(spec.flags, spec.type, b""), context_for(spec)) == wanted


@every_row
def test_wrong_flags_withdraw_but_the_value_is_read(spec: AttributeSpec) -> None:
    """RFC 7606 section 3.c."""
    context = context_for(spec)
    wrong = Attribute(spec.type, EXAMPLES[spec.type], spec.flags ^ 0x80)
    read = decode_attributes(Cursor(encoded(wrong, context=context)), context)
    assert [refusal.verdict for refusal in read.refusals] == [Verdict.TREAT_AS_WITHDRAW]
    assert read.attributes == (wrong,)


@every_row
def test_a_repeat_is_discarded_or_costs_the_session(spec: AttributeSpec) -> None:
    """RFC 7606 section 3.g."""
    context = context_for(spec)
    octets = encoded(Attribute(spec.type, EXAMPLES[spec.type], spec.flags), context=context)
    reset = spec.type in {A.MP_REACH_NLRI, A.MP_UNREACH_NLRI}
    verdict = Verdict.SESSION_RESET if reset else Verdict.ATTRIBUTE_DISCARD
    assert verdicts(octets * 2, context) == [(spec.type, verdict)]


@pytest.mark.parametrize("type_", [A.LOCAL_PREF, A.ORIGINATOR_ID, A.CLUSTER_LIST])
def test_attributes_of_one_as_are_discarded_from_another(type_: AttributeType) -> None:
    """RFC 7606 sections 7.5, 7.9 and 7.10."""
    octets = encoded(attribute(EXAMPLES[type_]))
    assert verdicts(octets, EXTERNAL) == [(type_, Verdict.ATTRIBUTE_DISCARD)]


@pytest.mark.parametrize("type_", [A.AS4_PATH, A.AS4_AGGREGATOR])
def test_as4_attributes_are_discarded_from_four_octet_speakers(type_: AttributeType) -> None:
    """RFC 6793 section 4.1."""
    assert verdicts(encoded(attribute(EXAMPLES[type_])), INTERNAL) == [(type_, Verdict.ATTRIBUTE_DISCARD)]


def test_an_unknown_optional_attribute_is_kept_with_its_partial_flag() -> None:
    kept = Attribute(AttributeType(99), Opaque(b"kept"), 0xE0)
    read = decode_attributes(Cursor(encoded(kept)), INTERNAL)
    assert (read.attributes, read.refusals) == ((kept,), ())


def test_an_unknown_well_known_attribute_costs_the_session() -> None:
    """RFC 4271 section 6.3."""
    assert verdicts(framed(0x40, 99, b"")) == [(AttributeType(99), Verdict.SESSION_RESET)]


@pytest.mark.parametrize("length", [255, 256])
def test_the_length_decides_about_its_own_width(length: int) -> None:
    long = Attribute(AttributeType(99), Opaque(bytes(length)), 0xC0)
    octets = encoded(long)
    assert bool(octets[0] & 0x10) == (length > 255)
    assert decode_attributes(Cursor(octets), INTERNAL).attributes == (long,)


@pytest.mark.parametrize(
    ("octets", "refused"),
    [
        ("40", None),  # no type
        ("4001", A.ORIGIN),  # no length
        ("400102", A.ORIGIN),  # a length beyond the list
        ("500100", A.ORIGIN),  # half an extended length
    ],
)
def test_a_list_that_is_cut_withdraws_what_it_announces(octets: str, refused: AttributeType | None) -> None:
    """RFC 7606 section 4."""
    assert verdicts(bytes.fromhex(octets)) == [(refused, Verdict.TREAT_AS_WITHDRAW)]


def test_routes_that_are_cut_cost_the_session() -> None:
    """RFC 7606 section 5.3: nobody can know what to withdraw."""
    assert verdicts(bytes.fromhex("800e10")) == [(A.MP_REACH_NLRI, Verdict.SESSION_RESET)]


def test_what_follows_a_malformed_attribute_is_read() -> None:
    octets = framed(0xC0, A.COMMUNITIES, b"odd") + encoded(attribute(MultiExitDisc(5)))
    read = decode_attributes(Cursor(octets), INTERNAL)
    assert find(read.attributes, MultiExitDisc) == MultiExitDisc(5)
    assert find(read.attributes, Communities) is None


def test_errors_say_where() -> None:
    octets = encoded(attribute(Origin(OriginCode.IGP))) + framed(0xC0, A.COMMUNITIES, b"odd")
    (refusal,) = decode_attributes(Cursor(octets, 23), INTERNAL).refusals
    assert refusal.error.offset == 23 + 4 + 3


@pytest.mark.parametrize(
    ("family", "length", "accepted"),
    [
        (Family(1, 1), 4, True),
        (Family(1, 1), 16, True),
        (Family(1, 1), 32, True),
        (Family(1, 1), 12, False),
        (Family(2, 1), 16, True),
        (Family(2, 1), 32, True),
        (Family(2, 1), 4, False),
        (Family(1, 128), 12, True),
        (Family(1, 128), 24, True),
        (Family(1, 128), 4, False),
        (Family(2, 128), 24, True),
        (Family(2, 128), 48, True),
        (Family(2, 128), 16, False),
        (Family(25, 70), 4, True),
    ],
)
def test_next_hops_have_the_lengths_of_their_family(family: Family, length: int, accepted: bool) -> None:
    """RFC 7606 section 7.11, RFC 8950 section 3; of a family that we do not know any length will do."""
    reach = attribute(MpReachNlri(family, bytes(length)))
    assert verdicts(encoded(reach)) == ([] if accepted else [(A.MP_REACH_NLRI, Verdict.SESSION_RESET)])


def test_routes_of_an_unknown_family_are_kept_as_octets() -> None:
    evpn = attribute(MpReachNlri(Family(25, 70), bytes(4), opaque=b"\x02\x21"))
    assert decode_attributes(Cursor(encoded(evpn)), INTERNAL).attributes == (evpn,)


@pytest.mark.parametrize(("type_", "context"), [(A.AGGREGATOR, INTERNAL), (A.AS4_AGGREGATOR, INTERNAL_AS2)])
def test_an_aggregator_of_as_0_is_discarded(type_: AttributeType, context: DecodeContext) -> None:
    """RFC 7607 section 2."""
    assert verdicts(framed(0xC0, type_, bytes(8)), context) == [(type_, Verdict.ATTRIBUTE_DISCARD)]


def test_the_first_aigp_tlv_counts() -> None:
    """RFC 7311 section 3."""
    value = Aigp((AigpTlv(AigpTlvType(7), b"x"), AigpTlv(AigpTlvType.AIGP, bytes(6) + b"\x01\x23")))
    assert value.metric == 291
    assert Aigp(()).metric is None
