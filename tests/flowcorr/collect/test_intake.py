"""Exporters, templates, options, sequence numbers: what the intake keeps and what it counts."""

import struct
from ipaddress import ip_address

import pytest

from flowcorr.collect import limits
from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.settings import IntakeSettings, InterfaceRate, MappedRates
from flowcorr.columns._batch import Batch
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.model import event
from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.exports import (
    NOW,
    ROUTER,
    Input,
    export_set,
    ipfix,
    only,
    options_ipfix,
    options_v9,
    packed,
    template,
    v5,
    v5_record,
    v9,
)

SIMPLE = template(300, (8, 4), (1, 4))


def flow(number: int, octets: int = 100) -> bytes:
    return struct.pack("!II", 0x0A000000 + number, octets)


def reasons(input_: Input) -> dict[str, int]:
    return {reason: count for reason, count in input_.intake.refused.items() if count}


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


# templates


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


# records before their template


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


# exporters


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


# sequence numbers


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


# options

SAMPLED = template(300, (8, 4), (2, 4), (1, 4), (48, 1))
UNSAMPLED = template(301, (8, 4), (2, 4), (1, 4))


def sampling(*values: int, sampler: int = 1) -> bytes:
    elements = [(48, sampler), *zip((34, 50, 305, 306, 309, 310), values, strict=False)]
    used = [(element, value) for element, value in elements if value]
    layout = options_v9(400, [(1, 4)], *((element, 4) for element, _ in used))
    return v9(export_set(1, layout), export_set(400, bytes(4), *(value.to_bytes(4) for _, value in used)))


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ((100,), 100),
        ((100, 50), 50),
        ((0, 0, 10, 990), 100),
        ((0, 0, 0, 0, 2, 400), 200),
        ((0, 0, 1), None),
    ],
)
def test_the_rate_of_a_sampler_comes_from_options(values: tuple[int, ...], rate: int | None) -> None:
    i = Input("sampling_rate src_host")
    i.take(sampling(*values), v9(export_set(0, SAMPLED)))
    rows = i.take(v9(export_set(300, struct.pack("!IIIB", 1, 3, 500, 1))))
    assert only(rows, "sampling_rate", "packets", "bytes") == [(rate, 3, 500)]


def test_counters_are_multiplied_where_that_is_asked_for() -> None:
    i = Input("sampling_rate src_host", decode=DecodeSettings(renormalize=True))
    i.take(sampling(50), v9(export_set(0, SAMPLED, UNSAMPLED)))
    records = export_set(300, struct.pack("!IIIB", 1, 1, 1000, 1), struct.pack("!IIIB", 1, 1, 1000, 2))
    rows = i.take(v9(records, export_set(301, struct.pack("!III", 1, 1, 1000))))
    # sampler 2 is unknown; without a sampler the one defined last would count, were it of the domain
    assert only(rows, "sampling_rate", "packets", "bytes", "flows") == [
        (1, 50, 50_000, 1),
        (None, 1, 1000, 1),
        (None, 1, 1000, 1),
    ]


def test_a_sampler_of_the_domain_holds_for_records_that_name_none() -> None:
    i = Input("sampling_rate src_host")
    layout = options_ipfix(400, [(149, 4)], (48, 1), (34, 4))
    i.take(ipfix(export_set(3, layout), export_set(400, struct.pack("!IBI", 0, 9, 700)), export_set(2, UNSAMPLED)))
    rows = i.take(ipfix(export_set(301, struct.pack("!III", 1, 1, 1000))))
    assert only(rows, "sampling_rate") == [(700,)]


def test_a_rate_of_zero_is_unknown() -> None:
    i = Input("sampling_rate src_host", decode=DecodeSettings(renormalize=True))
    i.take(v9(export_set(0, template(300, (8, 4), (2, 4), (1, 4), (34, 4)))))
    rows = i.take(v9(export_set(300, struct.pack("!IIII", 1, 3, 500, 0), struct.pack("!IIII", 1, 3, 500, 10))))
    assert only(rows, "sampling_rate", "packets", "bytes") == [(None, 3, 500), (1, 30, 5000)]


def test_a_sampling_map_comes_before_the_protocol_and_an_external_rate_before_both() -> None:
    rules = (InterfaceRate(7, in_iface=1, out_iface=9, not_out=True), InterfaceRate(8))
    for mapped, in_iface, external, rate in (
        (MappedRates(10), 1, 0, 10),
        (MappedRates(rules=rules), 1, 0, 7),
        (MappedRates(rules=rules), 2, 0, 8),
        (MappedRates(), 1, 0, 100),
        (MappedRates(10), 1, 1000, 1000),
    ):
        i = Input(
            "sampling_rate in_iface out_iface",
            decode=DecodeSettings(renormalize=True, external_rate=external),
            rates=lambda _address, mapped=mapped: mapped,
        )
        rows = i.take(v5(v5_record(packets=1, input=in_iface), sampling=100))
        assert only(rows, "packets", "sampling_rate") == [(rate, 1)]


