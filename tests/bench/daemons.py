"""The daemons that are compared, each with the smallest configuration that makes it keep what it is sent."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LOOPBACK: Final = "127.0.0.1"
PATIENCE: Final = 30.0
FAREWELL: Final = 5.0


def _pmacct_configuration(protocol: str, dump: str, folder: Path, port: int, extra: Mapping[str, str]) -> str:
    keys = {
        f"{protocol}_daemon_ip": LOOPBACK,
        f"{protocol}_daemon_port": str(port),
        f"{protocol}_daemon_max_peers": "16",
        "logfile": "{folder}/log",
        # A dump that is due tomorrow makes pmacct keep routes at all, and disturbs no measurement.
        f"{dump}_file": "{folder}/dump.json",
        f"{dump}_refresh_time": "86400",
        **extra,
    }
    return "".join(f"{key}: {value.format(folder=folder)}\n" for key, value in keys.items() if value)


_pmbgpd_configuration: Final = partial(_pmacct_configuration, "bgp", "bgp_table_dump")
_pmbmpd_configuration: Final = partial(_pmacct_configuration, "bmp", "bmp_dump")


def _bird_configuration(_folder: Path, port: int, extra: Mapping[str, str]) -> str:
    options = " ".join(f"{key} {value};" for key, value in extra.items())
    channels = "".join(f"  {family} {{ import all; export none; {options} }};\n" for family in ("ipv4", "ipv6"))
    return (
        "router id 127.0.0.1;\nprotocol device {}\nprotocol bgp collector {\n"
        f"  local {LOOPBACK} port {port} as 64999;\n  neighbor range 127.0.0.0/8 external;\n"
        f"  passive; multihop; hold time 240;\n{channels}}}\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A daemon that can take part: how it is started and how its configuration is spelled."""

    name: str
    program: tuple[str, ...]
    arguments: tuple[str, ...]
    configuration: Callable[[Path, int, Mapping[str, str]], str]
    extra: Mapping[str, str] = field(default_factory=dict)
    log: str = "bgp_daemon_msglog"  # what the keys of its message log begin with, and those of its dumps
    dump: str = "bgp_table_dump"

    @property
    def present(self) -> bool:
        """Whether the program, or the module it runs, is there."""
        if self.program[1:2] == ("-m",):
            return find_spec(self.program[2]) is not None
        return shutil.which(self.program[0]) is not None


OURS: Final = Kind(
    name="ours",
    program=(sys.executable, "-m", "routed.daemon.pmbgpd"),
    arguments=("-f", "{folder}/conf"),
    configuration=_pmbgpd_configuration,
)
PMBGPD: Final = Kind(
    name="pmbgpd", program=("/usr/sbin/pmbgpd",), arguments=("-f", "{folder}/conf"), configuration=_pmbgpd_configuration
)
OURS_BMP: Final = Kind(
    name="ours",
    program=(sys.executable, "-m", "routed.daemon.pmbmpd"),
    arguments=("-f", "{folder}/conf"),
    configuration=_pmbmpd_configuration,
    log="bmp_daemon_msglog",
    dump="bmp_dump",
)
PMBMPD: Final = replace(OURS_BMP, name="pmbmpd", program=("/usr/sbin/pmbmpd",))
_BIRD_ARGUMENTS: Final = ("-f", "-c", "{folder}/conf", "-s", "{folder}/control", "-P", "{folder}/pid")
BIRD: Final = Kind(
    name="bird", program=("/usr/sbin/bird",), arguments=_BIRD_ARGUMENTS, configuration=_bird_configuration
)
BIRD_IMPORT_TABLE: Final = Kind(
    name="bird, import table",
    program=BIRD.program,
    arguments=_BIRD_ARGUMENTS,
    configuration=_bird_configuration,
    extra={"import table": "on"},
)


class Running:
    """One started daemon; ended when the block is left."""

    def __init__(self, kind: Kind, folder: Path, port: int, extra: Mapping[str, str] | None = None) -> None:
        self.kind, self.folder, self.target = kind, folder, (LOOPBACK, port)
        folder.mkdir(parents=True)
        configuration = kind.configuration(folder, port, {**kind.extra, **(extra or {})})
        (folder / "conf").write_text(configuration)
        command = [*kind.program, *(argument.format(folder=folder) for argument in kind.arguments)]
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        due = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < due:
            with suppress(OSError), socket.create_connection(self.target, timeout=1, source_address=("127.0.0.9", 0)):
                time.sleep(0.5)  # what it does for the probe shall not be measured
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"{self.kind.name} does not listen: {(self.folder / 'output').read_text()}")

    def __exit__(self, *_: object) -> None:
        """Ask it to leave; kill it when it has not ended in good time."""
        self._process.terminate()
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """Return what it wrote to its log so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""
