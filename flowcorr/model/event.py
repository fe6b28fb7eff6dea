"""What the input of flows reports, as frozen values; addresses are sixteen octets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExporterSeen:
    """An exporter was heard for the first time."""

    address: bytes
    version: int
    domain: int


@dataclass(frozen=True, slots=True)
class ExporterRefused:
    """An exporter found no room: as many as may be are known and none of them is idle; told once a second at most."""

    address: bytes
    version: int
    domain: int
    limit: int


@dataclass(frozen=True, slots=True)
class ExporterForgotten:
    """An exporter was not heard for long."""

    address: bytes
    version: int
    domain: int


@dataclass(frozen=True, slots=True)
class TemplateLearnt:
    """A template is new, or differs from the one that it replaces."""

    address: bytes
    version: int
    domain: int
    template_id: int
    fields: int
    is_options: bool


@dataclass(frozen=True, slots=True)
class TemplatesHeard:
    """An exporter has sent a set of templates, with the header of its message; told where somebody wants to know."""

    address: bytes
    version: int
    domain: int
    header: bytes
    set_id: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class TemplateWithdrawn:
    """A template was withdrawn by its exporter."""

    address: bytes
    domain: int
    template_id: int


@dataclass(frozen=True, slots=True)
class TemplateRefused:
    """A template breaks its specification, or is one too many."""

    address: bytes
    version: int
    domain: int
    reason: str


@dataclass(frozen=True, slots=True)
class OptionsRefused:
    """A record of options breaks its template."""

    address: bytes
    domain: int
    template_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class TemplateUnknown:
    """Records of a template that was never heard, or not yet."""

    address: bytes
    version: int
    domain: int
    template_id: int


@dataclass(frozen=True, slots=True)
class SequenceJump:
    """Datagrams or records are missing, or came out of order, or the exporter started anew."""

    address: bytes
    version: int
    domain: int
    expected: int
    received: int


@dataclass(frozen=True, slots=True)
class CounterSample:
    """A counter sample of sFlow, as it came: from its format on. `sequence` is that of its datagram."""

    address: bytes
    version: int
    domain: int
    sequence: int
    arrival: int  # microseconds since 1970
    octets: bytes
