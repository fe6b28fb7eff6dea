"""The one LSP that we originate: it says who we are and whom we hear, and that nothing goes through us.

Its overload bit is set and it has no prefixes, so no route changes because of it (RFC 3787 section 4). Neighbours need
it to take us for a part of the area; without it some never count an adjacency as usable.

It is sent on every circuit whose adjacency is up, again and again until the neighbour says that it holds it (ISO/IEC
10589 section 7.3.15), and refreshed before it gets too old. A neighbour may hold one from an earlier life of ours: ours
then goes on behind its sequence number (section 7.3.16.1). When sequence numbers are used up we are silent until the
last one is forgotten everywhere (section 7.3.16.1, last paragraph).
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Final

from routed.wire.isis.authentication import Key
from routed.wire.isis.lsp import MAX_AGE, Lsp, LspFlags, decode_lsp, encode_lsp
from routed.wire.isis.reachability import Neighbor
from routed.wire.isis.tlv import LspEntry

#: Seconds after which an LSP is issued again (ISO/IEC 10589 section 10, maximumLSPGenerationInterval).
REFRESH_INTERVAL: Final = 900.0
#: Seconds between two issues at least: another system with our id makes us answer no more often than this.
MIN_ISSUE_INTERVAL: Final = 1.0
#: Seconds after which what was not acknowledged is sent again (minimumLSPTransmissionInterval).
RESEND_INTERVAL: Final = 5.0
#: Seconds that an LSP is remembered when its lifetime is over (ZeroAgeLifetime).
ZERO_AGE_LIFETIME: Final = 60.0
MAX_SEQUENCE: Final = 0xFFFF_FFFF
#: Of a link to a neighbour, in our view. Nothing goes through us, so any would do.
METRIC: Final = 10

_LIFETIME_AT: Final = 10


@dataclass(slots=True)
class _Circuit:
    """A circuit whose adjacency is up."""

    neighbor: bytes
    send_at: float | None  # None: it holds what we issued last


class OwnLsp:
    """Our LSP, and who holds it.

    Circuits are named by any value of the caller's. `lsp` is what was issued last, None as long as nobody has heard us.
    `superseded` counts the times that somebody had a newer one: more than once in a life says that there is another
    system with our id.
    """

    def __init__(self, template: Lsp, key: Key | None = None) -> None:
        self.lsp: Lsp | None = None
        self.superseded = 0
        self._template, self._key = _overloaded(template), key
        self._sequence = 0
        self._circuits: dict[Hashable, _Circuit] = {}
        self._issued_at = float("-inf")
        self._issue_at: float | None = None

    @property
    def lsp_id(self) -> bytes:
        """Which LSP it is."""
        return self._template.lsp_id

    def settle(self, template: Lsp, key: Key | None, now: float) -> None:
        """Say something else of ourselves, or sign it with another key."""
        is_news = (self._template, self._key) != (_overloaded(template), key)
        self._template, self._key = _overloaded(template), key
        if is_news and self._circuits:
            self._hurry(now)

    @property
    def neighbors(self) -> frozenset[bytes]:
        """The system ids of the neighbours that are up."""
        return frozenset(circuit.neighbor for circuit in self._circuits.values())

    @property
    def circuits(self) -> int:
        """How many circuits have a neighbour that is up."""
        return len(self._circuits)

    def up(self, circuit: Hashable, neighbor: bytes, now: float) -> None:
        """Say that we hear a neighbour."""
        self._circuits[circuit] = _Circuit(neighbor, None)
        self._hurry(now)

    def down(self, circuit: Hashable, now: float) -> None:
        """Say that we do not hear it any more."""
        if self._circuits.pop(circuit, None) is not None:
            self._hurry(now)

    def held(self, circuit: Hashable, entry: LspEntry | None, now: float) -> None:
        """Learn what the neighbour of a circuit holds of our LSP, None for nothing."""
        there, lsp = self._circuits.get(circuit), self.lsp
        if there is None:
            return
        if lsp is None or lsp.sequence != self._sequence:  # nothing is issued yet, or nothing that counts
            if entry is not None and entry.sequence > self._sequence:
                self._go_on_behind(entry.sequence, now)
        elif entry is None or entry.sequence < lsp.sequence:
            there.send_at = now if there.send_at is None else there.send_at
        elif entry.sequence == lsp.sequence and entry.checksum == lsp.checksum and entry.lifetime:
            there.send_at = None
        else:
            self.superseded += 1
            self._go_on_behind(entry.sequence, now)

    def deadline(self, circuit: Hashable) -> float | None:
        """Return when there is something to do for a circuit, None for never."""
        there = self._circuits.get(circuit)
        dues = (self._issue_at, None if there is None else there.send_at)
        return min((due for due in dues if due is not None), default=None)

    def timeout(self, now: float) -> Lsp | None:
        """Issue the LSP again if that is due, and return it then."""
        if self._issue_at is None or now < self._issue_at:
            return None
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        self._issued_at = now
        self._issue_at = now + REFRESH_INTERVAL if self._circuits else None  # whoever comes hears a new one
        for circuit in self._circuits.values():
            circuit.send_at = now
        neighbors = (Neighbor(0, node + b"\0", METRIC) for node in sorted(self.neighbors))
        value = replace(self._template, sequence=self._sequence, neighbors=tuple(neighbors))
        self.lsp = decode_lsp(encode_lsp(value, self._key))
        return self.lsp

    def take_outbox(self, circuit: Hashable, now: float) -> list[bytes]:
        """Return what is to be sent on a circuit now."""
        there = self._circuits.get(circuit)
        if there is None or there.send_at is None or now < there.send_at or self.lsp is None:
            return []
        there.send_at = now + RESEND_INTERVAL
        lifetime = max(1, MAX_AGE - int(now - self._issued_at))
        octets = self.lsp.octets
        return [octets[:_LIFETIME_AT] + lifetime.to_bytes(2, "big") + octets[_LIFETIME_AT + 2 :]]

    def _go_on_behind(self, sequence: int, now: float) -> None:
        """Issue a newer one than somebody holds; say nothing before that."""
        self._sequence = sequence
        for circuit in self._circuits.values():
            circuit.send_at = None
        if sequence == MAX_SEQUENCE:
            self._issue_at = now + MAX_AGE + ZERO_AGE_LIFETIME
        else:
            self._hurry(now)

    def _hurry(self, now: float) -> None:
        """Issue soon, unless we have to be silent."""
        if self._sequence < MAX_SEQUENCE:
            due = max(now, self._issued_at + MIN_ISSUE_INTERVAL)
            self._issue_at = due if self._issue_at is None else min(self._issue_at, due)


def _overloaded(template: Lsp) -> Lsp:
    return replace(template, flags=replace(template.flags, overload=True), lifetime=MAX_AGE)


def own_template(
    system_id: bytes, areas: tuple[bytes, ...], addresses: tuple[bytes, ...], protocols: tuple[int, ...], hostname: str
) -> Lsp:
    """Return what our LSP says whatever happens; the name is cut to what others read (RFC 5301)."""
    return Lsp(
        lsp_id=system_id + b"\0\0",
        sequence=0,
        lifetime=MAX_AGE,
        checksum=0,
        flags=LspFlags(overload=True),
        areas=areas,
        protocols=protocols,
        hostname=hostname.encode("ascii", "replace")[:255].decode("ascii"),
        addresses=addresses,
    )
