"""The socket that the table of a `memory` plugin is asked over: a question on a line, an answer, the end.

Clients are untrusted: a question is bounded in octets and time, so is the number of clients; an answer is rendered a
buffer at a time, when the one before has been taken, and a client that takes nothing for a while is given up.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from zope.interface import implementer

from flowcorr.correlate.key_match import MatchError
from flowcorr.service.memory_answer import Counting, Listing, Table, refusal, short_answer
from flowcorr.service.memory_question import MOST_OCTETS, Do, QuestionError, parse_question
from routed.plumbing.metrics import counter, gauge
from routed.plumbing.sink import InThread, log_bug

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from routed.plumbing.output_file import Owner

#: Clients at a time; each may hold a snapshot.
MOST_CLIENTS: Final = 64
#: How long a question may take to come, and a client may take nothing of an answer. Units: seconds.
QUESTION_PATIENCE: Final = 10.0
READING_PATIENCE: Final = 20.0
#: Who may ask where nothing is configured: the owner of the daemon and its group.
MODE: Final = 0o660


@dataclass(slots=True)
class ClientCounters:
    """What clients of a table came to."""

    clients: int = gauge("clients of the memory table that are connected")
    answered: int = counter("questions to the memory table that were answered")
    refused: int = counter("questions to the memory table that were refused, and clients beyond the most")
    given_up: int = counter("clients of the memory table that did not ask or read in time")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What clients are served in."""

    clock: Any
    in_thread: InThread
    wall_clock: Callable[[], float]


class TableFactory(Factory):
    """Serves clients of one table."""

    noisy = False

    def __init__(self, table: Table, around: Surroundings, counters: ClientCounters) -> None:
        self.table, self.around, self.counters = table, around, counters
        self.clients: set[TableProtocol] = set()

    def buildProtocol(self, addr: object) -> Protocol:  # noqa: ARG002 (Twisted's)
        """Serve one client."""
        return TableProtocol(self)

    def end(self) -> None:
        """End all clients."""
        for client in tuple(self.clients):
            client.abort()


