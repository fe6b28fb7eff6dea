"""Plays the UDP datagrams of a capture as if exporters had just sent them, whatever port they were sent to.

The capture is read as fast as its flows are worked on, in turns between which the reactor does everything else.  Rows
carry the time of the replay as their arrival; bins of sFlow, which has no time of its own, go by the capture.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic, time
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from flowcorr.collect._datagrams import Datagrams
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.service.flow_input import FlowInput
from routed.plumbing.capture import Capture, PacketCounters
from routed.plumbing.ip_packet import Skipped
from routed.plumbing.pcap import CaptureError, Packet
from routed.plumbing.udp_datagram import UdpDatagram, read_datagram

#: How long one turn may take. Units: seconds.
TURN: Final = 0.005
_AT_ONCE: Final = 64


@dataclass(slots=True)
class ReplayCounters(PacketCounters):
    """What was read and fed, over all repetitions."""

    datagrams: int = 0


class ReplayInput(Service):
    """Plays a capture from its start to its stop, or to its end.

    `delay` is waited for before every repetition; `times` is their number, 0 for no end. `on_end` is called once when
    nothing is left to play, with the error that ended it early, if one did.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        path: Path,
        flows: FlowInput,
        *,
        delay: float = 0.0,
        times: int = 1,
        filter: str | None = None,  # noqa: A002 (as the key and its users call it)
        on_end: Callable[[CaptureError | None], None],
        now: Callable[[], float] = time,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Read the first packet and compile the filter; CaptureError when that is not possible."""
        self._reactor = reactor
        self.counters = ReplayCounters()
        self._capture = Capture(path, filter, self.counters)
        self._flows = flows
        self._delay, self._times, self._on_end = delay, times, on_end
        self._now, self._seconds = now, seconds
        self._datagrams = Datagrams(_AT_ONCE)
        self._packets: Generator[Packet | None, None, None] | None = None
        self._turn: IDelayedCall | None = None

    def startService(self) -> None:  # noqa: N802 (Twisted's name)
        """Begin to play, after the delay."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._repeat()

    def stopService(self) -> None:  # noqa: N802 (Twisted's name)
        """Play no further."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        self._rest()

    def _repeat(self) -> None:
        self.counters.repetitions += 1
        self._packets = self._capture.read()
        self._turn = self._reactor.callLater(self._delay, self._play)

    def _rest(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._packets is not None:
            self._packets.close()
            self._packets = None

    def _play(self) -> None:
        """Read for a turn, or to the end."""
        self._turn = None
        until = self._seconds() + TURN
        error: CaptureError | None = None
        is_over = False
        while not is_over and error is None and self._seconds() < until:
            try:
                is_over = self._fill()
            except CaptureError as damage:
                error = damage
            self._flows.take(self._datagrams)
            self._datagrams.clear()
        self._flows.flush()
        if error is None and not is_over:
            self._turn = self._reactor.callLater(0.0, self._play)
        elif error is not None or self.counters.repetitions == self._times:
            self._rest()
            self._on_end(error)
        else:
            self._rest()
            self._repeat()

    def _fill(self) -> bool:
        """Read as many packets as there is room for their datagrams; whether the capture is at its end."""
        assert self._packets is not None, "a replay that plays has a capture"
        arrival = int(self._now() * 1_000_000)
        read = 0
        for packet in islice(self._packets, _AT_ONCE):
            read += 1
            if packet is None:
                continue
            datagram = read_datagram(packet)
            if isinstance(datagram, Skipped):
                self.counters.packets_skipped[datagram] += 1
            else:
                self._append(datagram, arrival)
        return read < _AT_ONCE

    def _append(self, datagram: UdpDatagram, arrival: int) -> None:
        self.counters.datagrams += 1
        source = datagram.source if len(datagram.source) == 16 else IPV4_MAPPED + datagram.source
        captured = int(datagram.time * 1_000_000)
        self._datagrams.append(datagram.payload, source, datagram.source_port, arrival, captured=captured)
