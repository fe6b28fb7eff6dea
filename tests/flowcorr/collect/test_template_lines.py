"""Templates as lines of a file."""

import orjson
import pytest

from flowcorr.collect.template_lines import TemplateLine, format_line, parse_line
from flowcorr.wire.template import Field, Template
from tests.flowcorr.exports import ROUTER, packed

TEMPLATES = (
    Template(300, (Field(8, 4), Field(8, 4), Field(82, 65535), Field(1, 8, 29305), Field(400, 2)), is_v9=False),
    Template(301, (Field(1, 4), Field(34, 4), Field(5, 2, 9)), is_options=True, scope=1),
    Template(302, (Field(1, 4), Field(34, 4)), is_options=True, scope=1, is_v9=True),
)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("address", [ROUTER, "2001:db8::1"])
def test_a_line_says_all_of_a_template(template: Template, address: str) -> None:
    line = TemplateLine(packed(address), 9 if template.is_v9 else 10, 77, template)
    assert parse_line(format_line(line)) == line


def test_numbers_are_in_network_order_as_they_always_were() -> None:
    values = orjson.loads(format_line(TemplateLine(packed(ROUTER), 9, 1, TEMPLATES[2])))
    assert (values["agent"], values["source_id"], values["template_id"]) == (ROUTER, 0x01000000, 0x2E01)


def test_lines_of_other_collectors_are_read() -> None:
    values = orjson.loads(format_line(TemplateLine(packed(ROUTER), 10, 1, TEMPLATES[0])))
    del values["fields"], values["scope"]
    assert parse_line(orjson.dumps(values)).template == TEMPLATES[0]


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "nobody"},
        {"version": 5},
        {"template_id": -1},
        {"template_id": 0x0100},
        {"template_id": "x"},
        {"fields": []},
        {"fields": [[0, 8, 0]]},
        {"fields": [[0, 8]]},
        {"fields": [[0, 8, 70_000]]},
        {"fields": 5},
        {"source_id": 1 << 32},
    ],
)
def test_what_is_no_template_is_refused(change: dict[str, object]) -> None:
    values = orjson.loads(format_line(TemplateLine(packed(ROUTER), 10, 1, TEMPLATES[0]))) | change
    with pytest.raises(ValueError):  # noqa: PT011 (of several kinds)
        parse_line(orjson.dumps(values))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (that of the library)
        parse_line(b"{")
