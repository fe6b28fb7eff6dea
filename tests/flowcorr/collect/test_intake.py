"""Datagrams and exporters: what the intake reads, refuses and counts."""

import struct

import pytest

from flowcorr.collect import limits
from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._batch import Batch
from flowcorr.model import event
from tests.flowcorr.exports import (
    NOW,
    ROUTER,
    SIMPLE,
    Input,
    export_set,
    flow,
    ipfix,
    only,
    packed,
    reasons,
    template,
    v5,
    v5_record,
    v9,
)


def test_rows_carry_the_slot_of_their_exporter() -> None:
    i = Input("export_proto_sysid")
    layout = ipfix(export_set(2, SIMPLE), domain=7)
    other = ipfix(export_set(2, SIMPLE), domain=8)
    rows = i.take(layout, other, ipfix(export_set(300, flow(1)), domain=7), ipfix(export_set(300, flow(2)), domain=8))
    slots = [row.get("exporter", 0) for row in rows]
    assert [i.intake.exporters[slot].domain for slot in slots] == [7, 8]
    assert i.intake.changed == set(slots)


def test_a_full_batch_stops_the_walk_between_two_records() -> None:
    i = Input(capacity=3)
    data = export_set(300, *(flow(n) for n in range(8)))
    rows = i.take(v9(export_set(0, SIMPLE), data), v5(*(v5_record(octets=n) for n in range(7))))
    assert [row.get("bytes", 0) for row in rows] == [100] * 8 + list(range(7))
    assert i.intake.rows == 15


def test_other_datagrams_wait_for_the_end_of_the_walk() -> None:
    i = Input(capacity=2)
    vector = Datagrams(1)
    vector.append(v5(v5_record(), v5_record(), v5_record()), packed(ROUTER), 1, NOW)
    assert not i.intake.take(vector, i.batch)
    with pytest.raises(ValueError, match="not walked"):
        i.intake.take(Datagrams(1), i.batch)


def test_a_batch_has_room_for_both_directions_of_a_record() -> None:
    with pytest.raises(ValueError, match="two rows"):
        Input(capacity=1).take(v5(v5_record()))


def test_a_batch_of_another_layout_is_refused() -> None:
    vector = Datagrams(1)
    with pytest.raises(ValueError, match="layout"):
        Input("src_host").intake.take(vector, Batch(Input().layout, 1))


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "short datagram"),
        (v9()[:19], "short datagram"),
        (b"\x00\x07" + bytes(30), "unknown version"),
        (v5(v5_record())[:-1], "wrong length"),
        (v5(), "wrong length"),
        (v5(*[v5_record()] * 31), "wrong length"),
        (v9(), "no sets"),
        (ipfix(), "no sets"),
        (v9(struct.pack("!HH", 300, 3) + bytes(8)), "length of a set"),
        (v9(struct.pack("!HH", 300, 0) + bytes(8)), "length of a set"),
        (ipfix(struct.pack("!HH", 300, 40) + bytes(8)), "length of a set"),
    ],
)
def test_malformed_datagrams_are_counted_with_their_reason(octets: bytes, reason: str) -> None:
    i = Input()
    assert i.take(octets) == []
    assert reasons(i) == {reason: 1}
    assert len(i.take(v5(v5_record()))) == 1


def test_a_record_of_variable_length_that_passes_its_end_is_counted() -> None:
    i = Input("src_host")
    layout = template(300, (8, 4), (82, 65535))
    rows = i.take(ipfix(export_set(2, layout)), ipfix(export_set(300, bytes(4), b"\x02ab", bytes(4), b"\x09ab")))
    assert len(rows) == 1
    assert reasons(i) == {"length of a record": 1}


def test_padding_is_checked_where_that_is_asked_for() -> None:
    for check, rows in ((False, 1), (True, 0)):
        i = Input(settings=IntakeSettings(check_padding=check))
        good = v9(export_set(300, flow(1), b"\0\0"))
        bad = v9(export_set(300, flow(1), b"\0\1"))
        i.take(v9(export_set(0, SIMPLE)))
        assert len(i.take(good)) == 1
        assert len(i.take(bad)) == rows
        assert reasons(i) == ({"padding is not zero": 1} if check else {})


def test_two_messages_in_a_datagram_are_two_messages() -> None:
    i = Input()
    rows = i.take(
        ipfix(export_set(2, SIMPLE)) + ipfix(export_set(300, flow(1))) + ipfix(export_set(300, flow(2)), sequence=1)
    )
    assert only(rows, "src_host") == [("10.0.0.1",), ("10.0.0.2",)]
    statistics = i.intake.statistics(0)
    assert (statistics["datagrams"], statistics["records"], statistics["missing"]) == (1, 2, 0)


def test_a_crowd_of_exporters_ends_at_the_ceiling() -> None:
    i = Input("src_host", settings=IntakeSettings(most_exporters=100))
    for n in range(150):
        i.take(v5(v5_record()), sender=f"10.0.{n // 250}.{n % 250}")
    assert len(i.intake.exporters) == 100
    assert i.intake.exporters_refused == reasons(i)["exporter refused"] == 50
    assert len(i.take(v5(v5_record()), sender="10.0.0.5")) == 1
    # nobody idle is looked for again for each of them
    assert sum(isinstance(each, event.ExporterRefused) for each in i.events) == 1


def test_idle_exporters_make_room() -> None:
    i = Input("src_host", settings=IntakeSettings(most_exporters=2))
    i.take(v5(v5_record()), sender="10.0.0.1", now=NOW)
    i.take(v5(v5_record()), sender="10.0.0.2", now=NOW + 200)
    i.intake.changed.clear()
    later = NOW + limits.IDLE_US // 1_000_000 + 1
    assert len(i.take(v5(v5_record()), sender="10.0.0.3", now=later)) == 1
    assert {each.address for each in i.intake.exporters.values()} == {packed("10.0.0.2"), packed("10.0.0.3")}
    assert len(i.intake.changed) == 1


def test_silent_exporters_are_forgotten_with_their_templates() -> None:
    i = Input()
    i.take(v9(export_set(0, SIMPLE)))
    i.take(v9(export_set(301, flow(1))))
    i.intake.age(NOW * 1_000_000 + limits.FORGET_US + 1)
    assert not i.intake.exporters
    assert (i.intake.templates.count, i.intake.parking.octets) == (0, 0)
    assert i.take(v9(export_set(300, flow(1)))) == []


def test_senders_must_be_allowed() -> None:
    i = Input("src_host", allow=lambda address: address == packed("10.0.0.1"))
    assert len(i.take(v5(v5_record()), sender="10.0.0.1")) == 1
    assert i.take(v5(v5_record()), sender="10.0.0.2") == []
    assert reasons(i) == {"not allowed": 1}
    i.intake.set_allow(lambda address: address == packed("10.0.0.2"))
    assert i.take(v5(v5_record()), sender="10.0.0.1") == []
    assert len(i.take(v5(v5_record()), sender="10.0.0.2")) == 1
