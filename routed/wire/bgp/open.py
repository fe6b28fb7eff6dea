"""OPEN: who a speaker is and what it can do (RFC 4271 section 4.2, RFC 5492, RFC 9072)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.capability import Capability, FourOctetAs, decode_capability, encode_capability
from routed.wire.bgp.codepoints import ErrorCode, OpenSubcode, OptionalParameterType
from routed.wire.bgp.notification import BgpError, Notification

VERSION: Final = 4

_MAX_PLAIN_PARAMETERS: Final = 255
_EXTENDED: Final = OptionalParameterType.EXTENDED_LENGTH

C = TypeVar("C", bound=Capability)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """An optional parameter that holds capabilities; a speaker may send one or many of these."""

    capabilities: tuple[Capability, ...]


@dataclass(frozen=True, slots=True)
class UnknownParameter:
    """Any other optional parameter, kept as it came."""

    kind: OptionalParameterType
    octets: bytes


OptionalParameter = Capabilities | UnknownParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMessage:
    """The first message of a speaker."""

    my_as: int  # of 2 octets: AS_TRANS when the real one needs 4
    hold_time: int
    bgp_identifier: bytes
    parameters: tuple[OptionalParameter, ...] = ()
    is_extended: bool = field(default=False, compare=False)  # parameters are in the extended form, short as they may be

    @property
    def capabilities(self) -> Iterator[Capability]:
        """Iterate the capabilities of all parameters, in wire order."""
        for parameter in self.parameters:
            if isinstance(parameter, Capabilities):
                yield from parameter.capabilities

    def having(self, kind: type[C]) -> tuple[C, ...]:
        """Return all capabilities of one kind, in wire order."""
        return tuple(capability for capability in self.capabilities if isinstance(capability, kind))

    @property
    def asn(self) -> int:
        """Return the speaker's AS number: that of its 4-octet AS capability, else the 2-octet field."""
        return next((capability.asn for capability in self.having(FourOctetAs)), self.my_as)


def decode_open(c: Cursor) -> OpenMessage:
    """Decode the body of an OPEN message.

    Octets: version u8, my AS u16, hold time u16, BGP identifier 4, parameters (plain or extended).
    Raises: BgpError for another version, before anything else is read; WireError for malformed parameters.
    Source: RFC 4271 section 4.2.
    """
    offset, version = c.offset, c.u8()
    if version != VERSION:
        notification = Notification(
            ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSUPPORTED_VERSION_NUMBER, VERSION.to_bytes(2, "big")
        )
        raise BgpError(notification, f"version {version} is not {VERSION}", offset, "RFC 4271 6.2")
    my_as, hold_time, bgp_identifier = c.u16(), c.u16(), c.take(4)
    is_extended, parameters = _find_parameters(c)
    return OpenMessage(
        my_as=my_as,
        hold_time=hold_time,
        bgp_identifier=bgp_identifier,
        parameters=tuple(_decode_parameters(parameters, extended=is_extended)),
        is_extended=is_extended,
    )


def encode_open(w: Writer, message: OpenMessage) -> None:
    """Encode the body of an OPEN message, in the extended form when that is wanted or the plain one cannot hold it."""
    w.u8(VERSION)
    w.u16(message.my_as)
    w.u16(message.hold_time)
    assert len(message.bgp_identifier) == 4
    w.octets(message.bgp_identifier)
    extended = _encode_parameters(message.parameters, extended=True)
    plain_octets = len(extended) - len(message.parameters)  # each length is an octet shorter
    is_plain = not message.parameters or not (message.is_extended or _looks_extended(message))
    if plain_octets <= _MAX_PLAIN_PARAMETERS and is_plain:
        with w.length8():
            w.octets(_encode_parameters(message.parameters, extended=False))
        return
    w.u8(_MAX_PLAIN_PARAMETERS)
    w.u8(_EXTENDED)
    with w.length16():
        w.octets(extended)


def _looks_extended(message: OpenMessage) -> bool:
    """Tell whether the plain form would be taken for the extended one."""
    match message.parameters:
        case (UnknownParameter(kind=kind), *_):
            return kind == _EXTENDED
        case _:
            return False


def _find_parameters(c: Cursor) -> tuple[bool, Cursor]:
    """Find parameters in either form, and tell which; the first parameter type says so (RFC 9072 section 2)."""
    octets = c.u8()
    extended = octets > 0 and c.peek() == _EXTENDED
    if extended:
        c.u8()
        octets = c.u16()
    parameters = c.sub(octets)
    if c.remaining:
        raise WireError(f"{c.remaining} octets behind the optional parameters", c.offset, "RFC 4271 4.2")
    return extended, parameters


def _decode_parameters(parameters: Cursor, *, extended: bool) -> Iterator[OptionalParameter]:
    while parameters.remaining:
        kind = OptionalParameterType(parameters.u8())
        value = parameters.sub(parameters.u16() if extended else parameters.u8())
        yield _decode_parameter(kind, value)


def _decode_parameter(kind: OptionalParameterType, value: Cursor) -> OptionalParameter:
    if kind != OptionalParameterType.CAPABILITIES:
        return UnknownParameter(kind, value.rest())
    capabilities = []
    while value.remaining:
        capabilities.append(decode_capability(value))
    return Capabilities(tuple(capabilities))


def _encode_parameter(w: Writer, parameter: OptionalParameter, *, extended: bool) -> None:
    if isinstance(parameter, Capabilities):
        w.u8(OptionalParameterType.CAPABILITIES)
        with w.length16() if extended else w.length8():
            for capability in parameter.capabilities:
                encode_capability(w, capability)
    else:
        w.u8(parameter.kind)
        with w.length16() if extended else w.length8():
            w.octets(parameter.octets)


def _encode_parameters(parameters: tuple[OptionalParameter, ...], *, extended: bool) -> bytes:
    w = Writer()
    for parameter in parameters:
        _encode_parameter(w, parameter, extended=extended)
    return bytes(w)
