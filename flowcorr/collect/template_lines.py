"""Templates as lines of a file, so that a collector which starts anew knows them before they come again.

A line is a JSON object with the names that collectors of this kind have used for long: `agent`, `version`, `source_id`
and `template_id` (both as integers of the machine that hold network order), `template_type`, `num`, `len`, `vlen`, and
`list` or `tpl`, where the fields are.  Those lose enterprise elements of options, and scopes; so ours has `fields`
beside them ([enterprise, element, length] each), and `scope`.  Lines with and without them are read.
"""

import sys
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, NamedTuple

import orjson

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.wire.template import FIRST_TEMPLATE_ID, MAX_FIELDS, VARIABLE_LENGTH, Field, Template

#: Elements that the older form keeps in a table by their number.
_TABLE_ELEMENTS: Final = 384
_DATA, _OPTIONS = 0, 1
_IN_TABLE, _BESIDE = 1, 2


class TemplateLine(NamedTuple):
    """A template and whose it is; the address has sixteen octets."""

    address: bytes
    version: int
    domain: int
    template: Template


def format_line(line: TemplateLine) -> bytes:
    """Return a template as a line."""
    return orjson.dumps(line_values(line)) + b"\n"


def line_values(line: TemplateLine) -> dict[str, Any]:
    """Return what a line has, by name."""
    template = line.template
    address = IPv6Address(line.address)
    return {
        "agent": str(address.ipv4_mapped or address),
        "version": line.version,
        "source_id": _swapped(line.domain, 4),
        "template_id": _swapped(template.id, 2),
        "template_type": _OPTIONS if template.is_options else _DATA,
        "num": len(template.fields),
        "len": sum(field.length for field in template.fields if field.length != VARIABLE_LENGTH),
        "vlen": int(template.is_variable),
        "tpl" if template.is_options else "list": _old_fields(template),
        "fields": [[field.enterprise, field.element, field.length] for field in template.fields],
        "scope": template.scope,
    }


def parse_line(text: bytes) -> TemplateLine:
    """Return the template of a line.

    Raises: ValueError.
    """
    return parse_values(orjson.loads(text))


def parse_values(values: Any) -> TemplateLine:
    """Return the template that a line describes, which may be anything that JSON has.

    Raises: ValueError.
    """
    try:
        address = ip_address(str(values["agent"]))  # an integer is an address as well, to the library
        version, is_options = _integer(values, "version"), values["template_type"] == _OPTIONS
        template_id, domain = _integer(values, "template_id"), _integer(values, "source_id")
        fields = _fields(values, is_options=is_options)
        scope = _integer(values, "scope") if "scope" in values else 0
    except (KeyError, TypeError) as error:
        raise ValueError(f"no template: {error!r}") from error
    template = Template(_swapped(_limited(template_id), 2), fields, is_options, scope, is_v9=version == 9)
    if (
        version not in {9, 10}
        or template.id < FIRST_TEMPLATE_ID
        or not 0 < len(fields) <= MAX_FIELDS
        or not template.least_octets
        or scope > len(fields)
    ):
        raise ValueError("no template of NetFlow v9 or IPFIX")
    packed = address.packed if address.version == 6 else IPV4_MAPPED + address.packed
    return TemplateLine(packed, version, _swapped(domain, 4), template)


def _fields(values: Mapping[str, Any], *, is_options: bool) -> tuple[Field, ...]:
    if "fields" in values:
        return tuple(
            Field(_limited(element), _limited(length), _limited(enterprise, 4))
            for enterprise, element, length in values["fields"]
        )
    if is_options:
        return tuple(Field(_limited(each["type"]), _limited(each["tpl_len"])) for each in values["tpl"])
    return tuple(_old_field(each) for each in values["list"])


def _old_fields(template: Template) -> list[dict[str, Any]]:
    """Return fields in the older form, which other collectors read."""
    fields: list[dict[str, Any]] = []
    repeats: dict[Field, int] = {}
    offset = 0
    for field in template.fields:
        length = 0 if field.length == VARIABLE_LENGTH else field.length
        place = {"off": offset, "len": length, "tpl_len": field.length}
        repeat = repeats[field] = repeats.get(field, -1) + 1
        if template.is_options:
            fields.append({"type": field.element, **place})
        elif not field.enterprise and field.element < _TABLE_ELEMENTS:
            entry = {**place, "count": 1, "tpl_index": field.element}
            fields.append({"type": _IN_TABLE, "repeat": repeat, "otpl": entry})
        else:
            entry = {"pen": field.enterprise, "type": field.element, **place, "repeat_id": repeat, "ie_idx": 0}
            fields.append({"type": _BESIDE, "repeat": repeat, "utpl": entry})
        offset += length
    return fields


def _old_field(value: Mapping[str, Any]) -> Field:
    if value["type"] == _IN_TABLE:
        place = value["otpl"]
        return Field(_limited(place["tpl_index"]), _limited(place["tpl_len"]))
    place = value["utpl"]
    return Field(_limited(place["type"]), _limited(place["tpl_len"]), _limited(place["pen"], 4))


def _integer(values: Mapping[str, Any], name: str) -> int:
    return _limited(values[name], 4)


def _limited(value: object, octets: int = 2) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 8 * octets:
        raise ValueError(f"{value!r} is no number of {octets} octets")
    return value


def _swapped(value: int, octets: int) -> int:
    """Return a number whose octets are in the other order where this machine does not have that of the network."""
    return int.from_bytes(value.to_bytes(octets, sys.byteorder))
