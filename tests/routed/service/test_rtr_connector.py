"""Caches in order of preference: who is asked when, whose payloads count, and for how long."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from routed.plumbing.log import Level
from routed.plumbing.values import Endpoint
from routed.service import rtr_connection
from routed.service.rtr_cache import LAST_DELAY, LASTING
from routed.service.rtr_connector import RtrConnector, RtrSettings
from routed.service.validation import Validation
from routed.wire.rtr.codepoints import ErrorCode
from routed.wire.rtr.pdu import (
    AspaPdu,
    CacheResponse,
    EndOfData,
    ErrorReport,
    Intervals,
    Pdu,
    ResetQuery,
    SerialNotify,
    SerialQuery,
    decode_pdu,
    encode_pdu,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocol

    from routed.plumbing.values import Address

INTERVALS = Intervals(100, 20, 7_200)


class Wire(StringTransport):
    """A transport of a connection to a cache."""

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        assert enabled

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.disconnecting = True

    def abortConnection(self) -> None:  # noqa: N802
        self.disconnecting = True


class Log:
    """Lines that were written."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_limited(self, _key: str, _most: int, _level: Level, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


class CacheAt:
    """One connection to a cache, seen from its end."""

    def __init__(self, protocol: Any) -> None:
        self.protocol, self.wire = protocol, Wire()
        protocol.makeConnection(self.wire)

    def asked(self) -> list[Pdu]:
        """Return what the daemon has sent since the last time."""
        octets, pdus = self.wire.value(), []
        self.wire.clear()
        while octets:
            length = int.from_bytes(octets[4:8], "big")
            pdus.append(decode_pdu(octets[:length]))
            octets = octets[length:]
        return pdus

    def say(self, *pdus: Pdu | bytes, version: int = 2) -> None:
        """Send something."""
        for pdu in pdus:
            self.protocol.dataReceived(pdu if isinstance(pdu, bytes) else encode_pdu(version, pdu))

    def answer(self, *payloads: bytes | Pdu, serial: int = 1, session: int = 5, version: int = 2) -> None:
        """Send a whole answer."""
        end = EndOfData(session, serial, INTERVALS if version else None)
        self.say(CacheResponse(session), *payloads, end, version=version)

    def hang_up(self) -> None:
        """Close the connection."""
        assert IHalfCloseableProtocol.providedBy(self.protocol)
        self.protocol.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]


class Rig:
    """A connector whose connections are made by hand."""

    def __init__(self, *hosts: str, version: int | None = None) -> None:
        self.clock, self.log = Clock(), Log()
        self.dialled: list[tuple[str, Any, Callable[[str], None]]] = []
        self.cancelled: list[str] = []
        self.validation = Validation(maybeDeferred)  # type: ignore[arg-type]  # what a thread does, at once
        settings = RtrSettings(caches=tuple(Endpoint(host, 323) for host in hosts), version=version)
        self.connector = RtrConnector(
            self.clock,  # type: ignore[arg-type]  # all that is asked of it here is the time
            settings,
            self.validation,
            in_thread=maybeDeferred,  # type: ignore[arg-type]  # the same
            log=self.log,  # type: ignore[arg-type]
            dial=self._dial,
        )
        self.connector.start()

    def _dial(self, address: Address, port: int, wanted: IProtocol, on_failure: Callable[[str], None]) -> Any:
        assert port == 323
        self.dialled.append((str(address), wanted, on_failure))
        return self

    def cancel(self) -> None:
        """Give a connection up that is being made."""

    def accept(self) -> CacheAt:
        """Let the connection be made that was asked for last."""
        return CacheAt(self.dialled.pop()[1])

    def refuse(self) -> str:
        """Let it fail; to where it was."""
        host, _, on_failure = self.dialled.pop()
        on_failure("Connection refused")
        return host

    @property
    def origins(self) -> set[int]:
        """The ASes of all payloads that count."""
        return {payload[3] for payload in self.validation.current.vrps.payloads()}


ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def prefix(asn: int, *, announces: bool = True, version: int = 2) -> bytes:
    """Write a payload of 192.0.2.0/24."""
    lengths = bytes((announces, 24, 24, 0))
    return bytes((version, 4, 0, 0, 0, 0, 0, 20)) + lengths + ip_address("192.0.2.0").packed + asn.to_bytes(4, "big")


