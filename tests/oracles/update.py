"""What one UPDATE means, the slow and obvious way: the oracle of the compiled UPDATE path.

`judge` takes a whole BGP message and says what it announces and withdraws, in the order in which that takes effect,
and what is refused (RFC 7606). It is written to be evidently right, is independent of the package under test, and
decides nothing by speed.

Sources: RFC 4271 4.3 and 6.3, RFC 4760, RFC 4724 2 (End-of-RIB), RFC 6793, RFC 7606, RFC 8950.
"""

from dataclasses import dataclass

from tests.oracles import attributes as a
from tests.oracles.as_path import AS_TRANS, Path, merge, read_path
from tests.oracles.attributes import RESET, WITHDRAW, Attribute, Context, Refusal, Verdict, check
from tests.oracles.nlri import ADDRESS_OCTETS, VPN_SAFI, BrokenNlriError, Family, Nlri, read_nlri

IPV4_UNICAST: Family = (1, 1)
HEADER_OCTETS = 19

#: Where the address that counts stands in a next hop of this many octets; 32 and 48 add a link-local one.
NEXT_HOPS = {4: slice(0, 4), 16: slice(0, 16), 32: slice(0, 16)}
VPN_NEXT_HOPS = {12: slice(8, 12), 24: slice(8, 24), 48: slice(8, 24)}
#: Lengths that hold an IPv4 address, which only IPv4 routes may have (RFC 4760 3, RFC 8950 3).
IPV4_NEXT_HOPS = {4, 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSet:
    """The attributes of a route; `others` keeps those that are not shown, as (code, value)."""

    next_hop: bytes
    as_path: Path
    origin: int | None
    med: int | None = None
    local_pref: int | None = None
    communities: tuple[bytes, ...] | None = None
    extended_communities: tuple[bytes, ...] | None = None
    large_communities: tuple[bytes, ...] | None = None
    aigp: int | None = None
    label_index: int | None = None
    otc: int | None = None
    others: frozenset[tuple[int, bytes]] = frozenset()


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: an announcement when it has attributes, else a withdrawal."""

    nlri: Nlri
    attributes: AttributeSet | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The meaning of one UPDATE."""

    verdict: Verdict
    operations: tuple[Operation, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    end_of_rib: Family | None = None

    @property
    def announced(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.attributes is not None]

    @property
    def withdrawn(self) -> list[Nlri]:
        return [operation.nlri for operation in self.operations if operation.attributes is None]


class ResetError(Exception):
    """The session cannot go on; `code` is the attribute to blame, 0 for the message."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.refusal = Refusal(code, RESET, reason)


@dataclass(frozen=True, slots=True)
class MpReach:
    """What MP_REACH_NLRI holds; `reaches` when it has NLRI, `nlri` stays empty for a family that is not stored."""

    family: Family
    next_hop: bytes
    nlri: list[Nlri]
    reaches: bool


def judge(update: bytes, context: Context) -> Judgement:
    """Say what a whole UPDATE message means to a session with this context."""
    try:
        return _judge(update[HEADER_OCTETS:], context)
    except ResetError as error:
        return Judgement(Verdict.SESSION_RESET, refusals=(error.refusal,))


def _judge(body: bytes, context: Context) -> Judgement:
    withdrawn_field, attribute_field, nlri_field = _fields(body)
    withdrawn = _nlri(0, withdrawn_field, IPV4_UNICAST, context, withdrawn=True)
    classic = _nlri(0, nlri_field, IPV4_UNICAST, context, withdrawn=False)
    found, framing = split_attributes(attribute_field)
    kept, refusals = _sift(found, context)
    refusals += framing
    reach = _mp_reach(kept, context)
    unreached_family, unreached = _mp_unreach(kept, context)
    reaches = bool(classic) or (reach is not None and reach.reaches)
    if reaches and not framing and not context.monitored:
        present = {attribute.code for attribute in found}
        refusals += [
            Refusal(code, WITHDRAW, "missing")  # RFC 7606 3 d
            for code in (a.ORIGIN, a.AS_PATH, a.NEXT_HOP)
            if code not in present and (code != a.NEXT_HOP or classic)
        ]
    verdict = max((refusal.verdict for refusal in refusals), default=Verdict.ACCEPT)
    if verdict == RESET or (verdict == WITHDRAW and not reaches):  # RFC 7606 5.2
        return Judgement(Verdict.SESSION_RESET, refusals=tuple(refusals))
    reached = reach.nlri if reach else []
    if verdict == WITHDRAW:
        operations = [Operation(nlri, None) for nlri in (*withdrawn, *classic, *reached, *unreached)]
        return Judgement(verdict, tuple(operations), tuple(refusals))
    values = {attribute.code: attribute.value for attribute in kept}
    operations = [Operation(nlri, None) for nlri in withdrawn]
    operations += [Operation(nlri, attribute_set(values, values.get(a.NEXT_HOP, b""), context)) for nlri in classic]
    if reach:
        operations += [Operation(nlri, attribute_set(values, reach.next_hop, context)) for nlri in reached]
    operations += [Operation(nlri, None) for nlri in unreached]
    empty = not (withdrawn_field or nlri_field or unreached)
    end_of_rib = None
    if empty and not attribute_field:
        end_of_rib = IPV4_UNICAST
    elif empty and [attribute.code for attribute in found] == [a.MP_UNREACH] and len(values[a.MP_UNREACH]) == 3:
        end_of_rib = unreached_family
    return Judgement(verdict, tuple(operations), tuple(refusals), end_of_rib)


def _fields(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut the body: withdrawn routes, path attributes, NLRI (RFC 4271 4.3)."""
    if len(body) < 4:
        raise ResetError(0, "too short")
    attributes_at = 2 + int.from_bytes(body[:2], "big")
    if attributes_at + 2 > len(body):
        raise ResetError(0, "withdrawn routes overrun the message")
    nlri_at = attributes_at + 2 + int.from_bytes(body[attributes_at : attributes_at + 2], "big")
    if nlri_at > len(body):
        raise ResetError(0, "attributes overrun the message")
    return body[2:attributes_at], body[attributes_at + 2 : nlri_at], body[nlri_at:]


def split_attributes(field: bytes) -> tuple[list[Attribute], list[Refusal]]:
    """Cut the attribute field; the refusal, if any, is that the last one does not fit (RFC 7606 4)."""
    found: list[Attribute] = []
    while field:
        header = 4 if field[0] & a.EXTENDED_LENGTH else 3
        if len(field) < header:
            return found, [Refusal(0, WITHDRAW, "attribute header is cut")]
        end = header + int.from_bytes(field[2:header], "big")
        if end > len(field):
            # RFC 7606 3 j: routes inside an MP attribute that cannot be read cannot be withdrawn either.
            lost = field[1] in {a.MP_REACH, a.MP_UNREACH}
            return found, [Refusal(field[1], RESET if lost else WITHDRAW, "attribute overruns the field")]
        found.append(Attribute(field[0], field[1], field[header:end]))
        field = field[end:]
    return found, []


def _sift(found: list[Attribute], context: Context) -> tuple[list[Attribute], list[Refusal]]:
    """Keep the first of each code unless it is refused."""
    kept, refusals, seen = [], [], set[int]()
    for attribute in found:
        if attribute.code in seen:  # RFC 7606 3 g
            mp = attribute.code in {a.MP_REACH, a.MP_UNREACH}
            refusals.append(Refusal(attribute.code, RESET if mp else a.DISCARD, "duplicate"))
            continue
        seen.add(attribute.code)
        refusal = check(attribute, context)
        if refusal is not None:
            refusals.append(refusal)
        elif not (context.as4 and attribute.code in {a.AS4_PATH, a.AS4_AGGREGATOR}):
            kept.append(attribute)  # those two have no meaning between speakers of four octets (RFC 6793 4.1)
    return kept, refusals


def _mp_reach(kept: list[Attribute], context: Context) -> MpReach | None:
    """Read MP_REACH_NLRI: afi u16, safi u8, next hop length u8, next hop, reserved u8, NLRI (RFC 4760 3)."""
    for attribute in kept:
        if attribute.code == a.MP_REACH:
            break
    else:
        return None
    value = attribute.value
    if len(value) < 5:
        raise ResetError(a.MP_REACH, "shorter than 5 octets")
    family, length = (int.from_bytes(value[:2], "big"), value[2]), value[3]
    if 4 + length + 1 > len(value):
        raise ResetError(a.MP_REACH, "next hop overruns the attribute")
    next_hop, nlri = value[4 : 4 + length], value[4 + length + 1 :]
    if family not in ADDRESS_OCTETS:
        return MpReach(family, next_hop, [], bool(nlri))
    known = VPN_NEXT_HOPS if family[1] == VPN_SAFI else NEXT_HOPS
    known = {octets: where for octets, where in known.items() if family[0] == 1 or octets not in IPV4_NEXT_HOPS}
    if length not in known:
        raise ResetError(a.MP_REACH, "next hop length")
    return MpReach(
        family, next_hop[known[length]], _nlri(a.MP_REACH, nlri, family, context, withdrawn=False), bool(nlri)
    )


def _mp_unreach(kept: list[Attribute], context: Context) -> tuple[Family | None, list[Nlri]]:
    """Read MP_UNREACH_NLRI: afi u16, safi u8, NLRI (RFC 4760 4)."""
    for attribute in kept:
        if attribute.code == a.MP_UNREACH:
            break
    else:
        return None, []
    value = attribute.value
    if len(value) < 3:
        raise ResetError(a.MP_UNREACH, "shorter than 3 octets")
    family = (int.from_bytes(value[:2], "big"), value[2])
    if family not in ADDRESS_OCTETS:
        return family, []
    return family, _nlri(a.MP_UNREACH, value[3:], family, context, withdrawn=True)


def _nlri(code: int, field: bytes, family: Family, context: Context, *, withdrawn: bool) -> list[Nlri]:
    try:
        return read_nlri(field, family, add_path=family in context.add_path, withdrawn=withdrawn)
    except BrokenNlriError as error:
        raise ResetError(code, str(error)) from error


def attribute_set(values: dict[int, bytes], next_hop: bytes, context: Context) -> AttributeSet:
    """Build the attributes of a route from those that were kept."""
    number = {code: int.from_bytes(value, "big") for code, value in values.items()}
    aigp = [content for kind, content in a.read_tlvs(values.get(a.AIGP, b""), header=3) or [] if kind == 1]
    sids = [content for kind, content in a.read_tlvs(values.get(a.PREFIX_SID, b""), header=0) or [] if kind == 1]
    aside = {a.NEXT_HOP, a.MP_REACH, a.MP_UNREACH, a.AS_PATH, a.AS4_PATH}
    return AttributeSet(
        next_hop=next_hop,
        as_path=_path(values, context),
        origin=number.get(a.ORIGIN),
        med=number.get(a.MED),
        local_pref=number.get(a.LOCAL_PREF),
        communities=_cut(values.get(a.COMMUNITIES), 4),
        extended_communities=_cut(values.get(a.EXTENDED_COMMUNITIES), 8),
        large_communities=_cut(values.get(a.LARGE_COMMUNITIES), 12),
        aigp=int.from_bytes(aigp[0], "big") if aigp else None,
        label_index=int.from_bytes(sids[0][3:], "big") if sids else None,
        otc=number.get(a.OTC),
        others=frozenset((code, value) for code, value in values.items() if code not in aside),
    )


def _path(values: dict[int, bytes], context: Context) -> Path:
    """AS_PATH, merged with AS4_PATH behind a two-octet speaker (RFC 6793 4.2.3)."""
    path = read_path(values.get(a.AS_PATH, b""), 4 if context.as4 else 2)
    if a.AS4_PATH not in values or a.AS_PATH not in values:
        return path
    aggregator = values.get(a.AGGREGATOR)
    if a.AS4_AGGREGATOR in values and aggregator and int.from_bytes(aggregator[:2], "big") != AS_TRANS:
        return path  # a two-octet speaker has aggregated since: what AS4_* say is no longer true
    return merge(path, read_path(values[a.AS4_PATH], 4))


def _cut(value: bytes | None, size: int) -> tuple[bytes, ...] | None:
    return None if value is None else tuple(value[at : at + size] for at in range(0, len(value), size))
