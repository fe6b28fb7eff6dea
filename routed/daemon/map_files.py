"""The map files of a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routed.plumbing.allow_list import parse_allow_list
from routed.plumbing.maps import MapError, MapFile
from routed.service.peer_maps import KeyOwner, parse_md5_keys
from routed.service.tag_map import parse_tag_map
from routed.service.xconnect_map import parse_xconnect_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from routed.plumbing.allow_list import AllowList
    from routed.plumbing.log import LogLine
    from routed.service.settings import ListenerSettings, MapSettings
    from routed.service.tag_map import TagMap
    from routed.service.xconnect_map import Destination, XconnectMap


class Maps:
    """The map files of the plane; `strict` ones are to replace others, in a daemon that runs.

    Raises: MapError when one cannot be used.
    """

    def __init__(self, listener: ListenerSettings, maps: MapSettings, *, strict: bool = False) -> None:
        self._allow: MapFile[AllowList] | None = None
        self._md5: MapFile[dict[KeyOwner, bytes]] | None = None
        self._tags: MapFile[TagMap] | None = None
        self._xconnects: MapFile[XconnectMap] | None = None
        if listener.allow_file is not None:
            self._allow = MapFile(listener.allow_file, parse_allow_list, announce=False, strict=strict)
        if listener.md5_file is not None:
            self._md5 = MapFile(listener.md5_file, parse_md5_keys, strict=strict)
        if maps.tag_map is not None:
            self._tags = MapFile(
                maps.tag_map,
                lambda text, name: parse_tag_map(text, name, maps.limits, recirculate=maps.recirculate),
                strict=strict,
            )
        if maps.xconnect_map is not None:
            self._xconnects = MapFile(
                maps.xconnect_map, lambda text, name: parse_xconnect_map(text, name, maps.limits), strict=strict
            )
        self.lines = self._load()  # what is to be logged about them

    def take(self, other: Maps) -> None:
        """Say from now on what others say."""
        self._allow, self._md5, self._tags, self._xconnects = other._allow, other._md5, other._tags, other._xconnects

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Tell whether a peer may connect."""
        return self._allow is None or self._allow.content.permits(address)

    def md5_keys(self) -> dict[KeyOwner, bytes]:
        """Return the TCP-MD5 keys by whom they are for."""
        return {} if self._md5 is None else self._md5.content

    def destination(self, address: IPv4Address | IPv6Address) -> Destination | None:
        """Return the collector that the session of a peer is passed on to."""
        return None if self._xconnects is None else self._xconnects.content.find(address)

    @property
    def tags(self) -> Callable[[], TagMap] | None:
        """Return where the tag map is to be asked for, None when there is none."""
        tags = self._tags
        return None if tags is None else lambda: tags.content

    def _load(self) -> list[LogLine]:
        files: list[MapFile[Any] | None] = [self._allow, self._md5, self._tags, self._xconnects]
        lines: list[LogLine] = []
        problems: list[object] = []
        for file in filter(None, files):
            try:
                lines += file.load()
            except MapError as error:
                problems += error.args
        if problems:
            raise MapError(*problems)
        return lines
