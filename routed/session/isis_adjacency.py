"""One adjacency of level 2 on a point-to-point circuit.

Implements ISO/IEC 10589 section 8.2 and, where the neighbour has it, the three-way handshake of RFC 5303. Octets are
whole PDUs, without what the link puts around them; `take_outbox` returns PDUs.

We are of level 2 alone, so areas need not match (ISO/IEC 10589 section 8.2.4.2, table 6). A neighbour that restarts
says that it is down, or that it is up with what we were before we restarted; either way the adjacency begins anew.
Departs: we are no helper of graceful restarts (RFC 8706). A helper has to fill the neighbour's database, and we send
nothing of others.

Hellos are sent when they are due, and at once when the state has changed: a handshake needs no hello interval, and what
is sent because an adjacency is up comes behind the hello that makes it so for the neighbour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from routed.model.event import Event
from routed.model.isis_event import (
    AdjacencyDown,
    AdjacencyUp,
    CsnpReceived,
    LspReceived,
    PduRefused,
    PsnpReceived,
    Refusal,
)
from routed.octets import WireError
from routed.session.allowance import Allowance
from routed.wire.isis.authentication import Key, is_authentic
from routed.wire.isis.codepoints import AdjacencyState, CircuitType, PduType, TlvType
from routed.wire.isis.header import cut_pdu
from routed.wire.isis.hello import P2pHello, decode_p2p_hello, encode_p2p_hello
from routed.wire.isis.lsp import decode_lsp
from routed.wire.isis.names import format_system_id
from routed.wire.isis.snp import decode_csnp, decode_psnp
from routed.wire.isis.three_way import ThreeWay

#: Hellos that may be sent at once because the state has changed, of which there is another one every second: enough
#: for a handshake, and not for a neighbour that wants to make us talk.
PROMPT_HELLOS: Final = 3
#: Times that an adjacency may come up as soon as it can; later ones wait. Each is told to the log, to the neighbour and
#: to whoever calculates routes.
PROMPT_UPS: Final = 3
UPS_PER_SECOND: Final = 0.2
#: How long our last hello holds, in seconds: FRR hears in it that we are down, and counts us as up until it is over.
FAREWELL_HOLD_TIME: Final = 1
#: By how much a hello may be early, as a part of the interval (ISO/IEC 10589 section 10.1).
JITTER: Final = 0.25

_DOWN, _INITIALIZING, _UP = AdjacencyState.DOWN, AdjacencyState.INITIALIZING, AdjacencyState.UP

#: By our state and the one that the neighbour sees: our next one (RFC 5303 section 3.2).
STEPS: Final[Mapping[tuple[AdjacencyState, AdjacencyState], AdjacencyState]] = {
    (_DOWN, _DOWN): _INITIALIZING,
    (_DOWN, _INITIALIZING): _UP,
    (_DOWN, _UP): _DOWN,  # it has not noticed that we were gone
    (_INITIALIZING, _DOWN): _INITIALIZING,
    (_INITIALIZING, _INITIALIZING): _UP,
    (_INITIALIZING, _UP): _UP,
    (_UP, _DOWN): _INITIALIZING,  # it was gone
    (_UP, _INITIALIZING): _UP,
    (_UP, _UP): _UP,
}

#: PDUs that are not for us, whoever sends them.
_FOREIGN: Final[Mapping[PduType, Refusal]] = {
    PduType.LAN_HELLO_1: Refusal.LAN,
    PduType.LAN_HELLO_2: Refusal.LAN,
    PduType.LSP_1: Refusal.LEVEL_1,
    PduType.CSNP_1: Refusal.LEVEL_1,
    PduType.PSNP_1: Refusal.LEVEL_1,
}

#: What the other ones of an adjacency become.
_READ: Final[Mapping[PduType, Callable[[bytes], Event]]] = {
    PduType.LSP_2: lambda octets: LspReceived(decode_lsp(octets)),
    PduType.CSNP_2: lambda octets: CsnpReceived(decode_csnp(octets)),
    PduType.PSNP_2: lambda octets: PsnpReceived(decode_psnp(octets)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSettings:
    """What we say on a circuit, and whom we believe there.

    `mtu` is the largest PDU, to which hellos are padded. The first key of each sort signs, all of them are believed;
    without keys nothing is signed and everything believed. Units: octets, seconds.
    """

    system_id: bytes
    areas: tuple[bytes, ...]
    addresses: tuple[bytes, ...] = ()
    protocols: tuple[int, ...] = ()
    mtu: int
    is_padded: bool = True
    hello_interval: float = 10.0
    hello_multiplier: int = 3
    circuit_id: int = 1
    hello_keys: tuple[Key, ...] = ()
    domain_keys: tuple[Key, ...] = field(default=())  # of LSPs and sequence numbers PDUs

    @property
    def hold_time(self) -> int:
        """How long the neighbour believes a hello of ours."""
        return round(self.hello_interval * self.hello_multiplier)


class RefusedError(Exception):
    """A PDU does not count."""

    def __init__(self, why: Refusal, text: str) -> None:
        super().__init__(why, text)
        self.why, self.text = why, text


class IsisAdjacency:
    """The state of one circuit.

    Args:
        jitter: returns a number from 0 to 1.
    """

    def __init__(self, settings: CircuitSettings, jitter: Callable[[], float] = float) -> None:
        self.state = _DOWN
        self.neighbor: P2pHello | None = None  # its last hello that counted
        self._settings, self._jitter = settings, jitter
        self._hello_due: float | None = None
        self._prompt = Allowance(PROMPT_HELLOS, 1.0)
        self._ups = Allowance(PROMPT_UPS, UPS_PER_SECOND)
        self._hold_ends: float | None = None
        self._outbox: list[bytes] = []

    # -- the session contract, in PDUs ------------------------------------------------------------------------------

    def start(self, now: float) -> list[Event]:
        """Begin: the link is there."""
        self._hello_due = now
        return self.timeout(now)

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take in one PDU; what stands behind its end is not looked at."""
        try:
            events = self._receive(octets, now)
        except RefusedError as refused:
            return [PduRefused(refused.why, refused.text)]
        except WireError as error:
            return [PduRefused(Refusal.MALFORMED, str(error))]
        if self._hello_due is not None and now >= self._hello_due:
            self._say_hello(now)
        return events

    def timeout(self, now: float) -> list[Event]:
        """Say hello, or give a silent neighbour up."""
        events: list[Event] = []
        if self._hold_ends is not None and now >= self._hold_ends:
            assert self.neighbor is not None, "there was a hello"
            events = self._lose(f"no hello came for {self.neighbor.hold_time} s", now)
        if self._hello_due is not None and now >= self._hello_due:
            self._say_hello(now)
        return events

    def stop(self, now: float) -> list[Event]:
        """Leave: the neighbour hears that we are down, and nothing is sent any more."""
        events = self._lose("shut down", now)
        if self._hello_due is not None:
            self._say_hello(now, FAREWELL_HOLD_TIME)
        self._hello_due = None
        return events

    def link_lost(self, reason: str, now: float) -> list[Event]:
        """Learn that the link is gone; `start` when it is there again."""
        events = self._lose(reason, now)
        self._hello_due = None
        self._outbox.clear()
        return events

    def settle(self, settings: CircuitSettings, now: float) -> None:
        """Go on with other keys and intervals; the neighbour hears of them soon."""
        self._settings = settings
        self._hurry(now)

    def deadline(self) -> float | None:
        """Return when `timeout` wants to be called, None for never."""
        return min((due for due in (self._hello_due, self._hold_ends) if due is not None), default=None)

    def take_outbox(self) -> list[bytes]:
        """Return, once, the PDUs to send."""
        outbox, self._outbox = self._outbox, []
        return outbox

    # -- PDUs -------------------------------------------------------------------------------------------------------

    def _receive(self, octets: bytes, now: float) -> list[Event]:
        kind, pdu = cut_pdu(octets)
        if kind in _FOREIGN:
            raise RefusedError(_FOREIGN[kind], kind.name)
        is_hello = kind is PduType.P2P_HELLO
        keys = self._settings.hello_keys if is_hello else self._settings.domain_keys
        if keys and not is_authentic(kind, pdu, keys):
            raise RefusedError(Refusal.UNAUTHENTIC, kind.name)
        if is_hello:
            return self._take_hello(decode_p2p_hello(pdu), len(pdu), now)
        if self.state is not _UP:
            raise RefusedError(Refusal.NO_ADJACENCY, kind.name)
        return [_READ[kind](pdu)]

    def _take_hello(self, hello: P2pHello, octets: int, now: float) -> list[Event]:
        self._check(hello)
        events: list[Event] = []
        if self.neighbor is not None and self.neighbor.source != hello.source:
            events += self._lose(f"the neighbor is {format_system_id(hello.source)} now", now)
        if not hello.hold_time:
            return events + self._lose("its hold time is 0", now)
        before = self.state
        after = _UP if hello.three_way is None else STEPS[before, hello.three_way.state]
        if before is _UP and after is not _UP:
            events += self._lose("the neighbor restarted", now)
        if after is _UP and before is not _UP:
            if self._ups.wait(now):  # the next hello asks again
                after = self.state
                events.append(PduRefused(Refusal.TOO_OFTEN, format_system_id(hello.source)))
            else:
                self._ups.take(now)
        self.state, self.neighbor, self._hold_ends = after, hello, now + hello.hold_time
        if after is not before or after is not _UP:
            self._hurry(now)
        if after is _UP and before is not _UP:
            events.append(_up(hello, octets))
        return events

    def _check(self, hello: P2pHello) -> None:
        """Refuse a hello that is not of a neighbour of level 2, or not for us."""
        settings, source = self._settings, format_system_id(hello.source)
        if hello.source == settings.system_id:
            raise RefusedError(Refusal.OWN, source)
        if hello.circuit_type is CircuitType.RESERVED:
            raise RefusedError(Refusal.MALFORMED, "circuit type 0 is reserved")
        if hello.circuit_type is CircuitType.LEVEL_1:
            raise RefusedError(Refusal.LEVEL_1, f"hello of {source}")
        if TlvType.THREE_WAY_ADJACENCY in hello.malformed:  # it would be mistaken for a neighbour without
            raise RefusedError(Refusal.MALFORMED, f"three-way adjacency in a hello of {source}")
        three_way = hello.three_way
        if three_way is None:
            return
        is_other = three_way.neighbor not in (None, settings.system_id)
        if is_other or three_way.neighbor_circuit_id not in (None, settings.circuit_id):
            raise RefusedError(Refusal.ELSEWHERE, f"{source} hears {format_system_id(three_way.neighbor or b'')}")

    def _lose(self, reason: str, now: float) -> list[Event]:
        """Be without a neighbour."""
        was_up, neighbor = self.state is _UP, self.neighbor
        self.state, self.neighbor, self._hold_ends = _DOWN, None, None
        if neighbor is None or not was_up:
            return []
        self._hurry(now)
        return [AdjacencyDown(neighbor.source, reason)]

    # -- hellos -----------------------------------------------------------------------------------------------------

    def _hurry(self, now: float) -> None:
        """Say the next hello now, or as soon as there may be one again."""
        due = now + self._prompt.wait(now)
        if self._hello_due is not None and due < self._hello_due:
            self._prompt.take(now)
            self._hello_due = due

    def _say_hello(self, now: float, hold_time: int | None = None) -> None:
        settings = self._settings
        hello = P2pHello(
            circuit_type=CircuitType.LEVEL_2,
            source=settings.system_id,
            hold_time=settings.hold_time if hold_time is None else hold_time,
            local_circuit_id=settings.circuit_id & 0xFF,
            areas=settings.areas,
            protocols=settings.protocols,
            addresses=settings.addresses,
            three_way=self._three_way(),
        )
        key = settings.hello_keys[0] if settings.hello_keys else None
        self._outbox.append(encode_p2p_hello(hello, key, settings.mtu if settings.is_padded else 0))
        self._hello_due = now + settings.hello_interval * (1 - JITTER * self._jitter())

    def _three_way(self) -> ThreeWay:
        circuit_id, neighbor = self._settings.circuit_id, self.neighbor
        if self.state is _DOWN or neighbor is None:
            return ThreeWay(_DOWN, circuit_id)
        theirs = None if neighbor.three_way is None else neighbor.three_way.circuit_id
        return ThreeWay(self.state, circuit_id, neighbor.source, theirs)


def _up(hello: P2pHello, octets: int) -> AdjacencyUp:
    return AdjacencyUp(
        system_id=hello.source,
        areas=hello.areas,
        addresses=hello.addresses,
        protocols=hello.protocols,
        hold_time=hello.hold_time,
        mtu=octets,
        is_three_way=hello.three_way is not None,
    )
