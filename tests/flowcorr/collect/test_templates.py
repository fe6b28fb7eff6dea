"""Templates that come, change and go, and records that wait for theirs."""

import struct

import pytest

from flowcorr.collect import limits
from flowcorr.model import event
from tests.flowcorr.exports import (
    NOW,
    SIMPLE,
    Input,
    export_set,
    flow,
    ipfix,
    only,
    options_ipfix,
    reasons,
    template,
    v9,
)


def test_a_template_may_change() -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE)))
    i.take(v9(export_set(0, template(300, (12, 4), (2, 4), (1, 4)))))
    rows = i.take(v9(export_set(300, bytes([10, 0, 0, 9]), struct.pack("!II", 5, 6))))
    assert only(rows, "dst_host", "packets", "bytes") == [("10.0.0.9", 5, 6)]
    assert sum(isinstance(each, event.TemplateLearnt) for each in i.events) == 2


def test_a_template_that_comes_again_changes_nothing() -> None:
    i = Input()
    i.take(*[v9(export_set(0, SIMPLE))] * 5)
    assert sum(isinstance(each, event.TemplateLearnt) for each in i.events) == 1
    assert i.intake.templates.count == 1


def test_equal_templates_of_many_exporters_share_a_plan() -> None:
    i = Input()
    for domain in range(5):
        i.take(v9(export_set(0, SIMPLE), domain=domain))
    assert len({id(each.templates[300].plan) for each in i.intake.exporters.values()}) == 1


def test_a_withdrawn_template_is_forgotten_and_its_records_wait() -> None:
    """RFC 7011 section 8.1; the data behind it must not be read with the old template, nor for ever."""
    i = Input()
    i.take(ipfix(export_set(2, SIMPLE)))
    assert i.take(ipfix(export_set(2, struct.pack("!HH", 300, 0)), export_set(300, flow(1)))) == []
    assert i.intake.templates.count == i.intake.templates.fields == 0
    assert i.intake.unknown_sets == 1
    assert len(i.take(ipfix(export_set(2, SIMPLE)))) == 1


def test_all_templates_of_a_kind_may_be_withdrawn() -> None:
    i = Input()
    i.take(
        ipfix(
            export_set(2, SIMPLE, template(301, (8, 4), (1, 4))), export_set(3, options_ipfix(400, [(145, 2)], (34, 4)))
        )
    )
    i.take(ipfix(export_set(2, struct.pack("!HH", 2, 0))))
    assert list(i.intake.exporters[0].templates) == [400]
    i.take(ipfix(export_set(3, struct.pack("!HH", 3, 0))))
    assert not i.intake.exporters[0].templates


@pytest.mark.parametrize(
    "broken",
    [
        struct.pack("!HHHH", 300, 2, 8, 4),  # fewer fields than it says
        struct.pack("!HHHH", 300, 1, 8, 0),  # records of no octets
        struct.pack("!HH", 300, 60_000),
    ],
)
def test_a_malformed_redefinition_forgets_the_template_and_no_other(broken: bytes) -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE, template(301, (12, 4), (1, 4)))))
    assert i.take(v9(export_set(0, broken), export_set(300, flow(1)), export_set(301, flow(2)))) == [
        *i.take(v9(export_set(301, flow(2))))
    ]
    assert list(i.intake.exporters[0].templates) == [301]
    assert any(isinstance(each, event.TemplateRefused) for each in i.events)
    assert len(i.take(v9(export_set(0, SIMPLE)))) == 1


def test_templates_before_a_malformed_one_are_learnt() -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE, struct.pack("!HHH", 301, 9, 8))))
    assert list(i.intake.exporters[0].templates) == [300]


def test_a_bomb_of_templates_ends_at_the_ceiling_and_leaves_others_alone() -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE), domain=1))
    for first in range(256, 256 + limits.MOST_TEMPLATES + 50, 50):
        i.take(v9(export_set(0, *(template(first + n, (8, 4), (1, 4)) for n in range(50)))))
    bomb = next(each for each in i.intake.exporters.values() if not each.domain)
    assert len(bomb.templates) == limits.MOST_TEMPLATES
    assert len(i.take(v9(export_set(300, flow(1)), domain=1))) == 1
    assert any(isinstance(each, event.TemplateRefused) for each in i.events)


def test_the_fields_of_an_exporter_have_a_ceiling() -> None:
    i = Input()
    for n in range(limits.MOST_TEMPLATE_FIELDS // 512 + 1):
        i.take(v9(export_set(0, template(256 + n, *[(8, 4)] * 512))))
    exporter = i.intake.exporters[0]
    assert exporter.fields == limits.MOST_TEMPLATE_FIELDS == 512 * len(exporter.templates)


@pytest.mark.parametrize("seconds", [-1, 1])
def test_templates_that_did_not_come_again_make_room(seconds: int) -> None:
    """Those of a router that has restarted with other ids; what still comes is kept (RFC 7011 section 8.4)."""
    i = Input()
    lifetime = limits.TEMPLATE_LIFETIME_US // 1_000_000
    for first in range(256, 256 + limits.MOST_TEMPLATES, 64):
        i.take(v9(export_set(0, *(template(first + n, (8, 4), (1, 4)) for n in range(64)))))
    kept = v9(export_set(0, *(template(256 + n, (8, 4), (1, 4)) for n in range(64))))
    for _ in range(2):
        i.take(kept, now=NOW + 600)
    i.take(v9(export_set(0, template(9_000, (8, 4), (1, 4)))), now=NOW + lifetime + seconds)
    known = i.intake.exporters[0].templates
    has_room = seconds > 0
    assert (9_000 in known) is has_room
    assert len(known) == (65 if has_room else limits.MOST_TEMPLATES)
    rows = i.take(v9(export_set(9_000, flow(1)), export_set(256, flow(2)), export_set(1_000, flow(3))))
    assert len(rows) == 2
    assert i.intake.templates.count == len(known)


def test_records_wait_for_their_template() -> None:
    i = Input("export_proto_seqno timestamp_export export_proto_sysid")
    assert i.take(ipfix(export_set(300, flow(1), flow(2)), domain=3, sequence=10, seconds=NOW - 60)) == []
    rows = i.take(ipfix(export_set(2, SIMPLE), domain=3, sequence=12))
    assert only(rows, "bytes", "export_proto_seqno", "timestamp_export") == [(100, 10, (NOW - 60) * 1_000_000)] * 2
    assert (i.intake.parking.parked, i.intake.parking.read, i.intake.parking.octets) == (1, 1, 0)
    statistics = i.intake.statistics(0)
    assert (statistics["datagrams"], statistics["records"], statistics["missing"]) == (2, 2, 0)


def test_records_do_not_wait_for_ever() -> None:
    i = Input()
    i.take(v9(export_set(300, flow(1))), now=NOW)
    i.intake.age(NOW * 1_000_000 + limits.PARKED_US)
    assert i.intake.parking.octets
    i.intake.age(NOW * 1_000_000 + limits.PARKED_US + 1)
    assert (i.intake.parking.octets, i.intake.parking.expired) == (0, 1)
    assert i.take(v9(export_set(0, SIMPLE))) == []


def test_what_waits_has_a_ceiling() -> None:
    i = Input()
    big = v9(export_set(300, bytes(60_000)))
    for _ in range(limits.MOST_PARKED_OF_EXPORTER // 60_000 + 5):
        i.take(big)
    assert i.intake.parking.octets <= limits.MOST_PARKED_OF_EXPORTER
    assert reasons(i)["no room to wait for a template"] == i.intake.parking.refused > 0
