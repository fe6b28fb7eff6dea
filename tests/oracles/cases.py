"""Hand-built UPDATEs, each with the verdict that the named clause demands.

The oracle and the compiled path are both held against this table, so that neither is right only because the other says
so. Sources: RFC 7606 unless a row names another one.
"""

from dataclasses import dataclass

from tests.oracles import attributes as a
from tests.oracles.attributes import DISCARD, RESET, WITHDRAW, Context, Verdict
from tests.oracles.build import (
    MANDATORY,
    NET_10,
    NEXT_HOP_1,
    ORIGIN_IGP,
    PATH_65001,
    attribute,
    label_stack,
    message,
    mp_reach,
    mp_unreach,
    prefix,
    segments,
    update,
)
from tests.oracles.nlri import Family

ACCEPT = Verdict.ACCEPT
INTERNAL, EXTERNAL, AS2 = Context(external=False), Context(), Context(as4=False)
IPV6: Family = (2, 1)
NEXT_HOP_6 = bytes.fromhex("20010db8000000000000000000000001")
NET_6 = prefix(bytes.fromhex("20010db8"), 32)
REACH_6 = mp_reach(IPV6, NEXT_HOP_6, NET_6)
RD = bytes.fromhex("0000fde800000001")


@dataclass(frozen=True, slots=True)
class Case:
    """One UPDATE and what it must lead to: the verdict and how many routes are announced and withdrawn."""

    name: str
    octets: bytes
    verdict: Verdict
    announced: int = 0
    withdrawn: int = 0
    context: Context = EXTERNAL


def with_(*extra: bytes) -> bytes:
    """An UPDATE that announces 10.0.0.0/8 with the mandatory attributes and these."""
    return update((*MANDATORY, *extra), NET_10)


def one(code: int, value: bytes, flags: int | None = None, *, as4: bool = True) -> bytes:
    """An UPDATE for 10.0.0.0/8 with one attribute more, or in place of the mandatory one with that code."""
    path = attribute(a.AS_PATH, segments((2, [65001]), width=4 if as4 else 2))
    rest = [other for other in (ORIGIN_IGP, path, NEXT_HOP_1) if other[1] != code]
    return update((*rest, attribute(code, value, flags)), NET_10)


def reach(family: Family, next_hop: bytes, nlri: bytes, *others: bytes) -> bytes:
    """An UPDATE that announces through MP_REACH_NLRI."""
    return update((*MANDATORY, mp_reach(family, next_hop, nlri), *others))


def judged(name: str, code: int, verdict: Verdict, *values: str, context: Context = EXTERNAL) -> list[Case]:
    """One case for each value (hex) of an attribute in an UPDATE that announces one route."""
    announced, withdrawn = {ACCEPT: (1, 0), DISCARD: (1, 0), WITHDRAW: (0, 1), RESET: (0, 0)}[verdict]
    return [
        Case(
            f"{name} {value or 'empty'}",
            one(code, bytes.fromhex(value), as4=context.as4),
            verdict,
            announced,
            withdrawn,
            context,
        )
        for value in values
    ]


def flagged(code: int, value: str, flags: int, verdict: Verdict, context: Context = EXTERNAL) -> Case:
    """An attribute with these flags in an UPDATE that announces one route."""
    announced, withdrawn = {ACCEPT: (1, 0), DISCARD: (1, 0), WITHDRAW: (0, 1), RESET: (0, 0)}[verdict]
    name = f"{code} with flags {flags:#x}, external {context.external}"
    return Case(name, one(code, bytes.fromhex(value), flags), verdict, announced, withdrawn, context)


def raw(withdrawn_length: int, attributes_length: int, rest: bytes = b"") -> bytes:
    """An UPDATE whose lengths say what they like."""
    return message(2, withdrawn_length.to_bytes(2, "big") + attributes_length.to_bytes(2, "big") + rest)


