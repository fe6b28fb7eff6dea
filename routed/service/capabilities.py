"""What speakers can do, as lines for people: all that one said, and what holds because both said it.

The lines are those of the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from routed.service.reports import MAX_CAPABILITY_LINES, describe_capabilities, describe_capability
from routed.wire.bgp.capability import Multiprotocol, UnknownCapability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.wire.bgp.capability import Capability
    from routed.wire.bgp.open import OpenMessage


class Capabilities(NamedTuple):
    """What the far end of a session can do, and what of it holds."""

    negotiated: tuple[str, ...] = ()
    received: tuple[str, ...] = ()

    @property
    def octets(self) -> int:
        """Return about how much memory the lines take."""
        return sum(map(len, (*self.negotiated, *self.received)))


def compare(sent: OpenMessage, received: OpenMessage) -> Capabilities:
    """Return what the OPENs of the two ends of a session come to, seen from the one that sent the first."""
    ours = {_matter(capability) for capability in sent.capabilities}
    agreed = [capability for capability in received.capabilities if _matter(capability) in ours]
    negotiated = [line for capability in agreed for line in describe_capability(capability)]
    return Capabilities(
        negotiated=tuple(negotiated[:MAX_CAPABILITY_LINES]),
        received=(*describe_capabilities(received), *_unknown(received)),
    )


def _matter(capability: Capability) -> object:
    """Return what two capabilities must share to be about the same."""
    return capability if isinstance(capability, Multiprotocol) else type(capability)


def _unknown(message: OpenMessage) -> Iterator[str]:
    codes = {int(each.code) for each in message.capabilities if isinstance(each, UnknownCapability)}
    yield from (f"Unknown [{code}]" for code in sorted(codes))
