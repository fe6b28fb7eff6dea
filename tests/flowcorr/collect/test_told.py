"""What exporters tell in options: sampling, names, route distinguishers, uptimes."""

import struct
from ipaddress import ip_address

import pytest

from flowcorr.collect.settings import IntakeSettings, InterfaceRate, MappedRates
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.model import event
from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.exports import (
    NOW,
    ROUTER,
    Input,
    export_set,
    flow,
    ipfix,
    only,
    options_ipfix,
    options_v9,
    template,
    v5,
    v5_record,
    v9,
)

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


def test_a_record_that_names_a_sampler_has_the_rate_of_no_other_one() -> None:
    i = Input("sampling_rate src_host")
    layout = options_ipfix(400, [(149, 4)], (48, 1), (34, 4))
    i.take(ipfix(export_set(3, layout), export_set(400, struct.pack("!IBI", 0, 9, 700)), export_set(2, SAMPLED)))
    rows = i.take(ipfix(export_set(300, *(struct.pack("!IIIB", 1, 1, 1000, sampler) for sampler in (9, 8, 0)))))
    assert only(rows, "sampling_rate") == [(700,), (None,), (700,)]


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


def test_a_given_rate_counts_whatever_records_say() -> None:
    i = Input("sampling_rate src_host", rates=lambda _address: MappedRates(10))
    i.take(v9(export_set(0, template(300, (8, 4), (2, 4), (1, 4), (34, 4)))))
    rows = i.take(v9(export_set(300, struct.pack("!IIII", 1, 3, 500, 99))))
    assert only(rows, "sampling_rate") == [(10,)]


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


def test_what_is_told_of_the_global_table_gives_way_to_the_vrf_on_the_other_side() -> None:
    i = Input()
    rd = bytes.fromhex("0002fbf0000a000c")
    ways = [options_ipfix(401 + at, [(234 + at, 4)], (236, 65535), (90, 8)) for at in (0, 1)]
    i.take(ipfix(export_set(3, *ways), export_set(2, template(300, (8, 4), (1, 4), (234, 4), (235, 4)))))
    i.take(
        ipfix(
            export_set(401, struct.pack("!I", 77), b"\x07default", bytes(8), struct.pack("!I", 78), b"\x04blue", rd),
            export_set(402, struct.pack("!I", 78), b"\x04blue", rd),
        )
    )
    (row,) = i.take(ipfix(export_set(300, bytes([10, 0, 0, 1]), struct.pack("!III", 9, 77, 78))))
    assert (row["vrf_name"], row["mpls_vpn_rd"]) == (b"blue", rd)


@pytest.mark.parametrize(
    ("ids", "expected"), [((0, 78), b"blue"), ((78, 0), b"blue"), ((78, 79), b"blue"), ((0, 0), None)]
)
def test_a_vrf_is_named_by_either_of_its_numbers(ids: tuple[int, int], expected: bytes | None) -> None:
    i = Input()
    names = options_ipfix(401, [(234, 4), (235, 4)], (236, 65535))
    i.take(ipfix(export_set(3, names), export_set(2, template(300, (8, 4), (1, 4), (235, 4)))))
    i.take(ipfix(export_set(401, struct.pack("!II", *ids), b"\x04blue")))
    (row,) = i.take(ipfix(export_set(300, bytes([10, 0, 0, 1]), struct.pack("!II", 9, 78))))
    assert row.get("egress_vrf_name") == expected


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


def test_addresses_that_alternate_are_seldom_shown_to_other_domains() -> None:
    """Or a datagram could have all domains of a sender written anew for each of its records."""
    shown: list[bytes] = []

    def rates(address: bytes) -> MappedRates:
        shown.append(address)
        return MappedRates()

    i = Input("exporter_address", rates=rates)
    domains = 20
    for domain in range(domains):
        i.take(v9(export_set(0, UNSAMPLED), domain=domain))
    i.take(v9(export_set(1, options_v9(400, [(1, 1)], (130, 4))), domain=0))
    one, other = (ip_address(text).packed for text in ("10.99.0.1", "10.99.0.2"))
    alternating = export_set(400, *(bytes(1) + address for address in (one, other) * 50))

    def told(now: int, *sets: bytes) -> int:
        shown.clear()
        i.take(v9(*sets), now=now)
        return len(shown)

    assert told(NOW, alternating) == domains
    assert {each.compared_address for each in i.intake.exporters.values()} == {IPV4_MAPPED + other}
    assert told(NOW, *[export_set(400, bytes(1) + one)] * 50) == 0
    assert told(NOW + 9, export_set(400, bytes(1) + one)) == 0
    assert told(NOW + 10, *[export_set(400, bytes(1) + one)] * 50) == domains
    assert {each.compared_address for each in i.intake.exporters.values()} == {IPV4_MAPPED + one}
    assert told(NOW + 20, alternating, export_set(400, bytes(1) + one)) == domains


def test_domains_that_come_and_go_know_what_is_told_of_their_sender() -> None:
    i = Input("in_iface_name", settings=IntakeSettings(most_exporters=2))
    i.take(v9(export_set(1, options_v9(400, [(1, 4)], (10, 4), (82, 8))), domain=1))
    i.take(v9(export_set(400, bytes(4), bytes([0, 0, 0, 5]), b"xe-0/0/1"), domain=1))
    layout = export_set(0, template(300, (8, 4), (1, 4), (10, 2)))
    record = export_set(300, bytes([10, 0, 0, 1]), struct.pack("!IH", 9, 5))
    assert only(i.take(v9(layout, record, domain=2)), "in_iface_name") == [(b"xe-0/0/1",)]
    later = NOW + 3600
    i.take(v9(record, domain=2), now=later)
    assert only(i.take(v9(layout, record, domain=3), now=later), "in_iface_name") == [(b"xe-0/0/1",)]
    assert {each.domain for each in i.intake.exporters.values()} == {2, 3}
    i.intake.age((later + 2 * 86_400) * 1_000_000)
    assert not i.intake.exporters
    assert only(i.take(v9(layout, record, domain=2), now=later), "in_iface_name") == [(None,)]