def test_names_and_route_distinguishers_come_from_options() -> None:
    i = Input()
    rd = bytes.fromhex("0002fbf0000a000c")
    interfaces = options_v9(400, [(1, 4)], (10, 4), (82, 12))
    vrfs = options_ipfix(401, [(234, 4)], (236, 65535), (90, 8))
    layout = template(300, (8, 4), (1, 4), (10, 2), (14, 4), (234, 4), (235, 4))
    i.take(v9(export_set(1, interfaces), export_set(400, bytes(4), bytes([0, 0, 0, 5]), b"xe-0/0/1".ljust(12, b"\0"))))
    i.take(v9(export_set(0, layout)))
    (row,) = i.take(v9(export_set(300, bytes([10, 0, 0, 1]), struct.pack("!IHIII", 9, 5, 6, 0, 0))))
    assert row["in_iface_name"] == b"xe-0/0/1"
    assert "out_iface_name" not in row
    i.take(ipfix(export_set(3, vrfs), export_set(401, struct.pack("!I", 77), b"\x04blue", rd)))
    i.take(ipfix(export_set(2, layout)))
    (known, unknown, neither) = i.take(
        ipfix(
            export_set(
                300,
                *(bytes([10, 0, 0, 1]) + struct.pack("!IHIII", 9, 5, 6, *ids) for ids in ((77, 0), (78, 0), (0, 0))),
            )
        )
    )
    assert (known["mpls_vpn_rd"], known["mpls_vpn_rd_origin"], known["vrf_name"]) == (rd, 3, b"blue")
    assert (unknown["mpls_vpn_rd"], unknown["mpls_vpn_rd_origin"]) == (bytes.fromhex("080000000000004e"), 3)
    assert not {"mpls_vpn_rd", "mpls_vpn_rd_origin", "vrf_name"} & set(neither)


def test_a_route_distinguisher_in_the_record_comes_first() -> None:
    i = Input()
    i.take(ipfix(export_set(2, template(300, (8, 4), (1, 4), (90, 8), (234, 4)))))
    (row,) = i.take(ipfix(export_set(300, bytes(8), bytes(8), struct.pack("!I", 5))))
    assert row["mpls_vpn_rd_origin"] == 3
    assert "mpls_vpn_rd" not in row


def test_applications_have_names() -> None:
    i = Input("class")
    names = options_v9(400, [(1, 4)], (95, 4), (96, 8))
    i.take(v9(export_set(1, names), export_set(400, bytes(4), b"\x0d\x00\x00\x31", b"http\0\0\0\0")))
    i.take(v9(export_set(0, template(300, (8, 4), (1, 4), (95, 4)))))
    records = export_set(300, bytes(8), b"\x0d\x00\x00\x31", bytes(8), b"\x03\x00\x00\x31")
    assert only(i.take(v9(records)), "class") == [(b"http",), (None,)]


def test_an_exporter_may_tell_its_address() -> None:
    options = options_v9(400, [(1, 4)], (130, 4))
    address = ip_address("10.99.0.1").packed
    for ignore, shown in ((False, "10.99.0.1"), (True, ROUTER)):
        i = Input("peer_src_ip exporter_address sender_address", decode=DecodeSettings(ignore_exporter_address=ignore))
        i.take(v5(v5_record()))
        i.take(v9(export_set(1, options), export_set(400, bytes(4), address)))
        # said of the system, so of all its domains and versions
        rows = i.take(v5(v5_record()))
        assert only(rows, "peer_src_ip", "exporter_address", "sender_address") == [(shown, "10.99.0.1", ROUTER)]
        assert i.intake.exporters[0].compared_address == IPV4_MAPPED + address


def test_options_may_be_rows_too() -> None:
    i = Input(settings=IntakeSettings(account_options=True))
    layout = options_ipfix(400, [(149, 4)], (48, 1), (34, 4))
    rows = i.take(
        ipfix(export_set(3, layout), export_set(400, struct.pack("!IBI", 0, 9, 700), struct.pack("!IBI", 0, 8, 70)))
    )
    assert only(rows, "record_type", "packets") == [(200, None)] * 2
    assert i.intake.exporters[0].facts is not None
    assert i.intake.exporters[0].facts.get("sampler", 9) == 700


def test_options_that_break_their_template_are_reported() -> None:
    i = Input()
    layout = options_ipfix(400, [(149, 4)], (82, 65535))
    i.take(ipfix(export_set(3, layout), export_set(400, bytes(4), b"\x20abc")))
    assert any(isinstance(each, event.OptionsRefused) for each in i.events)


def test_uptimes_count_from_what_options_tell() -> None:
    i = Input(decode=DecodeSettings(uptime_from_options=True))
    layout = template(300, (8, 4), (1, 4), (22, 4), (21, 4))
    records = export_set(300, flow(1) + struct.pack("!II", 1500, 2500))
    (before,) = i.take(ipfix(export_set(2, layout), records))
    assert (before["timestamp_start"], before.get("timestamp_end")) == (NOW * 1_000_000, None)
    told = export_set(400, struct.pack("!IQ", 1, (NOW - 10) * 1000))
    (after,) = i.take(ipfix(export_set(3, options_ipfix(400, [(149, 4)], (160, 8))), told, records))
    assert after["timestamp_start"] == after["bin_time"] == (NOW - 10) * 1_000_000 + 1_500_000
    assert after["timestamp_end"] == (NOW - 10) * 1_000_000 + 2_500_000
    usual = Input()
    told_first = ipfix(export_set(2, layout), export_set(3, options_ipfix(400, [(149, 4)], (160, 8))), told, records)
    assert usual.take(told_first)[0]["timestamp_start"] == NOW * 1_000_000
