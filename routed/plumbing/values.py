"""Parsers of the texts that operators write: one value of one key, strictly.

A `Parser` pairs a function with the words that say what it accepts, so that the reference documentation and every
error message come from the same row. The function raises `ValueError` and nothing else, with a text where those words
alone would not tell what is wrong. It takes whole values only: `179abc` is not 179.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from routed.plumbing.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Parser(Generic[T]):
    """How the text of a value is read, and what is valid in words."""

    valid: str
    parse: Callable[[str], T]
    choices: tuple[str, ...] = ()

    def advice(self, text: str) -> str:
        """Say what is valid, and for a list of words which of them `text` comes nearest to."""
        meant = nearest(text.lower(), self.choices)
        return f"valid is {self.valid}" + (f"; did you mean {meant}?" if meant else "")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address or host name with its port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write the host in brackets when it is an IPv6 address, as it was read."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Parse an IP address; an IPv4 address mapped into IPv6 becomes the IPv4 address it stands for."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_integer(text: str) -> int:
    """Parse decimal digits with an optional sign; nothing may follow them."""
    digits = text[1:] if text[:1] in {"-", "+"} else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text} is not an integer")
    return int(text)


def between(low: int, high: int, *, unit: str = "") -> Parser[int]:
    """Accept the integers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        number = parse_integer(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Parser(f"an integer from {low} to {high}{unit and f' ({unit})'}", parse)


def at_least(low: int, *, unit: str = "") -> Parser[int]:
    """Accept the integers from `low` to the largest that a signed 64-bit counter holds."""
    top = 2**63 - 1

    def parse(text: str) -> int:
        number = parse_integer(text)
        if not low <= number <= top:
            raise ValueError
        return number

    return Parser(f"an integer of at least {low}{unit and f' ({unit})'}", parse)


def zero_or(parser: Parser[int]) -> Parser[int]:
    """Accept 0, which switches something off, beside what `parser` accepts."""
    return Parser(f"0 or {parser.valid}", lambda text: 0 if parse_integer(text) == 0 else parser.parse(text))


def word(meanings: Mapping[str, T]) -> Parser[T]:
    """Accept one of a few words, in any case."""
    choices = tuple(meanings)

    def parse(text: str) -> T:
        try:
            return meanings[text.lower()]
        except KeyError:
            raise ValueError from None

    return Parser("one of " + ", ".join(choices) if len(choices) > 1 else choices[0], parse, choices)


def one_of(*choices: str) -> Parser[str]:
    """Accept one of a few words, in any case, and return it in lower case."""
    return word({choice: choice for choice in choices})


def words_of(*choices: str, synonyms: Mapping[str, str] | None = None) -> Parser[tuple[str, ...]]:
    """Accept a comma-separated list of the words given; `synonyms` are other words for some of them."""
    each = word({**{choice: choice for choice in choices}, **(synonyms or {})})
    return Parser(
        f"a comma-separated list of {', '.join(choices)}",
        lambda text: tuple(each.parse(item) for item in parse_list(text)),
        choices,
    )


def list_of(each: Parser[T], most: int) -> Parser[tuple[T, ...]]:
    """Accept a comma-separated list with at most `most` items of one kind."""

    def parse(text: str) -> tuple[T, ...]:
        items = parse_list(text)
        if len(items) > most:
            raise ValueError(f"{len(items)} items are more than {most}")
        return tuple(each.parse(item) for item in items)

    return Parser(f"a comma-separated list of at most {most} items, each {each.valid}", parse)


def parse_list(text: str) -> tuple[str, ...]:
    """Split at commas and trim the blanks around each item; an empty item is an error."""
    items = tuple(item.strip() for item in text.split(","))
    if not all(items):
        raise ValueError("an item is empty")
    return items


def _parse_text(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _parse_path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("no file can have this name")
    return text


def _parse_octal(text: str) -> int:
    if not (text and all(digit in "01234567" for digit in text)):
        raise ValueError(f"{text} is not octal")
    return int(text, 8)


def _parse_umask(text: str) -> int:
    umask = _parse_octal(text)
    if not 0o002 <= umask <= 0o777:
        raise ValueError(f"{text} is not from 002 to 777")
    return umask


def _parse_endpoint(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{text} has no port")
    number = PORT.parse(port)
    if host[0] == "[" and host[-1] == "]":
        return Endpoint(str(ipaddress.IPv6Address(host[1:-1])), number)
    if ":" in host or " " in host:
        raise ValueError(f"{text} needs brackets around its IPv6 address")
    return Endpoint(host, number)


def _parse_own_endpoint(text: str) -> Endpoint:
    endpoint = _parse_endpoint(text)
    return Endpoint(str(ipaddress.ip_address(endpoint.host)), endpoint.port)


def _parse_account(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else _parse_text(text)


#: Text that is kept as it is: values of keys that another daemon reads.
ANYTHING: Final[Parser[str]] = Parser("any text", str)
TEXT: Final[Parser[str]] = Parser("text", _parse_text)
PATH: Final[Parser[str]] = Parser("a path", _parse_path)
#: Defaults of switches, by name: a bare `False` in a table says nothing.
ON: Final = True
OFF: Final = False
BOOLEAN: Final = word({"true": True, "false": False})
PORT: Final = between(1, 65_535)
ADDRESS: Final[Parser[Address]] = Parser("an IPv4 or IPv6 address", ipaddress.ip_address)
PREFIX: Final[Parser[ipaddress.IPv4Network | ipaddress.IPv6Network]] = Parser("an IP prefix", ipaddress.ip_network)
ENDPOINT: Final[Parser[Endpoint]] = Parser("address:port or [IPv6 address]:port", _parse_endpoint)
#: Where something listens: no name, which may stand for several addresses.
OWN_ENDPOINT: Final[Parser[Endpoint]] = Parser("IP address:port or [IPv6 address]:port", _parse_own_endpoint)
UMASK: Final[Parser[int]] = Parser("an octal mask from 002 to 777", _parse_umask)
ACCOUNT: Final[Parser[int | str]] = Parser("a name or a number", _parse_account)
LIST: Final[Parser[tuple[str, ...]]] = Parser("a comma-separated list", parse_list)
