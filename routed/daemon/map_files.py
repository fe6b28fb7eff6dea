"""The map files of a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.plumbing.maps import MapFile
from routed.service.peer_maps import parse_allow_list, parse_md5_keys
from routed.service.tag_map import parse_tag_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from routed.plumbing.log import Log, LogLine
    from routed.service.peer_maps import AllowList
    from routed.service.settings import ListenerSettings, MapSettings
    from routed.service.tag_map import TagMap


class Maps:
    """The map files of the plane.

    Raises: MapError when one cannot be read.
    """

    def __init__(self, listener: ListenerSettings, maps: MapSettings, log: Log) -> None:
        self._allow: MapFile[AllowList] | None = None
        self._md5: MapFile[dict[IPv4Address | IPv6Address, bytes]] | None = None
        self._tags: MapFile[TagMap] | None = None
        if listener.allow_file is not None:
            self._allow = MapFile(listener.allow_file, parse_allow_list, announce=False)
        if listener.md5_file is not None:
            self._md5 = MapFile(listener.md5_file, parse_md5_keys)
        if maps.tag_map is not None:
            self._tags = MapFile(
                maps.tag_map, lambda text, name: parse_tag_map(text, name, maps.limits, recirculate=maps.recirculate)
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

    @property
    def tags(self) -> Callable[[], TagMap] | None:
        """Return where the tag map is to be asked for, None when there is none."""
        tags = self._tags
        return None if tags is None else lambda: tags.content

    def _files(self) -> list[MapFile[AllowList] | MapFile[dict[IPv4Address | IPv6Address, bytes]] | MapFile[TagMap]]:
        return [file for file in (self._allow, self._md5, self._tags) if file is not None]
