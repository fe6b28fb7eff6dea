"""BGP4MP: the messages of BGP sessions as they came and went, and the sessions' changes of state.

Sources: RFC 6396 section 4.4, RFC 8050 section 3 (path identifiers).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from routed.octets import CodePoint, Cursor, WireError, Writer
from routed.wire.bgp.context import DecodeContext
from routed.wire.family import ADDRESS_OCTETS, STORABLE, Afi
from routed.wire.mrt.record import MrtType, Record


class Bgp4mpSubtype(CodePoint):
    """IANA BGP4MP subtypes; ENTRY and SNAPSHOT were dropped before RFC 6396."""

    STATE_CHANGE = 0
    MESSAGE = 1
    ENTRY = 2
    SNAPSHOT = 3
    MESSAGE_AS4 = 4
    STATE_CHANGE_AS4 = 5
    MESSAGE_LOCAL = 6
    MESSAGE_AS4_LOCAL = 7
    MESSAGE_ADDPATH = 8
    MESSAGE_AS4_ADDPATH = 9
    MESSAGE_LOCAL_ADDPATH = 10
    MESSAGE_AS4_LOCAL_ADDPATH = 11


class BgpState(CodePoint):
    """States of a session (RFC 6396 section 4.4.1); Quagga also writes 7, Clearing, and 8, Deleted."""

    IDLE = 1
    CONNECT = 2
    ACTIVE = 3
    OPEN_SENT = 4
    OPEN_CONFIRM = 5
    ESTABLISHED = 6


class _Form(NamedTuple):
    """What the subtype of a message record says."""

    as4: bool
    local: bool
    add_path: bool


_MESSAGE_FORMS: Final[Mapping[int, _Form]] = {
    Bgp4mpSubtype.MESSAGE: _Form(as4=False, local=False, add_path=False),
    Bgp4mpSubtype.MESSAGE_AS4: _Form(as4=True, local=False, add_path=False),
    Bgp4mpSubtype.MESSAGE_LOCAL: _Form(as4=False, local=True, add_path=False),
    Bgp4mpSubtype.MESSAGE_AS4_LOCAL: _Form(as4=True, local=True, add_path=False),
    Bgp4mpSubtype.MESSAGE_ADDPATH: _Form(as4=False, local=False, add_path=True),
    Bgp4mpSubtype.MESSAGE_AS4_ADDPATH: _Form(as4=True, local=False, add_path=True),
    Bgp4mpSubtype.MESSAGE_LOCAL_ADDPATH: _Form(as4=False, local=True, add_path=True),
    Bgp4mpSubtype.MESSAGE_AS4_LOCAL_ADDPATH: _Form(as4=True, local=True, add_path=True),
}
_MESSAGE_SUBTYPES: Final = {form: subtype for subtype, form in _MESSAGE_FORMS.items()}
_STATE_CHANGES: Final = {Bgp4mpSubtype.STATE_CHANGE: False, Bgp4mpSubtype.STATE_CHANGE_AS4: True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The two ends of a session; addresses of one family."""

    peer_as: int
    local_as: int
    peer_address: bytes
    local_address: bytes
    interface_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpMessage:
    """One BGP message, header included; `local` when it was sent rather than received."""

    endpoints: Endpoints
    octets: bytes
    as4: bool = True
    local: bool = False
    add_path: bool = False

    @property
    def context(self) -> DecodeContext:
        """How to read the message, as far as the record tells; nothing tells extended next hops."""
        return DecodeContext(
            as4=self.as4,
            add_path=STORABLE if self.add_path else frozenset(),
            extended_messages=True,
            families=STORABLE,
            external=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A session went from one state to another."""

    endpoints: Endpoints
    old_state: BgpState
    new_state: BgpState
    as4: bool = True


def decode_bgp4mp(record: Record) -> BgpMessage | StateChange | Record:
    """Decode a BGP4MP or BGP4MP_ET record; a subtype that we do not know gives the record back.

    Octets: peer AS, local AS (u16 or u32), interface u16, AFI u16, peer and local address (4 or 16),
        then a BGP message to the end, or old state u16 and new state u16.
    Raises: WireError when the record ends early, and for an AFI that is neither IPv4 nor IPv6.
    """
    c = Cursor(record.octets)
    if form := _MESSAGE_FORMS.get(record.subtype):
        endpoints = _decode_endpoints(c, as4=form.as4)
        return BgpMessage(endpoints=endpoints, octets=c.rest(), as4=form.as4, local=form.local, add_path=form.add_path)
    as4 = _STATE_CHANGES.get(Bgp4mpSubtype(record.subtype))
    if as4 is None:
        return record
    endpoints = _decode_endpoints(c, as4=as4)
    return StateChange(endpoints=endpoints, old_state=BgpState(c.u16()), new_state=BgpState(c.u16()), as4=as4)


def encode_bgp4mp(value: BgpMessage | StateChange, timestamp: int, microseconds: int | None = None) -> Record:
    """Encode a message or a change of state; with microseconds it becomes a BGP4MP_ET record."""
    w = Writer()
    _encode_endpoints(w, value.endpoints, as4=value.as4)
    if isinstance(value, BgpMessage):
        subtype = _MESSAGE_SUBTYPES[_Form(value.as4, value.local, value.add_path)]
        w.octets(value.octets)
    else:
        subtype = Bgp4mpSubtype.STATE_CHANGE_AS4 if value.as4 else Bgp4mpSubtype.STATE_CHANGE
        w.u16(value.old_state)
        w.u16(value.new_state)
    type_ = MrtType.BGP4MP if microseconds is None else MrtType.BGP4MP_ET
    return Record(timestamp, type_, subtype, bytes(w), microseconds)


def _decode_endpoints(c: Cursor, *, as4: bool) -> Endpoints:
    peer_as, local_as = (c.u32(), c.u32()) if as4 else (c.u16(), c.u16())
    interface_index, at, afi = c.u16(), c.offset, Afi(c.u16())
    if afi not in ADDRESS_OCTETS:
        raise WireError(f"addresses of AFI {afi:d}", at, "RFC 6396 4.4.1")
    return Endpoints(
        peer_as=peer_as,
        local_as=local_as,
        interface_index=interface_index,
        peer_address=c.take(ADDRESS_OCTETS[afi]),
        local_address=c.take(ADDRESS_OCTETS[afi]),
    )


def _encode_endpoints(w: Writer, endpoints: Endpoints, *, as4: bool) -> None:
    for asn in (endpoints.peer_as, endpoints.local_as):
        if as4:
            w.u32(asn)
        else:
            w.u16(asn)
    w.u16(endpoints.interface_index)
    w.u16(Afi.IPV4 if len(endpoints.peer_address) == ADDRESS_OCTETS[Afi.IPV4] else Afi.IPV6)
    w.octets(endpoints.peer_address)
    w.octets(endpoints.local_address)
