"""Capabilities: what a speaker says it can do, one value class and one table row each (RFC 5492).

A capability we do not know, or whose value only informs people and is malformed, is kept as octets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.codepoints import CapabilityCode, Role, SendReceive
from routed.wire.family import Family, decode_family, encode_family

_RESTARTING: Final = 0x8000
_NOTIFICATION: Final = 0x4000
_RESTART_TIME: Final = 0x0FFF
_FORWARDING: Final = 0x80


@dataclass(frozen=True, slots=True)
class Multiprotocol:
    """A family whose routes the speaker can send and receive."""

    family: Family


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    """ROUTE-REFRESH messages are understood."""


class NextHopEncoding(NamedTuple):
    """A family, and the AFI that its next hops may have besides its own."""

    family: Family
    next_hop_afi: int


@dataclass(frozen=True, slots=True)
class ExtendedNextHop:
    """Families whose next hops may be of another address family."""

    encodings: tuple[NextHopEncoding, ...]


@dataclass(frozen=True, slots=True)
class ExtendedMessage:
    """Messages may have 65,535 octets."""


@dataclass(frozen=True, slots=True)
class BgpRole:
    """The speaker's side of the business relation."""

    role: Role


class PreservedFamily(NamedTuple):
    """A family in the graceful restart capability."""

    family: Family
    forwarding_preserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GracefulRestart:
    """Routes may be kept while the speaker restarts; without families it only helps others."""

    restarting: bool = False
    notification: bool = False  # RFC 8538: a NOTIFICATION does not end the grace either
    restart_time: int = 0  # of 12 bits
    families: tuple[PreservedFamily, ...] = ()


@dataclass(frozen=True, slots=True)
class FourOctetAs:
    """The speaker's AS number, and that it reads AS numbers of 4 octets."""

    asn: int


class PathsOffer(NamedTuple):
    """A family, and the direction in which path identifiers may go, seen from the sender."""

    family: Family
    send_receive: SendReceive


@dataclass(frozen=True, slots=True)
class AddPath:
    """Families in which several paths of a prefix may be advertised."""

    offers: tuple[PathsOffer, ...]


@dataclass(frozen=True, slots=True)
class EnhancedRouteRefresh:
    """The beginning and the end of a route refresh are marked."""


class StaleFamily(NamedTuple):
    """A family in the long-lived graceful restart capability."""

    family: Family
    forwarding_preserved: bool
    stale_time: int  # of 24 bits


@dataclass(frozen=True, slots=True)
class LongLivedGracefulRestart:
    """Routes may be kept, as a last resort, long after the restart time."""

    families: tuple[StaleFamily, ...] = ()


@dataclass(frozen=True, slots=True)
class Fqdn:
    """The speaker's name, as octets that should be UTF-8."""

    host_name: bytes
    domain_name: bytes = b""


@dataclass(frozen=True, slots=True)
class SoftwareVersion:
    """The speaker's software, as octets that should be UTF-8."""

    version: bytes


@dataclass(frozen=True, slots=True)
class UnknownCapability:
    """Any other capability, kept as it came."""

    code: CapabilityCode
    octets: bytes


Capability: TypeAlias = (
    Multiprotocol
    | RouteRefresh
    | ExtendedNextHop
    | ExtendedMessage
    | BgpRole
    | GracefulRestart
    | FourOctetAs
    | AddPath
    | EnhancedRouteRefresh
    | LongLivedGracefulRestart
    | Fqdn
    | SoftwareVersion
    | UnknownCapability
)


def _decode_multiprotocol(c: Cursor) -> Multiprotocol:
    return Multiprotocol(decode_family(c))


def _encode_multiprotocol(w: Writer, capability: Multiprotocol) -> None:
    encode_family(w, capability.family)


def _decode_extended_next_hop(c: Cursor) -> ExtendedNextHop:
    encodings = []
    while c.remaining:
        family = Family(c.u16(), c.u16())
        encodings.append(NextHopEncoding(family, c.u16()))
    return ExtendedNextHop(tuple(encodings))


