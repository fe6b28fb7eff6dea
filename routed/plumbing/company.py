"""Several processes as one daemon: whoever starts them, passes signals on, and starts again what fell over.

The first process forks one for each number and does no work of its own, so it stays small, has one thread, and may fork
again at any time. Each process tells it over a connection what a service manager would be told (see `membership`); the
manager of the daemon hears that all are ready, or are again after a reload. One that ends although nobody asked for it
is started again; one that cannot be started at the beginning ends them all.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from routed.plumbing.lifecycle import hear_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from routed.plumbing.log import Log
    from routed.plumbing.service_manager import ServiceManager

#: Before a process that fell over is started again, unless it had worked for longer. Units: seconds.
BETWEEN_STARTS: Final = 2.0
#: How much longer than its own patience a process has for its end. Units: seconds.
GRACE: Final = 10.0
#: What is looked for without being told. Units: seconds.
LOOK: Final = 1.0
#: Messages of a process, in octets.
MOST_OCTETS: Final = 4_096

PASSED_ON: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STOPS: Final = (signal.SIGINT, signal.SIGTERM)
OK, FAILED = 0, 1


@dataclass(slots=True)
class Member:
    """A process: its number from 1, and how it is. Units: seconds of a monotonic clock."""

    number: int
    pid: int
    channel: socket.socket
    started: float
    heard: float
    is_ready: bool = False


@dataclass(slots=True)
class Company:
    """Keeps so many processes at work.

    Args:
        work: does the work of the process with that number, in it; returns its exit status.
        patience: how long the end of a process may take. Units: seconds.
        on_ready: called once, when all are ready.
        between_starts: before a process is started again that did not work for longer. Units: seconds.
    """

    count: int
    work: Callable[[int, socket.socket], int]
    log: Log
    manager: ServiceManager
    patience: float
    on_ready: Callable[[], None] = lambda: None
    between_starts: float = BETWEEN_STARTS
    status: int = OK
    is_first: bool = True  # in the process that started the others
    _members: dict[int, Member] = field(default_factory=dict)
    _due: dict[int, float] = field(default_factory=dict)  # when the process of a number is to be started
    _came: list[signal.Signals] = field(default_factory=list)
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    _working: set[int] = field(default_factory=set)  # numbers that were ready once
    _reloads: bool = False
    _was_ready: bool = False
    _ends: float | None = None  # when those that have not ended are killed
    _fed: float = 0.0

    def serve(self) -> int:
        """Run all processes until the last one has ended; return the exit status, in each of them its own."""
        now = time.monotonic()
        self._due = dict.fromkeys(range(1, self.count + 1), now)
        awake, waker = socket.socketpair()
        for end in (awake, waker):
            end.settimeout(0)
        self._selector.register(awake, selectors.EVENT_READ)
        for number in (*PASSED_ON, *STOPS, signal.SIGCHLD):
            signal.signal(number, self._note)
        hear_requests()
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        while self._members or self._due:
            channel = self._start_due(time.monotonic())
            if channel is not None:
                self.is_first = False
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                self._selector.close()
                for one in (awake, waker, *(member.channel for member in self._members.values())):
                    one.close()
                return self.work(*channel)
            self._turn(awake)
        return self.status

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(signal.Signals(number))

    def _start_due(self, now: float) -> tuple[int, socket.socket] | None:
        """Start what is due; in a process that was started, return its number and its connection."""
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = os.fork()
            if not pid:
                ours.close()
                return number, theirs
            theirs.close()
            ours.settimeout(0)
            self._members[number] = Member(number, pid, ours, now, now)
            self._selector.register(ours, selectors.EVENT_READ, self._members[number])
        return None

    def _turn(self, awake: socket.socket) -> None:
        """Wait for something, and see to it."""
        for key, _ in self._selector.select(LOOK):
            if key.data is None:
                with suppress(BlockingIOError):
                    awake.recv(MOST_OCTETS)
            else:
                self._hear(key.data)
        came, self._came = self._came, []
        for number in came:
            if number in STOPS:
                self._stop(number.name)
            elif number in PASSED_ON:
                self._pass_on(number)
        for member in list(self._members.values()):
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid:
                self._ended(member, os.waitstatus_to_exitcode(status))
        self._watch(time.monotonic())

    # -- what processes say ------------------------------------------------------------------------------------------

    def _hear(self, member: Member) -> None:
        try:
            octets = member.channel.recv(MOST_OCTETS)
        except OSError:
            octets = b""
        if not octets:
            with suppress(KeyError):
                self._selector.unregister(member.channel)
            return
        member.heard = time.monotonic()
        if b"READY=1" in octets.splitlines():
            self._ready(member)

    def _ready(self, member: Member) -> None:
        is_new = not member.is_ready
        member.is_ready = True
        self._working.add(member.number)
        if is_new:
            again = " again" if self._was_ready else ""
            self.log.info(f"process {member.number} (pid {member.pid}) is in service{again}")
        if is_new and self._was_ready and self._reloads:  # its configuration is that of the start
            os.kill(member.pid, signal.SIGUSR2)
        if len(self._members) == self.count and all(one.is_ready for one in self._members.values()):
            self.manager.ready(f"{self.count} processes in service")
            if not self._was_ready:
                self._was_ready = True
                self.on_ready()

    def _pass_on(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            self.log.reopen()
        if number is signal.SIGUSR2:
            self._reloads = True
            self.manager.reloading()
        for member in self._ready_members():
            os.kill(member.pid, number)

    def _ready_members(self) -> Iterator[Member]:
        return (member for member in self._members.values() if member.is_ready)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _stop(self, name: str) -> None:
        if self._ends is not None:
            self._kill(self._members.values(), signal.SIGTERM, signal.SIGINT)  # two of them: leave at once
            return
        self._ends = time.monotonic() + self.patience + GRACE
        self._due.clear()
        self.manager.stopping(f"{name} received")
        for member in self._members.values():
            with suppress(OSError):  # it has just ended
                member.channel.send(name.encode())

    def _ended(self, member: Member, status: int) -> None:
        if not member.is_ready:
            self._hear(member)  # its last words may have come after the look at its connection
        with suppress(KeyError):
            self._selector.unregister(member.channel)
        member.channel.close()
        del self._members[member.number]
        if self._ends is not None or status == OK:
            self.status = max(self.status, OK if status == OK else FAILED)
            return
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if member.number not in self._working:
            self.log.error(f"process {member.number} ended {how} before it was in service: all end")
            self.status = FAILED
            self._stop("not started")
            return
        wait = 0.0 if time.monotonic() - member.started > self.between_starts else self.between_starts
        self.log.error(f"process {member.number} (pid {member.pid}) ended {how}: it is started again")
        self._due[member.number] = time.monotonic() + wait

    def _watch(self, now: float) -> None:
        """Kill what does not end or has fallen silent; feed the daemon's own watchdog."""
        if self._ends is not None and now > self._ends:
            self._kill(self._members.values(), signal.SIGKILL)
        period = self.manager.watchdog
        if period is None:
            return
        silent = [member for member in self._ready_members() if now - member.heard > period]
        for member in silent:
            self.log.error(f"process {member.number} (pid {member.pid}) said nothing for {period:.0f} s: killed")
            member.is_ready = False
        self._kill(silent, signal.SIGKILL)
        if now - self._fed > period / 3:
            self._fed = now
            self.manager.feed()

    @staticmethod
    def _kill(members: Iterable[Member], *numbers: signal.Signals) -> None:
        for member in members:
            for number in numbers:
                os.kill(member.pid, number)
