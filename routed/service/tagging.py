"""Tags on records: what the tag map says of a peer and of its routes, as JSON text, after the label filter."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from routed.service.records import BGP_PEER, AddressKeys, PeerText
from routed.service.tag_map import Tag, TagMap, encode_tag, label_passes
from routed.wire.bgp.community import WELL_KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

#: The tag of a peer's rows, and who tags route by route, by the COMMUNITIES octets, if that is needed.
RouteTags = tuple["bytes | None", "Callable[[bytes], bytes | None] | None"]

#: Community lists whose tag is remembered; a peer's routes repeat theirs.
REMEMBERED = 65_536


class Tagging:
    """Tags peers and routes by a map that may be read again."""

    def __init__(
        self,
        content: Callable[[], TagMap] | None,
        *,
        label_as_map: bool,
        label_filter: tuple[str, ...] | None,
    ) -> None:
        self.configure(content, label_as_map=label_as_map, label_filter=label_filter)

    def configure(
        self,
        content: Callable[[], TagMap] | None,
        *,
        label_as_map: bool,
        label_filter: tuple[str, ...] | None,
    ) -> None:
        """Tag from now on as is wanted now; what is tagged already stays until it is tagged anew."""
        self._content, self._label_as_map, self._label_filter = content, label_as_map, label_filter

    def text_of(
        self,
        address: IPv4Address | IPv6Address,
        port: int,
        router_id: IPv4Address | None = None,
        names: AddressKeys = BGP_PEER,
    ) -> PeerText:
        """Return how a peer or a router shows in records."""
        tag, tagger = self.for_routes(address)
        dump_tag, dump_tagger = self.for_dumps(address)
        return PeerText(
            address=address,
            port=port,
            names=names,
            router_id=router_id,
            tag=tag,
            stream_tag=self.for_stream(address),
            tagger=tagger,
            dump_tag=dump_tag,
            dump_tagger=dump_tagger,
        )

    def for_stream(self, address: IPv4Address | IPv6Address) -> bytes:
        """Return the tag of a peer's opening and closing records."""
        if self._content is None:
            return b""
        return self._text(self._content().for_peer(address).evaluate(None))

    def for_routes(self, address: IPv4Address | IPv6Address) -> RouteTags:
        """Return how a peer's rows in the message log are tagged; None in place of a tag keeps them back."""
        if self._content is None:
            return (b"" if self._label_filter is None else None), None
        return self._route_tags(address, self._filtered)

    def for_dumps(self, address: IPv4Address | IPv6Address) -> RouteTags:
        """Return how a peer's rows in dumps are tagged, which no filter keeps back."""
        return (b"", None) if self._content is None else self._route_tags(address, self._text)

    def _route_tags(self, address: IPv4Address | IPv6Address, text: Callable[[Tag | None], bytes | None]) -> RouteTags:
        assert self._content is not None
        tags = self._content().for_peer(address)

        def tag(communities: bytes) -> bytes | None:
            return text(tags.evaluate(community_texts(communities)))

        if tags.counts:
            return b"", tag
        if tags.uses_communities:
            return text(tags.evaluate(None)), lru_cache(REMEMBERED)(tag)
        return text(tags.evaluate(None)), None

    def _filtered(self, tag: Tag | None) -> bytes | None:
        if self._label_filter is not None and not label_passes(self._label_filter, None if tag is None else tag.label):
            return None
        return self._text(tag)

    def _text(self, tag: Tag | None) -> bytes:
        text = encode_tag(tag, label_as_map=self._label_as_map)
        return text + b", " if text else b""


def community_texts(octets: bytes) -> frozenset[str]:
    """Return the communities of an attribute as texts.

    Octets: n x u32.
    """
    values = [int.from_bytes(octets[at : at + 4], "big") for at in range(0, len(octets), 4)]
    return frozenset(WELL_KNOWN.get(value, f"{value >> 16}:{value & 0xFFFF}") for value in values)
