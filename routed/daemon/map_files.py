"""The map files of a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routed.plumbing.maps import MapFile
from routed.service.peer_maps import parse_allow_list, parse_md5_keys
from routed.service.tag_map import parse_tag_map
from routed.service.xconnect_map import parse_xconnect_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from routed.plumbing.log import Log, LogLine
    from routed.service.peer_maps import AllowList
    from routed.service.settings import ListenerSettings, MapSettings
    from routed.service.tag_map import TagMap
    from routed.service.xconnect_map import Destination, XconnectMap


class Maps:
    """The map files of the plane.

    Raises: MapError when one cannot be read.
    """

    def __init__(self, listener: ListenerSettings, maps: MapSettings, log: Log) -> None:
        self._allow: MapFile[AllowList] | None = None
        self._md5: MapFile[dict[IPv4Address | IPv6Address, bytes]] | None = None
        self._tags: MapFile[TagMap] | None = None
        self._xconnects: MapFile[XconnectMap] | None = None
        if listener.allow_file is not None:
            self._allow = MapFile(listener.allow_file, parse_allow_list, announce=False)
        if listener.md5_file is not None:
            self._md5 = MapFile(listener.md5_file, parse_md5_keys)
        if maps.tag_map is not None:
            self._tags = MapFile(
                maps.tag_map, lambda text, name: parse_tag_map(text, name, maps.limits, recirculate=maps.recirculate)
            )
        if maps.xconnect_map is not None:
            self._xconnects = MapFile(
                maps.xconnect_map, lambda text, name: parse_xconnect_map(text, name, maps.limits), needs_rows=True
            )
        for file in self._files():
            log.write_all(file.load())

    def reload(self) -> list[LogLine]:
        """Read all files again; what to log about them. A file that cannot be read keeps its content."""
        return [line for file in self._files() for line in file.reload()]

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Tell whether a peer may connect."""
        return self._allow is None or self._allow.content.permits(address)

    def md5_keys(self) -> dict[IPv4Address | IPv6Address, bytes]:
        """Return the TCP-MD5 keys by address."""
        return {} if self._md5 is None else self._md5.content

    def destination(self, address: IPv4Address | IPv6Address) -> Destination | None:
        """Return the collector that the session of a peer is passed on to."""
        return None if self._xconnects is None else self._xconnects.content.find(address)

    @property
    def tags(self) -> Callable[[], TagMap] | None:
        """Return where the tag map is to be asked for, None when there is none."""
        tags = self._tags
        return None if tags is None else lambda: tags.content

    def _files(self) -> list[MapFile[Any]]:
        return [file for file in (self._allow, self._md5, self._tags, self._xconnects) if file is not None]
