"""What two speakers agree on: our settings and the peer's OPEN in, our OPEN and the agreed facts out.

We answer a passive collector's way: never more than the peer offered, never a family that cannot be stored, and
as a helper only in matters of graceful restart, because we announce nothing that could be preserved.

Implements RFC 4271 section 6.2, RFC 4760, RFC 5492, RFC 6286, RFC 6793, RFC 7607, RFC 7911, RFC 8654, RFC 8950,
RFC 9234, and the helper's side of RFC 4724, RFC 8538 and RFC 9494.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from routed.octets import cut_utf8
from routed.wire.bgp.capability import (
    AddPath,
    BgpRole,
    Capability,
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
    RouteRefresh,
)
from routed.wire.bgp.codepoints import AS_TRANS, MAX_AS2, ErrorCode, OpenSubcode, Role, SendReceive
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.notification import BgpError, Notification
from routed.wire.bgp.open import Capabilities, OpenMessage, UnknownParameter
from routed.wire.family import IPV4_UNICAST, STORABLE, Afi, Family

#: RFC 4271 section 4.2: the shortest hold time but 0, which is none.
MIN_HOLD_TIME: Final = 3
#: Octets of our name; keeps our OPEN within 255 octets of parameters, which every speaker reads.
MAX_HOST_NAME: Final = 64

C = TypeVar("C", bound=Capability)

_AS_OFFSET, _HOLD_TIME_OFFSET, _IDENTIFIER_OFFSET, _PARAMETERS_OFFSET = 20, 22, 24, 28

#: Who may face whom (RFC 9234 section 4.2).
COUNTERPARTS: Final[Mapping[Role, Role]] = {
    Role.PROVIDER: Role.CUSTOMER,
    Role.CUSTOMER: Role.PROVIDER,
    Role.ROUTE_SERVER: Role.ROUTE_SERVER_CLIENT,
    Role.ROUTE_SERVER_CLIENT: Role.ROUTE_SERVER,
    Role.PEER: Role.PEER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSpeaker:
    """How we present ourselves to a peer."""

    router_id: bytes
    asn: int = 0  # 0: that of the peer
    hold_time: int = 180  # seconds at most; the peer may want less
    open_wait: float = 60.0  # seconds that a peer has to send its OPEN
    add_path: bool = True
    route_refresh: bool = True
    extended_messages: bool = True
    graceful_restart: bool = True
    role: Role | None = None
    host_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What holds for a session once both OPENs are known."""

    local_open: OpenMessage
    remote_open: OpenMessage
    context: DecodeContext

    @property
    def hold_time(self) -> int:
        """Return the smaller hold time of the two; 0 is a session without timers."""
        return min(self.local_open.hold_time, self.remote_open.hold_time)

    @property
    def route_refresh(self) -> bool:
        """Tell whether ROUTE-REFRESH may be used."""
        return bool(self._shared(RouteRefresh))

    @property
    def enhanced_route_refresh(self) -> bool:
        """Tell whether a refresh has a marked beginning and end."""
        return bool(self._shared(EnhancedRouteRefresh))

    @property
    def graceful_restart(self) -> GracefulRestart | None:
        """Return the peer's capability, the last one it sent (RFC 4724 section 3)."""
        return self._shared(GracefulRestart)

    @property
    def long_lived(self) -> LongLivedGracefulRestart | None:
        """Return the peer's capability."""
        return self._shared(LongLivedGracefulRestart)

    def _shared(self, kind: type[C]) -> C | None:
        """Return the peer's capability of a kind, None unless we sent one too."""
        theirs = self.remote_open.having(kind)
        return theirs[-1] if theirs and self.local_open.having(kind) else None


def negotiate(local: LocalSpeaker, remote_open: OpenMessage) -> Agreement:
    """Answer a peer's OPEN.

    Raises: BgpError, with the NOTIFICATION to send, when the OPEN is not acceptable.
    """
    check_open(local, remote_open)
    asn = local.asn or remote_open.asn
    context = _agreed_context(local, remote_open, asn)
    capabilities = tuple(_answer(local, remote_open, context, asn))
    local_open = OpenMessage(
        my_as=asn if asn <= MAX_AS2 else AS_TRANS,
        hold_time=local.hold_time,
        bgp_identifier=local.router_id,
        parameters=(Capabilities(capabilities),) if capabilities else (),
        is_extended=remote_open.is_extended,  # there are speakers that read what they send, and nothing else
    )
    return Agreement(local_open=local_open, remote_open=remote_open, context=context)


def check_open(local: LocalSpeaker, remote_open: OpenMessage) -> None:
    """Refuse an OPEN that RFC 4271 section 6.2 and its successors do not allow, by raising BgpError."""
    _check_parameters(remote_open)
    _check_as(remote_open)
    _check_hold_time(remote_open)
    _check_identifier(local, remote_open)
    _check_role(local, remote_open)


def _agreed_context(local: LocalSpeaker, remote_open: OpenMessage, asn: int) -> DecodeContext:
    offered = {capability.family for capability in remote_open.having(Multiprotocol)} or {IPV4_UNICAST}
    families = STORABLE & offered
    return DecodeContext(
        as4=bool(remote_open.having(FourOctetAs)),
        add_path=frozenset(_sent_with_path_ids(remote_open)) & families if local.add_path else frozenset(),
        extended_messages=local.extended_messages and bool(remote_open.having(ExtendedMessage)),
        families=families,
        extended_next_hop=frozenset(_with_ipv6_next_hops(remote_open)) & families,
        external=asn != remote_open.asn,
    )


