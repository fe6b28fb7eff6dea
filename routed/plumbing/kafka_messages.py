"""Rows of a parcel as the messages of a Kafka producer."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.plumbing._message_ends import bundle_ends, row_ends, stamp
from routed.plumbing.parcel import ending_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.parcel import Parcel

#: What tells a route from the others of its peer, in the order of a row: RIB, monitored peer, family, prefix, path
#: identifier, route distinguisher. A text value may hold escaped quotes.
_ROUTE: Final = re.compile(
    rb'"(bmp_rib_type|is_filtered|is_post|is_in|is_out|is_loc|afi|safi|ip_prefix|as_path_id|rd|peer_ip|pd)": '
    rb'("(?:[^"\\]|\\.)*"|[0-9]+)'
)
_GONE: Final = re.compile(rb'"log_type": "(?:withdraw|delete)"')


class Message(NamedTuple):
    """One message; without a value it says that what its key names is gone."""

    value: bytes | None
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Messages that are values in one buffer, all with the same key.

    `ends`: where each ends, a native u32. `gap`: octets between two of them.
    """

    octets: bytes
    ends: bytes
    gap: int
    key: bytes | None

    def __len__(self) -> int:
        return len(self.ends) // array("I").itemsize

    def each(self) -> list[Message]:
        """Return the messages one by one."""
        bounds = pairwise([-self.gap, *array("I", self.ends)])
        return [Message(self.octets[start + self.gap : end], self.key) for start, end in bounds]


def messages_of(parcel: Parcel, settings: KafkaSettings) -> Values | list[Message]:
    """Return the messages of a parcel, in order."""
    key = parcel.address.key or None
    if parcel.framing.ends:
        return Values(parcel.octets, parcel.framing.ends, 0, key)
    if settings.route_key:
        return _with_route_keys(rows_of(parcel), key or parcel.address.source)
    writer = parcel.address.writer
    octets, ends = stamp(parcel.octets, ending_of(writer)) if writer else (parcel.octets, row_ends(parcel.octets))
    if settings.multi_values:
        ends = bundle_ends(ends, settings.multi_values)
    return Values(octets, ends, 1, key)


def deal(messages: Sequence[Message], topics: Sequence[str]) -> dict[str, list[Message]]:
    """Deal messages to topics, one after the other."""
    dealt: dict[str, list[Message]] = {topic: [] for topic in topics[: len(messages)]}
    for at, message in enumerate(messages):
        dealt[topics[at % len(topics)]].append(message)
    return dealt


def route_key(row: bytes, peer: bytes) -> bytes:
    """Return the key of a row: its peer, and if it is one of a route what tells that from the others of the peer."""
    parts = [value.strip(b'"') for _, value in _ROUTE.findall(row)] if b'"ip_prefix": ' in row else []
    return b"|".join([peer, *parts])


def _with_route_keys(rows: list[bytes], peer: bytes) -> list[Message]:
    messages: list[Message] = []
    for row in rows:
        key = route_key(row, peer)
        messages.append(Message(row, key))
        if b'"ip_prefix": ' in row and _GONE.search(row):
            messages.append(Message(None, key))
    return messages
