"""A router that speaks BMP, as the service layer knows it, and who wants to hear about routers."""

from dataclasses import dataclass
from typing import Protocol

from routed.model.event import Event, SessionDown
from routed.service.peers import Connection
from routed.session.bmp_station import BmpStation


@dataclass(slots=True, eq=False, kw_only=True)
class Router(Connection):
    """One BMP session."""

    session: BmpStation

    @property
    def name(self) -> str:
        """The name that log lines begin with."""
        return str(self.address)

    def stop(self) -> None:
        """End the session because we shut down; no pause keeps that back."""
        self.pump.end(self.session.stop)
        self.pump.catch_up()


class RouterSubscriber(Protocol):
    """Who hears about routers. For one session: `accepted`, then its events, then `closed`, each in order."""

    def accepted(self, router: Router) -> None:
        """Take note of a connection that holds a slot now."""

    def event(self, router: Router, event: Event) -> None:
        """Take an event of the session; all but SessionDown."""

    def closed(self, router: Router, down: SessionDown) -> None:
        """Take note that the session is over."""
