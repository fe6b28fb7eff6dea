"""The link-state database of one level: what every system says of itself, as far as our neighbours tell us.

An LSP is replaced by a newer one of the same id, ages, and when its time is over, or its system says so, its header
alone stays for a while, so that no old copy of it comes back (ISO/IEC 10589 section 7.3.16). A listener believes what
it hears: of two LSPs with the same number and different contents it keeps the later one, where a router would have the
system issue another (clause 7.3.16.2), because its database has to be that of its neighbour. For the same reason what
is held may be doubted, when there was nobody to hear changes from: of a doubted LSP the next copy counts whatever its
number, as when the systems of a small network have all begun anew.

Time is `now`, in monotonic seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from routed.rib._untrack import untrack
from routed.wire.isis.codepoints import NODE_OCTETS, SYSTEM_ID_OCTETS
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.tlv import LspEntry

#: How long the header of an LSP stays whose time is over (ISO/IEC 10589, ZeroAgeLifetime). Units: seconds.
ZERO_AGE_LIFETIME: Final = 60.0
#: LSPs that are held: more than six for each system of the largest networks that are known to run one level.
MAX_LSPS: Final = 65_536
#: What all LSPs say together, in neighbours, prefixes and other values of 200 to 300 octets each: up to 300 MB.
MAX_CONTENTS: Final = 1_000_000
_VALUE_OCTETS: Final = 200


class Taken(Enum):
    """What became of an LSP."""

    NEW = auto()  # there was none, or only the header of one
    CHANGED = auto()  # newer than what was held, with other contents
    REFRESHED = auto()  # newer, and says the same
    PURGED = auto()  # its system, or somebody for it, takes it back
    SAME = auto()
    OLDER = auto()  # than what is held, which stays
    UNKNOWN = auto()  # the end of an LSP that was not held
    REFUSED = auto()  # there is no room for it


class Age(Enum):
    """How what somebody else holds of an LSP compares to what is held here."""

    NEWER = auto()
    SAME = auto()
    OLDER = auto()


@dataclass(slots=True)
class Held:
    """An LSP, and when its time is over; after that its header alone, until `gone_at`."""

    lsp: Lsp
    expires_at: float
    gone_at: float | None = None

    def lifetime(self, now: float) -> int:
        """Return the seconds that are left, never 0 for what is not over."""
        return 0 if self.gone_at is not None else max(1, round(self.expires_at - now))


class Lsdb:
    """LSPs by id.

    `version` changes when a calculation of paths may come to something else.
    """

    def __init__(self) -> None:
        self.version = 0
        self.contents = 0  # what all LSPs say together
        self._held: dict[bytes, Held] = {}
        self._doubted: set[bytes] = set()
        self._next_age: float | None = None
        self._names: tuple[int, Mapping[bytes, str]] = (0, {})  # of a version

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        """Iterate over all, those whose time is over among them, in no order."""
        return iter(list(self._held.values()))

    def get(self, lsp_id: bytes) -> Held | None:
        """Return what is held of an LSP."""
        return self._held.get(lsp_id)

    def live(self) -> tuple[Lsp, ...]:
        """Return the LSPs whose time is not over, for a calculation that may take place in another thread."""
        return tuple(held.lsp for held in self._held.values() if held.gone_at is None)

    def hostnames(self) -> Mapping[bytes, str]:
        """Return the names of systems (RFC 5301), by system id; the lowest fragment that has one says it."""
        if self._names[0] != self.version:
            named = sorted(
                (lsp.lsp_id, lsp.hostname) for lsp in self.live() if lsp.hostname and not lsp.lsp_id[SYSTEM_ID_OCTETS]
            )
            names = {lsp_id[:SYSTEM_ID_OCTETS]: name for lsp_id, name in reversed(named)}
            self._names = self.version, names
        return self._names[1]

    def entry(self, held: Held, now: float) -> LspEntry:
        """Return what a CSNP or PSNP says of an LSP."""
        return LspEntry(held.lifetime(now), held.lsp.lsp_id, held.lsp.sequence, held.lsp.checksum)

    def compare(self, entry: LspEntry) -> Age:
        """Tell how what somebody else holds compares to what is held here (ISO/IEC 10589 section 7.3.16)."""
        held = self._held.get(entry.lsp_id)
        if held is None:
            return Age.NEWER
        return self._compare(held, entry.sequence, entry.lifetime, entry.checksum)

    def take(self, lsp: Lsp, now: float) -> Taken:
        """Take an LSP in whose checksum is right, or whose time is over."""
        held = self._held.get(lsp.lsp_id)
        if held is None:
            return self._add(lsp, now) if lsp.lifetime else Taken.UNKNOWN
        age = self._compare(held, lsp.sequence, lsp.lifetime, lsp.checksum)
        self._doubted.discard(lsp.lsp_id)
        if age is not Age.NEWER:
            return Taken.SAME if age is Age.SAME else Taken.OLDER
        if not lsp.lifetime:
            was_over = held.gone_at is not None
            self._end(held, lsp, now)
            return Taken.SAME if was_over else Taken.PURGED
        return self._replace(held, lsp, now)

    def purge(self, lsp_id: bytes, now: float) -> None:
        """End what is held of an LSP: it stays as a header for its time."""
        held = self._held.get(lsp_id)
        if held is not None and held.gone_at is None:
            self._end(held, held.lsp, now)

    def doubt(self) -> None:
        """Doubt what is held."""
        self._doubted = set(self._held)

    def counted(self, lsp_id: bytes) -> Held | None:
        """Return what is held of an LSP and not doubted."""
        return None if lsp_id in self._doubted else self._held.get(lsp_id)

    def deadline(self) -> float | None:
        """Return when `age` wants to be called, None for never; it may come earlier than something is due."""
        return self._next_age

    def age(self, now: float) -> list[Lsp]:
        """End what is too old and forget what has been over for long enough; return the LSPs that ended."""
        if self._next_age is None or now < self._next_age:
            return []
        ended = []
        for lsp_id, held in list(self._held.items()):
            if held.gone_at is None and held.expires_at <= now:
                ended.append(held.lsp)
                self._end(held, held.lsp, now)
            elif held.gone_at is not None and held.gone_at <= now:
                del self._held[lsp_id]
                self._doubted.discard(lsp_id)
        self._next_age = min(
            (held.expires_at if held.gone_at is None else held.gone_at for held in self._held.values()), default=None
        )
        return ended

    def _compare(self, held: Held, sequence: int, lifetime: int, checksum: int) -> Age:
        age = _compare(held, sequence, lifetime, checksum)
        return Age.NEWER if age is Age.OLDER and held.lsp.lsp_id in self._doubted else age

    def _add(self, lsp: Lsp, now: float) -> Taken:
        if len(self._held) >= MAX_LSPS or self.contents + _contents(lsp) > MAX_CONTENTS:
            return Taken.REFUSED
        untrack(_parts(lsp))
        self._held[lsp.lsp_id] = Held(lsp, self._due(now + lsp.lifetime))
        self.contents += _contents(lsp)
        self.version += 1
        return Taken.NEW

    def _replace(self, held: Held, lsp: Lsp, now: float) -> Taken:
        was_over = held.gone_at is not None
        says_the_same = not was_over and says(held.lsp) == says(lsp)
        contents = self.contents + _contents(lsp) - (0 if was_over else _contents(held.lsp))
        if contents > MAX_CONTENTS:
            self._end(held, lsp, now)  # what was held is not so any more
            return Taken.REFUSED
        self.contents = contents
        untrack(_parts(lsp))
        held.lsp, held.expires_at, held.gone_at = lsp, self._due(now + lsp.lifetime), None
        if says_the_same:
            return Taken.REFRESHED
        self.version += 1
        return Taken.NEW if was_over else Taken.CHANGED

    def _end(self, held: Held, lsp: Lsp, now: float) -> None:
        """Keep the header alone."""
        if held.gone_at is None:
            self.contents -= _contents(held.lsp)
            self.version += 1
        held.lsp = Lsp(lsp_id=lsp.lsp_id, sequence=lsp.sequence, lifetime=0, checksum=lsp.checksum, level=lsp.level)
        held.gone_at = self._due(now + ZERO_AGE_LIFETIME)

    def _due(self, when: float) -> float:
        if self._next_age is None or when < self._next_age:
            self._next_age = when
        return when


def says(lsp: Lsp) -> tuple[object, ...]:
    """Return everything that paths, names and answers are made of."""
    return (
        lsp.flags,
        lsp.neighbors,
        lsp.prefixes,
        lsp.topologies,
        lsp.hostname,
        lsp.addresses,
        lsp.router_id,
        lsp.areas,
        lsp.protocols,
    )


def node_of(lsp_id: bytes) -> bytes:
    """Return whose LSP it is: system id and number of the pseudonode."""
    return lsp_id[:NODE_OCTETS]


def _parts(lsp: Lsp) -> Iterator[object]:
    """Go through the values that an LSP is made of."""
    yield from (lsp, lsp.flags, lsp.neighbors, lsp.prefixes)
    yield from lsp.neighbors
    yield from lsp.prefixes
    for reach in lsp.prefixes:
        yield reach.prefix
    yield from lsp.topologies
    yield from lsp.unknown


def _contents(lsp: Lsp) -> int:
    """Return how much memory an LSP takes, in values; nothing in it is so many or so long that it does not count."""
    reached, said = (lsp.neighbors, lsp.prefixes), (lsp.addresses, lsp.topologies, lsp.areas, lsp.protocols)
    unread = (lsp.unknown, lsp.malformed)
    octets = len(lsp.octets) + len(lsp.hostname)
    return sum(map(len, (*reached, *said, *unread))) + octets // _VALUE_OCTETS


def _compare(held: Held, sequence: int, lifetime: int, checksum: int) -> Age:
    """Compare somebody else's copy of an LSP with ours.

    A higher number is newer; of two with the same, one whose time is over is; then another checksum is.
    """
    ours = held.lsp
    if sequence != ours.sequence:
        return Age.NEWER if sequence > ours.sequence else Age.OLDER
    is_over = held.gone_at is not None
    if is_over or not lifetime:
        return Age.SAME if is_over and not lifetime else Age.OLDER if is_over else Age.NEWER
    return Age.SAME if checksum == ours.checksum else Age.NEWER
