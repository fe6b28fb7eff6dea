"""What is around the bulk rows of records: their style and numbers, times, keys of a peer, openings and closings.

Source: the record formats of pmacct's message logs and table dumps, key by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from routed.plumbing.names import format_offset
from routed.rib._rows import Rows
from routed.service.settings import RenderSettings, TimestampLayout

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

#: Turns the COMMUNITIES octets of a path into the tag text of its rows; None keeps the rows back.
Tagger = "Callable[[bytes], bytes | None]"


class AddressKeys(NamedTuple):
    """The keys that name the other end of a connection."""

    address: bytes
    port: bytes


BGP_PEER: Final = AddressKeys(b"peer_ip_src", b"peer_tcp_port")
BMP_ROUTER: Final = AddressKeys(b"bmp_router", b"bmp_router_port")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerText:
    """How a peer shows in records. `tag` ends in a comma and a blank; None keeps its route rows back."""

    address: IPv4Address | IPv6Address
    port: int
    names: AddressKeys = BGP_PEER
    router_id: IPv4Address | None = None
    tag: bytes | None = b""
    stream_tag: bytes = b""  # of the records that open and close a stream, which no filter keeps back
    tagger: Callable[[bytes], bytes | None] | None = None
    own_as: int = 0  # of the speaker: the origin of paths that did not leave it
    dump_tag: bytes | None = b""  # of route rows in dumps, which no filter keeps back either
    dump_tagger: Callable[[bytes], bytes | None] | None = None

    def keys(self, *, peer_id: bool) -> bytes:
        """Return the keys of route rows that name the peer."""
        text = f'"peer_ip_src": "{self.address}", "peer_tcp_port": {self.port}, '
        if peer_id and self.router_id is not None:
            text += f'"peer_id": "{self.router_id}", '
        return text.encode()


class RowStyle(TypedDict):
    """The options of a buffer for rows."""

    as_path_array: bool
    communities_array: bool
    communities_numeric: bool
    origin_integer: bool
    all_attributes: bool


class Counter:
    """The sequence numbers of a daemon, shared by its message log and its dumps."""

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> int:
        """Take the next number."""
        self.next += 1
        return self.next - 1


class TimeFormat:
    """Writes times as the operator wants them."""

    def __init__(self, settings: RenderSettings) -> None:
        self._layout, self._utc = settings.timestamps, settings.utc

    def exact(self, when: float) -> bytes:
        """Write a time with microseconds, as message logs do. Units: seconds since 1970."""
        if self._layout is TimestampLayout.SINCE_EPOCH:
            microseconds = round(when * 1_000_000)
            return b"%d.%06d" % divmod(microseconds, 1_000_000)
        return self._text(when, ".%f")

    def whole(self, when: int) -> bytes:
        """Write a time in seconds, as dumps do."""
        if self._layout is TimestampLayout.SINCE_EPOCH:
            return b"%d" % when
        return self._text(when, "")

    def moment(self, when: float) -> datetime:
        """Return a time with the zone that is shown."""
        utc = datetime.fromtimestamp(when, UTC)
        return utc if self._utc else utc.astimezone()

    def second(self, when: int) -> tuple[bytes, bytes]:
        """Write a time of a router in seconds; the text in front of a fraction and behind it. 0 is no time."""
        if self._layout is TimestampLayout.SINCE_EPOCH:
            return b"%d" % when, b""
        if not when:
            return (b"0000-00-00T00:00:00" if self._layout is TimestampLayout.RFC9557 else b"0000-00-00 00:00:00"), b""
        moment = self.moment(when)
        if self._layout is TimestampLayout.RFC9557:
            return moment.strftime("%Y-%m-%dT%H:%M:%S").encode(), format_offset(moment).encode()
        return moment.strftime("%Y-%m-%d %H:%M:%S").encode(), b""

    def of_router(self, seconds: int, microseconds: int) -> bytes:
        """Write a time that a router states."""
        before, after = self.second(seconds)
        return b"%s.%06d%s" % (before, microseconds % 1_000_000 if seconds else 0, after)

    def _text(self, when: float, fraction: str) -> bytes:
        moment = self.moment(when)
        if self._layout is TimestampLayout.RFC9557:
            return (moment.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}") + format_offset(moment)).encode()
        return moment.strftime(f"%Y-%m-%d %H:%M:%S{fraction}").encode()


def new_rows(render: RenderSettings) -> Rows:
    """Make a buffer for rows in the operator's style."""
    return Rows(**row_style(render))


def row_style(render: RenderSettings) -> RowStyle:
    """Return the operator's style as the options of a buffer for rows."""
    return {
        "as_path_array": render.as_path_as_array,
        "communities_array": render.communities_as_array,
        "communities_numeric": render.communities_numeric,
        "origin_integer": render.origin_as_integer,
        "all_attributes": render.extra_attributes,
    }


def log_event(sequence: int, timestamp: bytes, peer: PeerText, event_type: bytes) -> bytes:
    """Write a `log_init` or `log_close` record."""
    return b'{"seq": %d, "timestamp": "%s", "%s": "%s", %s"%s": %d, "event_type": "%s"}\n' % (
        sequence,
        timestamp,
        peer.names.address,
        str(peer.address).encode(),
        peer.stream_tag,
        peer.names.port,
        peer.port,
        event_type,
    )


def dump_event(sequence: int, timestamp: bytes, peer: PeerText, event_type: bytes, facts: bytes) -> bytes:
    """Write a `dump_init` or `dump_close` record; `facts` are its own keys, if it has any."""
    return b'{"timestamp": "%s", "%s": "%s", "%s": %d, %s"event_type": "%s", %s"seq": %d}\n' % (
        timestamp,
        peer.names.address,
        str(peer.address).encode(),
        peer.names.port,
        peer.port,
        peer.stream_tag,
        event_type,
        facts + b", " if facts else b"",
        sequence,
    )
