"""What log lines say about attributes that RFC 7606 has us refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.rib._attributes import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routed.rib._update import Refusal

#: Why routes are dropped.
NO_ROOM: Final = "too many paths of a prefix, or no memory"
ATTRIBUTE_NAMES: Final = {spec.code: spec.name for spec in ATTRIBUTES}


def attribute_name(code: int) -> str:
    """Return what an attribute is called in a log line; code 0 stands for the fields of prefixes."""
    if not code:
        return "UPDATE"
    return f"{ATTRIBUTE_NAMES[code]} ({code})" if code in ATTRIBUTE_NAMES else f"attribute {code}"


def refusal_text(first: Refusal, refused: Mapping[tuple[int, str], int]) -> str:
    """Say why the first of some UPDATEs was refused, and how many that makes by (attribute, verdict)."""
    what, total = attribute_name(first.attribute), sum(refused.values())
    return f"{what}: {first.reason}, {first.verdict} (RFC 7606); {total} refused so far"


def tally_text(refused: Mapping[tuple[int, str], int]) -> str:
    """Return the end of a line about a session: how many UPDATEs were refused, by (attribute, verdict)."""
    tally = "; ".join(f"{attribute_name(code)} {verdict} {count}" for (code, verdict), count in sorted(refused.items()))
    return f"; refused: {tally}" if tally else ""
