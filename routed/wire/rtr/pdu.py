"""The PDUs that come one at a time; IPv4 and IPv6 Prefix PDUs come in runs, which `rib._payloads` reads.

Source: RFC 8210 section 5, draft-ietf-sidrops-8210bis section 5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from routed.octets import Cursor, WireError, Writer, cut_utf8
from routed.wire.rtr.codepoints import HEADER_OCTETS, LENGTHS, SINCE, ErrorCode, PduType

SOURCE: Final = "RFC 8210 5"
ANNOUNCE: Final = 1
#: What an Error Report quotes of the PDU that it is about, and the longest text that it gives. Units: octets.
MAX_QUOTE: Final = 1_024
MAX_TEXT: Final = 1_024


@dataclass(frozen=True, slots=True)
class SerialNotify:
    """The cache has news."""

    session_id: int
    serial: int


@dataclass(frozen=True, slots=True)
class SerialQuery:
    """The router asks for what changed since a serial number."""

    session_id: int
    serial: int


@dataclass(frozen=True, slots=True)
class ResetQuery:
    """The router asks for everything."""


@dataclass(frozen=True, slots=True)
class CacheResponse:
    """The cache begins to answer."""

    session_id: int


@dataclass(frozen=True, slots=True)
class Intervals:
    """When a router asks again, after success and after failure, and how long it uses what it has. Units: seconds."""

    refresh: int
    retry: int
    expire: int


@dataclass(frozen=True, slots=True)
class EndOfData:
    """The answer is complete; version 0 has no intervals."""

    session_id: int
    serial: int
    intervals: Intervals | None


@dataclass(frozen=True, slots=True)
class CacheReset:
    """The cache cannot say what changed."""


@dataclass(frozen=True, slots=True)
class RouterKey:
    """A BGPsec key, which nobody here uses: subject key identifier, AS number and key as they are."""

    is_announced: bool
    octets: bytes


@dataclass(frozen=True, slots=True)
class AspaPdu:
    """The providers of an AS; an announcement replaces an earlier one, a withdrawal names none."""

    is_announced: bool
    customer: int
    providers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Something is wrong with a PDU, which is quoted as far as there is one."""

    code: ErrorCode
    pdu: bytes
    text: str


Pdu: TypeAlias = (
    SerialNotify | SerialQuery | ResetQuery | CacheResponse | EndOfData | CacheReset | RouterKey | AspaPdu | ErrorReport
)


class UnknownTypeError(WireError):
    """The type of a PDU is not known in its version."""


class ProviderListError(WireError):
    """The providers of an ASPA are not what they have to be."""


def decode_pdu(octets: bytes) -> Pdu:
    """Decode one whole PDU that is no prefix.

    Octets: version u8, type u8, session id, error code or flags u16, length u32 (header included), and the rest by
        type.
    Raises: WireError when it is not what its type and version demand; UnknownTypeError when there is no such type,
        ProviderListError for an ASPA without providers.
    """
    c = Cursor(octets)
    version, kind, field = c.u8(), PduType(c.u8()), c.u16()
    check_length(version, kind, c.u32())
    if kind not in DECODERS:
        raise UnknownTypeError(f"PDU type {int(kind)} comes in runs", 1, SOURCE)
    return DECODERS[kind](c, field)


def check_length(version: int, kind: PduType, length: int) -> None:
    """Check the length of a PDU against its type and version.

    Raises: WireError; UnknownTypeError for a type that is not known or not in this version.
    """
    if kind not in LENGTHS or version < SINCE.get(kind, 0):
        raise UnknownTypeError(f"PDU type {int(kind)} is not of version {version}", 1, SOURCE)
    least, most = LENGTHS[kind]
    if kind is PduType.END_OF_DATA:
        least = most = 24 if version else 12
    if not least <= length <= most:
        bounds = f"{least}" if least == most else f"{least} to {most}"
        raise WireError(f"length {length} of {kind.name} is not {bounds}", 4, SOURCE)