def test_an_answer_counts_whole_and_at_its_end() -> None:
    """Nothing is half loaded, ever."""
    rig = Rig(ONE)
    cache = rig.accept()
    assert cache.asked() == [ResetQuery()]
    cache.say(CacheResponse(5), prefix(1), prefix(2))
    assert rig.origins == set()
    cache.say(AspaPdu(True, 1, (2, 3)), EndOfData(5, 1, INTERVALS))
    assert rig.origins == {1, 2}
    assert rig.validation.current.aspas == {1: frozenset({2, 3})}
    assert rig.log.lines[-1].endswith("RTR version 2, session 5, serial 1: 2 IPv4 and 0 IPv6 payloads, 1 ASPAs")


def test_changes_are_applied_to_what_was_there() -> None:
    """Announcements, withdrawals, and providers that are replaced."""
    rig = Rig(ONE)
    cache = rig.accept()
    cache.answer(prefix(1), prefix(2), AspaPdu(True, 1, (2,)), AspaPdu(True, 7, (8,)))
    cache.asked()
    cache.say(SerialNotify(5, 2))
    assert cache.asked() == [SerialQuery(5, 1)]
    changes = prefix(1, announces=False), prefix(3), AspaPdu(True, 1, (9,)), AspaPdu(False, 7, ())
    cache.answer(*changes, serial=2)
    assert rig.origins == {2, 3}
    assert rig.validation.current.aspas == {1: frozenset({9})}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (prefix(1), ErrorCode.DUPLICATE_ANNOUNCEMENT),
        (prefix(9, announces=False), ErrorCode.WITHDRAWAL_OF_UNKNOWN_RECORD),
        (AspaPdu(False, 9, ()), ErrorCode.WITHDRAWAL_OF_UNKNOWN_RECORD),
        (prefix(1)[:8] + b"\1\x21\x21\0" + prefix(1)[12:], ErrorCode.CORRUPT_DATA),
    ],
)
def test_payloads_that_a_cache_may_not_send_end_the_session(payload: Pdu | bytes, code: ErrorCode) -> None:
    """RFC 8210 section 12: what was there stays, and everything is asked for anew."""
    rig = Rig(ONE)
    cache = rig.accept()
    cache.answer(prefix(1))
    cache.say(SerialNotify(5, 2))
    cache.asked()
    cache.answer(payload, serial=2)
    (report,) = cache.asked()
    assert isinstance(report, ErrorReport)
    assert report.code is code
    if isinstance(payload, bytes):
        assert report.pdu == payload
    assert cache.wire.disconnecting
    cache.hang_up()
    assert rig.origins == {1}
    rig.clock.advance(1)
    assert rig.accept().asked() == [ResetQuery()]


