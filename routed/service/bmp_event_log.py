"""Records of what routers say besides routes: written to the message log, and kept for dumps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from routed.service.bmp_records import event_records
from routed.service.monitored import RibKey
from routed.session.bmp_peers import key_of
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import StatisticsReport

if TYPE_CHECKING:
    from routed.service.bmp_account import BmpAccount
    from routed.service.bmp_records import EventRecord
    from routed.service.bmp_session import Session
    from routed.service.message_log import Stream
    from routed.service.settings import StationSettings
    from routed.wire.bmp.message import Message


class BmpEventLog:
    """Takes the messages of all routers but Route Monitoring."""

    def __init__(self, settings: StationSettings, account: BmpAccount) -> None:
        self._settings, self._account = settings, account

    def configure(self, settings: StationSettings) -> None:
        """Take over other settings."""
        self._settings = settings

    def take(self, session: Session, message: Message, arrived: float) -> None:
        """Write the records of a message, and keep them for dumps. Units: seconds since 1970."""
        for record in event_records(message, set_pd=self._settings.set_pd):
            if session.stream is not None:
                session.stream.record(partial(log_line, record, session.stream, arrived))
            if self._settings.keeps_events:
                self._keep(session, message, record)

    def _keep(self, session: Session, message: Message, record: EventRecord) -> None:
        """Keep a record for dumps, and say so when there is no room."""
        events, counters = session.monitored.events, session.monitored.counters
        match message:
            case Initiation():
                events.init = record
            case PeerUp(peer=header):
                key = RibKey(header.is_post, header.is_out, header.is_loc, header.is_filtered)
                if not events.stand(key_of(header), key, record):
                    counters.peer_ups_lost += 1
                    what = f"{counters.peer_ups_lost} Peer Ups are in one dump only: no room"
                    self._account.warn(session, "peer ups", what)
            case StatisticsReport() if self._settings.excludes_statistics:
                return
        lost = events.add(record)
        if lost:
            counters.events_lost += lost
            what = f"{counters.events_lost} events are in no dump: too many between two of them"
            self._account.warn(session, "events", what)


def log_line(record: EventRecord, stream: Stream, arrived: float, sequence: int) -> bytes:
    """Return the record of an event for the message log."""
    return record.log(sequence, stream.times.exact(arrived), stream.text, stream.times)
