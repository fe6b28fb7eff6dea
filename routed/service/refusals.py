"""What log lines say about attributes that RFC 7606 has us refuse."""

from typing import Final

from routed.rib._attributes import ATTRIBUTES

#: Why routes are dropped.
NO_ROOM: Final = "too many paths of a prefix, or no memory"
ATTRIBUTE_NAMES: Final = {spec.code: spec.name for spec in ATTRIBUTES}


def attribute_name(code: int) -> str:
    """Return what an attribute is called in a log line; code 0 stands for the fields of prefixes."""
    if not code:
        return "UPDATE"
    return f"{ATTRIBUTE_NAMES[code]} ({code})" if code in ATTRIBUTE_NAMES else f"attribute {code}"
