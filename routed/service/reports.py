"""What the log says about peers: one row a line, in the words that operators of pmacct search for.

Ours are the lines that the reference has no words for: why we ended a session, and capabilities it does not know.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from routed.model.event import Event, NotificationReceived, OpenReceived, PeerUp, SessionDown
from routed.plumbing.log import Level, Log
from routed.service.other_families import not_stored
from routed.wire.bgp.capability import (
    AddPath,
    BgpRole,
    Capability,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    RouteRefresh,
    SoftwareVersion,
)
from routed.wire.bgp.codepoints import ErrorCode
from routed.wire.bgp.open import OpenMessage

#: Capability lines of one OPEN; a stranger's extended OPEN could hold thousands.
MAX_CAPABILITY_LINES: Final = 64


class Line(Enum):
    """The lines."""

    WAITING = auto()
    MAX_PEERS = auto()
    NOT_ALLOWED = auto()
    THROTTLING = auto()
    NO_SLOT = auto()
    DUPLICATE = auto()
    DUPLICATE_ROUTER_ID = auto()
    REPLENISHING = auto()
    USAGE = auto()
    CAPABILITY = auto()
    OPEN = auto()
    FAMILIES = auto()
    NOTIFICATION_RECEIVED = auto()
    SHUTDOWN_RECEIVED = auto()
    RESET_BY_PEER = auto()
    CLOSED = auto()
    CLOSED_ON_ERROR = auto()
    UNINTRODUCED = auto()
    TERMINATED = auto()
    DISCARDED = auto()
    NEIGHBORS_FILE = auto()
    MD5 = auto()
    XCONNECT_MISSING = auto()
    XCONNECT_EXISTS = auto()
    XCONNECT_UNREACHABLE = auto()
    XCONNECT_USAGE = auto()
    XCONNECT_NOTIFICATION = auto()
    XCONNECT_RESET = auto()
    XCONNECT_CLOSED = auto()


class Report(NamedTuple):
    """How one line reads."""

    level: Level
    text: str
    at_most_per_minute: int | None = None  # for lines that a stranger can cause at will


REPORTS: Final[Mapping[Line, Report]] = {
    Line.WAITING: Report(Level.INFO, "waiting for {protocol} data on interface={interface} ip={ip} port={port}/tcp"),
    Line.MAX_PEERS: Report(Level.INFO, "maximum {protocol} peers allowed: {max_peers}"),
    Line.NOT_ALLOWED: Report(Level.INFO, "peer '{peer}' not allowed. close()", 60),
    Line.THROTTLING: Report(Level.INFO, "throttling at {protocol} peer #{slot}", 60),
    Line.NO_SLOT: Report(
        Level.WARN,
        "Insufficient number of {protocol} peers has been configured by '{prefix}_daemon_max_peers' ({max_peers})",
        6,
    ),
    Line.DUPLICATE: Report(
        Level.WARN, "[{peer}] Refusing new connection from existing peer (residual holdtime: {residual})", 60
    ),
    Line.DUPLICATE_ROUTER_ID: Report(Level.WARN, "[{peer}] Refusing new connection from existing Router-ID.", 60),
    Line.REPLENISHING: Report(Level.INFO, "[{peer}] Replenishing stale connection by peer."),
    Line.USAGE: Report(Level.INFO, "[{peer}] {protocol} peers usage: {in_use}/{max_peers}"),
    Line.CAPABILITY: Report(Level.INFO, "[{peer}] Capability: {capability}"),
    Line.OPEN: Report(
        Level.INFO, "[{peer}] BGP_OPEN: Local AS: {local_as} Remote AS: {remote_as} HoldTime: {hold_time}"
    ),
    Line.FAMILIES: Report(Level.INFO, "[{peer}] offered, but not stored and so not agreed: {families}"),
    Line.NOTIFICATION_RECEIVED: Report(Level.INFO, "[{peer}] BGP_NOTIFICATION received ({code}, {subcode})."),
    Line.SHUTDOWN_RECEIVED: Report(
        Level.INFO, "[{peer}] BGP_NOTIFICATION received ({code}, {subcode}). Shutdown Message: '{text}'"
    ),
    Line.RESET_BY_PEER: Report(Level.INFO, "[{peer}] {protocol} connection reset by peer ({errno})."),
    Line.CLOSED: Report(Level.INFO, "[{peer}] BGP session closed{reason}, NOTIFICATION sent: {sent}"),
    Line.CLOSED_ON_ERROR: Report(Level.WARN, "[{peer}] BGP session closed{reason}, NOTIFICATION sent: {sent}", 600),
    Line.UNINTRODUCED: Report(Level.INFO, "[{peer}] {reason}. close()", 60),
    Line.TERMINATED: Report(Level.INFO, "[{peer}] {reason}. Closing up."),
    Line.DISCARDED: Report(Level.INFO, "[{peer}] [{message}] packet discarded: {reason}", 1),
    Line.NEIGHBORS_FILE: Report(Level.WARN, "bgp_neighbors_file: {problem}", 6),
    Line.MD5: Report(Level.WARN, "{prefix}_daemon_md5_file: {problem}"),
    Line.XCONNECT_MISSING: Report(
        Level.WARN, "[{peer}] unable to xconnect BGP peer. Missing entry in bgp_daemon_xconnect_map", 60
    ),
    Line.XCONNECT_EXISTS: Report(Level.WARN, "[{peer}] Refusing new incoming connection for existing BGP xconnect", 60),
    Line.XCONNECT_UNREACHABLE: Report(Level.WARN, "[{pair}] unable to connect to BGP collector: {reason}", 60),
    Line.XCONNECT_USAGE: Report(Level.INFO, "[{pair}] BGP xconnects usage: {in_use}/{max_peers}"),
    Line.XCONNECT_NOTIFICATION: Report(
        Level.INFO, "[{pair}] BGP_NOTIFICATION received from {end} peer ({code}, {subcode}).{shutdown}"
    ),
    Line.XCONNECT_RESET: Report(Level.INFO, "[{pair}] recv(): BGP xconnect reset by {end} peer ({errno})"),
    Line.XCONNECT_CLOSED: Report(
        Level.INFO,
        "[{pair}] BGP xconnect closed: {reason}. src to dst: {messages} messages, {octets} octets. "
        "dst to src: {messages_back} messages, {octets_back} octets",
    ),
}


class Reporter:
    """Writes the lines of the table, of one protocol."""

    def __init__(self, log: Log, protocol: str = "BGP") -> None:
        self._log = log
        self._common = {"protocol": protocol, "prefix": protocol.lower()}

    def say(self, line: Line, **facts: object) -> None:
        """Write one line."""
        level, text, at_most = REPORTS[line]
        text, facts = text.format(**self._common, **facts), _named(line, facts)
        if at_most is None:
            self._log.write(level, text, facts=facts)
        else:
            self._log.write_limited(line.name, at_most, level, text, facts=facts)

    def say_of(self, who: str, line: Line, facts: Mapping[str, object]) -> None:
        """Write one line that is limited for everybody it is about."""
        level, text, at_most = REPORTS[line]
        assert at_most is not None, "only such lines"
        text = text.format(**self._common, **facts)
        self._log.write_limited(f"{line.name} {who}", at_most, level, text, facts=_named(line, facts))

    def event(self, peer: str, event: Event) -> None:
        """Write what an event of a session is worth."""
        match event:
            case OpenReceived(open_message=message):
                for capability in describe_capabilities(message):
                    self.say(Line.CAPABILITY, peer=peer, capability=capability)
            case PeerUp(local_open=local, remote_open=remote):
                self.say(Line.OPEN, peer=peer, local_as=local.asn, remote_as=remote.asn, hold_time=event.hold_time)
                if others := not_stored(offer.family for offer in remote.having(Multiprotocol)):
                    self.say(Line.FAMILIES, peer=peer, families=others)
            case NotificationReceived(code=code, subcode=subcode, shutdown_text=text):
                line = Line.NOTIFICATION_RECEIVED if text is None else Line.SHUTDOWN_RECEIVED
                self.say(line, peer=peer, code=int(code), subcode=int(subcode), text=text)
            case _:
                """Other events are counted."""

    def down(self, peer: str, down: SessionDown, errno: int | None) -> None:
        """Write why a session ended, unless the peer's NOTIFICATION or an earlier line already said so.

        `errno` is how the peer ended the stream, None when we did.
        """
        if down.notification_received is not None:
            return
        if down.notification_sent is None:
            if errno is not None:
                self.say(Line.RESET_BY_PEER, peer=peer, errno=errno)
            return
        line = Line.CLOSED if down.notification_sent.code == ErrorCode.CEASE else Line.CLOSED_ON_ERROR
        sent = str(down.notification_sent)
        reason = "" if down.reason == sent else f": {down.reason}"
        self.say(line, peer=peer, reason=reason, sent=sent)


def _named(line: Line, facts: Mapping[str, object]) -> dict[str, object]:
    return {"event": line.name.lower(), **facts}


def describe_capabilities(message: OpenMessage) -> Iterator[str]:
    """Describe the capabilities of an OPEN in wire order, one line each, as many as fit."""
    lines = [line for capability in message.capabilities for line in describe_capability(capability)]
    yield from lines[:MAX_CAPABILITY_LINES]
    if len(lines) > MAX_CAPABILITY_LINES:
        yield f"and {len(lines) - MAX_CAPABILITY_LINES} more"


def describe_capability(capability: Capability) -> Iterable[str]:
    """Describe one capability; nothing for those nobody asked about."""
    describe = _DESCRIBE.get(type(capability))
    return () if describe is None else describe(capability)


def _text(octets: bytes) -> str:
    return octets.decode(errors="backslashreplace")


_DESCRIBE: Final[Mapping[type[Capability], Callable[..., Iterable[str]]]] = {
    Multiprotocol: lambda c: [f"MultiProtocol [1] AFI [{c.family.afi}] SAFI [{c.family.safi}]"],
    RouteRefresh: lambda _c: ["Route Refresh [2]"],
    ExtendedNextHop: lambda c: [
        f"Extended Next Hop Encoding [5] AFI [{family.afi}] SAFI [{family.safi}] Next Hop AFI [{next_hop_afi}]"
        for family, next_hop_afi in c.encodings
    ],
    ExtendedMessage: lambda _c: ["Extended Message [6]"],
    BgpRole: lambda c: [f"BGP Role [9] ROLE [{c.role}]"],
    GracefulRestart: lambda c: [f"Graceful Restart [64] RESTART_TIME [{c.restart_time}]"],
    FourOctetAs: lambda c: [f"4-bytes AS [65] ASN [{c.asn}]"],
    AddPath: lambda c: [
        f"ADD-PATHs [69] AFI [{family.afi}] SAFI [{family.safi}] SEND_RECEIVE [{send_receive}]"
        for family, send_receive in c.offers
    ],
    EnhancedRouteRefresh: lambda _c: ["Enhanced Route Refresh [70]"],
    LongLivedGracefulRestart: lambda c: [
        f"Long-Lived Graceful Restart [71] AFI [{family.afi}] SAFI [{family.safi}] STALE_TIME [{stale_time}]"
        for family, _preserved, stale_time in c.families
    ],
    Fqdn: lambda c: [f"FQDN [73] HOSTNAME [{_text(c.host_name)}] DOMAIN [{_text(c.domain_name)}]"],
    SoftwareVersion: lambda c: [f"Software Version [75] VERSION [{_text(c.version)}]"],
}
