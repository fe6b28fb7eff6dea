"""Types of the compiled changes of validated payloads; see `_payloads.pyx`."""

from typing import Final, final

from typing_extensions import Buffer

from routed.rib._vrps import Payload, Vrps

MAX_PAYLOADS: Final = 8_388_608
"""Payloads of one address family, at most."""

class PayloadError(ValueError):
    """A payload is announced twice, or one that is not there is withdrawn, or there are too many."""

    kind: str  # "duplicate", "unknown", "too many"
    payload: Payload | None
    def __init__(self, kind: str, payload: Payload | None) -> None: ...

@final
class Payloads:
    """Payloads that are announced and withdrawn, in the order in which that happens, until they are applied."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(self, address: Buffer, length: int, max_length: int, asn: int) -> None:
        """Announce one payload; `max_length` is not compared with `length`.

        Raises: PayloadError when there are too many.
        """

    def add_pdus(self, run: bytes) -> int:
        """Take IPv4 and IPv6 Prefix PDUs over, of the right lengths (RFC 8210 sections 5.6 and 5.7).

        Returns: -1, or where the first PDU begins whose flags or lengths cannot be; those before are taken.
        Raises: PayloadError when there are too many.
        """

    def applied_to(self, base: Vrps, *, strict: bool) -> Vrps:
        """Return what the payloads of `base` become.

        Args:
            strict: what a cache may not do is an error: announce what is there, withdraw what is not (RFC 8210
                section 12, errors 6 and 7). Otherwise it is nothing.
        Raises: PayloadError; nothing has changed then.
        """