def _encode_extended_next_hop(w: Writer, capability: ExtendedNextHop) -> None:
    for family, next_hop_afi in capability.encodings:
        w.u16(family.afi)
        w.u16(family.safi)
        w.u16(next_hop_afi)


def _decode_role(c: Cursor) -> BgpRole:
    return BgpRole(Role(c.u8()))


def _encode_role(w: Writer, capability: BgpRole) -> None:
    w.u8(capability.role)


def _decode_graceful_restart(c: Cursor) -> GracefulRestart:
    flags = c.u16()
    families = []
    while c.remaining:
        family = Family(c.u16(), c.u8())
        families.append(PreservedFamily(family, bool(c.u8() & _FORWARDING)))
    return GracefulRestart(
        restarting=bool(flags & _RESTARTING),
        notification=bool(flags & _NOTIFICATION),
        restart_time=flags & _RESTART_TIME,
        families=tuple(families),
    )


def _encode_graceful_restart(w: Writer, capability: GracefulRestart) -> None:
    flags = _RESTARTING * capability.restarting | _NOTIFICATION * capability.notification
    assert capability.restart_time <= _RESTART_TIME
    w.u16(flags | capability.restart_time)
    for family, forwarding_preserved in capability.families:
        w.u16(family.afi)
        w.u8(family.safi)
        w.u8(_FORWARDING * forwarding_preserved)


def _decode_four_octet_as(c: Cursor) -> FourOctetAs:
    return FourOctetAs(c.u32())


def _encode_four_octet_as(w: Writer, capability: FourOctetAs) -> None:
    w.u32(capability.asn)


def _decode_add_path(c: Cursor) -> AddPath:
    offers = []
    while c.remaining:
        family = Family(c.u16(), c.u8())
        offers.append(PathsOffer(family, SendReceive(c.u8())))
    return AddPath(tuple(offers))


def _encode_add_path(w: Writer, capability: AddPath) -> None:
    for family, send_receive in capability.offers:
        w.u16(family.afi)
        w.u8(family.safi)
        w.u8(send_receive)


def _decode_long_lived(c: Cursor) -> LongLivedGracefulRestart:
    families = []
    while c.remaining:
        family = Family(c.u16(), c.u8())
        families.append(StaleFamily(family, bool(c.u8() & _FORWARDING), c.u24()))
    return LongLivedGracefulRestart(tuple(families))


def _encode_long_lived(w: Writer, capability: LongLivedGracefulRestart) -> None:
    for family, forwarding_preserved, stale_time in capability.families:
        w.u16(family.afi)
        w.u8(family.safi)
        w.u8(_FORWARDING * forwarding_preserved)
        w.u24(stale_time)


def _decode_fqdn(c: Cursor) -> Fqdn:
    return Fqdn(c.take(c.u8()), c.take(c.u8()))


def _encode_fqdn(w: Writer, capability: Fqdn) -> None:
    for name in (capability.host_name, capability.domain_name):
        with w.length8():
            w.octets(name)


def _decode_software_version(c: Cursor) -> SoftwareVersion:
    return SoftwareVersion(c.take(c.u8()))


def _encode_software_version(w: Writer, capability: SoftwareVersion) -> None:
    with w.length8():
        w.octets(capability.version)


def _encode_nothing(_w: Writer, _capability: Capability) -> None:
    """Encode a capability that is all in its code."""


C = TypeVar("C", bound=Capability)


class CapabilitySpec(NamedTuple):
    """One capability: how its value is read and written."""

    code: CapabilityCode
    kind: type[Capability]
    decode: Callable[[Cursor], Capability]
    encode: Callable[[Writer, Capability], None]
    source: str
    lenient: bool = False  # a malformed value is kept as octets and not agreed; else it spoils the OPEN