def _decode_aspa(c: Cursor, field: int) -> AspaPdu:
    """Decode the rest of an ASPA PDU.

    Octets: customer u32, n x provider u32; in drafts up to 8210bis-10, which leave the first field zero, there are
        flags u8, AFI flags u8 and a count u16 in front.
    Departs: the older form is read as well, because caches speak it under the same version number. It can be told
        apart: today's announcements have a flag set where it has zero, and today's withdrawals have no providers.
        Providers "in increasing numeric order", each "unique", and AS 0 only alone: neither is asked for, because
        caches of earlier revisions forward what they find, and neither changes what a path comes to.
    """
    if not field and c.remaining > 4:
        flags, _, count = c.u8(), c.u8(), c.u16()
        if c.remaining != 4 + 4 * count:
            raise WireError(f"{count} providers do not fit into the PDU", 10, "draft-ietf-sidrops-8210bis-10 5.12")
    else:
        flags = field >> 8
    customer = c.u32()
    if c.remaining % 4:
        raise WireError(f"{c.remaining} octets are no list of providers", 12, "draft-ietf-sidrops-8210bis 5.12")
    providers = tuple(c.u32() for _ in range(c.remaining // 4))
    if flags & ANNOUNCE and not providers:
        raise ProviderListError(f"AS {customer} announces no providers", 12, "draft-ietf-sidrops-8210bis 5.12")
    return AspaPdu(bool(flags & ANNOUNCE), customer, providers if flags & ANNOUNCE else ())


def _decode_error(c: Cursor, code: int) -> ErrorReport:
    """Decode the rest of an Error Report.

    Octets: length u32, PDU, length u32, text.
    """
    pdu = c.take(c.u32())
    text = c.take(c.u32()).decode(errors="replace")
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind the text", c.offset, "RFC 8210 5.11")
    return ErrorReport(ErrorCode(code), pdu, text)


def _decode_end(c: Cursor, session_id: int) -> EndOfData:
    """Decode the rest of an End of Data.

    Octets: serial u32, and from version 1 on refresh, retry and expire interval u32.
    """
    return EndOfData(session_id, c.u32(), Intervals(c.u32(), c.u32(), c.u32()) if c.remaining else None)


#: How the rest of each PDU is read, after its header; the second argument is the third field of that.
DECODERS: Final[Mapping[PduType, Callable[[Cursor, int], Pdu]]] = {
    PduType.SERIAL_NOTIFY: lambda c, session_id: SerialNotify(session_id, c.u32()),
    PduType.SERIAL_QUERY: lambda c, session_id: SerialQuery(session_id, c.u32()),
    PduType.RESET_QUERY: lambda _, __: ResetQuery(),
    PduType.CACHE_RESPONSE: lambda _, session_id: CacheResponse(session_id),
    PduType.END_OF_DATA: _decode_end,
    PduType.CACHE_RESET: lambda _, __: CacheReset(),
    PduType.ROUTER_KEY: lambda c, field: RouterKey(bool(field >> 8 & ANNOUNCE), c.rest()),
    PduType.ERROR_REPORT: _decode_error,
    PduType.ASPA: _decode_aspa,
}


def encode_pdu(version: int, pdu: Pdu) -> bytes:
    """Encode one PDU that is no prefix."""
    kind, field, body = _parts(pdu)
    w = Writer()
    w.u8(version)
    w.u8(kind)
    w.u16(field)
    w.u32(HEADER_OCTETS + len(body))
    w.octets(body)
    return bytes(w)


def _parts(pdu: Pdu) -> tuple[PduType, int, bytes]:  # noqa: C901, PLR0911 (a case for each kind)
    """Return the type, the third field of the header, and what follows the header."""
    match pdu:
        case SerialNotify(session_id, serial):
            return PduType.SERIAL_NOTIFY, session_id, words(serial)
        case SerialQuery(session_id, serial):
            return PduType.SERIAL_QUERY, session_id, words(serial)
        case ResetQuery():
            return PduType.RESET_QUERY, 0, b""
        case CacheResponse(session_id):
            return PduType.CACHE_RESPONSE, session_id, b""
        case EndOfData(session_id, serial, None):
            return PduType.END_OF_DATA, session_id, words(serial)
        case EndOfData(session_id, serial, Intervals(refresh, retry, expire)):
            return PduType.END_OF_DATA, session_id, words(serial, refresh, retry, expire)
        case CacheReset():
            return PduType.CACHE_RESET, 0, b""
        case RouterKey(is_announced, octets):
            return PduType.ROUTER_KEY, is_announced << 8, octets
        case AspaPdu(is_announced, customer, providers):
            return PduType.ASPA, is_announced << 8, words(customer, *providers)
        case ErrorReport(code, quoted, text):
            quoted, told = quoted[:MAX_QUOTE], cut_utf8(text, MAX_TEXT)
            return PduType.ERROR_REPORT, int(code), words(len(quoted)) + quoted + words(len(told)) + told
    raise AssertionError(f"{pdu} is no PDU")


def words(*values: int) -> bytes:
    """Return integers of four octets each."""
    return b"".join(value.to_bytes(4, "big") for value in values)
