"""Export datagrams by hand, and an intake with its rows as dictionaries."""

import struct
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeAlias

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.intake import Intake
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.column import IPV4_MAPPED, NO_ADDRESS, Column, Kind
from flowcorr.columns.layout import Layout
from flowcorr.wire.decode_settings import DecodeSettings

V9_DATA, IPFIX_DATA = 0, 2
V9_OPTIONS, IPFIX_OPTIONS = 1, 3
NOW = 1_700_000_100
ROUTER = "192.0.2.1"

FieldSpec: TypeAlias = tuple[int, int] | tuple[int, int, int]


def packed(address: str) -> bytes:
    """Sixteen octets of an address."""
    octets = ip_address(address).packed
    return octets if len(octets) == 16 else IPV4_MAPPED + octets


def export_set(set_id: int, *parts: bytes) -> bytes:
    octets = b"".join(parts)
    return struct.pack("!HH", set_id, 4 + len(octets)) + octets


def field(element: int, length: int, enterprise: int = 0) -> bytes:
    if enterprise:
        return struct.pack("!HHI", element | 0x8000, length, enterprise)
    return struct.pack("!HH", element, length)


def template(template_id: int, *fields: FieldSpec) -> bytes:
    return struct.pack("!HH", template_id, len(fields)) + b"".join(field(*each) for each in fields)


def options_v9(template_id: int, scope: Iterable[FieldSpec], *fields: FieldSpec) -> bytes:
    of_scope = b"".join(field(*each) for each in scope)
    of_options = b"".join(field(*each) for each in fields)
    return struct.pack("!HHH", template_id, len(of_scope), len(of_options)) + of_scope + of_options


def options_ipfix(template_id: int, scope: list[FieldSpec], *fields: FieldSpec) -> bytes:
    octets = b"".join(field(*each) for each in [*scope, *fields])
    return struct.pack("!HHH", template_id, len(scope) + len(fields), len(scope)) + octets


def v9(*sets: bytes, sequence: int = 1, domain: int = 0, uptime: int = 100_000, seconds: int = NOW) -> bytes:
    return struct.pack("!HHIIII", 9, len(sets), uptime, seconds, sequence, domain) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 0, seconds: int = NOW) -> bytes:
    octets = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(octets), seconds, sequence, domain) + octets


def v5_record(**values: Any) -> bytes:
    given = {
        "src": "10.0.0.1",
        "dst": "10.0.0.2",
        "next_hop": "10.0.0.3",
        "input": 1,
        "output": 2,
        "packets": 3,
        "octets": 400,
        "first": 90_000,
        "last": 95_000,
        "src_port": 1024,
        "dst_port": 80,
        "flags": 0x12,
        "proto": 6,
        "tos": 8,
        "src_as": 64500,
        "dst_as": 64501,
        "src_mask": 24,
        "dst_mask": 16,
    } | values
    addresses = b"".join(ip_address(given[name]).packed for name in ("src", "dst", "next_hop"))
    rest = [value for name, value in given.items() if name not in {"src", "dst", "next_hop"}]
    return addresses + struct.pack("!HHIIIIHHxBBBHHBBxx", *rest)


def v5(
    *records: bytes, sequence: int = 0, sampling: int = 0, uptime: int = 100_000, engine: tuple[int, int] = (0, 0)
) -> bytes:
    header = struct.pack("!HHIIIIBBH", 5, len(records), uptime, NOW, 500_000_000, sequence, *engine, sampling)
    return header + b"".join(records)


#: A template of an address and octets, of which `flow` makes records.
SIMPLE = template(300, (8, 4), (1, 4))


def flow(number: int, octets: int = 100) -> bytes:
    return struct.pack("!II", 0x0A000000 + number, octets)


class Input:
    """An intake whose rows are dictionaries of what they say; columns that are blank are left out."""

    def __init__(
        self,
        names: str = "",
        *,
        settings: IntakeSettings | None = None,
        decode: DecodeSettings | None = None,
        columns: Iterable[Column] = (),
        capacity: int = 1000,
        **options: Any,
    ) -> None:
        asked = [BUILTIN[name] for name in names.split()] if names else list(BUILTIN.values())
        self.layout = Layout([*ALWAYS, *asked, *columns])
        self.texts = Texts()
        self.batch = Batch(self.layout, capacity)
        self.events: list[object] = []
        if decode is not None:
            settings = IntakeSettings(decode=decode)
        self.intake = Intake(self.layout, self.texts, settings, report=self.events.append, **options)

    def take(self, *datagrams: bytes, sender: str = ROUTER, port: int = 9995, now: int = NOW) -> list[dict[str, Any]]:
        vector = Datagrams(max(1, len(datagrams)))
        for octets in datagrams:
            vector.append(octets, packed(sender), port, now * 1_000_000)
        rows: list[dict[str, Any]] = []
        done = False
        while not done:
            done = self.intake.take(vector, self.batch)
            rows += self.read_rows()
        return rows

    def read_rows(self) -> list[dict[str, Any]]:
        """What the batch holds; then it is empty."""
        rows = [self._row(row) for row in self.batch.rows]
        self.batch.clear()
        self.texts.sweep()
        return rows

    def _row(self, row: Any) -> dict[str, Any]:
        values = {column.name: self._value(column, row[column.name]) for column in self.layout}
        return {name: value for name, value in values.items() if value not in {0, None, b""}}

    def _value(self, column: Column, value: Any) -> Any:
        if column.kind is Kind.TEXT:
            return self.texts.octets_of(int(value))
        if column.kind is Kind.ADDRESS:
            octets = bytes(value)
            return None if octets == NO_ADDRESS else str(IPv6Address(octets).ipv4_mapped or IPv6Address(octets))
        if column.kind in {Kind.MAC, Kind.RD}:
            return bytes(value) if any(bytes(value)) else None
        return int(value)


def only(rows: list[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of rows."""
    return [tuple(row.get(name) for name in names) for row in rows]


def reasons(input_: Input) -> dict[str, int]:
    """What was refused, by reason."""
    return {reason: count for reason, count in input_.intake.refused.items() if count}
