"""Rows of a parcel as the messages of a Kafka producer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from routed.plumbing.parcel import bundles_of, rows_of

if TYPE_CHECKING:
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.parcel import Parcel

#: What tells a route from the others of its peer, in the order of a row: RIB, monitored peer, family, prefix, path
#: identifier, route distinguisher. A text value may hold escaped quotes.
_ROUTE: Final = re.compile(
    rb'"(bmp_rib_type|is_filtered|is_post|is_in|is_out|is_loc|afi|safi|ip_prefix|as_path_id|rd|peer_ip|pd)": '
    rb'("(?:[^"\\]|\\.)*"|[0-9]+)'
)
_GONE: Final = re.compile(rb'"log_type": "(?:withdraw|delete)"')


def messages_of(parcel: Parcel, settings: KafkaSettings) -> list[dict[str, Any]]:
    """Return the messages of a parcel, in order."""
    key = parcel.address.key or None
    if settings.route_key and not parcel.framing.ends:
        return _with_route_keys(rows_of(parcel), key or parcel.address.source)
    if settings.multi_values and not parcel.framing.ends:
        values = bundles_of(parcel, settings.multi_values)
    else:
        values = rows_of(parcel)
    if key is None:
        return [{"value": value} for value in values]
    return [{"value": value, "key": key} for value in values]


def rows_in(value: bytes | None, settings: KafkaSettings) -> int:
    """Return how many rows a message holds."""
    if value is None:
        return 0
    return value.count(b"\n") + 1 if settings.multi_values else 1


def route_key(row: bytes, peer: bytes) -> bytes:
    """Return the key of a row: its peer, and if it is one of a route what tells that from the others of the peer."""
    parts = [value.strip(b'"') for _, value in _ROUTE.findall(row)] if b'"ip_prefix": ' in row else []
    return b"|".join([peer, *parts])


def _with_route_keys(rows: list[bytes], peer: bytes) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for row in rows:
        key = route_key(row, peer)
        messages.append({"value": row, "key": key})
        if b'"ip_prefix": ' in row and _GONE.search(row):
            messages.append({"value": None, "key": key})
    return messages
