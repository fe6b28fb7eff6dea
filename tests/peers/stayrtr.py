"""StayRTR: a cache that serves the payloads of a file, which it looks at every second."""

import json
import signal
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

from tests.peers.collector import PATIENCE
from tests.peers.network import Network, listens
from tests.peers.program import Program
from tests.peers.waiting import eventually

STAYRTR: Final = "/usr/bin/stayrtr"

#: When payloads expire: long after any test. Units: seconds since 1970.
EXPIRES: Final = 4_000_000_000

#: Prefix, maximum length, AS number.
Payload = tuple[IPv4Network | IPv6Network, int, int]


class StayRtr:
    """One cache."""

    def __init__(self, network: Network, home: Path, port: int, *options: str) -> None:
        self.port, self.options = port, options
        self._network, self._home = network, home
        self._export = home / f"cache-{port}.json"
        self._program: Program | None = None

    @property
    def endpoint(self) -> str:
        """What a configuration calls it."""
        return f"127.0.0.1:{self.port}"

    def serve(self, payloads: Iterable[Payload], aspas: Mapping[int, list[int]] | None = None) -> None:
        """Serve these from now on, or from the start on."""
        roas: list[dict[str, Any]] = [
            {"asn": f"AS{asn}", "prefix": str(network), "maxLength": longest, "ta": "test"}
            for network, longest, asn in payloads
        ]
        providers = [
            {"customer_asid": customer, "expires": EXPIRES, "providers": some}
            for customer, some in (aspas or {}).items()
        ]
        export = {
            "metadata": {"buildtime": "2026-11-21T00:00:00Z"},
            "roas": roas,
            "provider_authorizations": {"ipv4": providers, "ipv6": providers},  # as exports had them before "aspas"
        }
        self._replace(json.dumps(export))

    def serve_export(self, export: Path) -> None:
        """Serve the origins that a validator has written, as if their time were not over."""
        rows = json.loads(export.read_text())["roas"]
        self._replace(json.dumps({"roas": [{**row, "expires": EXPIRES} for row in rows]}))

    def _replace(self, text: str) -> None:
        fresh = self._export.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._export)

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [STAYRTR, "-cache", str(self._export), "-bind", self.endpoint, "-checktime=false", "-refresh", "1"]
        output = self._home / f"cache-{self.port}.out"
        self._program = Program(self._network, [*command, "-metrics.addr", "", *self.options], output)
        eventually(self._is_ready, PATIENCE, "StayRTR to listen")

    def _is_ready(self) -> bool:
        assert self._program is not None
        assert self._program.running, self._program.text()
        return listens(self._program.pid, self.port)

    def stop(self) -> None:
        """Stop as an operator would."""
        assert self._program is not None
        self._program.stop(signal.SIGTERM)

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._program is not None:
            self._program.kill()
