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

    from routed.plumbing.sink import InThread
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


class LookingGlass:
    """Answers over the tables of a daemon; to be asked in the thread that writes them."""

    def __init__(self, rib: Rib, tables: Tables, render: RenderSettings, in_thread: InThread) -> None:
        self.counters = LookingGlassCounters()
        self._tables, self._render, self._in_thread = tables, render, in_thread
        self._lookups = Lookups(rib)
        self._rows = self._new_rows()
        self._turns = DeferredSemaphore(SEARCHES)
        self._waiting = 0

    def answer(self, frames: Sequence[bytes], reply: Reply) -> None:
        """Answer a message."""
        try:
            request = decode_request(frames)
        except QueryError as error:
            self.counters.not_understood += 1
            reply([header(0, kind_of(error), text=str(error))])
            return
        if request.kind is QueryType.SEARCH:
            ensureDeferred(self._search_all(request, reply)).addErrback(log_bug, "a looking-glass request")
        else:
            reply(self._answer(request))

    # -- pmacct's questions -----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Frames:
        if request.kind is QueryType.PEERS:
            self.counters.peer_lists += 1
            return with_header(QueryType.PEERS, [json.dumps(record).encode() for record in self._tables.peers()])
        frames: Frames = []
        for question in request.questions:
            assert isinstance(question, Lookup)
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
        self, tables: Sequence[VisibleRib], family: int, network: IPv4Network | IPv6Network, rd: bytes, condition: Any
    ) -> Frames:
        """Return the rows of the most specific routes that cover a prefix, for each table its own."""
        address, length = network.network_address.packed, network.prefixlen
        ribs = [table.rib for table in tables]
        if length == network.max_prefixlen:
            found = self._lookups.longest_match_routes(ribs, family, address, rd, condition=condition)
            return self._rows_of(found, tables)
        rows: Frames = []
        for table in tables:
            found = self._lookups.less_specific_routes([table.rib], family, address, length, rd, condition=condition)
            covering = [route[3] for route in found.routes()]
            if covering:
                rows += self._rows_of(found, [table])[covering.index(max(covering)) :]
        return rows

    # -- questions of ours ------------------------------------------------------------------------------------------

    async def _search_all(self, request: Request, reply: Reply) -> None:
        answers = []
        for question in request.questions:
            assert isinstance(question, Question)
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
        reply(frames)

    async def _search(self, question: Question) -> Answer:
        if question.wanted is Wanted.PEERS:
            return Answer({}, [json.dumps(record).encode() for record in self._tables.peers()])
        tables = [table for table in self._tables.all_tables() if table.passes(question.peer)]
        condition = None if question.where is None else compile_condition(question.where)
        rd = rd_of(question)
        is_scan = question.prefix is None or question.match is Match.MORE_SPECIFIC
        if is_scan or question.wanted is Wanted.COUNT:
            return await self._scan(question, tables, condition, rd)
        assert question.prefix is not None
        rows: Frames = []
        for family in families_of(question):
            rows += self._look_around(question, tables, family, rd or b"", condition)
            if rows and question.match is Match.LONGEST:
                break
        facts = {"truncated": True} if len(rows) > question.limit else {}
        return Answer(facts, project(rows[: question.limit], question.fields))

    def _look_around(
        self, question: Question, tables: Sequence[VisibleRib], family: int, rd: bytes, condition: Any
    ) -> Frames:
        network = question.prefix
        assert network is not None
        if question.match is Match.LONGEST:
            return self._longest(tables, family, network, rd, condition)
        ask = self._lookups.exact_routes if question.match is Match.EXACT else self._lookups.less_specific_routes
        ribs = [table.rib for table in tables]
        found = ask(ribs, family, network.network_address.packed, network.prefixlen, rd, condition=condition)
        return self._rows_of(found, tables)

    async def _scan(self, question: Question, tables: Sequence[VisibleRib], condition: Any, rd: bytes | None) -> Answer:
        """Look at whole tables, in a thread."""
        if self._waiting >= WAITING:
            self.counters.refused += 1
            raise QueryError("too many searches wait, ask again later")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._scan_now(question, tables, condition, rd)
        finally:
            self._turns.release()

    async def _scan_now(
        self, question: Question, tables: Sequence[VisibleRib], condition: Any, rd: bytes | None
    ) -> Answer:
        network = question.prefix
        families = families_of(question)
        net = None
        if network is not None:
            net = families[0], network.network_address.packed, network.prefixlen
        search = Search(
            [table.rib for table in tables],
            families=sum(1 << family for family in families),
            condition=condition,
            within=net if question.match is Match.MORE_SPECIFIC else None,
            around=net if question.match is not Match.MORE_SPECIFIC else None,
            rd=rd,
        )
        try:
            if question.wanted is Wanted.COUNT:
                return Answer({"count": sum(await self._in_thread(search.count))}, [])
            after = cursor_of(question.cursor, len(tables))
            return await self._in_thread(partial(self._page, search, question, tables, after))
        finally:
            search.close()

    def _page(self, search: Search, question: Question, tables: Sequence[VisibleRib], after: Any) -> Answer:
        """Find one page and write its rows; in a thread."""
        found = search.run(question.limit, after)
        rows = project(self._rows_of(found, tables, self._new_rows()), question.fields)
        facts = {} if found.after is None else {"cursor": cursor_text(found.after, len(tables))}
        return Answer(facts, rows)

    # -- rows -------------------------------------------------------------------------------------------------------

    def _new_rows(self) -> Rows:
        rows = new_rows(self._render)
        rows.marker = mark_keys
        return rows

    def _rows_of(self, found: Found, tables: Sequence[VisibleRib], rows: Rows | None = None) -> Frames:
        """Write found routes, a frame each."""
        rows = rows or self._rows
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
    return families


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


def cursor_text(after: tuple[int, int, int], tables: int) -> str:
    """Write where a page ends; it is of use as long as there are as many tables."""
    return ".".join(map(str, (tables, *after)))


def cursor_of(text: str | None, tables: int) -> tuple[int, int, int] | None:
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
