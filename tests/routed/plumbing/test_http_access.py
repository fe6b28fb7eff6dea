"""Tokens of a file, and rates of clients."""

from pathlib import Path

import pytest

from routed.plumbing import http_access as module
from routed.plumbing.http_access import MIN_TOKEN, Rates, TokenError, Tokens, client_of

GOOD = "0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# of the dashboard\n{GOOD}\n\n  another-token-of-ours  \n")
    return path


@pytest.mark.parametrize(
    ("authorization", "is_admitted"),
    [
        (f"Bearer {GOOD}", True),
        (f"bearer  {GOOD} ", True),
        ("Bearer another-token-of-ours", True),
        (f"Bearer {GOOD}0", False),
        (f"Bearer {GOOD[:-1]}", False),
        ("Bearer ", False),
        (f"Basic {GOOD}", False),
        (GOOD, False),
        ("Bearer # of the dashboard", False),
        ("Bearer \u00fc\udcff", False),
        (None, False),
    ],
)
def test_who_has_a_token_of_the_file_is_admitted(file: Path, authorization: str | None, is_admitted: bool) -> None:
    assert Tokens(file).admit(authorization) is is_admitted


def test_every_token_is_compared_in_constant_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(module.hmac, "compare_digest", lambda one, other: bool(compared.append((one, other))) or True)
    assert Tokens(file).admit("Bearer x")
    assert [len(one) for pair in compared for one in pair] == [32] * 4


def test_tokens_are_read_again(file: Path) -> None:
    tokens = Tokens(file)
    file.write_text("a-new-token-of-ours\n")
    tokens.take(tokens.read_again())
    assert (tokens.admit("Bearer a-new-token-of-ours"), tokens.admit(f"Bearer {GOOD}")) == (True, False)
    file.write_text("")
    with pytest.raises(TokenError):
        tokens.take(tokens.read_again())
    assert tokens.admit("Bearer a-new-token-of-ours")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has 0 tokens, not 1 to 2"),
        ("# nothing\n", "has 0 tokens"),
        (f"{GOOD}\n" * 3, "has 3 tokens, not 1 to 2"),
        ("x" * (MIN_TOKEN - 1), ":1] is no token: at least 16 characters"),
        (f"{GOOD}\nwith a blank inside\n", ":2] is no token"),
        ("ü" * MIN_TOKEN, ":1] is no token"),
        (f"{GOOD}\n" + "#" * 1_000, "has more than 500 octets"),
    ],
)
def test_a_file_that_is_of_no_use(file: Path, text: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOKENS", 2)
    monkeypatch.setattr(module, "MAX_TOKEN_FILE", 500)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TokenError) as refused:
        Tokens(file)
    assert problem in str(refused.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="No such file"):
        Tokens(tmp_path / "nothing")
    (tmp_path / "octets").write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(TokenError):
        Tokens(tmp_path / "octets")


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_ask_at_its_rate_and_a_burst_at_once() -> None:
    clock = Time()
    rates = Rates(2, clock)
    assert [rates.wait("192.0.2.1") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rates.wait("192.0.2.2") == 0
    clock.now = 0.5
    assert [rates.wait("192.0.2.1") for _ in range(2)] == [0, 0.5]
    clock.now = 1_000
    assert [rates.wait("192.0.2.1") for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_no_rate_is_no_limit() -> None:
    rates = Rates(0, Time())
    assert {rates.wait("192.0.2.1") for _ in range(1_000)} == {0}
    assert len(rates) == 0


def test_clients_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CLIENTS", 2)
    rates = Rates(1, Time())
    for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"):
        rates.wait(host)
    assert (len(rates), rates.wait("192.0.2.1")) == (2, 1)
    rates.wait("192.0.2.3")  # the one that has been silent longest is forgotten
    assert (len(rates), rates.wait("192.0.2.1")) == (2, 1)


def test_a_client_is_an_address_or_what_of_it_is_not_its_own_choice() -> None:
    assert client_of("192.0.2.1") == client_of("::ffff:192.0.2.1") != client_of("192.0.2.2")
    assert client_of("2001:db8::1") == client_of("2001:db8::2:1%eth0") != client_of("2001:db8:0:1::1")