@implementer(IPushProducer)
class TableProtocol(Protocol):
    """One client."""

    def __init__(self, factory: TableFactory) -> None:
        self._factory, self._around = factory, factory.around
        self._asked = bytearray()
        self._alarm: IDelayedCall | None = None
        self._has_asked = self._is_over = False
        self._free: Deferred[None] | None = None  # fires when the client takes more

    def connectionMade(self) -> None:
        """Wait for a question, unless there are too many clients."""
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]  # noqa: FBT003 (Twisted's)
        if len(self._factory.clients) >= MOST_CLIENTS:
            self._factory.counters.refused += 1
            self._end(refusal(f"{MOST_CLIENTS} clients are connected"))
            return
        self._factory.clients.add(self)
        self._factory.counters.clients = len(self._factory.clients)
        self._set_alarm(QUESTION_PATIENCE)

    def dataReceived(self, data: bytes) -> None:
        """Take octets of the question; what comes behind it is none of it."""
        if self._has_asked or self._is_over:
            return
        line, newline, _ = data.partition(b"\n")
        self._asked += line
        if len(self._asked) > MOST_OCTETS:
            self._refuse(f"a question has at most {MOST_OCTETS} octets")
        elif newline:
            self._has_asked = True
            self._set_alarm(None)
            ensureDeferred(self._answer(bytes(self._asked))).addErrback(self._fail)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 (Twisted's)
        """Forget the client."""
        self._is_over = True
        self._set_alarm(None)
        self._factory.clients.discard(self)
        self._factory.counters.clients = len(self._factory.clients)
        self._go_on()

    def abort(self) -> None:
        """End the client at once."""
        self.transport.abortConnection()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """Wait for the client, but not for ever."""
        if self._free is None and not self._is_over:
            self._free = Deferred()
            self._set_alarm(READING_PATIENCE)

    def resumeProducing(self) -> None:
        """Go on: the client took what was written."""
        if self._has_asked:
            self._set_alarm(None)
        self._go_on()

    def stopProducing(self) -> None:
        """End: nobody reads any more."""
        self._is_over = True
        self._go_on()

    async def _answer(self, line: bytes) -> None:
        try:
            question = parse_question(line)
            if question.do is Do.LIST:
                await self._list(Listing(self._factory.table, question, self._around.wall_clock()))
            elif question.do is Do.COUNT:
                await self._list(Counting(self._factory.table, question, self._around.wall_clock()))
            else:
                self._end(short_answer(self._factory.table, question, self._around.wall_clock()))
        except (QuestionError, MatchError) as error:
            self._refuse(str(error))
        else:
            self._factory.counters.answered += 1

    async def _list(self, listing: Listing) -> None:
        """Write rows as the client takes them."""
        try:
            self._write(await self._around.in_thread(listing.number))
            listing.reset()
            while not self._is_over:
                if self._free is not None:
                    await self._free
                    continue
                rows = await self._around.in_thread(listing.next)
                if not rows:
                    break
                self._write(rows)
            self._end(listing.last())
        finally:
            listing.close()

    def _write(self, octets: bytes) -> None:
        if not self._is_over:
            self.transport.write(octets)  # type: ignore[union-attr]

    def _refuse(self, why: str) -> None:
        self._factory.counters.refused += 1
        self._end(refusal(why))

    def _end(self, octets: bytes) -> None:
        """Write the last octets; the client has so long to take them."""
        if not self._is_over:
            self._is_over = True
            self._write_last(octets)

    def _write_last(self, octets: bytes) -> None:
        transport: Any = self.transport
        if octets:
            transport.write(octets)
        transport.unregisterProducer()
        transport.loseConnection()
        self._set_alarm(READING_PATIENCE)

    def _fail(self, failure: Failure) -> None:
        """Tell the log of a bug; the client sees an end without a last line."""
        log_bug(failure, "the answer of a memory plugin")
        self.abort()

    def _go_on(self) -> None:
        if self._free is not None:
            free, self._free = self._free, None
            free.callback(None)

    def _set_alarm(self, seconds: float | None) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None if seconds is None else self._around.clock.callLater(seconds, self._give_up)

    def _give_up(self) -> None:
        self._factory.counters.given_up += 1
        self.abort()


class SocketPlace:
    """A path where this process alone listens. What a killed daemon left there is removed, what is in use is not."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self.path, self._owner = path, owner
        self._lock: int | None = None

    def listen(self, reactor: Any, factory: Factory) -> Any:
        """Listen; return the port of the reactor.

        Raises: OSError when another process does, or something that is no socket is there.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._clear()
            port = self._bind(reactor, factory)
        except OSError as error:
            os.close(lock)
            if error.errno in {errno.EWOULDBLOCK, errno.EADDRINUSE}:
                raise OSError(errno.EADDRINUSE, "another daemon answers there", str(self.path)) from error
            raise
        self._lock = lock
        return port

    def leave(self) -> None:
        """Remove the socket and the lock."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            Path(f"{self.path}.lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _clear(self) -> None:
        """Remove a socket that nobody listens on."""
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise OSError(errno.EEXIST, "something that is no socket is there", str(self.path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink()
                return
        raise OSError(errno.EADDRINUSE, "another daemon answers there", str(self.path))

    def _bind(self, reactor: Any, factory: Factory) -> Any:
        """Open the port; at no moment somebody may connect who may not ask."""
        before = os.umask(0o777 & ~MODE)
        try:
            port = reactor.listenUNIX(str(self.path), factory, backlog=MOST_CLIENTS, mode=MODE)
        except CannotListenError as error:
            raise error.socketError from error
        finally:
            os.umask(before)
        if (self._owner.uid, self._owner.gid) != (-1, -1):
            os.chown(self.path, self._owner.uid, self._owner.gid)
        return port