MESSAGE = [
    Case("empty UPDATE is End-of-RIB", update(), ACCEPT),
    Case("announces", with_(), ACCEPT, 1, 0),
    Case("withdraws", update(withdrawn=NET_10), ACCEPT, 0, 1),
    Case("withdrawn and announced ends announced, RFC 4271 4.3", update(MANDATORY, NET_10, NET_10), ACCEPT, 1, 1),
    Case("withdrawn routes overrun, 4271 6.3", raw(1, 0), RESET),
    Case("withdrawn routes end where the attribute length should be", raw(2, 0), RESET),
    Case("attributes overrun, 4271 6.3", raw(0, 1), RESET),
    Case("classic prefix longer than 32, 5.3", update(MANDATORY, b"\x21\x0a\0\0\0\0"), RESET),
    Case("classic prefix overruns, 5.3", update(MANDATORY, b"\x18\x0a\0"), RESET),
    Case("withdrawn prefix longer than 32, 3 i", update(withdrawn=b"\x21\x0a\0\0\0\0"), RESET),
    Case("withdrawn prefix overruns, 3 i", update(withdrawn=b"\x08"), RESET),
    Case("bits after the prefix are cleared", update(MANDATORY, b"\x04\xff"), ACCEPT, 1, 0),
    Case("default route", update(MANDATORY, b"\0"), ACCEPT, 1, 0),
]

FRAMING = [
    Case("attribute overruns, 4", update((*MANDATORY, b"\xc0\x08\x08\0\0\0\0"), NET_10), WITHDRAW, 0, 1),
    Case("one octet left, 4", update((*MANDATORY, b"\xc0"), NET_10), WITHDRAW, 0, 1),
    Case("two octets left, 4", update((*MANDATORY, b"\xc0\x08"), NET_10), WITHDRAW, 0, 1),
    Case("three octets left with a long length, 4", update((*MANDATORY, b"\xd0\x08\0"), NET_10), WITHDRAW, 0, 1),
    Case("overrun after MP_REACH_NLRI", update((REACH_6, *MANDATORY, b"\xc0\x08\x08")), WITHDRAW, 0, 1),
    Case("overrun before MP_REACH_NLRI, 5.2", update((*MANDATORY, b"\xc0\x08\xff", REACH_6)), RESET),
    Case("MP_REACH_NLRI itself overruns, 3 j", update((*MANDATORY, REACH_6[:-1]), NET_10), RESET),
    Case("long length that could be short", one(a.MED, bytes(4), 0x90), ACCEPT, 1, 0),
]

NO_ROUTES = [
    Case("malformed and no routes, 5.2", update((ORIGIN_IGP, attribute(a.MED, b""))), RESET),
    Case("malformed with withdrawals only, 5.2", update((attribute(a.ORIGIN, b"\3"),), b"", NET_10), RESET),
    Case("malformed with MP_UNREACH_NLRI, 5.2", update((attribute(a.MED, b""), mp_unreach(IPV6, NET_6))), RESET),
    Case("discarded and no routes, 5.2", update((attribute(a.ATOMIC_AGGREGATE, b"\0"),)), DISCARD),
    Case("attributes without routes miss nothing", update((ORIGIN_IGP,)), ACCEPT),
    Case(
        "malformed with MP_REACH_NLRI", update((attribute(a.MED, b""), ORIGIN_IGP, PATH_65001, REACH_6)), WITHDRAW, 0, 1
    ),
    Case(
        "all routes of all fields are withdrawn",
        update((attribute(a.MED, b""), *MANDATORY, REACH_6, mp_unreach(IPV6, prefix(bytes(16), 0))), NET_10, b"\0"),
        WITHDRAW,
        0,
        4,
    ),
]

