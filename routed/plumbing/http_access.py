"""Who may ask over HTTP, and how often: bearer tokens of a file (RFC 6750), and a rate for each client."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from routed.plumbing.lifecycle import StartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Tokens of a file, and the fewest characters of one: shorter ones are guessed.
MAX_TOKENS: Final = 1_000
MIN_TOKEN: Final = 16
MAX_TOKEN_FILE: Final = 1 << 20
#: Clients whose rate is remembered: one that is forgotten begins anew, as if it had asked nothing lately.
MAX_CLIENTS: Final = 4_096
#: How much of a second's requests a client may ask for at once.
BURST: Final = 2.0
#: Bits of an IPv6 address that one client has: it may use all addresses behind them.
CLIENT_BITS: Final = 64

_SCHEME: Final = "bearer "


class TokenError(StartError):
    """The file of tokens is of no use; the text says why."""


class Tokens:
    """The tokens of a file, one a line; empty lines and those that begin with `#` do not count."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises: TokenError.
        """
        self._path = path
        self._digests = _read(path)

    def read_again(self) -> Tokens:
        """Return the tokens that the file has now.

        Raises: TokenError.
        """
        return Tokens(self._path)

    def take(self, other: Tokens) -> None:
        """Admit from now on whom others admit."""
        self._digests = other._digests

    def admit(self, authorization: str | None) -> bool:
        """Tell whether what a client says of itself has one of the tokens; each is compared, in constant time."""
        if authorization is None or not authorization.lower().startswith(_SCHEME):
            return False
        digest = _digest(authorization[len(_SCHEME) :].strip())
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _read(path: Path) -> list[bytes]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_TOKEN_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"[{path}] {getattr(error, 'strerror', None) or error}") from error
    if len(text) > MAX_TOKEN_FILE:
        raise TokenError(f"[{path}] has more than {MAX_TOKEN_FILE} octets")
    digests = []
    for number, line in enumerate(text.splitlines(), 1):
        token = line.strip()
        if not token or token.startswith("#"):
            continue
        if len(token) < MIN_TOKEN or not token.isascii() or " " in token:
            raise TokenError(f"[{path}:{number}] is no token: at least {MIN_TOKEN} characters of ASCII without blanks")
        digests.append(_digest(token))
    if not 0 < len(digests) <= MAX_TOKENS:
        raise TokenError(f"[{path}] has {len(digests)} tokens, not 1 to {MAX_TOKENS}")
    return digests


def _digest(token: str) -> bytes:
    """Return as many octets whatever the token: how long it is shall not show in how long it takes to compare."""
    return sha256(token.encode(errors="replace")).digest()


class Rates:
    """How often each client asks: a bucket of tokens each, filled at the rate that is allowed.

    Args:
        rate: requests a second, 0 for any number.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # what is left, and when that was

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, host: str) -> float:
        """Take a request into account; how many seconds the client has to wait first, 0 for none."""
        if not self._rate:
            return 0.0
        client, now = client_of(host), self._clock()
        left, when = self._buckets.pop(client, (self._rate * BURST, now))
        left = min(self._rate * BURST, left + (now - when) * self._rate)
        is_allowed = left >= 1
        self._buckets[client] = (left - 1 if is_allowed else left, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - left) / self._rate


def client_of(host: str) -> bytes:
    """Return what stands for a client: its address, of IPv6 the part that is not its own choice."""
    try:
        address: IPv4Address | IPv6Address = IPv4Address(host)
    except ValueError:
        address = IPv6Address(host.partition("%")[0])
        address = address.ipv4_mapped or address
    return address.packed[: CLIENT_BITS // 8]
