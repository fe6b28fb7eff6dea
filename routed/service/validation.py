"""What origins are validated by: payloads as a cache or a file has them, changed by local exceptions (RFC 8416).

Whoever validates asks for `current`, a set that never changes, and keeps it for as long as his answers shall be of one
piece. Sets are made in a thread, one after the other; the reactor only exchanges one for the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import DeferredLock

from routed.plumbing.metrics import counter, gauge
from routed.rib._aspa import Attestations
from routed.rib._vrps import difference
from routed.rib.payload_set import PayloadSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.plumbing.sink import InThread
    from routed.rib._rows import Rows
    from routed.rib._vrps import Vrps
    from routed.service.slurm import Slurm


class Follower(Protocol):
    """Who is to know that routes may have come to another status."""

    def payloads_changed(self, before: Vrps, after: Vrps, changed: Vrps) -> None:
        """Look at the routes again that `changed` covers."""


@dataclass(slots=True)
class ValidationCounters:
    """What is there, and how often it changed."""

    payloads_ipv4: int = gauge("payloads of IPv4 that origins are validated by")
    payloads_ipv6: int = gauge("payloads of IPv6 that origins are validated by")
    aspas: int = gauge("ASes whose providers are known")
    changes: int = counter("exchanges of what origins are validated by")


class Validation:
    """The one place that says what origins are validated by.

    Args:
        exceptions: the local exceptions as they are now; None for none.
        adds_aspa: records of logs and dumps say what providers make of paths.
    """

    def __init__(
        self,
        in_thread: InThread,
        exceptions: Callable[[], Slurm | None] = lambda: None,
        *,
        adds_aspa: bool = False,
    ) -> None:
        self.current = PayloadSet()
        self.attestations = Attestations(self.current.aspas)
        self.counters = ValidationCounters()
        self.followers: list[Follower] = []
        self._in_thread, self._exceptions, self._adds_aspa = in_thread, exceptions, adds_aspa
        self._received = PayloadSet()
        self._turn = DeferredLock()

    async def replace(self, received: PayloadSet) -> None:
        """Validate by these payloads from now on."""
        await self._turn.acquire()
        try:
            exceptions = self._exceptions()
            before = self.current
            has_followers = bool(self.followers)
            derived = await self._in_thread(partial(derive, before, received, exceptions, has_followers))
            after, attestations, changed = derived
            self._received = received
            self._exchange(after, attestations)
        finally:
            self._turn.release()
        if changed is not None and len(changed):
            for follower in self.followers:
                follower.payloads_changed(before.vrps, after.vrps, changed)

    def load(self, received: PayloadSet) -> None:
        """Do the same at once, before the reactor runs."""
        self._received = received
        after, attestations, _ = derive(self.current, received, self._exceptions(), has_followers=False)
        self._exchange(after, attestations)

    async def renew(self) -> None:
        """Apply the local exceptions as they are now to what was received last."""
        await self.replace(self._received)

    def prepare(self, rows: Rows, *, verifies: bool = False) -> None:
        """Let rows that follow say how routes are validated; with `verifies`, what providers make of paths as well."""
        rows.origins = self.current.vrps
        attestations = self.attestations
        rows.verifier = attestations.keys if (verifies or self._adds_aspa) and len(attestations) else None

    def _exchange(self, after: PayloadSet, attestations: Attestations) -> None:
        self.current, self.attestations = after, attestations
        counters = self.counters
        counters.payloads_ipv4, counters.payloads_ipv6 = after.vrps.counts
        counters.aspas = len(after.aspas)
        counters.changes += 1


def derive(
    before: PayloadSet, received: PayloadSet, exceptions: Slurm | None, has_followers: bool
) -> tuple[PayloadSet, Attestations, Vrps | None]:
    """Return what counts after an exchange, and, for who wants to know, what differs; in a thread."""
    after = received if exceptions is None else exceptions.applied_to(received)
    changed = difference(before.vrps, after.vrps) if has_followers else None
    return after, Attestations(after.aspas), changed