MISSING = [
    Case("no ORIGIN, 3 d", update((PATH_65001, NEXT_HOP_1), NET_10), WITHDRAW, 0, 1),
    Case("no AS_PATH, 3 d", update((ORIGIN_IGP, NEXT_HOP_1), NET_10), WITHDRAW, 0, 1),
    Case("no NEXT_HOP, 3 d", update((ORIGIN_IGP, PATH_65001), NET_10), WITHDRAW, 0, 1),
    Case("no NEXT_HOP but MP_REACH_NLRI", update((ORIGIN_IGP, PATH_65001, REACH_6)), ACCEPT, 1, 0),
    Case(
        "no NEXT_HOP for classic routes beside MP_REACH_NLRI",
        update((ORIGIN_IGP, PATH_65001, REACH_6), NET_10),
        WITHDRAW,
        0,
        2,
    ),
    Case("no ORIGIN for MP_REACH_NLRI", update((PATH_65001, REACH_6)), WITHDRAW, 0, 1),
]

VALUES = [
    *judged("ORIGIN, 7.1", a.ORIGIN, WITHDRAW, "", "03", "0000"),
    *judged("ORIGIN", a.ORIGIN, ACCEPT, "00", "01", "02"),
    *judged("AS_PATH, 7.2", a.AS_PATH, WITHDRAW, "02", "0000", "0200", "02010000", "050100000001", "0202000000010000"),
    *judged("AS_PATH with AS 0, RFC 7607", a.AS_PATH, WITHDRAW, "020100000000", "01020000000100000000"),
    *judged("AS_PATH", a.AS_PATH, ACCEPT, "", "020100000001", "010100000001", "030100000001", "040100000001"),
    *judged("NEXT_HOP, 7.3", a.NEXT_HOP, WITHDRAW, "", "0a0000", "0a00000001"),
    *judged("MULTI_EXIT_DISC, 7.4", a.MED, WITHDRAW, "", "000000", "0000000000"),
    *judged("LOCAL_PREF, 7.5", a.LOCAL_PREF, WITHDRAW, "", "000000", context=INTERNAL),
    *judged("LOCAL_PREF from outside, 7.5", a.LOCAL_PREF, DISCARD, "", "000000"),
    *judged("LOCAL_PREF from outside", a.LOCAL_PREF, ACCEPT, "00000064"),
    *judged("ATOMIC_AGGREGATE, 7.6", a.ATOMIC_AGGREGATE, DISCARD, "00"),
    *judged("ATOMIC_AGGREGATE", a.ATOMIC_AGGREGATE, ACCEPT, ""),
    *judged("AGGREGATOR, 7.7", a.AGGREGATOR, DISCARD, "", "fde90a000001", "000000000a000001"),
    *judged("AGGREGATOR", a.AGGREGATOR, ACCEPT, "0000fde90a000001"),
    *judged("AGGREGATOR between two octets", a.AGGREGATOR, DISCARD, "0000fde90a000001", "00000a000001", context=AS2),
    *judged("COMMUNITIES, 7.8", a.COMMUNITIES, WITHDRAW, "", "000000", "0000000000"),
    *judged("ORIGINATOR_ID, 7.9", a.ORIGINATOR_ID, WITHDRAW, "", "0a0000", context=INTERNAL),
    *judged("ORIGINATOR_ID from outside, 7.9", a.ORIGINATOR_ID, DISCARD, "", "0a0000"),
    *judged("CLUSTER_LIST, 7.10", a.CLUSTER_LIST, WITHDRAW, "", "0a0000", context=INTERNAL),
    *judged("CLUSTER_LIST from outside, 7.10", a.CLUSTER_LIST, DISCARD, "", "0a0000"),
    *judged("EXTENDED COMMUNITIES, 7.14", a.EXTENDED_COMMUNITIES, WITHDRAW, "", "00020000000000"),
    *judged("IPv6 EXTENDED COMMUNITIES, 7.15", a.IPV6_EXTENDED_COMMUNITIES, WITHDRAW, "", "00" * 19),
    *judged("AS4_PATH between four octets, RFC 6793 6", a.AS4_PATH, ACCEPT, "020100000001"),
    *judged("AS4_PATH between four octets, RFC 6793 6", a.AS4_PATH, DISCARD, "", "02"),
    *judged("AIGP, RFC 7311", a.AIGP, DISCARD, "", "01", "010003", "01000a00000000000000", "01000b00", "010002"),
    *judged("AIGP", a.AIGP, ACCEPT, "01000b0000000000000064", "020003", "02000401" + "01000b0000000000000064"),
    *judged("LARGE_COMMUNITY, RFC 8092", a.LARGE_COMMUNITIES, WITHDRAW, "", "00" * 11, "00" * 13),
    *judged("OTC, RFC 9234", a.OTC, WITHDRAW, "", "000000", "0000000000"),
    *judged("PREFIX_SID, RFC 8669", a.PREFIX_SID, DISCARD, "", "010006000000000000", "01000700", "03000400000000"),
    *judged("PREFIX_SID", a.PREFIX_SID, ACCEPT, "01000700000000000010", "0300080000003e80001f40", "7f0000"),
    *judged("an unknown attribute", 250, ACCEPT, "", "00"),
]  # fmt: skip

