"""The UPDATE message as a value, for people, tools, MRT and speakers; a daemon's tables are fed by compiled code.

An UPDATE that breaks the frame of the message, or whose own NLRI do not parse, raises: nothing in it can be trusted.
Whatever RFC 7606 lets a session survive is listed in `refusals`, beside what could be read.

Sources: RFC 4271 section 4.3, RFC 4760, RFC 4724 section 2, RFC 6793 section 4.2.3, RFC 7606.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.aggregator import Aggregator, As4Aggregator, ignores_as4, merge_as4_aggregator
from routed.wire.bgp.as_path import As4Path, AsPath, merge_as4_path
from routed.wire.bgp.attribute import (
    Attribute,
    AttributeList,
    Refusal,
    decode_attributes,
    encode_attributes,
    find,
)
from routed.wire.bgp.attribute_spec import AttributeType, Verdict
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.nlri import Nlri, decode_nlri, encode_nlri
from routed.wire.bgp.reach import MpReachNlri, MpUnreachNlri
from routed.wire.family import IPV4_UNICAST, Family

#: Attributes without which a route is not whole (RFC 4271 section 5, RFC 7606 section 3.d).
_MANDATORY: Final = (AttributeType.ORIGIN, AttributeType.AS_PATH)
_MANDATORY_WITH_NLRI: Final = (*_MANDATORY, AttributeType.NEXT_HOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One UPDATE; `withdrawn` and `nlri` are IPv4 unicast, other families are in their attributes."""

    withdrawn: tuple[Nlri, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    nlri: tuple[Nlri, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def mp_reach(self) -> MpReachNlri | None:
        """Routes that MP_REACH_NLRI announces."""
        return find(self.attributes, MpReachNlri)

    @property
    def mp_unreach(self) -> MpUnreachNlri | None:
        """Routes that MP_UNREACH_NLRI withdraws."""
        return find(self.attributes, MpUnreachNlri)

    @property
    def as_path(self) -> AsPath | None:
        """AS path with four-octet numbers, AS_PATH and AS4_PATH merged."""
        path, wide = find(self.attributes, AsPath), find(self.attributes, As4Path)
        if path is None or wide is None or ignores_as4(find(self.attributes, Aggregator)):
            return path
        return merge_as4_path(path, wide)

    @property
    def aggregator(self) -> Aggregator | None:
        """Aggregator with its four-octet number, AGGREGATOR and AS4_AGGREGATOR merged."""
        return merge_as4_aggregator(find(self.attributes, Aggregator), find(self.attributes, As4Aggregator))

    @property
    def verdict(self) -> Verdict | None:
        """The strongest of the refusals' verdicts, None for a flawless UPDATE (RFC 7606 section 3.h)."""
        return max((refusal.verdict for refusal in self.refusals), default=None)

    @property
    def end_of_rib(self) -> Family | None:
        """Family whose End-of-RIB marker this is (RFC 4724 section 2)."""
        if self.withdrawn or self.nlri or self.refusals:
            return None
        match self.attributes:
            case ():
                return IPV4_UNICAST
            case (Attribute(value=MpUnreachNlri(family=family, routes=(), opaque=b"")),):
                return family
            case _:
                return None


def decode_update(c: Cursor, context: DecodeContext) -> Update:
    """Decode the body of an UPDATE.

    Octets: length u16, withdrawn routes, length u16, path attributes, NLRI to the end.
    Raises: WireError when one of the two lengths overruns the message, and when withdrawn routes or NLRI do not parse:
        all of them cost the session (RFC 7606 sections 4 and 5.3).
    """
    add_path = IPV4_UNICAST in context.add_path
    withdrawn = decode_nlri(c.sub(c.u16()), IPV4_UNICAST, add_path=add_path, withdrawn=True)
    read = decode_attributes(c.sub(c.u16()), context)
    at = c.offset
    nlri = decode_nlri(c, IPV4_UNICAST, add_path=add_path)
    refusals = (*read.refusals, *_missing(read, nlri, at))
    return Update(withdrawn=withdrawn, attributes=read.attributes, nlri=nlri, refusals=refusals)


def encode_update(w: Writer, update: Update, context: DecodeContext) -> None:
    """Encode the body of an UPDATE; refusals are not part of it."""
    with w.length16():
        encode_nlri(w, update.withdrawn, IPV4_UNICAST, withdrawn=True)
    with w.length16():
        encode_attributes(w, update.attributes, context)
    encode_nlri(w, update.nlri, IPV4_UNICAST)


def _missing(read: AttributeList, nlri: tuple[Nlri, ...], at: int) -> Iterator[Refusal]:
    """Yield a refusal for each attribute that the routes need and that was not there at all."""
    if not nlri and find(read.attributes, MpReachNlri) is None:
        return
    present = {each.type for each in read.attributes} | {refusal.type for refusal in read.refusals}
    for type_ in _MANDATORY_WITH_NLRI if nlri else _MANDATORY:
        if type_ not in present:
            yield Refusal(type_, Verdict.TREAT_AS_WITHDRAW, WireError(f"{type_.name} is missing", at, "RFC 7606 3.d"))
