"""What all speakers have in common: one session towards the collector, and routes to announce in it."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from routed.wire.family import IPV4_UNICAST, Family
from tests.peers.collector import AS, PATIENCE
from tests.peers.install import require
from tests.peers.network import COLLECTOR, COLLECTOR_6, Network
from tests.peers.program import Program
from tests.peers.route import Route
from tests.peers.waiting import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The session that a speaker is to open; times in seconds, 0 when the feature is not asked for."""

    local: str
    local_as: int = AS
    remote_as: int = AS
    families: tuple[Family, ...] = (IPV4_UNICAST,)
    add_path: bool = False
    extended_next_hop: bool = False
    confederation: int = 0
    hold_time: int = 90
    restart_time: int = 0
    long_lived_time: int = 0
    password: str = ""
    role: str = ""  # and that of the other side must match (RFC 9234)
    near: bool = False  # packets from further away than one hop are not taken (RFC 5082)
    extended: bool = False  # long messages (RFC 8654), long OPEN (RFC 9072): what the speaker has of them

    @property
    def remote(self) -> str:
        return COLLECTOR_6 if ":" in self.local else COLLECTOR

    @property
    def router_id(self) -> str:
        return "10.255.0." + self.local.replace(":", ".").rsplit(".", 1)[-1]

    def own_path(self, route: Route) -> list[str]:
        """Return the AS_PATH of a route without the AS that this session itself puts in front."""
        path = route.as_path.split()
        added = f"({self.local_as})" if self.confederation else str(self.local_as)
        return path[1:] if self.local_as != self.remote_as and path[:1] == [added] else path


class Speaker(ABC):
    """A BGP daemon of somebody else's."""

    package: ClassVar[str]
    ids_are_picked: ClassVar[bool] = True  # ADD-PATH identifiers are the speaker's choice, not ours
    understands_reasons: ClassVar[bool] = True  # it logs the text of a NOTIFICATION that it receives

    def __init__(self, network: Network, home: Path, link: Link) -> None:
        require(self.package)
        self.network, self.link = network, link
        self.home = home / f"{self.package}-{link.local.replace(':', '_')}"
        self.home.mkdir()
        self.routes: list[Route] = []
        self.program: Program | None = None

    @abstractmethod
    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        """Write the configuration; return the command that runs the daemon and additions to its environment."""

    @abstractmethod
    def announce(self, *routes: Route) -> None:
        """Announce routes, at once when the daemon runs, else as soon as it does."""

    @abstractmethod
    def withdraw(self, *routes: Route) -> None:
        """Withdraw routes that were announced."""

    @abstractmethod
    def shut_down(self, reason: str) -> None:
        """Close the session administratively, with a text for the operator at the other end (RFC 9003)."""

    def start(self) -> None:
        """Start the daemon; it connects when it pleases."""
        argv, environment = self.command()
        self.program = Program(self.network, argv, self.home / "output", environment)

    def text(self) -> str:
        """Return all that the daemon has said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.home.glob("output*")))

    def wait_for_text(self, words: str, within: float = PATIENCE) -> None:
        """Wait until the daemon has said something."""
        try:
            eventually(lambda: words in self.text(), within, f"{self.package} to say {words!r}")
        except TimeoutError as timeout:
            timeout.add_note(f"it said:\n{self.text()[-3000:]}")
            raise

    def freeze(self) -> None:
        """Make the daemon silent while its connection stays open."""
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen daemon go on."""
        self._running().send(signal.SIGCONT)

    def kill(self) -> None:
        """End the daemon as a power cut would."""
        if self.program is not None:
            self.program.kill()
            self.program = None

    def _running(self) -> Program:
        assert self.program is not None, f"{self.package} was not started"
        return self.program
