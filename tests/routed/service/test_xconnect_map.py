from ipaddress import ip_address

import pytest

from routed.plumbing.log import Level
from routed.plumbing.maps import Limits
from routed.service.xconnect_map import Destination, parse_xconnect_map


def destination(rows: str, peer: str) -> str | None:
    loaded = parse_xconnect_map(rows, "map", Limits())
    assert loaded.lines == ()
    found = loaded.content.find(ip_address(peer))
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("source", "inside", "outside"),
    [
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.2", "::1"]),
        ("192.0.2.1:50000", ["192.0.2.1"], ["192.0.2.2"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0"]),
        ("192.0.2.9/24", ["192.0.2.255"], []),
        ("0.0.0.0/0", ["10.0.0.1"], ["2001:db8::1"]),
        ("2001:db8::1", ["2001:db8::1"], ["2001:db8::2", "192.0.2.1"]),
        ("[2001:db8::1]:179", ["2001:db8::1"], []),
        ("2001:db8::/32", ["2001:db8:ffff::"], ["2001:db9::", "32.1.13.184"]),
        ("::ffff:192.0.2.1", ["192.0.2.1"], []),
        ("fe80::/64", ["fe80::1%eth0"], []),
    ],
)
def test_a_row_covers_an_address_or_a_prefix(source: str, inside: list[str], outside: list[str]) -> None:
    rows = f"! comment\n# another\n\n  bgp_src={source}\tbgp_dst=10.0.0.1:17901\n"
    assert {destination(rows, peer) for peer in inside} == {"10.0.0.1:17901"}
    assert [peer for peer in outside if destination(rows, peer)] == []


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("bgp_dst=10.0.0.1:1 bgp_src=192.0.2.0/24\nbgp_dst=10.0.0.1:2 bgp_src=192.0.2.1", "10.0.0.1:1"),
        ("bgp_dst=10.0.0.1:2 bgp_src=192.0.2.1\nbgp_dst=10.0.0.1:1 bgp_src=192.0.2.0/24", "10.0.0.1:2"),
        ("bgp_dst=10.0.0.1:3 bgp_src=::/0\nbgp_dst=10.0.0.1:4 bgp_src=0.0.0.0/0", "10.0.0.1:4"),
        ("bgp_dst=10.0.0.1:5 bgp_src=192.0.2.1\nbgp_dst=10.0.0.1:6 bgp_src=192.0.2.1", "10.0.0.1:5"),
    ],
)
def test_the_first_row_in_file_order_counts(rows: str, wanted: str) -> None:
    assert destination(rows, "192.0.2.1") == wanted


def test_collectors_have_addresses_of_either_version() -> None:
    assert destination("bgp_dst=[2001:DB8::1]:179 bgp_src=192.0.2.1", "192.0.2.1") == "[2001:db8::1]:179"
    assert str(Destination(ip_address("192.0.2.7"), 179)) == "192.0.2.7:179"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("bgp_src=192.0.2.1", "required key missing: 'bgp_dst'. Required keys are: 'bgp_dst', 'bgp_src'."),
        ("bgp_dst=10.0.0.1:1", "required key missing: 'bgp_src'. Required keys are: 'bgp_dst', 'bgp_src'."),
        ("bgp_dst=10.0.0.1 bgp_src=192.0.2.1", "'bgp_dst' is '10.0.0.1': valid is"),
        ("bgp_dst=10.0.0.1:0 bgp_src=192.0.2.1", "'bgp_dst' is '10.0.0.1:0': valid is"),
        ("bgp_dst=10.0.0.1:65536 bgp_src=192.0.2.1", "'bgp_dst' is '10.0.0.1:65536': valid is"),
        ("bgp_dst=collector:179 bgp_src=192.0.2.1", "'bgp_dst' is 'collector:179': valid is"),
        ("bgp_dst=0.0.0.0:179 bgp_src=192.0.2.1", "'bgp_dst' is '0.0.0.0:179', where nobody"),
        ("bgp_dst=[ff02::1]:179 bgp_src=192.0.2.1", "'bgp_dst' is '[ff02::1]:179', where nobody"),
        ("bgp_dst=10.0.0.1:1 bgp_src=192.0.2", "'bgp_src' is '192.0.2': valid is"),
        ("bgp_dst=10.0.0.1:1 bgp_src=192.0.2.0/33", "'bgp_src' is '192.0.2.0/33': valid is"),
        ("bgp_dst=10.0.0.1:1 bgp_src=192.0.2.1:x", "'bgp_src' is '192.0.2.1:x': valid is"),
        ("bgp_dst=10.0.0.1:1 bgp_src=192.0.2.1 ip=192.0.2.1", "Line ignored because of unknown key 'ip'."),
        ("bgp_dst=10.0.0.1:1 bgp_dst=10.0.0.1:2 bgp_src=192.0.2.1", "Multiple 'bgp_dst' clauses"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_with_its_place_and_the_reason(row: str, reason: str) -> None:
    loaded = parse_xconnect_map(f"bgp_dst=10.0.0.1:1 bgp_src=192.0.2.2\n{row}\n", "map", Limits())
    [line] = loaded.lines
    assert line.level is Level.WARN
    assert line.text.startswith(f"[map:2] {reason}")
    assert "ignored" in line.text.lower()
    assert len(loaded.content) == 1
    assert loaded.content.find(ip_address("192.0.2.1")) is None


def test_a_thousand_rows_are_kept_when_so_many_may_be() -> None:
    rows = "".join(f"bgp_dst=10.0.0.1:{n} bgp_src=10.1.{n >> 8}.{n & 255}\n" for n in range(1, 1001))
    assert len(parse_xconnect_map(rows, "map", Limits()).content) == 384
    loaded = parse_xconnect_map(rows, "map", Limits(max_rows=1000))
    assert str(loaded.content.find(ip_address("10.1.3.232"))) == "10.0.0.1:1000"
