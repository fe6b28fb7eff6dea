"""One child process of a test: started in a namespace, its words kept in a file, never left behind."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.peers.network import Network

ROOT: Final = Path(__file__).resolve().parents[2]

#: Seconds a daemon may take to leave after it was asked to.
LEAVE: Final = 60.0


class Program:
    """A daemon in the foreground."""

    def __init__(
        self, network: Network, argv: Sequence[str], output: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.output = output
        with output.open("ab") as sink:
            self._process = subprocess.Popen(
                network.command(argv),
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def text(self) -> str:
        """Return all that the program has written."""
        return self.output.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the program to leave, make it if it will not, and return its exit status."""
        if self.running:
            self.send(number)
        try:
            return self._process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End the program and whatever it has started, now and without a word to its peer."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it and its children have left by themselves
        self._process.wait(LEAVE)
