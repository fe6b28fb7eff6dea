"""CURVE keys: certificates of ours in files, and one key that both ends have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import zmq.auth

if TYPE_CHECKING:
    from pathlib import Path


def own_keys(path: Path) -> tuple[bytes, bytes]:
    """Read a certificate of ours: the public and the secret key.

    Raises: OSError, ValueError.
    """
    public, secret = zmq.auth.load_certificate(path)
    if secret is None:
        raise ValueError(f"[{path}] has no secret key")
    return public, secret


@dataclass(frozen=True, slots=True)
class OneKey:
    """Lets those in who have a key, for an authenticator that asks a store of keys."""

    public: bytes

    def callback(self, _domain: str, key: bytes) -> bool:
        """Tell whether a client may connect."""
        return key == self.public
