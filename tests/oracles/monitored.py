"""What the Route Monitoring messages of one router mean, the slow and obvious way: the oracle of the compiled run.

A message is decoded whole, its UPDATE is judged, and its routes go into a dictionary for each RIB.

Sources: RFC 7854 4.2 and 4.6, draft-ietf-grow-bmp-tlv 4 and 5.2, and the oracle of UPDATEs.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from routed.octets import WireError
from routed.wire.bgp.capability import FourOctetAs
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.monitoring import RouteMonitoring
from routed.wire.bmp.tlv import G_BIT
from tests.oracles import attributes as a
from tests.oracles.as_path import MalformedPathError, read_path
from tests.oracles.attributes import Context, Verdict
from tests.oracles.nlri import Family
from tests.oracles.rib import Key, Route
from tests.oracles.rows import Style, route_fields
from tests.oracles.update import Judgement, judge, split_attributes

HEADER_OCTETS, PEER_OCTETS, RIB_OCTETS = 6, 42, 26
BGP_PDU, GROUP, STATELESS_PARSING = 4, 2, 1
MOST_MARKS = 512


class Agreed(NamedTuple):
    """How the UPDATEs of a RIB are to be read when they do not say themselves; all of a peer that is up."""

    as4: bool = True
    guesses_as4: bool = False
    add_path: frozenset[Family] = frozenset()


class Shown(NamedTuple):
    """A route, and what the router said about it besides."""

    route: Route
    marks: bytes


@dataclass(slots=True)
class ExpectedRib:
    """One RIB and what came to it."""

    agreed: Agreed
    routes: dict[Key, Shown] = field(default_factory=dict)
    add_path: dict[Family, bool] = field(default_factory=dict)  # of families that had routes
    announced: int = 0  # changed or not
    unchanged: int = 0
    withdrawn: int = 0
    unknown: int = 0


@dataclass(slots=True)
class ExpectedRouter:
    """All RIBs of a router. `agreed_of`: 42 octets of a per-peer header -> what was agreed, None for no such peer."""

    agreed_of: Callable[[bytes], Agreed | None]
    style: Style = field(default_factory=Style)
    ribs: dict[bytes, ExpectedRib] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    end_of_ribs: int = 0
    orphans: int = 0
    malformed: int = 0
    gone: int = 0  # routes of tables whose path identifiers came or went

    def take(self, octets: bytes) -> None:
        """Take one message."""
        try:
            message = decode_message(octets)
        except WireError:
            self.malformed += 1
            return
        assert isinstance(message, RouteMonitoring)
        header = octets[HEADER_OCTETS : HEADER_OCTETS + PEER_OCTETS]
        rib = self._rib(header, message)
        if rib is None:
            self.orphans += 1
            return
        judgement = judge(message.update, self._context(rib, message))
        if judgement.verdict == Verdict.SESSION_RESET:
            self.malformed += 1
        else:
            self._apply(rib, header, message, judgement)

    def _rib(self, header: bytes, message: RouteMonitoring) -> ExpectedRib | None:
        key = header[:RIB_OCTETS]
        if key not in self.ribs:
            agreed = self.agreed_of(header)
            if agreed is None and message.capabilities is not None:
                agreed = Agreed(as4=not message.peer.is_legacy_as_path)
            if agreed is not None:
                self.ribs[key] = ExpectedRib(agreed)
        return self.ribs.get(key)

    def _context(self, rib: ExpectedRib, message: RouteMonitoring) -> Context:
        as4, guesses, add_path = rib.agreed
        if message.capabilities is not None and message.add_path is not None:
            as4 = not message.peer.is_legacy_as_path
            says_as4 = any(isinstance(capability, FourOctetAs) for capability in message.capabilities)
            guesses = guesses or as4 != says_as4
            add_path = frozenset((int(afi), int(safi)) for afi, safi in message.add_path)
        as4 = looks_as4(message.update, as4) if guesses else as4
        return Context(as4=as4, external=False, add_path=add_path, monitored=True)

    def _apply(self, rib: ExpectedRib, header: bytes, message: RouteMonitoring, judgement: Judgement) -> None:
        for number, operation in enumerate(judgement.operations, 1):
            nlri = operation.nlri
            self._exchange(rib, nlri.family, nlri.path_id is not None)
            before = rib.routes.get(nlri.key())
            if operation.attributes is not None:
                shown = Shown(Route(nlri, operation.attributes), marks_of(message, number))
                rib.announced += 1
                rib.unchanged += before == shown
                rib.routes[nlri.key()] = shown
                self.rows.append(self.log_row("update", header, shown))
            elif before is None:
                rib.unknown += 1
            else:
                rib.withdrawn += 1
                del rib.routes[nlri.key()]
                self.rows.append(self.log_row("withdraw", header, before))
        if judgement.end_of_rib is not None:
            self.end_of_ribs += 1
            afi, safi = judgement.end_of_rib
            about = {**self._head("end-of-rib", header), **whose("rib", header), "event_type": "log"}
            self.rows.append(json.dumps({**about, "afi": afi, "safi": safi, **ending(header)}))

    def _exchange(self, rib: ExpectedRib, family: Family, add_path: bool) -> None:
        """Let the routes of a family go that have path identifiers when the next ones have none, or vice versa."""
        if rib.add_path.setdefault(family, add_path) != add_path:
            rib.add_path[family] = add_path
            lost = [key for key in rib.routes if key[0] == family]
            self.gone += len(lost)
            for key in lost:
                del rib.routes[key]

    def _head(self, log_type: str, header: bytes) -> dict[str, Any]:
        return {"seq": len(self.rows), "log_type": log_type, "timestamp": time_text(header)}

    def log_row(self, log_type: str, header: bytes, shown: Shown) -> str:
        """The message-log row of a route."""
        kind = "vpn" if shown.route.nlri.rd is not None else "rib"
        about = {**whose(kind, header), **mark_facts(shown.marks), "event_type": "log"}
        fields = route_fields(shown.route, self.style)
        return json.dumps({**self._head(log_type, header), **about, **fields, **ending(header)}, ensure_ascii=False)


def whose(kind: str, header: bytes) -> dict[str, str]:
    """The keys that name a RIB, in these tests."""
    return {kind: header[:RIB_OCTETS].hex()}


def ending(header: bytes) -> dict[str, str]:
    """The last keys of a row, in these tests."""
    return {"arrival": "now", "end": header[:RIB_OCTETS].hex()}


def mark_facts(marks: bytes) -> Mapping[str, str]:
    """The keys that stand for marks, in these tests."""
    return {"marks": marks.hex()} if marks else {}


def time_text(header: bytes) -> str:
    """The time of a per-peer header, in these tests."""
    seconds, microseconds = int.from_bytes(header[34:38], "big"), int.from_bytes(header[38:42], "big")
    return f"<{seconds}.{microseconds % 1_000_000 if seconds else 0:06}>"


def marks_of(message: RouteMonitoring, number: int) -> bytes:
    """The TLVs about the route with this number, without their index, as many as a route may have."""
    marks = b""
    for tlv in message.tlvs:
        if tlv.enterprise is None and tlv.kind in {GROUP, STATELESS_PARSING}:
            continue
        named = message.groups.get(tlv.index, ()) if tlv.index & G_BIT else (tlv.index or number,)
        kind, value = tlv.kind, tlv.octets
        if tlv.enterprise is not None:
            kind, value = 0x8000 | kind, tlv.enterprise.to_bytes(4, "big") + value
        one = kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
        if number in named and len(marks) + len(one) <= MOST_MARKS:
            marks += one
    return marks


def looks_as4(update: bytes, otherwise: bool) -> bool:
    """Tell by its first AS_PATH whether an UPDATE has AS numbers of four octets, where it does tell."""
    at = 21 + int.from_bytes(update[19:21], "big")
    length = int.from_bytes(update[at : at + 2], "big")
    if at + 2 + length > len(update):
        return otherwise
    found, _ = split_attributes(update[at + 2 : at + 2 + length])
    for attribute in found:
        if attribute.code == a.AS_PATH:
            wide, narrow = reads(attribute.value, 4), reads(attribute.value, 2)
            return otherwise if wide == narrow else wide
    return otherwise


def reads(path: bytes, width: int) -> bool:
    """Whether an AS_PATH is well-formed with numbers of this width."""
    try:
        read_path(path, width)
    except MalformedPathError:
        return False
    return True