AS4 = [
    Case("AS4_PATH, RFC 6793 6", update((ORIGIN_IGP, attribute(a.AS_PATH, segments((2, [1, 2]), width=2)), NEXT_HOP_1,
         attribute(a.AS4_PATH, bytes.fromhex(value))), NET_10), verdict, 1, 0, AS2)
    for value, verdict in (
        ("", DISCARD), ("0200", DISCARD), ("020200000001", DISCARD), ("020100000000", DISCARD),
        ("020100010000", ACCEPT),
    )
]  # fmt: skip

FLAGS = [
    flagged(a.ORIGIN, "00", 0xC0, WITHDRAW),
    flagged(a.ORIGIN, "00", 0x00, WITHDRAW),
    flagged(a.ORIGIN, "00", 0x60, ACCEPT),  # the partial bit is not looked at
    flagged(a.ORIGIN, "00", 0x4F, ACCEPT),  # RFC 4271 4.3: the lower four bits are ignored
    flagged(a.MED, "00000000", 0xC0, WITHDRAW),
    flagged(a.COMMUNITIES, "00000000", 0x80, WITHDRAW),
    flagged(a.COMMUNITIES, "00000000", 0x40, WITHDRAW),
    flagged(a.ATOMIC_AGGREGATE, "", 0xC0, WITHDRAW),
    flagged(a.LOCAL_PREF, "00000064", 0xC0, WITHDRAW, INTERNAL),
    flagged(a.LOCAL_PREF, "00000064", 0xC0, WITHDRAW),
    flagged(a.ORIGINATOR_ID, "0a000001", 0xC0, WITHDRAW),
    flagged(a.AIGP, "01000b0000000000000064", 0xC0, DISCARD),  # RFC 7311 3.2
    flagged(a.PREFIX_SID, "01000700000000000010", 0x80, WITHDRAW),
    flagged(250, "00", 0x40, RESET),  # RFC 4271 6.3: unrecognised well-known attribute
    flagged(250, "00", 0x80, ACCEPT),
    Case("MP_REACH_NLRI with wrong flags, 5.3", update((*MANDATORY, mp_reach(IPV6, NEXT_HOP_6, NET_6, 0xC0))), RESET),
    Case("MP_UNREACH_NLRI with wrong flags, 5.3", update((mp_unreach(IPV6, NET_6, 0xC0),)), RESET),
]

DUPLICATES = [
    Case("second ORIGIN, 3 g", with_(attribute(a.ORIGIN, b"\7")), DISCARD, 1, 0),
    Case("second unknown attribute, 3 g", with_(attribute(250, b""), attribute(250, b"")), DISCARD, 1, 0),
    Case("first ORIGIN is malformed, the second good",
         update((attribute(a.ORIGIN, b"\7"), *MANDATORY), NET_10), WITHDRAW, 0, 1),
    Case("second MP_REACH_NLRI, 3 g", update((*MANDATORY, REACH_6, REACH_6)), RESET),
    Case("second MP_UNREACH_NLRI, 3 g", update((mp_unreach(IPV6, NET_6), mp_unreach(IPV6, NET_6))), RESET),
]  # fmt: skip

