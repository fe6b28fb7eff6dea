"""Where a schema registry is, as operators write it: addresses with commas between them, with a login or without."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RegistryUrl:
    """One address of a registry. Whoever prints it shows no login.

    `base`: what the paths of its API are appended to. `login`: user and password, with a colon between them.
    """

    base: str
    login: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.base


def parse_urls(text: str) -> tuple[RegistryUrl, ...]:
    """Understand the addresses of a registry, which are tried in turn.

    Raises: ValueError.
    """
    return tuple(_parse_url(url.strip()) for url in text.split(","))


def _parse_url(url: str) -> RegistryUrl:
    parts = urlsplit(url)
    base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{base!r} is not the address of a schema registry, such as http://127.0.0.1:8081")
    _ = parts.port  # ValueError when it is none
    base.encode("ascii")  # ValueError when a request could not name it
    return RegistryUrl(base, None if parts.username is None else f"{parts.username}:{parts.password or ''}")