def _spec(
    code: CapabilityCode,
    kind: type[C],
    decode: Callable[[Cursor], C],
    encode: Callable[[Writer, C], None],
    source: str,
) -> CapabilitySpec:
    return CapabilitySpec(code, kind, decode, encode, source)  # type: ignore[arg-type]  # one C in each row


def _flag(code: CapabilityCode, value: Capability, source: str) -> CapabilitySpec:
    return CapabilitySpec(code, type(value), lambda _c: value, _encode_nothing, source, lenient=True)


_Code = CapabilityCode

SPECS: Final = (  # one row per capability; the decoder, the encoder and the tests all read it
    _spec(_Code.MULTIPROTOCOL, Multiprotocol, _decode_multiprotocol, _encode_multiprotocol, "RFC 4760 8"),
    _flag(_Code.ROUTE_REFRESH, RouteRefresh(), "RFC 2918 2"),
    _spec(_Code.EXTENDED_NEXT_HOP, ExtendedNextHop, _decode_extended_next_hop, _encode_extended_next_hop, "RFC 8950 4"),
    _flag(_Code.EXTENDED_MESSAGE, ExtendedMessage(), "RFC 8654 3"),
    _spec(_Code.BGP_ROLE, BgpRole, _decode_role, _encode_role, "RFC 9234 4.1"),
    _spec(_Code.GRACEFUL_RESTART, GracefulRestart, _decode_graceful_restart, _encode_graceful_restart, "RFC 4724 3"),
    _spec(_Code.FOUR_OCTET_AS, FourOctetAs, _decode_four_octet_as, _encode_four_octet_as, "RFC 6793 3"),
    _spec(_Code.ADD_PATH, AddPath, _decode_add_path, _encode_add_path, "RFC 7911 4"),
    _flag(_Code.ENHANCED_ROUTE_REFRESH, EnhancedRouteRefresh(), "RFC 7313 3.1"),
    _spec(
        _Code.LONG_LIVED_GRACEFUL_RESTART,
        LongLivedGracefulRestart,
        _decode_long_lived,
        _encode_long_lived,
        "RFC 9494 3.1",
    ),
    _spec(_Code.FQDN, Fqdn, _decode_fqdn, _encode_fqdn, "draft-walton-bgp-hostname-capability")._replace(lenient=True),
    _spec(
        _Code.SOFTWARE_VERSION,
        SoftwareVersion,
        _decode_software_version,
        _encode_software_version,
        "draft-abraitis-bgp-version-capability",
    )._replace(lenient=True),
)

_BY_CODE: Final = {spec.code: spec for spec in SPECS}
_BY_KIND: Final = {spec.kind: spec for spec in SPECS}


def decode_capability(c: Cursor) -> Capability:
    """Decode one capability.

    Octets: code u8, length u8, value[length].
    Raises: WireError when the value is malformed and the capability is one that changes what messages mean.
    Source: RFC 5492 section 4.
    """
    code = CapabilityCode(c.u8())
    value = c.sub(c.u8())
    offset, octets = value.offset, value.rest()
    spec = _BY_CODE.get(code)
    if spec is None:
        return UnknownCapability(code, octets)
    try:
        return _decode_value(spec, Cursor(octets, offset))
    except WireError:
        if not spec.lenient:
            raise
        return UnknownCapability(code, octets)


def encode_capability(w: Writer, capability: Capability) -> None:
    """Encode one capability."""
    if isinstance(capability, UnknownCapability):
        w.u8(capability.code)
        with w.length8():
            w.octets(capability.octets)
        return
    spec = _BY_KIND[type(capability)]
    w.u8(spec.code)
    with w.length8():
        spec.encode(w, capability)


def _decode_value(spec: CapabilitySpec, c: Cursor) -> Capability:
    capability = spec.decode(c)
    if c.remaining:
        raise WireError(f"{c.remaining} octets too many in capability {spec.code.name}", c.offset, spec.source)
    return capability
