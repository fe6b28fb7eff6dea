"""The looking glass: answers questions about tables at any moment, whatever else goes on.

pmacct's two kinds of messages are answered at once, byte for byte where its clients look. Questions of ours that look
at whole tables go to a thread, a few at a time, over stores that are pinned meanwhile; the others wait, and more of
them than there is patience for are refused.

Source: the wire protocol of pmacct's looking glass; docs/query.md.
Departs: no `EoR not received`, a table is answered as far as it is loaded; of an ADD-PATH prefix all paths are
returned; a peer may be named by its Router-ID too, and its port as a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from twisted.internet.defer import DeferredSemaphore, ensureDeferred
from twisted.internet.task import deferLater

from routed.plumbing.sink import log_bug
from routed.query.codec import BadLookupError, QueryError, UnsupportedError, decode_request
from routed.query.request import Lookup, Match, QueryType, Question, Request, Wanted
from routed.rib._lookup import Lookups
from routed.rib._search import Search
from routed.rib.families import FAMILIES, INDEX
from routed.service.bmp_records import mark_keys
from routed.service.conditions import compile_condition
from routed.service.records import new_rows
from routed.wire.family import Afi, Family, Safi
from routed.wire.rd import parse_rd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from routed.plumbing.sink import InThread
    from routed.rib._condition import Condition as Test
    from routed.rib._found import Found
    from routed.rib._rib import Rib
    from routed.rib._rows import Rows
    from routed.service.settings import RenderSettings
    from routed.service.visible import Tables, VisibleRib

#: Families that an address is looked up in when none is named; the first with a route counts.
GLOBAL_SAFIS: Final = (Safi.UNICAST, Safi.LABELED_UNICAST)
VPN_SAFIS: Final = (Safi.MPLS_VPN,)
#: Searches of whole tables at a time, and how many may wait for their turn.
SEARCHES: Final = 2
WAITING: Final = 64

Frames = list[bytes]
Reply = Callable[[Frames], None]
#: Where a page ends: a table, a family and a prefix, by their numbers.
Place = tuple[int, int, int]


class Answer(NamedTuple):
    """The answer to one question of ours: what its header says besides `query` and `results`, and its rows."""

    facts: dict[str, Any]
    rows: Frames


@dataclass(slots=True)
class LookingGlassCounters:
    """What was asked."""

    lookups: int = 0
    peer_lists: int = 0
    searches: int = 0
    not_understood: int = 0
    refused: int = 0
    bugs: int = 0


class LookingGlass:
    """Answers over the tables of a daemon; to be asked in the thread that writes them."""

    def __init__(
        self, reactor: IReactorTime, rib: Rib, tables: Tables, render: RenderSettings, in_thread: InThread
    ) -> None:
        self.counters = LookingGlassCounters()
        self._reactor = reactor
        self._tables, self._render, self._in_thread = tables, render, in_thread
        self._lookups = Lookups(rib)
        self._rows = self._new_rows()
        self._turns = DeferredSemaphore(SEARCHES)
        self._waiting = 0

    def answer(self, frames: Sequence[bytes], reply: Reply) -> None:
        """Answer a message, whatever it is and whatever happens."""
        ensureDeferred(self._answer(frames)).addErrback(self._confess).addCallback(reply)

    async def _answer(self, frames: Sequence[bytes]) -> Frames:
        try:
            request = decode_request(frames)
        except QueryError as error:
            self.counters.not_understood += 1
            return [header(0, kind_of(error), text=str(error))]
        if request.kind is QueryType.PEERS:
            self.counters.peer_lists += 1
            return with_header(QueryType.PEERS, [json.dumps(record).encode() for record in self._tables.peers()])
        return await (self._look_all_up(request) if request.kind is QueryType.LOOKUP else self._search_all(request))

    async def _breathe(self) -> None:
        """Let the reactor do something else between two questions."""
        await deferLater(self._reactor, 0)

    def _confess(self, bug: Failure) -> Frames:
        self.counters.bugs += 1
        log_bug(bug, "a looking-glass request")
        return [header(0, 0, text="no answer because of a bug, which is in the log")]

    # -- pmacct's questions -----------------------------------------------------------------------------------------

    async def _look_all_up(self, request: Request) -> Frames:
        frames: Frames = []
        for number, question in enumerate(request.questions):
            assert isinstance(question, Lookup)
            if number:
                await self._breathe()
            self.counters.lookups += 1
            frames += self._look_up(question)
        return frames

    def _look_up(self, question: Lookup) -> Frames:
        try:
            rd = b"" if question.rd is None else parse_rd(question.rd)
        except ValueError:
            return [header(0, QueryType.LOOKUP.value, text="lookup error")]
        tables = self._tables.tables_of(question.peer, question.port)
        if not tables:
            return [header(0, QueryType.LOOKUP.value, text="peer not found")]
        for table in tables:
            for safi in VPN_SAFIS if rd else GLOBAL_SAFIS:
                family = INDEX[Family(afi_of(question.prefix), safi)]
                rows = self._longest([table], family, question.prefix, rd, None)
                if rows:
                    return with_header(QueryType.LOOKUP, rows)
        return [header(0, QueryType.LOOKUP.value, text="prefix not found")]

    def _longest(
        self,
        tables: Sequence[VisibleRib],
        family: int,
        network: IPv4Network | IPv6Network,
        rd: bytes,
        condition: Test | None,
    ) -> Frames:
        """Return the rows of the most specific routes that cover a prefix, for each table its own."""
        address, length = network.network_address.packed, network.prefixlen
        ribs = [table.rib for table in tables]
        if length == network.max_prefixlen:
            found = self._lookups.longest_match_routes(ribs, family, address, rd, condition=condition)
            return self._rows_of(found, tables, self._rows)
        rows: Frames = []
        for table in tables:
            found = self._lookups.less_specific_routes([table.rib], family, address, length, rd, condition=condition)
            covering = [route[3] for route in found.routes()]
            if covering:
                rows += self._rows_of(found, [table], self._rows)[covering.index(max(covering)) :]
        return rows

    # -- questions of ours ------------------------------------------------------------------------------------------

    async def _search_all(self, request: Request) -> Frames:
        answers = []
        for number, question in enumerate(request.questions):
            assert isinstance(question, Question)
            if number:
                await self._breathe()
            self.counters.searches += 1
            try:
                answers.append(await self._search(question))
            except QueryError as error:
                self.counters.not_understood += 1
                answers.append(Answer({"text": str(error)}, []))
        total = sum(len(answer.rows) for answer in answers)
        frames = [header(total, QueryType.SEARCH.value, queries=len(answers))]
        for number, answer in enumerate(answers):
            frames.append(json.dumps({"query": number, "results": len(answer.rows), **answer.facts}).encode())
            frames += answer.rows
        return frames

    async def _search(self, question: Question) -> Answer:
        if question.wanted is Wanted.PEERS:
            return Answer({}, [json.dumps(record).encode() for record in self._tables.peers()])
        is_scan = question.prefix is None or question.match is Match.MORE_SPECIFIC
        if not is_scan and question.where is None:
            return self._find(question, None)
        if self._waiting >= WAITING:
            self.counters.refused += 1
            raise QueryError("too many searches wait, ask again later")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            where = question.where
            condition = None if where is None else await self._in_thread(partial(compile_condition, where))
            return await self._scan(question, condition) if is_scan else self._find(question, condition)
        finally:
            self._turns.release()

    def _tables_for(self, question: Question) -> list[VisibleRib]:
        return [table for table in self._tables.all_tables() if table.passes(question.peer)]

    def _find(self, question: Question, condition: Test | None) -> Answer:
        """Look a prefix up."""
        tables, rd = self._tables_for(question), rd_of(question) or b""
        rows: Frames = []
        for family in families_of(question):
            rows += self._look_around(question, tables, family, rd, condition)
            if rows and question.match is Match.LONGEST:
                break
        if question.wanted is Wanted.COUNT:
            return Answer({"count": len(rows)}, [])
        facts = {"truncated": True} if len(rows) > question.limit else {}
        return Answer(facts, project(rows[: question.limit], question.fields))

    def _look_around(
        self, question: Question, tables: Sequence[VisibleRib], family: int, rd: bytes, condition: Test | None
    ) -> Frames:
        network = question.prefix
        assert network is not None
        if question.match is Match.LONGEST:
            return self._longest(tables, family, network, rd, condition)
        ask = self._lookups.exact_routes if question.match is Match.EXACT else self._lookups.less_specific_routes
        ribs = [table.rib for table in tables]
        found = ask(ribs, family, network.network_address.packed, network.prefixlen, rd, condition=condition)
        return self._rows_of(found, tables, self._rows)

    async def _scan(self, question: Question, condition: Test | None) -> Answer:
        """Look at whole tables, in a thread."""
        tables, rd = self._tables_for(question), rd_of(question)
        after = cursor_of(question.cursor, len(tables))
        if after is not None and after[1] not in families_of(question):
            raise QueryError("cursor: of another question")
        searches = []
        try:
            for families, within in parts_of(question):
                ribs = [table.rib for table in tables]
                searches.append(Search(ribs, families=families, condition=condition, within=within, rd=rd))
            if question.wanted is Wanted.COUNT:
                return Answer({"count": await self._in_thread(lambda: sum(sum(s.count()) for s in searches))}, [])
            return await self._in_thread(partial(self._page, searches, question, tables, after))
        finally:
            for search in searches:
                search.close()

    def _page(
        self, searches: list[Search], question: Question, tables: list[VisibleRib], after: Place | None
    ) -> Answer:
        """Find one page and write its rows; in a thread."""
        rows: Frames = []
        for (families, _), search in zip(parts_of(question), searches, strict=True):
            if after is not None and not families >> after[1] & 1:
                continue
            if len(rows) >= question.limit:  # the page ends where a search does
                after = (0, families.bit_length() - 1, 0)
                break
            found = search.run(question.limit - len(rows), after)
            rows += self._rows_of(found, tables, self._new_rows())
            after = found.after
            if after is not None:
                break
        facts = {} if after is None else {"cursor": cursor_text(after, len(tables))}
        return Answer(facts, project(rows, question.fields))

    # -- rows -------------------------------------------------------------------------------------------------------

    def _new_rows(self) -> Rows:
        rows = new_rows(self._render)
        rows.marker = mark_keys
        return rows

    def _rows_of(self, found: Found, tables: Sequence[VisibleRib], rows: Rows) -> Frames:
        """Write found routes, a frame each; no two threads may write to the same buffer."""
        rows.lookup()

        def source(index: int) -> None:
            table = tables[index]
            rows.source(table.keys, table.vpn_keys, b"", None, table.end)

        frames: Frames = []
        at = 0
        while at < len(found):
            at = found.render(rows, source, at)
            frames += rows.take().splitlines()
        return frames


def header(results: int, kind: int, **facts: object) -> bytes:
    """Write the first frame of an answer."""
    return json.dumps({"results": results, "query_type": kind, **facts}).encode()


def with_header(kind: QueryType, rows: Frames) -> Frames:
    """Return an answer."""
    return [header(len(rows), kind.value), *rows]


def kind_of(error: QueryError) -> int:
    """Return the query type in the answer to a request that is not understood."""
    if isinstance(error, UnsupportedError):
        return 0
    return QueryType.LOOKUP.value if isinstance(error, BadLookupError) else QueryType.SEARCH.value


def afi_of(network: IPv4Network | IPv6Network) -> Afi:
    """Return the address family of a prefix."""
    return Afi.IPV4 if network.version == 4 else Afi.IPV6


def families_of(question: Question) -> list[int]:
    """Return the families that a question is about, as indices.

    Raises: QueryError when none of them is stored, or the prefix is of another.
    """
    afis = [Afi.IPV4, Afi.IPV6]
    if question.prefix is not None:
        if question.afi not in {None, afi_of(question.prefix)}:
            raise QueryError("afi: the prefix is of another")
        afis = [afi_of(question.prefix)]
    elif question.afi is not None:
        afis = [Afi(question.afi)]
    is_vpn = question.rd is not None
    families = [
        INDEX[family]
        for family in FAMILIES
        if Afi(family.afi) in afis
        and question.safi in {None, family.safi}
        and (question.safi is not None or question.prefix is None or (family.safi in VPN_SAFIS) == is_vpn)
    ]
    if not families:
        raise QueryError("safi: such routes are not stored")
    if is_vpn and question.safi not in {None, *VPN_SAFIS}:
        raise QueryError("rd: such routes have none")
    if question.prefix is not None and not is_vpn and question.safi in VPN_SAFIS:
        raise QueryError("rd: a prefix of a VPN has one")
    return families


def parts_of(question: Question) -> list[tuple[int, tuple[int, bytes, int] | None]]:
    """Return what searches a question about whole tables takes, one after the other: families as bits, and a prefix.

    Raises: QueryError.
    """
    families, network = families_of(question), question.prefix
    if network is None:
        return [(sum(1 << family for family in families), None)]
    within = network.network_address.packed, network.prefixlen
    return [(1 << family, (family, *within)) for family in families]


def rd_of(question: Question) -> bytes | None:
    """Return the route distinguisher that is asked for, in octets.

    Raises: QueryError.
    """
    if question.rd is None:
        return None
    try:
        return parse_rd(question.rd)
    except ValueError:
        raise QueryError(f"rd: {question.rd} is not written like 0:65000:100") from None


def cursor_text(after: Place, tables: int) -> str:
    """Write where a page ends; it is of use as long as there are as many tables."""
    return ".".join(map(str, (tables, *after)))


def cursor_of(text: str | None, tables: int) -> Place | None:
    """Read where a page begins.

    Raises: QueryError.
    """
    if text is None:
        return None
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdecimal() and len(part) <= 10 for part in parts):
        raise QueryError("cursor: not one of ours")
    count, rib, family, prefix = map(int, parts)
    if count != tables or rib >= tables or family >= len(FAMILIES) or prefix > 0xFFFFFFFF:
        raise QueryError("cursor: peers have come or gone, begin again")
    return rib, family, prefix


def project(rows: Frames, fields: tuple[str, ...] | None) -> Frames:
    """Leave only some fields in records."""
    if fields is None:
        return rows
    wanted = frozenset(fields)
    return [orjson.dumps({key: value for key, value in orjson.loads(row).items() if key in wanted}) for row in rows]
