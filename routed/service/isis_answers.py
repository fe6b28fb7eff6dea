"""Questions about IS-IS: database, names, neighbours and routes, a page at a time.

Records come in the order of their keys; a page goes on behind the last one of the page before, whatever has changed.
What may be long is described in a thread: the values of the database are frozen.
"""

from __future__ import annotations

from functools import partial
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final

import orjson
from twisted.internet.defer import DeferredLock

from routed.query.codec import QueryError
from routed.query.request import Match, Wanted
from routed.rib.igp import next_hop_of
from routed.rib.spf import shortest_paths
from routed.service.isis_records import describe_circuit, describe_lsp, describe_route, describe_system
from routed.service.questions import project
from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS
from routed.wire.prefix import Prefix, cut_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from routed.plumbing.sink import InThread
    from routed.query.request import Network, Question
    from routed.rib.spf import Paths, Route
    from routed.service.isis import Isis

    Names = Mapping[bytes, str]
    #: Key and what describes it.
    Item = tuple[bytes, Callable[[], dict[str, Any]]]

#: What questions are about IS-IS.
ABOUT_ISIS: Final = frozenset({Wanted.ISIS_DATABASE, Wanted.ISIS_HOSTNAMES, Wanted.ISIS_NEIGHBORS, Wanted.ISIS_ROUTES})
#: Questions that wait for their turn.
WAITING: Final = 64


class IsisAnswers:
    """Answers questions about IS-IS; to be asked in the thread that writes its tables."""

    def __init__(self, isis: Isis, in_thread: InThread, seconds: Callable[[], float]) -> None:
        self._isis, self._in_thread, self._seconds = isis, in_thread, seconds
        self._turn = DeferredLock()

    async def answer(self, question: Question) -> tuple[dict[str, Any], list[bytes]]:
        """Return facts and rows.

        Raises: QueryError.
        """
        if len(self._turn.waiting) >= WAITING:
            raise QueryError("too many questions about IS-IS wait, ask again later")
        await self._turn.acquire()
        try:
            find = await self._finder(question)
            return await self._in_thread(partial(self._page, question, find))
        finally:
            self._turn.release()

    async def _finder(self, question: Question) -> Callable[[], Iterable[Item]]:
        """Return what finds records in a thread, from references to what there is now."""
        names = self._isis.lsdb.hostnames()
        system = None if question.system is None else self._system(question.system, names)
        match question.wanted:
            case Wanted.ISIS_HOSTNAMES:
                return partial(_names, names, system)
            case Wanted.ISIS_NEIGHBORS:
                return partial(iter, list(self._circuits(names, system)))
            case Wanted.ISIS_DATABASE:
                return partial(_lsps, list(self._lsps(system)), names)
            case _:
                return await self._routes(question, names, system)

    def _system(self, text: str, names: Names) -> bytes:
        """Return the id of a system that is named by id or by name.

        Raises: QueryError.
        """
        found = [system_id for system_id, name in names.items() if name == text]
        if len(found) == 1:
            return found[0]
        digits = text.replace(".", "")
        try:
            system_id = bytes.fromhex(digits)
        except ValueError:
            system_id = b""
        if len(system_id) != SYSTEM_ID_OCTETS:
            raise QueryError(f"no system, or more than one, has the name {text}")
        return system_id

    def _circuits(self, names: Names, system: bytes | None) -> Iterator[Item]:
        now = self._seconds()
        for circuit in self._isis.circuits.values():
            neighbor = circuit.neighbor
            if system is None or (neighbor is not None and neighbor.system_id == system):
                yield str(circuit.link).encode(), partial(dict, describe_circuit(circuit, names, now))

    def _lsps(self, system: bytes | None) -> Iterator[tuple[Any, int]]:
        now = self._seconds()
        for held in self._isis.lsdb:
            if system is None or held.lsp.lsp_id.startswith(system):
                yield held.lsp, held.lifetime(now)

    async def _routes(self, question: Question, names: Names, system: bytes | None) -> Callable[[], Iterable[Item]]:
        isis = self._isis
        paths = isis.igp.paths
        if question.root is not None:
            root = self._system(question.root, names) + b"\0"
            live = isis.lsdb.live()
            paths = await self._in_thread(lambda: shortest_paths(live, [root]))
            if root not in paths.nodes:
                raise QueryError(f"root: the database has no LSP of {question.root}")
        if paths is None:
            return tuple
        return partial(_routes, question, paths, names, system)

    def _page(self, question: Question, find: Callable[[], Iterable[Item]]) -> tuple[dict[str, Any], list[bytes]]:
        """Write a page; in a thread."""
        try:
            after = bytes.fromhex(question.cursor or "")
        except ValueError:
            raise QueryError("cursor: not one of ours") from None
        page = nsmallest(question.limit + 1, (item for item in find() if item[0] > after), key=lambda item: item[0])
        rows = [orjson.dumps(describe()) for _, describe in page[: question.limit]]
        facts = {"cursor": page[question.limit - 1][0].hex()} if len(page) > question.limit else {}
        return facts, project(rows, question.fields)


def _names(names: Names, system: bytes | None) -> Iterator[Item]:
    for system_id in names:
        if system in {None, system_id}:
            yield system_id, partial(describe_system, system_id, names)


def _lsps(held: Iterable[tuple[Any, int]], names: Names) -> Iterator[Item]:
    for lsp, lifetime in held:
        yield lsp.lsp_id, partial(describe_lsp, lsp, lifetime, names)


def _routes(question: Question, paths: Paths, names: Names, system: bytes | None) -> Iterator[Item]:
    for prefix in _prefixes(question, paths.routes):
        key = bytes((len(prefix.address),)) + prefix.address + bytes((prefix.length,))
        describe = partial(_describe_route, prefix, paths, names)
        if system is None or any(node.startswith(system) for node in paths.routes[prefix].originators):
            yield key, describe


def _describe_route(prefix: Prefix, paths: Paths, names: Names) -> dict[str, Any]:
    route = paths.routes[prefix]
    return describe_route(prefix, route, next_hop_of(paths, route.originators[0], len(prefix.address)), names)


def _prefixes(question: Question, routes: Mapping[Prefix, Route]) -> Iterable[Prefix]:
    """Return the prefixes that a question is about."""
    network = question.prefix
    if network is None:
        octets = {None: (4, 16), 1: (4,), 2: (16,)}[question.afi]
        return (prefix for prefix in routes if len(prefix.address) in octets)
    asked = Prefix(network.network_address.packed, network.prefixlen)
    if question.match is Match.MORE_SPECIFIC:
        return (prefix for prefix in routes if _covers(asked, prefix))
    if question.match is Match.EXACT:
        return [asked] if asked in routes else []
    covering = [prefix for prefix in _shorter(network) if prefix in routes]
    return covering if question.match is Match.LESS_SPECIFIC else covering[:1]


def _shorter(network: Network) -> Iterator[Prefix]:
    """Iterate over a prefix and all that cover it, the longest first."""
    address = network.network_address.packed
    for length in range(network.prefixlen, -1, -1):
        yield cut_prefix(address, length, len(address))


def _covers(outer: Prefix, inner: Prefix) -> bool:
    same = len(outer.address) == len(inner.address) and outer.length <= inner.length
    return same and cut_prefix(inner.address, outer.length, len(inner.address)) == outer
