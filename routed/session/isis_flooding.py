"""How a listener keeps its database equal to that of a neighbour on a point-to-point link.

What the neighbour sends is taken in and acknowledged; what it says to have and has not sent is asked for. What the
neighbour has of our own LSP is passed on to whoever sends that one.

The LSPs of others never leave. So we claim to hold our own alone: whoever is told of one that it lacks asks for it, and
would ask in vain. A neighbour that comes up therefore sends all that it has, as a router does to every new neighbour on
a point-to-point link (ISO/IEC 10589 section 7.3.17), and is quiet once that is acknowledged. An LSP that is older than
ours is acknowledged as it came, for the same reason; but a system that is behind with its own LSP hears of the newer
one, and goes on behind its number.

Methods return the PDUs to be sent. Time is `now`, in monotonic seconds.

Source: ISO/IEC 10589 sections 7.3.14 to 7.3.17.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from routed.rib.lsdb import Age, Lsdb, Taken
from routed.session.isis_own_lsp import OwnLsp
from routed.wire.isis.authentication import Key
from routed.wire.isis.checksum import is_checksum_right
from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS
from routed.wire.isis.lsp import LSP_BUFFER_OCTETS, Lsp
from routed.wire.isis.snp import Csnp, Psnp, encode_csnp, encode_psnp, entries_that_fit
from routed.wire.isis.tlv import LspEntry

#: How long acknowledgements and requests are gathered (ISO/IEC 10589, partialSNPInterval has 2 s). Units: seconds.
GATHERED: Final = 1.0
#: How long an answer is waited for (ISO/IEC 10589, minimumLSPTransmissionInterval). Units: seconds.
PATIENCE: Final = 5.0
#: How often an LSP is asked for that does not come.
ATTEMPTS: Final = 10
#: Requests that are open at a time: the rest is asked for when these have been answered.
MAX_REQUESTS: Final = 1_024


@dataclass(slots=True)
class FloodingCounters:
    """What was exchanged with one neighbour."""

    lsps: int = 0
    lsps_new: int = 0
    lsps_purged: int = 0
    lsps_with_wrong_checksum: int = 0
    lsps_refused: int = 0
    csnps: int = 0
    psnps: int = 0
    requests: int = 0


class Flooding:
    """The database of one neighbour, as far as it differs from ours.

    Args:
        own: our LSP, which all circuits share.
        circuit: what `own` knows the circuit by.
        key: signs sequence numbers PDUs.
    """

    def __init__(self, lsdb: Lsdb, own: OwnLsp, circuit: Hashable, key: Key | None = None) -> None:
        self.counters = FloodingCounters()
        self._lsdb, self._own, self._circuit, self._key = lsdb, own, circuit, key
        self._system_id = own.lsp_id[:SYSTEM_ID_OCTETS]
        self._source = self._system_id + b"\0"
        self._neighbor = b""  # system id; empty when it is not up
        self._largest_pdu = LSP_BUFFER_OCTETS
        self._gathered: dict[bytes, LspEntry] = {}  # entries of the next PSNP
        self._wanted: dict[bytes, int] = {}  # LSPs that the neighbour has and we want: how often they are asked for yet
        self._flush_at: float | None = None
        self._ask_at: float | None = None

    def up(self, neighbor: bytes, largest_pdu: int) -> list[bytes]:
        """Begin with a neighbour, of which `own` knows already: tell what we would send.

        When it is the only one, nobody stands for what is held from before, and what it has counts.

        Units: `largest_pdu`, of the circuit, in octets.
        """
        self._forget()
        self._neighbor = neighbor
        self._largest_pdu = min(largest_pdu, LSP_BUFFER_OCTETS)
        if self._own.circuits == 1:
            self._lsdb.doubt()
        own = self._own.lsp
        held = () if own is None else (LspEntry(own.lifetime, own.lsp_id, own.sequence, own.checksum),)
        return [encode_csnp(Csnp(source=self._source, entries=held), self._key)]

    def down(self) -> None:
        """End with a neighbour."""
        self._forget()
        self._neighbor = b""

    def settle(self, key: Key | None) -> None:
        """Sign with another key."""
        self._key = key

    def lsp(self, lsp: Lsp, now: float) -> tuple[Taken | None, list[bytes]]:
        """Take in an LSP whose authentication is right; return what became of it, None for a broken one or our own."""
        self.counters.lsps += 1
        if not self._neighbor:
            return None, []
        if lsp.lifetime and not is_checksum_right(lsp.octets):
            self.counters.lsps_with_wrong_checksum += 1
            return None, []
        entry = LspEntry(lsp.lifetime, lsp.lsp_id, lsp.sequence, lsp.checksum)
        if self._is_ours(lsp.lsp_id):
            self._hear(entry, now)
            return None, self._acknowledge(entry, now)
        taken = self._lsdb.take(lsp, now)
        self.counters.lsps_new += taken in {Taken.NEW, Taken.CHANGED}
        self.counters.lsps_purged += taken is Taken.PURGED
        self.counters.lsps_refused += taken is Taken.REFUSED
        self._wanted.pop(lsp.lsp_id, None)
        held = self._lsdb.get(lsp.lsp_id)
        if taken is Taken.OLDER and held is not None and lsp.lsp_id.startswith(self._neighbor):
            entry = self._lsdb.entry(held, now)
        return taken, self._acknowledge(entry, now)

    def csnp(self, csnp: Csnp, now: float) -> list[bytes]:
        """Compare what the neighbour has with what we have."""
        self.counters.csnps += 1
        if not self._neighbor:
            return []
        own = self._own.lsp_id
        if csnp.start <= own <= csnp.end and all(entry.lsp_id != own for entry in csnp.entries):
            self._own.held(self._circuit, None, now)
        for entry in csnp.entries:
            if self._is_ours(entry.lsp_id):
                self._hear(entry, now)
            elif self._lsdb.compare(entry) is Age.NEWER and (entry.lifetime or self._lsdb.get(entry.lsp_id)):
                self._want(entry.lsp_id, now)
        return []

    def psnp(self, psnp: Psnp, now: float) -> list[bytes]:
        """Learn that our LSP has arrived or is asked for."""
        self.counters.psnps += 1
        if self._neighbor:
            for entry in psnp.entries:
                if self._is_ours(entry.lsp_id):
                    self._hear(entry, now)
        return []

    def deadline(self) -> float | None:
        """Return when `tick` wants to be called, None for never."""
        return min((when for when in (self._flush_at, self._ask_at) if when is not None), default=None)

    def tick(self, now: float) -> list[bytes]:
        """Send what is due: acknowledgements and requests."""
        if self._ask_at is not None and now >= self._ask_at:
            self._ask(now)
        return self._flush() if self._flush_at is not None and now >= self._flush_at else []

    def _is_ours(self, lsp_id: bytes) -> bool:
        return lsp_id.startswith(self._system_id)

    def _hear(self, entry: LspEntry, now: float) -> None:
        """Pass on what the neighbour has of ours; of other LSPs with our name nothing is known."""
        if entry.lsp_id == self._own.lsp_id:
            self._own.held(self._circuit, entry, now)

    def _want(self, lsp_id: bytes, now: float) -> None:
        if len(self._wanted) < MAX_REQUESTS:
            self._wanted.setdefault(lsp_id, ATTEMPTS)
            if self._ask_at is None:
                self._ask_at = now + GATHERED

    def _ask(self, now: float) -> None:
        """Put what is still wanted into the next PSNP: number 0 asks for what we do not have at all."""
        for lsp_id in self._wanted:
            held = self._lsdb.counted(lsp_id)
            self._gathered[lsp_id] = LspEntry(1, lsp_id, 0, 0) if held is None else self._lsdb.entry(held, now)
        self.counters.requests += len(self._wanted)
        self._wanted = {lsp_id: attempts - 1 for lsp_id, attempts in self._wanted.items() if attempts > 1}
        self._flush_at = now
        self._ask_at = now + PATIENCE if self._wanted else None

    def _acknowledge(self, entry: LspEntry, now: float) -> list[bytes]:
        self._gathered[entry.lsp_id] = entry
        if len(self._gathered) >= self._most:
            return self._flush()
        if self._flush_at is None:
            self._flush_at = now + GATHERED
        return []

    def _flush(self) -> list[bytes]:
        entries, self._gathered, self._flush_at = iter(self._gathered.values()), {}, None
        pdus = []
        while part := tuple(islice(entries, self._most)):
            pdus.append(encode_psnp(Psnp(source=self._source, entries=part), self._key))
        return pdus

    @property
    def _most(self) -> int:
        """Return how many entries one PSNP may have."""
        return max(1, entries_that_fit(self._largest_pdu, self._key))

    def _forget(self) -> None:
        self._gathered.clear()
        self._wanted.clear()
        self._flush_at = self._ask_at = None
