"""One RPKI cache of several, over all sessions with it: where it is, how it has done, what it is offered next."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from routed.session.rtr_client import DEFAULT_INTERVALS

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from routed.plumbing.values import Address, Endpoint
    from routed.service.dial import Cancellable
    from routed.service.rtr_connection import Connection
    from routed.session.rtr_client import Resumption, RtrClient
    from routed.wire.rtr.pdu import Intervals

#: Seconds from a failure to the next attempt: twice as many after each, back to the first when a session has lasted.
FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
#: How long a session has to last before it counts as one that did. Units: seconds.
LASTING: Final = 60.0


@dataclass(slots=True, eq=False)
class Cache:
    """One cache, over all of its sessions."""

    endpoint: Endpoint
    versions: tuple[int, ...]
    next_versions: tuple[int, ...]  # of the next session
    delay: float = FIRST_DELAY
    has_failed: bool = False  # since it last answered
    is_synced: bool = False
    attempt: Cancellable | None = None
    is_resolving: bool = False
    connection: Connection | None = None
    alarm: IDelayedCall | None = None
    resumption: Resumption | None = None
    intervals: Intervals = DEFAULT_INTERVALS
    addresses: list[Address] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is under way."""
        return self.attempt is None and self.connection is None and self.alarm is None and not self.is_resolving


def older_versions(cache: Cache, session: RtrClient) -> tuple[int, ...]:
    """Return the versions that a cache is to be offered next, none when there is no reason for older ones.

    Source: RFC 8210 section 7. A cache may also close the connection without a word.
    """
    if session.refused is not None:
        return tuple(version for version in cache.versions if version <= session.refused)
    if session.answers:
        return ()
    return tuple(version for version in cache.versions if version < session.version)


def addresses_of(endpoint: Endpoint) -> list[Address]:
    """Look a host up; its addresses in the order of the system.

    Raises: OSError.
    """
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
