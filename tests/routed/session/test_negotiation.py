"""Negotiation: we answer what the peer offers, what we can store, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import binary, builds, integers, lists, sampled_from

from routed.octets import Cursor, Writer
from routed.session.negotiation import COUNTERPARTS, LocalSpeaker, negotiate
from routed.wire.bgp.capability import (
    AddPath,
    BgpRole,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    NextHopEncoding,
    PathsOffer,
    PreservedFamily,
    RouteRefresh,
    SoftwareVersion,
    StaleFamily,
    UnknownCapability,
)
from routed.wire.bgp.codepoints import CapabilityCode, OptionalParameterType, Role, SendReceive
from routed.wire.bgp.notification import BgpError
from routed.wire.bgp.open import Capabilities, OpenMessage, UnknownParameter, decode_open, encode_open
from routed.wire.family import IPV4_LABELED, IPV4_UNICAST, IPV4_VPN, IPV6_UNICAST, IPV6_VPN, STORABLE, Family

EVPN = Family(25, 70)
OWN = LocalSpeaker(router_id=b"\x0a\x00\x00\xfe")
PRESERVED = (PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),)
EVERYTHING = (
    *(Multiprotocol(family) for family in (*sorted(STORABLE), EVPN)),
    RouteRefresh(),
    EnhancedRouteRefresh(),
    ExtendedMessage(),
    ExtendedNextHop((NextHopEncoding(IPV4_UNICAST, 2), NextHopEncoding(IPV4_VPN, 2), NextHopEncoding(EVPN, 2))),
    GracefulRestart(notification=True, restart_time=120, families=PRESERVED),
    LongLivedGracefulRestart((StaleFamily(IPV4_UNICAST, forwarding_preserved=True, stale_time=600),)),
    FourOctetAs(65000),
    AddPath(tuple(PathsOffer(family, SendReceive.BOTH) for family in (*sorted(STORABLE), EVPN))),
    BgpRole(Role.CUSTOMER),
    Fqdn(b"router"),
    SoftwareVersion(b"1"),
    UnknownCapability(CapabilityCode(128), b""),
)


def peer_open(*capabilities, my_as=65000, hold_time=90, bgp_identifier=b"\x0a\x00\x00\x01"):
    return OpenMessage(
        my_as=my_as,
        hold_time=hold_time,
        bgp_identifier=bgp_identifier,
        parameters=(Capabilities(capabilities),) if capabilities else (),
    )


def answer(*capabilities, local=OWN, **fields):
    return set(negotiate(local, peer_open(*capabilities, **fields)).local_open.capabilities)


def refusal(remote_open, local=OWN):
    with pytest.raises(BgpError) as raised:
        negotiate(local, remote_open)
    notification = raised.value.notification
    assert notification.code == 2
    return notification.subcode, raised.value.offset


def test_a_peer_that_offers_everything_gets_what_we_can_do():
    agreement = negotiate(OWN, peer_open(*EVERYTHING))
    assert set(agreement.local_open.capabilities) == {
        *(Multiprotocol(family) for family in STORABLE),
        RouteRefresh(),
        EnhancedRouteRefresh(),
        ExtendedMessage(),
        ExtendedNextHop((NextHopEncoding(IPV4_UNICAST, 2), NextHopEncoding(IPV4_VPN, 2))),
        GracefulRestart(notification=True),
        LongLivedGracefulRestart(),
        FourOctetAs(65000),
        AddPath(tuple(PathsOffer(family, SendReceive.RECEIVE) for family in sorted(STORABLE))),
    }
    context = agreement.context
    assert (context.as4, context.extended_messages, context.external) == (True, True, False)
    assert context.families == context.add_path == STORABLE
    assert context.extended_next_hop == {IPV4_UNICAST, IPV4_VPN}
    assert agreement.graceful_restart == GracefulRestart(notification=True, restart_time=120, families=PRESERVED)
    assert agreement.long_lived is not None
    assert agreement.route_refresh
    assert agreement.enhanced_route_refresh


def test_a_peer_without_capabilities_gets_none():
    """RFC 5492 section 4: it may not know the optional parameter."""
    agreement = negotiate(OWN, peer_open())
    assert agreement.local_open.parameters == ()
    assert agreement.context.families == {IPV4_UNICAST}
    assert not agreement.context.as4
    assert not agreement.route_refresh
    assert agreement.graceful_restart is None


def test_implicit_ipv4_unicast_stays_implicit():
    """RFC 4760 section 8."""
    assert answer(RouteRefresh()) == {RouteRefresh(), FourOctetAs(65000)}


def test_a_family_that_cannot_be_stored_is_not_agreed():
    agreement = negotiate(OWN, peer_open(Multiprotocol(EVPN)))
    assert set(agreement.local_open.capabilities) == {FourOctetAs(65000)}
    assert agreement.context.families == frozenset()


@pytest.mark.parametrize("send_receive", [*SendReceive, SendReceive(0), SendReceive(4)])
def test_path_identifiers_come_only_from_a_peer_that_sends_them(send_receive):
    """RFC 7911 section 4."""
    offer = AddPath((PathsOffer(IPV6_UNICAST, send_receive),))
    agreement = negotiate(OWN, peer_open(Multiprotocol(IPV6_UNICAST), offer))
    wanted = send_receive in {SendReceive.SEND, SendReceive.BOTH}
    assert agreement.context.add_path == ({IPV6_UNICAST} if wanted else set())
    sent = agreement.local_open.having(AddPath)
    assert sent == ((AddPath((PathsOffer(IPV6_UNICAST, SendReceive.RECEIVE),)),) if wanted else ())


def test_path_identifiers_need_an_agreed_family():
    offer = AddPath((PathsOffer(IPV6_VPN, SendReceive.SEND),))
    assert negotiate(OWN, peer_open(Multiprotocol(IPV4_UNICAST), offer)).context.add_path == frozenset()


@pytest.mark.parametrize(
    ("encoding", "agreed"),
    [
        (NextHopEncoding(IPV4_LABELED, 2), {IPV4_LABELED}),
        (NextHopEncoding(IPV4_LABELED, 1), set()),
        (NextHopEncoding(IPV6_UNICAST, 2), set()),
        (NextHopEncoding(IPV4_VPN, 2), set()),
    ],
)
def test_ipv6_next_hops_for_agreed_ipv4_families(encoding, agreed):
    """RFC 8950 section 4."""
    offers = (Multiprotocol(IPV4_LABELED), Multiprotocol(IPV6_UNICAST), ExtendedNextHop((encoding,)))
    assert negotiate(OWN, peer_open(*offers)).context.extended_next_hop == agreed


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ("add_path", {AddPath}),
        ("route_refresh", {RouteRefresh, EnhancedRouteRefresh}),
        ("extended_messages", {ExtendedMessage}),
        ("graceful_restart", {GracefulRestart, LongLivedGracefulRestart}),
    ],
)
def test_what_the_operator_switched_off_is_not_answered(setting, gone):
    local = LocalSpeaker(router_id=OWN.router_id, **{setting: False})
    everything = {type(capability) for capability in answer(*EVERYTHING)}
    assert {type(capability) for capability in answer(*EVERYTHING, local=local)} == everything - gone
    agreement = negotiate(local, peer_open(*EVERYTHING))
    assert agreement.route_refresh is (RouteRefresh not in gone)
    assert agreement.enhanced_route_refresh is (RouteRefresh not in gone)
    assert agreement.context.extended_messages is (ExtendedMessage not in gone)
    assert (agreement.graceful_restart is None) is (GracefulRestart in gone)
    assert (agreement.long_lived is None) is (GracefulRestart in gone)
    assert bool(agreement.context.add_path) is (AddPath not in gone)


def test_enhanced_route_refresh_needs_route_refresh():
    assert answer(EnhancedRouteRefresh()) == {FourOctetAs(65000)}


def test_long_lived_graceful_restart_does_not_come_alone():
    """RFC 9494 section 3.1."""
    assert answer(LongLivedGracefulRestart()) == {FourOctetAs(65000)}


def test_the_last_graceful_restart_capability_counts():
    """RFC 4724 section 3."""
    agreement = negotiate(OWN, peer_open(GracefulRestart(notification=True), GracefulRestart(restart_time=7)))
    assert agreement.graceful_restart == GracefulRestart(restart_time=7)
    assert agreement.local_open.having(GracefulRestart) == (GracefulRestart(),)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"), [(180, 90, 90), (30, 90, 30), (180, 0, 0), (0, 90, 0), (3, 3, 3)]
)
def test_the_smaller_hold_time_holds(ours, theirs, agreed):
    """RFC 4271 section 4.2."""
    local = LocalSpeaker(router_id=OWN.router_id, hold_time=ours)
    agreement = negotiate(local, peer_open(hold_time=theirs))
    assert (agreement.hold_time, agreement.local_open.hold_time) == (agreed, ours)


@pytest.mark.parametrize(
    ("ours", "capabilities", "my_as", "answered"),
    [
        (0, (FourOctetAs(65000),), 65000, (65000, {65000}, False)),
        (0, (FourOctetAs(4200000000),), 23456, (23456, {4200000000}, False)),
        (65001, (FourOctetAs(65000),), 65000, (65001, {65001}, True)),
        (4200000001, (FourOctetAs(65000),), 65000, (23456, {4200000001}, True)),
        (4200000001, (), 65000, (23456, set(), True)),
        (4200000001, (RouteRefresh(),), 65000, (23456, {4200000001}, True)),
    ],
)
def test_our_as_number_mirrors_or_is_our_own(ours, capabilities, my_as, answered):
    """RFC 6793 sections 4.1 and 9."""
    sent, wide, external = answered
    agreement = negotiate(LocalSpeaker(router_id=OWN.router_id, asn=ours), peer_open(*capabilities, my_as=my_as))
    assert agreement.local_open.my_as == sent
    assert {capability.asn for capability in agreement.local_open.having(FourOctetAs)} == wide
    assert agreement.context.external is external
    assert agreement.context.as4 is any(isinstance(each, FourOctetAs) for each in capabilities)


@pytest.mark.parametrize(
    ("my_as", "wide"),
    [
        (0, ()),
        (0, (1,)),
        (23456, ()),
        (23456, (0,)),
        (23456, (23456,)),
        (65000, (65001,)),
        (65000, (0,)),
        (23456, (1, 2)),
    ],
)
def test_bad_peer_as(my_as, wide):
    """RFC 4271 section 6.2, RFC 6793 section 4.2.1, RFC 7607 section 2."""
    assert refusal(peer_open(*map(FourOctetAs, wide), my_as=my_as)) == (2, 20)


@pytest.mark.parametrize("hold_time", [1, 2])
def test_unacceptable_hold_time(hold_time):
    """RFC 4271 section 6.2."""
    assert refusal(peer_open(hold_time=hold_time)) == (6, 22)


def test_bad_bgp_identifier():
    """RFC 6286 section 2.2."""
    assert refusal(peer_open(bgp_identifier=bytes(4))) == (3, 24)
    assert refusal(peer_open(bgp_identifier=OWN.router_id)) == (3, 24)


def test_an_external_peer_may_have_our_identifier():
    """RFC 6286 section 2.1: it need be unique only within an AS."""
    local = LocalSpeaker(router_id=OWN.router_id, asn=65001)
    assert negotiate(local, peer_open(bgp_identifier=OWN.router_id)).context.external


def test_an_unknown_optional_parameter_is_refused():
    """RFC 4271 section 6.2."""
    remote_open = OpenMessage(
        my_as=65000,
        hold_time=90,
        bgp_identifier=b"\x0a\x00\x00\x01",
        parameters=(UnknownParameter(OptionalParameterType(1), b"secret"),),
    )
    assert refusal(remote_open) == (4, 28)


@pytest.mark.parametrize("ours", Role, ids=lambda role: role.name)
@pytest.mark.parametrize("theirs", [*Role, Role(5)], ids=lambda role: role.name)
def test_roles_face_each_other_or_mismatch(ours, theirs):
    """RFC 9234 section 4.2."""
    local = LocalSpeaker(router_id=OWN.router_id, role=ours)
    if COUNTERPARTS[ours] == theirs:
        assert BgpRole(ours) in answer(BgpRole(theirs), local=local)
    else:
        assert refusal(peer_open(BgpRole(theirs)), local) == (11, 28)


def test_two_different_roles_mismatch():
    """RFC 9234 section 4.2."""
    local = LocalSpeaker(router_id=OWN.router_id, role=Role.PROVIDER)
    assert refusal(peer_open(BgpRole(Role.CUSTOMER), BgpRole(Role.PEER)), local) == (11, 28)


def test_a_role_is_sent_to_a_peer_without_one():
    local = LocalSpeaker(router_id=OWN.router_id, role=Role.PROVIDER)
    assert BgpRole(Role.PROVIDER) in answer(RouteRefresh(), local=local)


@pytest.mark.parametrize(
    ("name", "sent"), [("collector", b"collector"), ("x" * 65, b"x" * 64), ("x" + "é" * 33, b"x" + b"\xc3\xa9" * 31)]
)
def test_our_name_is_sent_up_to_64_octets(name, sent):
    local = LocalSpeaker(router_id=OWN.router_id, host_name=name)
    assert Fqdn(sent) in answer(RouteRefresh(), local=local)


@pytest.mark.parametrize("is_extended", [False, True])
def test_our_open_has_the_form_of_the_peers(is_extended):
    """RFC 9072 section 2 allows the long form always; FRR that is told to send it reads no other."""
    remote_open = replace(peer_open(RouteRefresh()), is_extended=is_extended)
    w = Writer()
    encode_open(w, negotiate(OWN, remote_open).local_open)
    assert (bytes(w)[9:11] == b"\xff\xff") is is_extended


def test_our_longest_open_needs_no_extended_parameters():
    local = LocalSpeaker(router_id=OWN.router_id, role=Role.PROVIDER, host_name="x" * 100)
    w = Writer()
    encode_open(w, negotiate(local, peer_open(*EVERYTHING)).local_open)
    assert bytes(w)[9] == len(w) - 10 <= 255


@given(
    capabilities=lists(sampled_from(EVERYTHING)),
    my_as=integers(0, 0xFFFF),
    hold_time=integers(0, 0xFFFF),
    bgp_identifier=binary(min_size=4, max_size=4),
    local=builds(LocalSpeaker, router_id=binary(min_size=4, max_size=4), asn=integers(0, 2**32 - 1)),
)
def test_any_open_is_answered_or_refused(capabilities, my_as, hold_time, bgp_identifier, local):
    remote_open = peer_open(*capabilities, my_as=my_as, hold_time=hold_time, bgp_identifier=bgp_identifier)
    try:
        agreement = negotiate(local, remote_open)
    except BgpError as error:
        refused = error
    else:
        w = Writer()
        encode_open(w, agreement.local_open)
        assert decode_open(Cursor(bytes(w))) == agreement.local_open
        assert agreement.context.families <= STORABLE
        return
    assert 19 <= refused.offset < 29
