"""Path attributes: when is one malformed, and what follows (RFC 7606 and the RFC of each attribute).

One row per attribute in `RULES`. Independent of the package under test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from tests.oracles.as_path import MalformedPathError, read_path
from tests.oracles.nlri import Family


class Verdict(IntEnum):
    """Consequences, the strongest last (RFC 7606 2)."""

    ACCEPT = 0
    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    SESSION_RESET = 3


class Refusal(NamedTuple):
    """One thing that is wrong; `code` is the attribute's, 0 for the message itself."""

    code: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the session agreed. `monitored`: a router shows what it has, so a bad attribute costs only itself."""

    as4: bool = True
    add_path: frozenset[Family] = frozenset()
    external: bool = True
    monitored: bool = False


class Attribute(NamedTuple):
    """One attribute as it stands on the wire."""

    flags: int
    code: int
    value: bytes


ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES = 1, 2, 3, 4, 5, 6, 7, 8
ORIGINATOR_ID, CLUSTER_LIST, MP_REACH, MP_UNREACH, EXTENDED_COMMUNITIES = 9, 10, 14, 15, 16
AS4_PATH, AS4_AGGREGATOR, IPV6_EXTENDED_COMMUNITIES, AIGP, LARGE_COMMUNITIES, OTC, PREFIX_SID = (
    17,
    18,
    25,
    26,
    32,
    35,
    40,
)

OPTIONAL, TRANSITIVE, EXTENDED_LENGTH = 0x80, 0x40, 0x10
WELL_KNOWN, OPTIONAL_TRANSITIVE, OPTIONAL_NON_TRANSITIVE = TRANSITIVE, OPTIONAL | TRANSITIVE, OPTIONAL

NAMES = {
    value: name
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int) and not name.startswith(("OPTIONAL", "TRANSITIVE", "EXTENDED_LENGTH"))
}

Malformed = Callable[[bytes, Context], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one attribute is judged.

    `internal_only`: from an external peer RFC 7606 discards it whatever it holds, so a malformed one costs no more.
    `on_flags`: what wrong Optional or Transitive bits cost (RFC 7606 3 c, unless the attribute's RFC says otherwise).
    """

    flags: int
    malformed: Malformed
    verdict: Verdict
    on_flags: Verdict = Verdict.TREAT_AS_WITHDRAW
    internal_only: bool = False


def length_is_not(*lengths: int) -> Malformed:
    return lambda value, _: len(value) not in lengths


def no_multiple_of(size: int) -> Malformed:
    return lambda value, _: len(value) == 0 or len(value) % size != 0


def malformed_origin(value: bytes, _: Context) -> bool:
    return value not in {b"\0", b"\1", b"\2"}


def malformed_as_path(value: bytes, context: Context) -> bool:
    try:
        read_path(value, 4 if context.as4 else 2)
    except MalformedPathError:
        return True
    return False


def malformed_as4_path(value: bytes, _: Context) -> bool:
    """RFC 6793 6: too short for one AS number counts as malformed too."""
    return len(value) < 6 or malformed_as_path(value, Context(as4=True))


def malformed_aggregator(value: bytes, context: Context) -> bool:
    """RFC 7606 7.7; AS 0 by RFC 7607."""
    width = 4 if context.as4 else 2
    return len(value) != width + 4 or not any(value[:width])


def malformed_as4_aggregator(value: bytes, _: Context) -> bool:
    return malformed_aggregator(value, Context(as4=True))


def read_tlvs(value: bytes, header: int) -> list[tuple[int, bytes]] | None:
    """Cut (type u8, length u16) TLVs; `header` is how many header octets the length includes. None when they lie."""
    tlvs = []
    while value:
        if len(value) < 3:
            return None
        length = int.from_bytes(value[1:3], "big") + 3 - header
        if length < 3 or length > len(value):
            return None
        tlvs.append((value[0], value[3:length]))
        value = value[length:]
    return tlvs


def malformed_aigp(value: bytes, _: Context) -> bool:
    """RFC 7311 3: TLVs whose length includes the header; the first AIGP TLV has 11 octets, others do not matter."""
    tlvs = read_tlvs(value, header=3)
    aigp = [content for kind, content in tlvs or [] if kind == 1]
    return not tlvs or (aigp != [] and len(aigp[0]) != 8)


def malformed_prefix_sid(value: bytes, _: Context) -> bool:
    """RFC 8669 3 and 6: label index (1) is 7 octets, originator SRGB (3) is flags and n x 6 octets."""
    tlvs = read_tlvs(value, header=0)
    if not tlvs:
        return True
    return any(
        (kind == 1 and len(content) != 7) or (kind == 3 and (len(content) < 8 or (len(content) - 2) % 6 != 0))
        for kind, content in tlvs
    )


