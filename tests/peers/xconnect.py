"""A pmbgpd that passes sessions on, and the collectors behind it: ours, or Debian's pmbgpd."""

import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from tests.peers.collector import COMMAND, PATIENCE, Collector
from tests.peers.network import COLLECTOR, Network
from tests.peers.waiting import eventually

FIRST_PORT: Final = 17901
MAKERS: Final = {"ours": (sys.executable, "-m", "routed.daemon.pmbgpd"), "pmacct": ("/usr/sbin/pmbgpd",)}


class Proxy(Collector):
    """The daemon under test; its map may change."""

    name: ClassVar[str] = "proxy"
    command = COMMAND

    def __init__(self, network: Network, home: Path, rows: Iterable[str], **settings: object) -> None:
        self.map = home / "xconnects"
        self.map.write_text("".join(f"{row}\n" for row in rows))
        super().__init__(network, home, settings)

    def defaults(self) -> dict[str, object]:
        """Return the keys of a test that has no others."""
        return {"bgp_daemon_port": self.port, "bgp_daemon_max_peers": 16, "bgp_daemon_xconnect_map": self.map}

    def reload(self, *rows: str) -> None:
        """Replace the map and wait until it has been read."""
        told = self._told()
        self.map.write_text("".join(f"{row}\n" for row in rows))
        self._program.send(signal.SIGUSR2)
        eventually(lambda: self._told() > told, PATIENCE, "the map to be read again")

    def _told(self) -> int:
        return self.text.count("map successfully") + self.text.count("Rolling back")

    def stop(self) -> None:
        """Stop the daemon; a map that was spoilt on purpose is no error of its own."""
        assert self.running, f"the daemon had left:\n{self.text}"
        status = self._program.stop(signal.SIGINT)
        assert (status, "Traceback" in self.text, "bug in" in self.text) == (0, False, False), self.text


class Behind(Collector):
    """A collector that lets several sessions come from one address."""

    def __init__(self, network: Network, home: Path, maker: str, port: int, **settings: object) -> None:
        self.name = f"collector-{port}"  # type: ignore[misc]  # of its own, for the names of its files
        self.command = MAKERS[maker]  # type: ignore[misc]  # the same
        self.port = port
        folder = home / self.name
        folder.mkdir(exist_ok=True)
        super().__init__(network, folder, {"tmp_bgp_lookup_compare_ports": "true", **settings})

    def address(self, host: str = COLLECTOR) -> str:
        """Return where it listens, as a map says it."""
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def freeze(self) -> None:
        """Read no more."""
        self._program.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Read on."""
        self._program.send(signal.SIGCONT)
