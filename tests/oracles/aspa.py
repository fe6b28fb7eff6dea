"""Verification of AS paths by what ASes say of their providers, step by step as the draft has it.

Source: draft-ietf-sidrops-aspa-verification.

A path is judged twice, because who collects routes does not know what the speaker is to whom: as if it had come from a
customer or a lateral peer, where it may only have gone up (upstream), and as if it had come from a provider, where it
may have gone up and then down (downstream).
"""

import itertools
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

#: ASes by customer: its providers; AS 0 alone says that there are none.
Aspas = Mapping[int, frozenset[int]]

AS_SEQUENCE: Final = 2
CONFEDERATION_SEGMENTS: Final = frozenset({3, 4})  # AS_CONFED_SEQUENCE and AS_CONFED_SET (RFC 5065 section 3)


class Verdict(Enum):
    """What a path came to."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Hop(Enum):
    """What an AS says of the one behind it."""

    PROVIDER = "Provider+"
    NOT_PROVIDER = "Not Provider+"
    NO_ATTESTATION = "No Attestation"


def ases_of(as_path: bytes) -> tuple[int, ...] | None:
    """Return the ASes of an AS_PATH, the origin first, repetitions left out; None when it has an AS_SET.

    Octets: n x (type u8, count u8, ASes u32); segments of a confederation do not count.
    """
    ases: list[int] = []
    at = 0
    while at < len(as_path):
        kind, count = as_path[at], as_path[at + 1]
        end = at + 2 + 4 * count
        if kind == AS_SEQUENCE:
            ases += (int.from_bytes(as_path[i : i + 4], "big") for i in range(at + 2, end, 4))
        elif kind not in CONFEDERATION_SEGMENTS:
            return None
        at = end
    ases.reverse()
    return tuple(asn for i, asn in enumerate(ases) if not i or asn != ases[i - 1])


def hop(aspas: Aspas, customer: int, provider: int) -> Hop:
    """Return what an AS says of another one (the hop check of the draft); AS 0 among providers is nobody's."""
    providers = aspas.get(customer)
    if providers is None:
        return Hop.NO_ATTESTATION
    return Hop.PROVIDER if provider in providers and provider else Hop.NOT_PROVIDER


def verify_upstream(aspas: Aspas, ases: Sequence[int] | None) -> Verdict:
    """Judge a path that came from a customer or a lateral peer (upstream paths).

    The path is as `ases_of` returns it.
    """
    if not ases:
        return Verdict.INVALID
    hops = {hop(aspas, *pair) for pair in itertools.pairwise(ases)}
    if Hop.NOT_PROVIDER in hops:
        return Verdict.INVALID
    return Verdict.UNKNOWN if Hop.NO_ATTESTATION in hops else Verdict.VALID


def verify_downstream(aspas: Aspas, ases: Sequence[int] | None) -> Verdict:
    """Judge a path that came from a provider (downstream paths)."""
    if not ases:
        return Verdict.INVALID
    up = [hop(aspas, *pair) for pair in itertools.pairwise(ases)]
    backwards = ases[::-1]
    down = [hop(aspas, *pair) for pair in itertools.pairwise(backwards)]
    length = len(ases)
    refusing = frozenset({Hop.NOT_PROVIDER})
    if ramp(up, refusing) + ramp(down, refusing) < length:
        return Verdict.INVALID
    doubtful = refusing | {Hop.NO_ATTESTATION}
    return Verdict.VALID if ramp(up, doubtful) + ramp(down, doubtful) >= length else Verdict.UNKNOWN


def ramp(hops: Sequence[Hop], ends: frozenset[Hop]) -> int:
    """Return how many ASes there are up to the first hop of these kinds."""
    return next((n for n, one in enumerate(hops, 1) if one in ends), len(hops) + 1)
