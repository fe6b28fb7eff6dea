"""What the demo prints: plain lines in a pipe; in a terminal also a little bold, and progress that stays in place."""

import shutil
import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_CLEAR_LINE = "\r\x1b[K"
_PIPE_COLUMNS = 160
_PIPE_INTERVAL = 5.0  # seconds between progress lines where they cannot overwrite each other


class Screen:
    """Writes lines, and one progress line at a time below them."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._progress_shown = False
        self._next_progress = 0.0

    def title(self, text: str) -> None:
        """Print a heading."""
        self.line()
        self.line(f"{_BOLD}{text}{_PLAIN}" if self._terminal else f"== {text}")

    def line(self, text: str = "") -> None:
        """Print a line above the progress."""
        self._end_progress()
        print(text, file=self._stream, flush=True)

    def row(self, text: str) -> None:
        """Print a row of output, cut to the width of a terminal, whole in a pipe."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 2
            text = f"{_DIM}{text[: width - 1] + '…' if len(text) > width else text}{_PLAIN}"
        self.line(f"  {text}")

    def table(self, table: Table) -> None:
        """Print a table, as wide as a terminal, or as it needs in a pipe."""
        self._end_progress()
        width = None if self._terminal else _PIPE_COLUMNS
        Console(file=self._stream, width=width).print(table)
        self._stream.flush()

    def progress(self, text: str, now: float) -> None:
        """Show how far things are: in place in a terminal, now and then in a pipe."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(_CLEAR_LINE + text[:width], end="", file=self._stream, flush=True)
            self._progress_shown = True
        elif now >= self._next_progress:
            print(text, file=self._stream, flush=True)
            self._next_progress = now + _PIPE_INTERVAL

    def _end_progress(self) -> None:
        if self._progress_shown:
            print(_CLEAR_LINE, end="", file=self._stream)
            self._progress_shown = False
