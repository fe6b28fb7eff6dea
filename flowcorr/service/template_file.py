"""The file of templates: read at start, written again some seconds after templates have changed, and at the end.

What could not be written is tried again; the old file stays until the new one is whole.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from flowcorr.collect.intake import Intake
from flowcorr.collect.template_lines import TemplateLine, format_line, parse_line
from flowcorr.model.event import TemplateLearnt, TemplateWithdrawn

#: How long changes are gathered before they are written. Units: seconds.
GATHER: Final = 5.0
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
        self._due: IDelayedCall | None = None
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
            self._write()

    def hear(self, event: object) -> None:
        """Note an event of the intake: after one that changes templates, the file will be written."""
        if self._due is None and isinstance(event, TemplateLearnt | TemplateWithdrawn):
            self._due = self._reactor.callLater(GATHER, self._write)

    def _parse(self, lines: list[bytes]) -> list[TemplateLine]:
        found = []
        for line in filter(None, lines):
            try:
                found.append(parse_line(line))
            except ValueError:
                self.refused += 1
        return found

    def _write(self) -> None:
        """Write all templates into a new file that takes the place of the old one: it is whole at any moment."""
        self._due = None
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with beside.open("wb") as file:
                file.writelines(map(format_line, self._intake.template_lines()))
            beside.replace(self._path)
        except OSError as error:
            self.failures += 1
            self._complain(f"[{self._path}] cannot be written: {error.strerror}")
            with suppress(OSError):
                beside.unlink()  # a full disk has better use for the room
            if self.running:
                self._due = self._reactor.callLater(TRY_AGAIN, self._write)
