"""One whole BMP message, of any type (RFC 7854 section 4)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from routed.octets import Cursor, WireError, Writer
from routed.wire.bmp.codepoints import MessageType
from routed.wire.bmp.header import decode_header, frame
from routed.wire.bmp.initiation import Initiation, decode_initiation, encode_initiation
from routed.wire.bmp.mirroring import RouteMirroring, decode_route_mirroring, encode_route_mirroring
from routed.wire.bmp.monitoring import RouteMonitoring, decode_route_monitoring, encode_route_monitoring
from routed.wire.bmp.peer_down import PeerDown, decode_peer_down, encode_peer_down
from routed.wire.bmp.peer_up import PeerUp, decode_peer_up, encode_peer_up
from routed.wire.bmp.statistics import StatisticsReport, decode_statistics_report, encode_statistics_report
from routed.wire.bmp.termination import Termination, decode_termination, encode_termination


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that is not assigned, kept as it came."""

    kind: MessageType
    octets: bytes  # behind the common header


Message: TypeAlias = (
    RouteMonitoring | StatisticsReport | PeerDown | PeerUp | Initiation | Termination | RouteMirroring | Unknown
)


M = TypeVar("M", bound=Message)


class MessageSpec(NamedTuple):
    """One type of message: how its body is read and written, in either version."""

    code: MessageType
    kind: type[Message]
    decode: Callable[[Cursor, int], Message]
    encode: Callable[[Writer, Message, int], None]


def _spec(
    code: MessageType, kind: type[M], decode: Callable[[Cursor, int], M], encode: Callable[[Writer, M, int], None]
) -> MessageSpec:
    return MessageSpec(code, kind, decode, encode)  # type: ignore[arg-type]  # one M in each row


SPECS: Final = (  # one row per type; the decoder, the encoder and the tests all read it
    _spec(MessageType.ROUTE_MONITORING, RouteMonitoring, decode_route_monitoring, encode_route_monitoring),
    _spec(MessageType.STATISTICS_REPORT, StatisticsReport, decode_statistics_report, encode_statistics_report),
    _spec(MessageType.PEER_DOWN, PeerDown, decode_peer_down, encode_peer_down),
    _spec(MessageType.PEER_UP, PeerUp, decode_peer_up, encode_peer_up),
    _spec(MessageType.INITIATION, Initiation, decode_initiation, encode_initiation),
    _spec(MessageType.TERMINATION, Termination, decode_termination, encode_termination),
    _spec(MessageType.ROUTE_MIRRORING, RouteMirroring, decode_route_mirroring, encode_route_mirroring),
)

_BY_CODE: Final = {spec.code: spec for spec in SPECS}
_BY_KIND: Final = {spec.kind: spec for spec in SPECS}


def decode_message(octets: bytes) -> Message:
    """Decode one whole message with its common header.

    Raises: WireError when it is malformed, or when octets are missing or too many.
    """
    c = Cursor(octets)
    header, body = decode_header(c)
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind the message", c.offset, "RFC 7854 4.1")
    spec = _BY_CODE.get(header.kind)
    return Unknown(header.kind, body.rest()) if spec is None else spec.decode(body, header.version)


def encode_message(message: Message, version: int) -> bytes:
    """Return one whole message with its common header."""
    w = Writer()
    if isinstance(message, Unknown):
        return frame(message.kind, message.octets, version)
    spec = _BY_KIND[type(message)]
    spec.encode(w, message, version)
    return frame(spec.code, bytes(w), version)
