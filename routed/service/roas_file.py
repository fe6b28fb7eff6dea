"""Payloads from the export of a validator: RIPE NCC, rpki-client, Routinator and StayRTR write the same shape.

    {"roas": [{"asn": "AS65001" or 65001, "prefix": "192.0.2.0/24", "maxLength": 24}, ...],
     "aspas": [{"customer": "AS65001" or "customer_asid": 65001, "providers": [...]}, ...]}

A file counts whole or not at all; a row in it that says nothing is left out, and named by its position.

Source: the file format of pmacct's `rpki_roas_file`.
Departs: a row without `maxLength` has the length of its prefix (RFC 9582 section 4.3.2.1) instead of being left out;
`aspas` are read; a maximum that cannot be is told about once for the file and not for each row.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.plumbing.log import Level, LogLine
from routed.plumbing.maps import Loaded, MapError
from routed.rib._payloads import PayloadError, Payloads
from routed.rib.payload_set import PayloadSet, origins_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_AS: Final = 0xFFFFFFFF
#: The longest file that is read: ten times what the RPKI holds today. Units: octets.
MAX_OCTETS: Final = 1 << 30
#: Rows of a file that are named when they are bad; the others are counted.
MAX_NAMED: Final = 20


def read_roas(path: Path) -> Loaded[PayloadSet]:
    """Read a file.

    Raises: MapError when it is not what it should be as a whole.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_OCTETS + 1)
    except OSError as error:
        raise MapError(f"[{path}] cannot be read: {error.strerror}") from error
    if len(octets) > MAX_OCTETS:
        raise MapError(f"[{path}] is longer than {MAX_OCTETS} octets")
    try:
        export = orjson.loads(octets)
    except orjson.JSONDecodeError as error:
        raise MapError(f"[{path}] is not JSON: {error}") from error
    return parse_roas(export, str(path))


def parse_roas(export: Any, name: str) -> Loaded[PayloadSet]:
    """Read an export that has been parsed as JSON.

    Raises: MapError.
    """
    roas = export.get("roas") if isinstance(export, dict) else None
    if not isinstance(roas, list):
        raise MapError(f"[{name}] is no object with an array 'roas'")
    troubles = _Troubles(name)
    payloads = Payloads()
    for number, roa in enumerate(roas, 1):
        _read_roa(roa, number, payloads, troubles)
    aspas: dict[int, frozenset[int]] = {}
    for customer, providers in _read_aspas(_aspa_rows(export), troubles):
        aspas[customer] = aspas.get(customer, frozenset()) | providers
    return Loaded(PayloadSet(origins_of(payloads), aspas), troubles.lines())


class _Troubles:
    """What is wrong with rows."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[LogLine] = []
        self._others = self._lengths = 0

    def row(self, element: str, what: str, number: int) -> None:
        """Leave a row out."""
        if len(self._lines) < MAX_NAMED:
            text = f"[{self._name}] invalid '{element}' element in {what} #{number}. Skipped."
            self._lines.append(LogLine(Level.WARN, text))
        else:
            self._others += 1

    def length(self) -> None:
        """Count a maximum length that no prefix can have."""
        self._lengths += 1

    def lines(self) -> tuple[LogLine, ...]:
        """Return what to log."""
        lines = list(self._lines)
        if self._others:
            lines.append(LogLine(Level.WARN, f"[{self._name}] {self._others} more rows skipped"))
        if self._lengths:
            text = f"[{self._name}] 'maxLength' of {self._lengths} rows is below the length or above that of an address"
            lines.append(LogLine(Level.WARN, text))
        return tuple(lines)


def _read_roa(roa: Any, number: int, payloads: Payloads, troubles: _Troubles) -> None:
    if not isinstance(roa, dict):
        troubles.row("roa", "ROA", number)
        return
    prefix = _prefix(roa.get("prefix"))
    if prefix is None:
        troubles.row("prefix", "ROA", number)
        return
    asn = _as_number(roa.get("asn"))
    if asn is None:
        troubles.row("asn", "ROA", number)
        return
    address, length = prefix
    longest = roa.get("maxLength", length)
    if not isinstance(longest, int) or isinstance(longest, bool) or not 0 <= longest <= 255:
        troubles.row("maxLength", "ROA", number)
        return
    if not length <= longest <= 8 * len(address):
        troubles.length()
    try:
        payloads.add(address, length, longest, asn)
    except PayloadError as error:
        raise MapError(f"ROA #{number}: {error.kind}") from error


def _prefix(text: Any) -> tuple[bytes, int] | None:
    """Return address and length of a prefix, None when it is none; faster than `ipaddress`, for a million rows."""
    if not isinstance(text, str):
        return None
    network, slash, digits = text.partition("/")
    if not slash or not (digits.isascii() and digits.isdecimal()) or len(digits) > 3:
        return None
    try:
        address = socket.inet_pton(socket.AF_INET6 if ":" in network else socket.AF_INET, network)
    except (OSError, ValueError):
        return None
    return (address, int(digits)) if int(digits) <= 8 * len(address) else None


def _as_number(value: Any) -> int | None:
    """Return an AS number from `123`, "123", "AS123" or "as123"; None when it is none."""
    if isinstance(value, str):
        digits = value[2:] if value[:2].upper() == "AS" else value
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 10:
            return None
        value = int(digits)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_AS:
        return None
    return value


def _aspa_rows(export: Mapping[str, Any]) -> list[Any]:
    """Return the rows of ASPAs; older exports have some for each address family, which count together."""
    by_family = export.get("provider_authorizations")
    lists = [export.get("aspas"), *(by_family.values() if isinstance(by_family, dict) else ())]
    return [row for rows in lists if isinstance(rows, list) for row in rows]


def _read_aspas(aspas: Iterable[Any], troubles: _Troubles) -> Iterable[tuple[int, frozenset[int]]]:
    for number, aspa in enumerate(aspas, 1):
        members = aspa if isinstance(aspa, dict) else {}
        customer = _as_number(members.get("customer", members.get("customer_asid")))
        providers = members.get("providers")
        numbers = [_as_number(provider) for provider in providers] if isinstance(providers, list) else [None]
        if customer is None:
            troubles.row("customer", "ASPA", number)
        elif None in numbers:
            troubles.row("providers", "ASPA", number)
        else:
            yield customer, frozenset(provider for provider in numbers if provider is not None)
