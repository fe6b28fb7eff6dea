from __future__ import annotations

from ipaddress import ip_address

import pytest

from routed.plumbing.values import (
    ACCOUNT,
    ADDRESS,
    BOOLEAN,
    ENDPOINT,
    LIST,
    TEXT,
    UMASK,
    Endpoint,
    at_least,
    between,
    list_of,
    one_of,
    parse_address,
    parse_integer,
    words_of,
    zero_or,
)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("179", 179), ("-1", -1), ("+7", 7), ("007", 7)])
def test_integers_are_decimal_digits(text: str, number: int) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize("text", ["", "-", "179abc", "0x10", "1_000", " 1", "1 ", "1.0", "--1", "²", "\u0661"])
def test_nothing_else_is_an_integer(text: str) -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        parse_integer(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TRUE", True), ("False", False)])
def test_booleans_are_two_words_in_any_case(text: str, value: bool) -> None:
    assert BOOLEAN.parse(text) is value


def test_advice_names_what_is_valid_and_the_nearest_choice() -> None:
    assert one_of("json", "mrt").advice("JSN") == "valid is one of json, mrt; did you mean json?"
    assert one_of("json", "mrt").advice("qq") == "valid is one of json, mrt"
    assert between(1, 9).advice("10") == "valid is an integer from 1 to 9"
    assert at_least(2, unit="seconds").advice("1") == "valid is an integer of at least 2 (seconds)"


def test_zero_switches_off_what_has_a_lower_bound() -> None:
    parser = zero_or(between(3, 9))
    assert [parser.parse(text) for text in ("0", "3", "9")] == [0, 3, 9]
    for text in ("1", "2", "10", "-0x"):
        with pytest.raises(ValueError, match=r"^$|not an integer"):
            parser.parse(text)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.1:323", Endpoint("192.0.2.1", 323)),
        ("[2001:DB8::1]:323", Endpoint("2001:db8::1", 323)),
        ("cache.example:1", Endpoint("cache.example", 1)),
    ],
)
def test_endpoints_have_a_host_and_a_port(text: str, endpoint: Endpoint) -> None:
    assert ENDPOINT.parse(text) == endpoint
    assert str(endpoint).lower() == text.lower()


@pytest.mark.parametrize("text", ["", ":323", "192.0.2.1", "2001:db8::1:323", "[192.0.2.1]:1", "h:0", "h:x", "a b:1"])
def test_other_texts_are_no_endpoints(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$|port|brackets|is not an integer|parts|IPv6"):
        ENDPOINT.parse(text)


def test_lists_are_divided_by_commas() -> None:
    assert LIST.parse(" a , b,-c") == ("a", "b", "-c")
    assert words_of("bgp", "bmp").parse("BGP, bmp") == ("bgp", "bmp")
    assert words_of("bgp", "bmp", synonyms={"true": "bgp"}).parse("bmp, True") == ("bmp", "bgp")
    assert list_of(TEXT, 2).parse("a,b") == ("a", "b")
    for text in ("a,,b", "", "a,"):
        with pytest.raises(ValueError, match="an item is empty"):
            LIST.parse(text)
    with pytest.raises(ValueError, match="3 items are more than 2"):
        list_of(TEXT, 2).parse("a,b,c")


def test_an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() -> None:
    assert parse_address("::ffff:192.0.2.1") == ip_address("192.0.2.1")
    assert parse_address("2001:db8::1") == ip_address("2001:db8::1")
    assert ADDRESS.parse("::") == ip_address("::")


def test_masks_are_octal_and_accounts_names_or_numbers() -> None:
    assert UMASK.parse("027") == 0o027
    assert ACCOUNT.parse("1000") == 1000
    assert ACCOUNT.parse("nobody") == "nobody"
