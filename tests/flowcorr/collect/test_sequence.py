"""Sequence numbers: what each protocol counts, and what is missing."""

import struct

from flowcorr.collect.settings import IntakeSettings
from flowcorr.model import event
from tests.flowcorr.exports import (
    ROUTER,
    SIMPLE,
    Input,
    export_set,
    flow,
    ipfix,
    options_ipfix,
    packed,
    template,
    v5,
    v5_record,
    v9,
)


def test_v5_counts_records() -> None:
    i = Input("src_host")
    i.take(v5(v5_record(), v5_record(), sequence=10))
    i.take(v5(v5_record(), sequence=12), v5(v5_record(), sequence=20), v5(v5_record(), sequence=13))
    statistics = i.intake.statistics(0)
    assert (statistics["jumps_forward"], statistics["missing"], statistics["jumps_backward"]) == (1, 7, 1)


def test_v9_counts_datagrams() -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE), sequence=1), v9(export_set(300, flow(1), flow(2)), sequence=2))
    i.take(v9(export_set(300, flow(1)), sequence=5))
    assert i.intake.statistics(0)["missing"] == 2


def test_ipfix_counts_records_of_options_too() -> None:
    i = Input(settings=IntakeSettings(report_sequence=True))
    options = export_set(3, options_ipfix(400, [(145, 2)], (34, 4)))
    i.take(ipfix(export_set(2, SIMPLE), options, sequence=5))
    i.take(ipfix(export_set(300, flow(1), flow(2)), export_set(400, struct.pack("!HI", 300, 10)), sequence=5))
    i.take(ipfix(export_set(300, flow(1)), sequence=8))
    i.take(ipfix(export_set(300, flow(1)), sequence=10))
    assert i.intake.statistics(0)["missing"] == 1
    assert [each for each in i.events if isinstance(each, event.SequenceJump)] == [
        event.SequenceJump(packed(ROUTER), 10, 0, expected=9, received=10)
    ]


def test_records_without_a_template_are_no_jump() -> None:
    i = Input()
    i.take(
        ipfix(export_set(2, SIMPLE)),
        ipfix(export_set(999, flow(1), flow(2))),
        ipfix(export_set(300, flow(1)), sequence=2),
    )
    i.take(ipfix(export_set(300, flow(1)), sequence=3))
    statistics = i.intake.statistics(0)
    assert (statistics["jumps_forward"], statistics["unknown_template"]) == (0, 1)


def test_each_port_of_an_exporter_counts_for_itself() -> None:
    i = Input("src_host")
    i.take(v5(v5_record(), sequence=1), port=1)
    i.take(v5(v5_record(), sequence=500), port=2)
    assert i.intake.statistics(0)["jumps_forward"] == 0


SAMPLED = template(300, (8, 4), (2, 4), (1, 4), (48, 1))
UNSAMPLED = template(301, (8, 4), (2, 4), (1, 4))
