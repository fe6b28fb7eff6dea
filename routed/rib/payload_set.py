"""What origins and paths are validated by, as one value: payloads that are valid together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routed.rib._vrps import Vrps

if TYPE_CHECKING:
    from routed.rib._aspa import Aspas
    from routed.rib._payloads import Payloads


@dataclass(frozen=True, slots=True)
class PayloadSet:
    """Origins (RFC 6811) and providers by customer (ASPA) that are valid together."""

    vrps: Vrps = field(default_factory=Vrps)
    aspas: Aspas = field(default_factory=dict)


def origins_of(payloads: Payloads, base: Vrps | None = None) -> Vrps:
    """Return payloads of which duplicates do not matter, together with others."""
    return payloads.applied_to(Vrps() if base is None else base, strict=False)
