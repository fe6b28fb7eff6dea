"""A program of the operator's that is run after each flush."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

#: How long a program is waited for: while it is, its plugin writes nothing. Units: seconds.
PATIENCE: Final = 60.0


@dataclass(slots=True)
class Trigger:
    """Runs a program; blocks, unless it is not to be waited for.

    Its environment has `PLUGIN`, the name of the plugin, and `OUTPUT_FILES`, the files of the flush, one a line.
    """

    words: tuple[str, ...]
    plugin: str
    files: Callable[[], tuple[str, ...]]
    waits: bool = True
    patience: float = PATIENCE
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self) -> str:
        """Run it; say what went wrong, or nothing."""
        self._running = [process for process in self._running if process.poll() is None]
        environment = {**os.environ, "PLUGIN": self.plugin, "OUTPUT_FILES": "\n".join(self.files())}
        try:
            process = subprocess.Popen(  # noqa: S603 (the operator's words)
                self.words, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        except OSError as error:
            return f"{self.words[0]}: {error.strerror}"
        if not self.waits:
            self._running.append(process)
            return ""
        try:
            status = process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self._running.append(process)
            return f"{self.words[0]} takes longer than {self.patience:.0f} s: not waited for"
        return f"{self.words[0]} ended with status {status}" if status else ""