def _sent_with_path_ids(remote_open: OpenMessage) -> Iterator[Family]:
    for capability in remote_open.having(AddPath):
        for family, send_receive in capability.offers:
            if send_receive in {SendReceive.SEND, SendReceive.BOTH}:
                yield family


def _with_ipv6_next_hops(remote_open: OpenMessage) -> Iterator[Family]:
    for capability in remote_open.having(ExtendedNextHop):
        for family, next_hop_afi in capability.encodings:
            if family.afi == Afi.IPV4 and next_hop_afi == Afi.IPV6:
                yield family


def _answer(local: LocalSpeaker, remote_open: OpenMessage, context: DecodeContext, asn: int) -> Iterator[Capability]:
    """Yield our capabilities; none to a peer that sent none, which may not even know the parameter."""
    if not any(True for _ in remote_open.capabilities):
        return
    yield from _family_capabilities(remote_open, context)
    if local.route_refresh and remote_open.having(RouteRefresh):
        yield RouteRefresh()
        yield from remote_open.having(EnhancedRouteRefresh)[:1]
    if context.extended_messages:
        yield ExtendedMessage()
    if local.graceful_restart:
        yield from _helper_capabilities(remote_open)
    yield FourOctetAs(asn)
    yield from _own_capabilities(local)


def _family_capabilities(remote_open: OpenMessage, context: DecodeContext) -> Iterator[Capability]:
    """Yield what we answer about families; implicit IPv4 unicast stays implicit."""
    if remote_open.having(Multiprotocol):
        yield from map(Multiprotocol, sorted(context.families))
    if context.extended_next_hop:
        yield ExtendedNextHop(tuple(NextHopEncoding(each, Afi.IPV6) for each in sorted(context.extended_next_hop)))
    if context.add_path:
        yield AddPath(tuple(PathsOffer(each, SendReceive.RECEIVE) for each in sorted(context.add_path)))


def _helper_capabilities(remote_open: OpenMessage) -> Iterator[Capability]:
    """Yield the capabilities of a helper, which name no family (RFC 4724 section 3); the second never goes alone."""
    for capability in remote_open.having(GracefulRestart)[-1:]:
        yield GracefulRestart(notification=capability.notification)
        if remote_open.having(LongLivedGracefulRestart):
            yield LongLivedGracefulRestart()


def _own_capabilities(local: LocalSpeaker) -> Iterator[Capability]:
    if local.role is not None:
        yield BgpRole(local.role)
    if local.host_name:
        yield Fqdn(cut_utf8(local.host_name, MAX_HOST_NAME))


def _check_parameters(remote_open: OpenMessage) -> None:
    for parameter in remote_open.parameters:
        if isinstance(parameter, UnknownParameter):
            what = f"optional parameter {parameter.kind} is unknown"
            raise _refusal(OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER, what, _PARAMETERS_OFFSET, "RFC 4271 6.2")


def _check_as(remote_open: OpenMessage) -> None:
    """Check that the AS number is one, and the same in both places."""
    my_as = remote_open.my_as
    if my_as == 0:
        raise _refusal(OpenSubcode.BAD_PEER_AS, "AS number is 0", _AS_OFFSET, "RFC 7607 2")
    wide = {capability.asn for capability in remote_open.having(FourOctetAs)}
    if my_as == AS_TRANS and not wide:
        raise _refusal(OpenSubcode.BAD_PEER_AS, "AS_TRANS without a 4-octet AS number", _AS_OFFSET, "RFC 6793 4.2.1")
    for asn in wide:
        if asn in {0, AS_TRANS} or my_as not in {asn, AS_TRANS} or len(wide) > 1:
            what = f"4-octet AS number {asn} does not go with AS number {my_as}"
            raise _refusal(OpenSubcode.BAD_PEER_AS, what, _AS_OFFSET, "RFC 6793 4.2.1")


def _check_hold_time(remote_open: OpenMessage) -> None:
    hold_time = remote_open.hold_time
    if 0 < hold_time < MIN_HOLD_TIME:
        what = f"hold time {hold_time} is below {MIN_HOLD_TIME}"
        raise _refusal(OpenSubcode.UNACCEPTABLE_HOLD_TIME, what, _HOLD_TIME_OFFSET, "RFC 4271 4.2")


def _check_identifier(local: LocalSpeaker, remote_open: OpenMessage) -> None:
    identifier = remote_open.bgp_identifier
    internal = (local.asn or remote_open.asn) == remote_open.asn
    if not any(identifier):
        raise _refusal(OpenSubcode.BAD_BGP_IDENTIFIER, "BGP identifier is 0", _IDENTIFIER_OFFSET, "RFC 6286 2.2")
    if internal and identifier == local.router_id:
        raise _refusal(OpenSubcode.BAD_BGP_IDENTIFIER, "BGP identifier is our own", _IDENTIFIER_OFFSET, "RFC 6286 2.2")


def _check_role(local: LocalSpeaker, remote_open: OpenMessage) -> None:
    """Check the peer's role against ours; a peer without one is let in, and so is any when we have none."""
    if local.role is None:
        return
    for capability in remote_open.having(BgpRole):
        if capability.role != COUNTERPARTS[local.role]:
            what = f"role {capability.role.name.lower()} does not face our {local.role.name.lower()}"
            raise _refusal(OpenSubcode.ROLE_MISMATCH, what, _PARAMETERS_OFFSET, "RFC 9234 4.2")


def _refusal(subcode: OpenSubcode, what: str, offset: int, source: str) -> BgpError:
    return BgpError(Notification(ErrorCode.OPEN_MESSAGE, subcode), what, offset, source)