def never(_value: bytes, _context: Context) -> bool:
    """MP attributes are judged by `tests.oracles.update`, where their NLRI is read."""
    return False


DISCARD, WITHDRAW, RESET = Verdict.ATTRIBUTE_DISCARD, Verdict.TREAT_AS_WITHDRAW, Verdict.SESSION_RESET

RULES: dict[int, Rule] = {
    ORIGIN: Rule(WELL_KNOWN, malformed_origin, WITHDRAW),  # RFC 7606 7.1
    AS_PATH: Rule(WELL_KNOWN, malformed_as_path, WITHDRAW),  # RFC 7606 7.2, RFC 7607
    NEXT_HOP: Rule(WELL_KNOWN, length_is_not(4), WITHDRAW),  # RFC 7606 7.3
    MED: Rule(OPTIONAL_NON_TRANSITIVE, length_is_not(4), WITHDRAW),  # RFC 7606 7.4
    LOCAL_PREF: Rule(WELL_KNOWN, length_is_not(4), WITHDRAW, internal_only=True),  # RFC 7606 7.5
    ATOMIC_AGGREGATE: Rule(WELL_KNOWN, length_is_not(0), DISCARD),  # RFC 7606 7.6
    AGGREGATOR: Rule(OPTIONAL_TRANSITIVE, malformed_aggregator, DISCARD),  # RFC 7606 7.7
    COMMUNITIES: Rule(OPTIONAL_TRANSITIVE, no_multiple_of(4), WITHDRAW),  # RFC 7606 7.8
    ORIGINATOR_ID: Rule(OPTIONAL_NON_TRANSITIVE, length_is_not(4), WITHDRAW, internal_only=True),  # RFC 7606 7.9
    CLUSTER_LIST: Rule(OPTIONAL_NON_TRANSITIVE, no_multiple_of(4), WITHDRAW, internal_only=True),  # RFC 7606 7.10
    MP_REACH: Rule(OPTIONAL_NON_TRANSITIVE, never, RESET, on_flags=RESET),  # RFC 7606 5.3 and 3 j
    MP_UNREACH: Rule(OPTIONAL_NON_TRANSITIVE, never, RESET, on_flags=RESET),  # RFC 7606 5.3 and 3 j
    EXTENDED_COMMUNITIES: Rule(OPTIONAL_TRANSITIVE, no_multiple_of(8), WITHDRAW),  # RFC 7606 7.14
    AS4_PATH: Rule(OPTIONAL_TRANSITIVE, malformed_as4_path, DISCARD),  # RFC 6793 6
    AS4_AGGREGATOR: Rule(OPTIONAL_TRANSITIVE, malformed_as4_aggregator, DISCARD),  # RFC 6793 6
    IPV6_EXTENDED_COMMUNITIES: Rule(OPTIONAL_TRANSITIVE, no_multiple_of(20), WITHDRAW),  # RFC 7606 7.15
    AIGP: Rule(OPTIONAL_NON_TRANSITIVE, malformed_aigp, DISCARD, on_flags=DISCARD),  # RFC 7311 3.2
    LARGE_COMMUNITIES: Rule(OPTIONAL_TRANSITIVE, no_multiple_of(12), WITHDRAW),  # RFC 8092 5
    OTC: Rule(OPTIONAL_TRANSITIVE, length_is_not(4), WITHDRAW),  # RFC 9234 5
    PREFIX_SID: Rule(OPTIONAL_TRANSITIVE, malformed_prefix_sid, DISCARD),  # RFC 8669 6
}


def check(attribute: Attribute, context: Context) -> Refusal | None:
    """Judge one attribute on its own; None when nothing is wrong."""
    rule = RULES.get(attribute.code)
    if rule is None:
        if attribute.flags & OPTIONAL:
            return None
        return Refusal(attribute.code, RESET, "unrecognised well-known attribute")  # RFC 4271 6.3
    wrong_flags = attribute.flags & OPTIONAL_TRANSITIVE != rule.flags
    if not wrong_flags and not rule.malformed(attribute.value, context):
        return None
    verdict = DISCARD if rule.internal_only and context.external else rule.verdict
    if wrong_flags:
        verdict = rule.on_flags
    if context.monitored and verdict == WITHDRAW:
        verdict = DISCARD
    return Refusal(attribute.code, verdict, "flags" if wrong_flags else "malformed")
