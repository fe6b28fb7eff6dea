"""Answers to single questions of ours, and to look-ups of pmacct's, as values.

Look-ups are answered at once. Questions about whole tables go to a thread, a few at a time, over stores that are pinned
meanwhile; the others wait, and more of them than there is patience for are refused. Lists of peers are described a few
at a time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.task import deferLater

from routed.query.codec import MAX_ROUTES, QueryError
from routed.query.request import Match, Wanted
from routed.rib._lookup import Lookups
from routed.rib._origins import settle
from routed.rib._search import Search
from routed.rib.families import INDEX
from routed.service.bmp_records import mark_keys
from routed.service.conditions import compile_condition
from routed.service.explaining import Explainer
from routed.service.isis_answers import ABOUT_ISIS
from routed.service.questions import (
    GLOBAL_SAFIS,
    VPN_SAFIS,
    Cursors,
    Place,
    afi_of,
    families_of,
    parts_of,
    project,
    rd_of,
    read_peer_cursor,
)
from routed.service.records import new_rows
from routed.service.visible import ANYBODY
from routed.wire.family import Family
from routed.wire.rd import parse_rd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.sink import InThread
    from routed.query.condition import Condition
    from routed.query.request import Lookup, Question
    from routed.rib._condition import Condition as Test
    from routed.rib._found import Found
    from routed.rib._rib import Rib
    from routed.rib._rows import Rows
    from routed.rib._vrps import Vrps
    from routed.service.isis_answers import IsisAnswers
    from routed.service.settings import RenderSettings
    from routed.service.validation import Validation
    from routed.service.visible import Tables, VisibleRib

#: Searches of whole tables at a time, and how many may wait for their turn.
SEARCHES: Final = 2
WAITING: Final = 64
#: Peers that are described before something else may happen: a millisecond or two.
PEERS_AT_ONCE: Final = 32

Frames = list[bytes]


class Answer(NamedTuple):
    """The answer to one question: what is said besides its rows, and these."""

    facts: dict[str, Any]
    rows: Frames


class Asked(NamedTuple):
    """What a look-up is told besides tables, family and prefix."""

    rd: bytes
    condition: Test | None
    buffer: Rows
    most: int  # rows that are written; what is found beyond is counted


class BusyError(QueryError):
    """The question is understood, but nobody has time for it now."""


class LookupFailedError(QueryError):
    """A look-up of pmacct's kind found nothing, for the reason that pmacct gives."""