MULTIPROTOCOL = [
    Case("MP_UNREACH_NLRI alone and empty is End-of-RIB", update((mp_unreach(IPV6, b""),)), ACCEPT),
    Case("MP_REACH_NLRI without routes", reach(IPV6, NEXT_HOP_6, b""), ACCEPT),
    Case("MP_REACH_NLRI of 4 octets, 5.3", update((*MANDATORY, attribute(a.MP_REACH, b"\0\2\1\0"))), RESET),
    Case("MP_UNREACH_NLRI of 2 octets, 5.3", update((attribute(a.MP_UNREACH, b"\0\2"),)), RESET),
    Case("next hop of 5 octets, 7.11", reach(IPV6, bytes(5), NET_6), RESET),
    Case("next hop overruns, 7.11", update((*MANDATORY, attribute(a.MP_REACH, b"\0\2\1\x10" + bytes(16)))), RESET),
    Case("VPN next hop without a distinguisher, 7.11",
         update((*MANDATORY, attribute(a.MP_REACH, b"\0\1\x80\4" + bytes(5)))), RESET),
    Case("IPv6 prefix longer than 128, 5.3", reach(IPV6, NEXT_HOP_6, b"\x81" + bytes(17)), RESET),
    Case("IPv4 routes with an IPv6 next hop, RFC 8950", reach((1, 1), NEXT_HOP_6, NET_10), ACCEPT, 1),
    Case("link-local next hop", reach(IPV6, NEXT_HOP_6 * 2, NET_6), ACCEPT, 1),
    Case("announced and withdrawn is gone", reach(IPV6, NEXT_HOP_6, NET_6, mp_unreach(IPV6, NET_6)), ACCEPT, 1, 1),
    Case("a family that is not stored", reach((25, 70), bytes(4), b"\xff\xff"), ACCEPT),
    Case("a label cut short, RFC 8277 2",
         reach((1, 4), bytes(4), b"\x10\0\0"), RESET),
    Case("a stack without a bottom",
         reach((1, 4), bytes(4), b"\x20\0\1\0\x0a"), RESET),
    Case("two labels", reach((1, 4), bytes(4), prefix(b"\x0a", 8, labels=label_stack(16, 17))),
         ACCEPT, 1),
    Case("a withdrawal has one label, RFC 8277 2.4",
         update((mp_unreach((1, 4), prefix(b"\x0a", 8, labels=b"\x80\0\0")),)), ACCEPT, 0, 1),
    Case("a distinguisher cut short, RFC 4364 4.3.4",
         reach((1, 128), bytes(4), b"\x50" + label_stack(16) + RD[:7]), RESET),
    Case("a VPN route",
         reach((1, 128), bytes(4), prefix(b"\x0a", 8, labels=label_stack(16), rd=RD)), ACCEPT, 1),
    Case("a path identifier, RFC 7911", update(MANDATORY, b"\0\0\0\1" + NET_10), ACCEPT, 1, 0,
         Context(add_path=frozenset({(1, 1)}))),
    Case("a path identifier cut short, RFC 7911", update(MANDATORY, b"\0\0\0"), RESET, 0, 0,
         Context(add_path=frozenset({(1, 1)}))),
    Case("a path identifier without a prefix, RFC 7911", update(MANDATORY, b"\0\0\0\1"), RESET, 0, 0,
         Context(add_path=frozenset({(1, 1)}))),
]  # fmt: skip

CASES = [*MESSAGE, *FRAMING, *NO_ROUTES, *MISSING, *VALUES, *AS4, *FLAGS, *DUPLICATES, *MULTIPROTOCOL]
