"""FRRouting's isisd with the zebra that it needs, in a namespace of its own: a router of level 2."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.peers.install import require
from tests.peers.network import Network
from tests.peers.program import Program
from tests.peers.waiting import eventually

#: Seconds that a daemon has to do anything.
PATIENCE: Final = 60.0


class FrrIsis:
    """One router; its interfaces exist before it starts.

    Args:
        interfaces: those on which there are neighbours, with lines of configuration for each.
        extra: lines for `router isis`.
    """

    def __init__(
        self,
        network: Network,
        home: Path,
        name: str,
        *,
        net: str,
        interfaces: dict[str, Iterable[str]],
        extra: Iterable[str] = (),
    ) -> None:
        require("frr")
        self.network, self.name = network, name
        self.home = home / name
        self.home.mkdir()
        self._net, self._interfaces, self._extra = net, interfaces, tuple(extra)
        self._programs: list[Program] = []

    def start(self) -> None:
        """Start zebra, then isisd."""
        (self.home / "zebra.conf").write_text(f"hostname {self.name}\n")
        (self.home / "isisd.conf").write_text("\n".join(self._configuration()) + "\n")
        self._run("zebra")
        eventually((self.home / "zserv").exists, PATIENCE, "the socket of zebra")
        self._run("isisd")
        eventually((self.home / "isisd.vty").exists, PATIENCE, "the control socket of isisd")
        # Its first LSP starts the wait for the next one, so the interval has to be there before the name.
        self.control("configure terminal", "router isis test", "lsp-gen-interval 1", f"net {self._net}")

    def kill(self) -> None:
        """End both without a word to anybody."""
        for program in self._programs:
            program.kill()
        self._programs.clear()
        for left in ("zserv", "isisd.vty", "zebra.vty"):
            (self.home / left).unlink(missing_ok=True)

    def control(self, *commands: str) -> str:
        """Give isisd commands."""
        words = [word for command in commands for word in ("-c", command)]
        return self.network.run("vtysh", "--vty_socket", str(self.home), "-d", "isisd", *words)

    def neighbors(self) -> dict[str, str]:
        """Return the state of each adjacency by the neighbour's name or system id."""
        areas: Any = json.loads(self.control("show isis neighbor json"))["areas"]
        circuits = (circuit for area in areas for circuit in area["circuits"])
        return {circuit["adj"]: circuit["state"] for circuit in circuits if "adj" in circuit}

    def _run(self, daemon: str) -> None:
        argv = [f"/usr/lib/frr/{daemon}", "-u", "root", "-g", "frrvty", "-f", str(self.home / f"{daemon}.conf")]
        argv += ["-P", "0", "-z", str(self.home / "zserv"), "--vty_socket", str(self.home)]
        argv += ["-i", str(self.home / f"{daemon}.pid"), "--log", f"file:{self.home / daemon}.log"]
        self._programs.append(Program(self.network, argv, self.home / f"{daemon}.out"))

    def _configuration(self) -> Iterable[str]:
        yield f"hostname {self.name}"
        yield from ("router isis test", "is-type level-2-only", "metric-style wide", *self._extra, "exit")
        for interface, lines in self._interfaces.items():
            yield f"interface {interface}"
            yield from ("ip router isis test", "ipv6 router isis test", "isis network point-to-point")
            yield from ("isis hello-interval 1", "isis hello-multiplier 10")
            yield from lines
            yield "exit"
        yield "interface lo"
        yield from ("ip router isis test", "ipv6 router isis test", "isis passive", "exit")