@pytest.mark.parametrize("count", [3, 4])
def test_aspas_have_a_ceiling(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is replaced is no other one."""
    monkeypatch.setattr(rtr_connection, "MAX_ASPAS", 3)
    rig = Rig(ONE)
    cache = rig.accept()
    cache.asked()
    cache.answer(*(AspaPdu(True, customer, (9,)) for customer in (1, *range(1, count + 1))))
    reports = [pdu.code for pdu in cache.asked() if isinstance(pdu, ErrorReport)]
    is_too_many = count > rtr_connection.MAX_ASPAS
    assert reports == ([ErrorCode.INTERNAL_ERROR] if is_too_many else [])
    assert len(rig.validation.current.aspas) == (0 if is_too_many else count)


def test_a_cache_that_comes_back_goes_on_where_it_was() -> None:
    """And is asked again ever more rarely as long as it does not."""
    rig = Rig(ONE)
    cache = rig.accept()
    cache.answer(prefix(1))
    rig.clock.advance(LASTING)
    cache.hang_up()
    assert rig.origins == {1}
    for delay in (1, 2, 4, 8, 16, 32, LAST_DELAY, LAST_DELAY):
        rig.clock.advance(delay - 0.5)
        assert not rig.dialled
        rig.clock.advance(0.5)
        assert rig.refuse() == ONE
    rig.clock.advance(LAST_DELAY)
    again = rig.accept()
    assert again.asked() == [SerialQuery(5, 1)]
    again.answer(prefix(2), serial=2)
    assert rig.origins == {1, 2}


def test_payloads_expire_when_no_cache_confirms_them() -> None:
    """RFC 8210 section 6; an answer without changes confirms them."""
    rig = Rig(ONE)
    cache = rig.accept()
    cache.answer(prefix(1))
    rig.clock.advance(INTERVALS.refresh)
    cache.answer()
    cache.hang_up()
    rig.clock.pump([1.0] * 10)
    rig.clock.advance(INTERVALS.expire - 10.5)
    assert rig.origins == {1}
    rig.clock.advance(0.5)
    assert rig.origins == set()
    assert rig.connector.counters.expired == 1
    late = rig.accept()  # whose question is from before
    assert late.asked() == [SerialQuery(5, 1)]
    late.answer(prefix(2))
    assert rig.origins == set()
    late.hang_up()
    rig.clock.advance(LAST_DELAY)
    anew = rig.accept()
    assert anew.asked() == [ResetQuery()]
    anew.answer(prefix(2))
    assert rig.origins == {2}


def test_the_next_cache_is_asked_when_the_preferred_one_fails() -> None:
    """And is let go when that one has answered."""
    rig = Rig(ONE, TWO, THREE)
    assert [host for host, _, _ in rig.dialled] == [ONE]
    rig.refuse()
    assert [host for host, _, _ in rig.dialled] == [TWO]
    second = rig.accept()
    second.answer(prefix(2))
    assert rig.origins == {2}
    rig.clock.advance(1)
    first = rig.accept()
    assert first.asked() == [ResetQuery()]
    first.say(CacheResponse(1), prefix(1))
    assert rig.origins == {2}
    first.say(EndOfData(1, 1, INTERVALS))
    assert rig.origins == {1}
    assert second.wire.disconnecting
    second.hang_up()
    assert not rig.dialled
    first.hang_up()
    assert [host for host, _, _ in rig.dialled] == [TWO]
    assert rig.accept().asked() == [ResetQuery()]
    assert rig.origins == {1}


@pytest.mark.parametrize("says", [True, False])
def test_a_cache_is_offered_older_versions(says: bool) -> None:
    """RFC 8210 section 7: whether it refuses in words or just closes; and the newest one when it comes back."""
    rig = Rig(ONE)
    for version in (2, 1):
        cache = rig.accept()
        assert cache.wire.value()[0] == version
        if says:
            cache.say(ErrorReport(ErrorCode.UNSUPPORTED_VERSION, b"", ""), version=version - 1)
        cache.hang_up()
        rig.clock.advance(0)
    cache = rig.accept()
    assert cache.wire.value()[0] == 0
    cache.answer(prefix(1, version=0), version=0)
    assert rig.origins == {1}
    cache.hang_up()
    rig.clock.advance(1)
    assert rig.accept().wire.value()[0] == 2


def test_a_pinned_version_is_offered_for_ever() -> None:
    """With the patience of a cache that is not there."""
    rig = Rig(ONE, version=1)
    cache = rig.accept()
    cache.say(ErrorReport(ErrorCode.UNSUPPORTED_VERSION, b"", ""), version=0)
    cache.hang_up()
    rig.clock.advance(0)
    assert not rig.dialled
    rig.clock.advance(1)
    assert rig.accept().wire.value()[0] == 1


def test_the_end_of_the_daemon_ends_all_sessions() -> None:
    """Nobody is connected to any more."""
    rig = Rig(ONE, TWO)
    rig.refuse()
    cache = rig.accept()
    cache.answer(prefix(1))
    rig.connector.stop()
    assert cache.wire.disconnecting
    cache.hang_up()
    rig.clock.advance(LAST_DELAY)
    assert not rig.dialled
    assert not rig.clock.getDelayedCalls()


def test_a_host_that_has_no_address_is_a_cache_that_fails() -> None:
    """It is looked up again at the next attempt."""
    rig = Rig("cache.invalid", TWO)
    assert [host for host, _, _ in rig.dialled] == [TWO]
    assert "cannot be resolved" in rig.log.lines[0]