class Answerer:
    """Answers over the tables of a daemon; to be asked in the thread that writes them."""

    def __init__(
        self,
        reactor: IReactorTime,
        rib: Rib,
        tables: Tables,
        render: RenderSettings,
        in_thread: InThread,
        *,
        validation: Validation | None = None,
        isis: IsisAnswers | None = None,
    ) -> None:
        self.tables = tables
        self._isis = isis
        self._reactor, self._render, self._in_thread = reactor, render, in_thread
        self._lookups, self._validation = Lookups(rib), validation
        self._buffers = {full: self._new_rows(full=full) for full in (False, True)}
        self._cursors = Cursors()
        render_found = partial(self._rows_of, rows=self._buffers[False])
        self._explainer = Explainer(self._lookups, validation, render_found)
        self._turns = DeferredSemaphore(SEARCHES)
        self._waiting = 0

    async def breathe(self) -> None:
        """Let the reactor do something else."""
        await deferLater(self._reactor, 0)

    # -- pmacct's question ------------------------------------------------------------------------------------------

    def look_up(self, question: Lookup) -> Frames:
        """Return the longest match in the table of one peer.

        Raises: LookupFailedError.
        """
        try:
            rd = b"" if question.rd is None else parse_rd(question.rd)
        except ValueError:
            raise LookupFailedError("lookup error") from None
        tables = self.tables.tables_of(question.peer, question.port)
        if not tables:
            raise LookupFailedError("peer not found")
        asked = Asked(rd, None, self._buffers[False], MAX_ROUTES)
        for table in tables:
            for safi in VPN_SAFIS if rd else GLOBAL_SAFIS:
                family = INDEX[Family(afi_of(question.prefix), safi)]
                _, rows = self._longest([table], family, question.prefix, asked)
                if rows:
                    return rows
        raise LookupFailedError("prefix not found")

    # -- ours -------------------------------------------------------------------------------------------------------

    async def answer(self, question: Question) -> Answer:
        """Answer a question of ours.

        Raises: QueryError when it makes no sense, BusyError when too many wait.
        """
        if question.wanted.is_command:
            raise QueryError(f"select: {question.wanted.value} is no question")
        if question.wanted in ABOUT_ISIS:
            if self._isis is None:
                raise QueryError("select: there is no IS-IS here")
            return Answer(*await self._isis.answer(question))
        if question.wanted in {Wanted.PEERS, Wanted.ROUTERS}:
            return await self._list(question)
        if question.wanted is Wanted.VALIDATION:
            return Answer(*self._explainer.answer(question, self._tables_for(question)))
        is_scan = question.prefix is None or question.match is Match.MORE_SPECIFIC or question.roa is not None
        if not is_scan and question.where is None:
            return self._find(question, None)
        if self._waiting >= WAITING:
            raise BusyError("too many searches wait, ask again later")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            condition = None if question.where is None else await self._compile(question.where)
            return await self._scan(question, condition) if is_scan else self._find(question, condition)
        finally:
            self._turns.release()

    async def _compile(self, where: Condition) -> Test:
        """Compile a condition in a thread, for expressions take a while."""
        attestations = None if self._validation is None else self._validation.attestations
        return await self._in_thread(partial(compile_condition, where, attestations))

    async def _list(self, question: Question) -> Answer:
        """Describe who is connected, in the order of addresses, a page of them."""
        after = read_peer_cursor(question.cursor)
        tables, wanted = self.tables, question.peer
        listed = tables.routers(wanted) if question.wanted is Wanted.ROUTERS else tables.listing(wanted)
        page = nsmallest(question.limit + 1, (one for one in listed if one.key > after), key=lambda one: one.key)
        rows: Frames = []
        for number, one in enumerate(page[: question.limit]):
            if number and not number % PEERS_AT_ONCE:
                await self.breathe()
            rows.append(orjson.dumps(one.describe()))
        facts = {"cursor": page[question.limit - 1].key.hex()} if len(page) > question.limit else {}
        return Answer(facts, project(rows, question.fields))

    def _longest(
        self, tables: Sequence[VisibleRib], family: int, network: IPv4Network | IPv6Network, asked: Asked
    ) -> tuple[int, Frames]:
        """Return the rows of the most specific routes that cover a prefix, for each table its own, and their number."""
        address, length, rd, condition = network.network_address.packed, network.prefixlen, asked.rd, asked.condition
        ribs = [table.rib for table in tables]
        if length == network.max_prefixlen:
            found = self._lookups.longest_match_routes(ribs, family, address, rd, condition=condition)
            return len(found), self._rows_of(found, tables, asked.buffer, asked.most)
        count = 0
        rows: Frames = []
        for table in tables:
            found = self._lookups.less_specific_routes([table.rib], family, address, length, rd, condition=condition)
            covering = [route[3] for route in found.routes()]
            if covering:
                first = covering.index(max(covering))
                count += len(covering) - first
                if len(rows) < asked.most:
                    rows += self._rows_of(found, [table], asked.buffer)[first:]
        return count, rows

    def _tables_for(self, question: Question) -> list[VisibleRib]:
        tables = self.tables.all_tables()
        if question.peer == ANYBODY:
            return list(tables)
        return [table for table in tables if table.passes(question.peer)]

    def _find(self, question: Question, condition: Test | None) -> Answer:
        """Look a prefix up."""
        tables = self._tables_for(question)
        most = 0 if question.wanted is Wanted.COUNT else question.limit
        asked = Asked(rd_of(question) or b"", condition, self._buffers[question.all_attributes], most)
        total = 0
        rows: Frames = []
        for family in families_of(question):
            count, found = self._look_around(question, tables, family, asked)
            total += count
            rows += found
            if count and question.match is Match.LONGEST:
                break
        if question.wanted is Wanted.COUNT:
            return Answer({"count": total}, [])
        facts = {"truncated": True} if total > question.limit else {}
        return Answer(facts, project(rows[: question.limit], question.fields))

    def _look_around(
        self, question: Question, tables: Sequence[VisibleRib], family: int, asked: Asked
    ) -> tuple[int, Frames]:
        network = question.prefix
        assert network is not None
        if question.match is Match.LONGEST:
            return self._longest(tables, family, network, asked)
        ask = self._lookups.exact_routes if question.match is Match.EXACT else self._lookups.less_specific_routes
        ribs = [table.rib for table in tables]
        address, length = network.network_address.packed, network.prefixlen
        found = ask(ribs, family, address, length, asked.rd, condition=asked.condition)
        return len(found), self._rows_of(found, tables, asked.buffer, asked.most)

    async def _scan(self, question: Question, condition: Test | None) -> Answer:
        """Look at whole tables, in a thread."""
        tables, rd, origins = self._tables_for(question), rd_of(question), self._origins_of(question)
        serials = [table.owner.serial for table in tables]
        after = self._cursors.read(question.cursor, serials)
        if after is not None and after[1] not in families_of(question):
            raise QueryError("cursor: of another question")
        searches = []
        try:
            for part in parts_of(question):
                ribs = [table.rib for table in tables]
                searches.append(Search(ribs, condition=condition, rd=rd, origins=origins, **part._asdict()))
            if question.wanted is Wanted.COUNT:
                return Answer({"count": await self._in_thread(lambda: sum(sum(s.count()) for s in searches))}, [])
            pages, after = await self._in_thread(partial(self._page, searches, question, after))
            for found in pages:
                self._validate(found, tables)
            rows = await self._in_thread(partial(self._render_page, pages, question, tables))
            facts = {} if after is None else {"cursor": self._cursors.write(after, serials)}
            return Answer(facts, project(rows, question.fields))
        finally:
            for search in searches:
                search.close()

    def _origins_of(self, question: Question) -> tuple[Vrps, bytes] | None:
        """Return by what routes are validated that are asked for by their origin, and what they are to be."""
        if question.roa is None:
            return None
        if self._validation is None:
            raise QueryError("roa: origins are not validated here")
        return self._validation.current.vrps, "".join(question.roa).encode()

    def _page(
        self, searches: list[Search], question: Question, after: Place | None
    ) -> tuple[list[Found], Place | None]:
        """Find one page, and where it ends; in a thread."""
        pages: list[Found] = []
        count = 0
        for (families, *_), search in zip(parts_of(question), searches, strict=True):
            if after is not None and not families >> after[1] & 1:
                continue
            if count >= question.limit:  # the page ends where a search does
                after = (0, families.bit_length() - 1, 0)
                break
            found = search.run(question.limit - count, after)
            pages.append(found)
            count += len(found)
            after = found.after
            if after is not None:
                break
        return pages, after

    def _render_page(self, pages: list[Found], question: Question, tables: list[VisibleRib]) -> Frames:
        """Write the rows of a page; in a thread."""
        buffer = self._new_rows(full=question.all_attributes)
        return [row for found in pages for row in self._render_found(found, tables, buffer)]

    # -- rows -------------------------------------------------------------------------------------------------------

    def _new_rows(self, *, full: bool) -> Rows:
        rows = new_rows(replace(self._render, extra_attributes=True) if full else self._render)
        rows.marker = mark_keys
        return rows

    def _validate(self, found: Found, tables: Sequence[VisibleRib]) -> None:
        """Judge the origins of found routes among those of their peers."""
        if self._validation is not None:
            settle(found, [table.rib for table in tables], self._validation.current.vrps)

    def _rows_of(self, found: Found, tables: Sequence[VisibleRib], rows: Rows, most: int | None = None) -> Frames:
        """Write routes that were found just now."""
        self._validate(found, tables)
        return self._render_found(found, tables, rows, most)

    def _render_found(self, found: Found, tables: Sequence[VisibleRib], rows: Rows, most: int | None = None) -> Frames:
        """Write found routes, a frame each, no buffer after there are `most`; no two threads may write to the same."""
        if self._validation is not None:
            self._validation.prepare(rows, verifies=True)
        rows.lookup()

        def source(index: int) -> None:
            table = tables[index]
            rows.own_as = table.rib.own_as
            rows.source(table.keys, table.vpn_keys, b"", None, table.end)

        frames: Frames = []
        at = 0
        while at < len(found) and (most is None or len(frames) < most):
            at = found.render(rows, source, at)
            frames += rows.take().splitlines()
        return frames
