from __future__ import annotations

from ipaddress import ip_address

import pytest

from routed.plumbing.allow_list import AllowList, parse_allow_list
from routed.plumbing.log import Level, LogLine
from routed.service import peer_maps
from routed.service.peer_maps import MAX_KEY_OCTETS, key_of, parse_md5_keys


def allowed(content: str) -> AllowList:
    loaded = parse_allow_list(content, "allow")
    assert loaded.lines == ()
    return loaded.content


@pytest.mark.parametrize(
    ("row", "inside", "outside"),
    [
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.2", "2001:db8::1"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0"]),
        ("192.0.2.7/24", ["192.0.2.255"], ["192.0.3.0"]),
        ("0.0.0.0/0", ["10.0.0.1"], ["2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8:ffff::"], ["2001:db9::", "32.1.13.184"]),
        ("2001:DB8::1", ["2001:db8::1"], ["2001:db8::2"]),
        ("::/0", ["2001:db8::1"], ["10.0.0.1"]),
        (" 192 . 0.2.1 ", ["192.0.2.1"], []),
    ],
)
def test_a_row_permits_what_it_covers(row: str, inside: list[str], outside: list[str]) -> None:
    permitted = allowed(f"! comment\n# another\n\n{row}\n")
    assert [text for text in inside if not permitted.permits(ip_address(text))] == []
    assert [text for text in outside if permitted.permits(ip_address(text))] == []


def test_the_scope_of_a_link_local_address_does_not_matter() -> None:
    permitted = allowed("fe80::/64\n")
    assert permitted.permits(ip_address("fe80::1%eth0"))
    assert not permitted.permits(ip_address("fe80:1::1%eth0"))


def test_any_row_will_do() -> None:
    permitted = allowed("192.0.2.1\n2001:db8::/32\n192.0.2.1\n")
    assert len(permitted) == 2
    assert permitted.permits(ip_address("2001:db8::7"))


def test_an_empty_file_permits_nobody() -> None:
    permitted = allowed("! nothing\n")
    assert len(permitted) == 0
    assert not permitted.permits(ip_address("192.0.2.1"))
    assert not permitted.permits(ip_address("2001:db8::1"))


@pytest.mark.parametrize("row", ["host.example", "192.0.2.256", "192.0.2.0/33", "2001:db8::/129", "192.0.2.1;"])
def test_a_bad_row_is_left_out_with_a_warning(row: str) -> None:
    loaded = parse_allow_list(f"192.0.2.1\n{row}\n192.0.2.2", "allow")
    assert loaded.lines == (LogLine(Level.WARN, f"[allow:2] Bad IP address '{row}'. Ignored."),)
    assert len(loaded.content) == 2


def test_many_rows_are_all_kept() -> None:
    rows = "\n".join(f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_000))
    assert len(allowed(rows)) == 10_000


def test_keys_are_by_address_and_the_last_one_counts() -> None:
    loaded = parse_md5_keys(
        "! comment\n# comment\n192.0.2.1, secret\n2001:DB8::1,a,b c\n::ffff:192.0.2.9, x\n192.0.2.1, other\n", "md5"
    )
    assert loaded.lines == ()
    assert loaded.content == {
        ip_address("192.0.2.1"): b"other",
        ip_address("2001:db8::1"): b"a,bc",
        ip_address("192.0.2.9"): b"x",
    }


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("192.0.2.1", "it is not 'address, password'"),
        ("192.0.2.1,", "it is not 'address, password'"),
        ("host, hidden", "it does not begin with an IP address or prefix"),
        ("192.0.2.0/33, hidden", "it does not begin with an IP address or prefix"),
        ("2001:db8::/129, hidden", "it does not begin with an IP address or prefix"),
        ("192.0.2.1, " + "x" * (MAX_KEY_OCTETS + 1), f"the password is longer than {MAX_KEY_OCTETS} octets"),
    ],
)
def test_a_bad_row_of_keys_is_left_out_and_its_password_is_not_logged(row: str, complaint: str) -> None:
    loaded = parse_md5_keys(f"{row}\n192.0.2.7, y", "md5")
    assert loaded.lines == (LogLine(Level.WARN, f"[md5:1] line ignored: {complaint}."),)
    assert "hidden" not in loaded.lines[0].text
    assert loaded.content == {ip_address("192.0.2.7"): b"y"}


def test_a_prefix_may_have_a_key_for_all_that_have_no_nearer_one() -> None:
    rows = "10.1.2.3/8, far\n10.1.0.0/16, near\n10.1.1.1/32, own\n2001:db8::/32, six\n0.0.0.0/0, any\n"
    loaded = parse_md5_keys(rows, "md5")
    assert loaded.lines == ()
    assert {str(owner): key for owner, key in loaded.content.items()} == {
        "10.0.0.0/8": b"far",
        "10.1.0.0/16": b"near",
        "10.1.1.1": b"own",
        "2001:db8::/32": b"six",
        "0.0.0.0/0": b"any",
    }
    found = {
        "10.1.1.1": b"own", "10.1.1.2": b"near", "10.2.0.0": b"far", "192.0.2.1": b"any", "2001:db8::1": b"six",
        "2001:db9::1": None,
    }  # fmt: skip
    assert {text: key_of(loaded.content, ip_address(text)) for text in found} == found


def test_a_key_may_be_as_long_as_the_kernel_takes() -> None:
    assert parse_md5_keys("192.0.2.1," + "x" * MAX_KEY_OCTETS, "md5").content == {
        ip_address("192.0.2.1"): b"x" * MAX_KEY_OCTETS
    }


def test_keys_beyond_the_limit_are_left_out_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_maps, "MAX_KEYS", 2)
    loaded = parse_md5_keys("10.0.0.1,a\n10.0.0.2,b\n10.0.0.1,c\n10.0.0.3,d\n10.0.0.4,e", "md5")
    assert loaded.content == {ip_address("10.0.0.1"): b"c", ip_address("10.0.0.2"): b"b"}
    assert [line.text for line in loaded.lines] == ["[md5] file cut to the first 2 entries."]
