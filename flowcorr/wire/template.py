"""Templates of NetFlow v9 and IPFIX: which elements a record is made of.

Octets of a data template: template id u16, field count u16, fields.
A field: element u16 (IPFIX: above bit 15 an enterprise number follows), length u16 [, enterprise u32].
Source: RFC 3954 section 5.2 and 6.1, RFC 7011 section 3.4.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from flowcorr.wire.elements import Key
from routed.octets._cursor import Cursor
from routed.octets.errors import WireError

#: A field of this length has its length in front of its value in every record (RFC 7011 section 7).
VARIABLE_LENGTH: Final = 65535
#: Templates with smaller ids would look like sets of templates (RFC 7011 section 3.4.1).
FIRST_TEMPLATE_ID: Final = 256
#: Fields of one template; the longest seen in the field have about a hundred, and each costs time in every record.
MAX_FIELDS: Final = 512
#: NetFlow v9 scope 1: the exporter itself (RFC 3954 section 6.1).
SCOPE_SYSTEM: Final = 1

_ENTERPRISE_BIT: Final = 0x8000
_HEADER_OCTETS: Final = 4

Decoder: TypeAlias = Callable[[Cursor], Iterator["Template"]]


class TemplateError(WireError):
    """A template breaks its specification; `template_id` says which, 0 when not even that can be told."""

    def __init__(self, what: str, offset: int, source: str, template_id: int = 0) -> None:
        super().__init__(what, offset, source)
        self.template_id = template_id


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record."""

    element: int
    length: int  # octets, or VARIABLE_LENGTH
    enterprise: int = 0

    @property
    def key(self) -> Key:
        """What the field holds."""
        return Key(self.enterprise, self.element)


@dataclass(frozen=True, slots=True)
class Template:
    """The fields of a record in their order; of a record of options, `scope` fields come first.

    No fields at all: the template is withdrawn (RFC 7011 section 8.1).
    """

    id: int
    fields: tuple[Field, ...]
    is_options: bool = False
    scope: int = 0
    is_v9: bool = False  # scope fields are numbered by scope, not by element

    @property
    def is_variable(self) -> bool:
        """Whether records differ in length."""
        return any(field.length == VARIABLE_LENGTH for field in self.fields)

    @property
    def least_octets(self) -> int:
        """Octets of the shortest record."""
        return sum(1 if field.length == VARIABLE_LENGTH else field.length for field in self.fields)

    @property
    def has_system_scope(self) -> bool:
        """Whether a record of options is about the exporter as a whole (NetFlow v9 only)."""
        return self.is_v9 and any(field.element == SCOPE_SYSTEM for field in self.fields[: self.scope])


def decode_templates_v9(c: Cursor) -> Iterator[Template]:
    """Decode the templates of a set, up to its padding.

    Raises: TemplateError where one breaks the specification; those before it have been yielded.
    Source: RFC 3954 section 5.2.
    """
    while c.remaining >= _HEADER_OCTETS:
        template_id, count = c.u16(), c.u16()
        if template_id == 0 and count == 0:
            return  # padding
        fields = _decode(c, template_id, count, with_enterprises=False)
        yield _checked(Template(template_id, fields, is_v9=True), c)


def decode_options_templates_v9(c: Cursor) -> Iterator[Template]:
    """Decode options templates: id u16, octets of scope fields u16, octets of option fields u16, fields.

    Raises: as `decode_templates_v9`.
    Source: RFC 3954 section 6.1.
    """
    while c.remaining >= _HEADER_OCTETS + 2:
        template_id, scope_octets, option_octets = c.u16(), c.u16(), c.u16()
        if template_id == 0 and scope_octets == 0:
            return
        if scope_octets % 4 or option_octets % 4:
            raise TemplateError("length of fields is no multiple of 4", c.offset, "RFC 3954 6.1", template_id)
        scope = scope_octets // 4
        fields = _decode(c, template_id, scope + option_octets // 4, with_enterprises=False)
        yield _checked(Template(template_id, fields, is_options=True, scope=scope, is_v9=True), c)


def decode_templates_ipfix(c: Cursor) -> Iterator[Template]:
    """Decode the templates and withdrawals of a set, up to its padding.

    Raises: as `decode_templates_v9`.
    Source: RFC 7011 section 3.4.1 and 8.1.
    """
    while c.remaining >= _HEADER_OCTETS:
        template_id, count = c.u16(), c.u16()
        if count == 0:
            if template_id == 0:
                return
            yield Template(template_id, ())
            continue
        yield _checked(Template(template_id, _decode(c, template_id, count, with_enterprises=True)), c)


def decode_options_templates_ipfix(c: Cursor) -> Iterator[Template]:
    """Decode options templates and withdrawals: id u16, field count u16 [, scope field count u16, fields].

    Raises: as `decode_templates_v9`.
    Source: RFC 7011 section 3.4.2.2 and 8.1.
    """
    while c.remaining >= _HEADER_OCTETS:
        template_id, count = c.u16(), c.u16()
        if count == 0:
            if template_id == 0:
                return
            yield Template(template_id, (), is_options=True)
            continue
        if c.remaining < 2:
            raise TemplateError("no scope field count", c.offset, "RFC 7011 3.4.2.2", template_id)
        scope = c.u16()
        if not 0 < scope <= count:
            raise TemplateError(f"{scope} scope fields of {count}", c.offset, "RFC 7011 3.4.2.2", template_id)
        fields = _decode(c, template_id, count, with_enterprises=True)
        yield _checked(Template(template_id, fields, is_options=True, scope=scope), c)


#: Set id to the decoder of its templates, by version.
DECODERS: Final[dict[int, dict[int, Decoder]]] = {
    9: {0: decode_templates_v9, 1: decode_options_templates_v9},
    10: {2: decode_templates_ipfix, 3: decode_options_templates_ipfix},
}


def _decode(c: Cursor, template_id: int, count: int, *, with_enterprises: bool) -> tuple[Field, ...]:
    if count > MAX_FIELDS:
        raise TemplateError(f"{count} fields are more than {MAX_FIELDS}", c.offset, "", template_id)
    fields = []
    try:
        for _ in range(count):
            element, length = c.u16(), c.u16()
            enterprise = 0
            if with_enterprises and element & _ENTERPRISE_BIT:
                element ^= _ENTERPRISE_BIT
                enterprise = c.u32()
            fields.append(Field(element, length, enterprise))
    except WireError as error:
        raise TemplateError(f"template {template_id}: {error.what}", error.offset, error.source, template_id) from error
    return tuple(fields)


def _checked(template: Template, c: Cursor) -> Template:
    if template.id < FIRST_TEMPLATE_ID:
        raise TemplateError(f"template id {template.id} is below 256", c.offset, "RFC 7011 3.4.1", template.id)
    if template.least_octets == 0:
        raise TemplateError(f"template {template.id} has records of no octets", c.offset, "", template.id)
    return template
