"""How looking glasses are named."""

import pytest

from lg.server import Server, parse_address


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.1", ("192.0.2.1", 17_900)),
        ("glass.example:1", ("glass.example", 1)),
        ("2001:db8::1", ("2001:db8::1", 17_900)),
        ("[2001:db8::1]", ("2001:db8::1", 17_900)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65_535)),
    ],
)
def test_a_looking_glass_is_a_host_and_maybe_a_port(text: str, place: tuple[str, int]) -> None:
    assert parse_address(text) == place


@pytest.mark.parametrize(
    "text",
    ["", ":1", "a:", "a:0", "a:65536", "a:1x", "a:\N{ARABIC-INDIC DIGIT THREE}", "[::1", "[::1]1", "[a]:1", "1:2:3"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\[|parts|least"):
        parse_address(text)


def test_the_port_of_an_ipv6_address_is_told_apart() -> None:
    assert [str(Server()), str(Server(host="::1", port=1))] == ["127.0.0.1:17900", "[::1]:1"]
