"""The file of templates: read at start, written again some seconds after templates have changed, and at the end.

It is written some templates at a time, and then left alone for nine times as long as that took: exporters choose how
many there are and how often they change. What could not be written is tried again; the old file stays until the new one
is whole.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from flowcorr.collect.intake import Intake
from flowcorr.collect.template_lines import TemplateLine, format_line, parse_line
from flowcorr.model.event import TemplateLearnt, TemplateWithdrawn

#: How long changes are gathered before they are written. Units: seconds.
GATHER: Final = 5.0
#: For how many times as long as it took to write the file it is left alone.
REST: Final = 9
#: Templates that are written in one turn of the reactor: a few milliseconds.
LINES_AT_ONCE: Final = 100
#: How long it takes until a file that could not be written is tried again. Units: seconds.
TRY_AGAIN: Final = 30.0
#: Templates that are read; more than this no collector has learnt.
MAX_LINES: Final = 1_000_000


class TemplateFile(Service):
    """Keeps the templates of an intake in a file.

    Attributes:
        refused: lines that were no templates.
        failures: attempts to write that the system refused.
    """

    def __init__(self, reactor: IReactorTime, path: Path, intake: Intake, complain: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._path = path
        self._intake = intake
        self._complain = complain
        self._due: IDelayedCall | None = None  # the next turn of a writing that goes on, or of one that begins
        self._writing: Iterator[None] = iter(())
        self._began = 0.0
        self._has_changed = False  # since it was begun
        self.refused = 0
        self.failures = 0

    def startService(self) -> None:  # noqa: N802 (Twisted's name)
        """Read the file, if there is one."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        try:
            lines = self._path.read_bytes().splitlines()[:MAX_LINES]
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(f"[{self._path}] cannot be read: {error.strerror}")
            return
        self._intake.remember(self._parse(lines))
        if self.refused:
            self._complain(f"[{self._path}] {self.refused} lines are no templates")

    def stopService(self) -> None:  # noqa: N802 (Twisted's name)
        """Write what is not written yet."""
        super().stopService()  # type: ignore[no-untyped-call]  # the same
        if self._due is not None:
            self._due.cancel()
            self._due = None
            self._writing = self._write()
            while self._goes_on():
                pass

    def hear(self, event: object) -> None:
        """Note an event of the intake: after one that changes templates, the file will be written."""
        if isinstance(event, TemplateLearnt | TemplateWithdrawn):
            self._has_changed = True
            if self._due is None:
                self._due = self._reactor.callLater(GATHER, self._begin)

    def _parse(self, lines: list[bytes]) -> list[TemplateLine]:
        found = []
        for line in filter(None, lines):
            try:
                found.append(parse_line(line))
            except ValueError:
                self.refused += 1
        return found

    def _begin(self) -> None:
        self._has_changed = False
        self._began = self._reactor.seconds()
        self._writing = self._write()
        self._go_on()

    def _go_on(self) -> None:
        """Write for a turn; at the end, rest."""
        self._due = None
        if self._goes_on():
            self._due = self._reactor.callLater(0, self._go_on)
        elif self._has_changed and self._due is None:
            took = self._reactor.seconds() - self._began
            self._due = self._reactor.callLater(max(GATHER, REST * took), self._begin)

    def _goes_on(self) -> bool:
        """Write some templates; whether there are more."""
        try:
            return next(self._writing, self) is None
        except OSError as error:
            self.failures += 1
            self._complain(f"[{self._path}] cannot be written: {error.strerror}")
            with suppress(OSError):
                self._beside.unlink()  # a full disk has better use for the room
            if self.running:
                self._due = self._reactor.callLater(TRY_AGAIN, self._begin)
            return False

    def _write(self) -> Iterator[None]:
        """Write all templates into a new file that takes the place of the old one: it is whole at any moment."""
        lines = self._intake.template_lines()
        with self._beside.open("wb") as file:
            while some := list(islice(lines, LINES_AT_ONCE)):
                file.writelines(map(format_line, some))
                yield
        self._beside.replace(self._path)

    @property
    def _beside(self) -> Path:
        return self._path.with_name(self._path.name + ".new")
