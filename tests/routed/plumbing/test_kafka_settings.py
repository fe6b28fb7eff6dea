import pytest

from routed.plumbing.kafka_settings import Property, advise, parse_properties, parse_servers


@pytest.mark.parametrize(
    ("text", "port", "servers"),
    [
        ("127.0.0.1", 9093, "127.0.0.1:9093"),
        ("kafka.example", 9092, "kafka.example:9092"),
        ("kafka.example:19092", 9093, "kafka.example:19092"),
        ("a:1, b", 7, "a:1,b:9092"),
        ("ssl://a:9093", 7, "ssl://a:9093"),
        ("ssl://a", 7, "ssl://a:7"),
        ("2001:db8::1", 7, "[2001:db8::1]:7"),
        ("[2001:db8::1]:9093,[2001:db8::2]", 7, "[2001:db8::1]:9093,[2001:db8::2]:9092"),
    ],
)
def test_brokers_are_hosts_with_ports(text: str, port: int, servers: str) -> None:
    assert parse_servers(text, port) == servers


@pytest.mark.parametrize("text", ["", "a,,b", "a:0", "a:65536", "a:b", "a b", ":9092", "ssl://", "[::1]:x"])
def test_what_is_no_broker_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no host|no valid port"):
        parse_servers(text)


def test_properties_are_lines_of_three_and_a_value_may_hold_commas() -> None:
    text = (
        "! a comment\n"
        "global, security.protocol, ssl\n"
        "topic,request.required.acks,1\n"
        "\n"
        "global, ssl.cipher.suites, A, B\n"
        "Global, client.id, x\n"
        "global, half\n"
        "global, empty,"
    )
    assert parse_properties(text) == [
        Property("security.protocol", "ssl", 2),
        Property("request.required.acks", "1", 3),
        Property("ssl.cipher.suites", "A, B", 5),
        Property("empty", "", 8),
    ]


def test_a_property_that_is_nearly_right_is_advised_about() -> None:
    assert advise("security.protocl") == "; did you mean security.protocol?"
    assert advise("quite.different.thing.altogether") == ""
