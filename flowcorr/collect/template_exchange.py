"""What collectors ask each other about templates, and what they answer.

A question: `{"epoch": text, "since": number}`, both of the answer before, 0 at first.  An answer: a frame `{"epoch":
text, "until": number, "more": whether there is more at once, "results": frames that follow}`, then templates as in the
file of templates (`template_lines.py`) with `heard` beside: when their exporter last sent them, microseconds since
1970.
The epoch is another one after each start; a question with another epoch is answered from the beginning.

Everybody tells whatever he knows, wherever he has it from: of two templates with one id the one counts that was heard
later, so that templates may go round in circles and come to rest.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from flowcorr.collect import limits
from flowcorr.collect.intake import Intake
from flowcorr.collect.template_lines import TemplateLine, line_values, parse_values

#: Templates in one answer: a millisecond to write or to read.
MOST_LINES: Final = 64
#: Octets of the text that says whose numbers they are.
MOST_EPOCH: Final = 64
_MOST_NUMBER: Final = 2**63 - 1


class ExchangeError(ValueError):
    """A question or an answer cannot be understood; the text says why."""


class Teller:
    """Answers questions about the templates of an intake; `epoch` is another text after each start."""

    def __init__(self, intake: Intake, epoch: str) -> None:
        self._intake, self._epoch = intake, epoch

    def answer(self, frames: Sequence[bytes]) -> list[bytes]:
        """Answer a question.

        Raises: ExchangeError.
        """
        asked = _object(frames[0] if len(frames) == 1 else b"")
        since = _number(asked, "since") if asked.get("epoch") == self._epoch else 0
        changes, until = self._intake.templates.changes.since(since, MOST_LINES)
        more = until < self._intake.templates.changes.last
        header = {"epoch": self._epoch, "until": until, "more": more, "results": len(changes)}
        lines = [
            line_values(
                TemplateLine(one.exporter.address, one.exporter.version, one.exporter.domain, one.known.template)
            )
            | {"heard": one.known.refreshed}
            for one in changes
        ]
        return [orjson.dumps(header), *map(orjson.dumps, lines)]


class Listener:
    """Learns for an intake what one other collector knows.

    Attributes:
        refused: templates that were none, or that the intake did not take.
        taken: templates that it took, those included that it knew.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._epoch, self._since = "", 0
        self.refused = 0
        self.taken = 0

    def question(self) -> bytes:
        """Return what is to be asked next."""
        return orjson.dumps({"epoch": self._epoch, "since": self._since})

    def begin_anew(self) -> None:
        """Ask for everything once more: when templates came last is told with them."""
        self._epoch, self._since = "", 0

    def take(self, frames: Sequence[bytes], now: int) -> bool:
        """Learn from an answer at a time, in microseconds since 1970; whether there is more at once.

        Raises: ExchangeError.
        """
        header = _object(frames[0] if frames else b"")
        epoch, more = header.get("epoch"), header.get("more")
        if not isinstance(epoch, str) or len(epoch) > MOST_EPOCH or not isinstance(more, bool):
            raise ExchangeError("no answer about templates")
        if len(frames) - 1 > MOST_LINES:
            raise ExchangeError(f"{len(frames) - 1} templates are more than {MOST_LINES}")
        until = _number(header, "until")
        for frame in frames[1:]:
            is_taken = self._learn(frame, now)
            self.taken += is_taken
            self.refused += not is_taken
        is_anew = epoch != self._epoch
        has_advanced = is_anew or until > self._since
        self._epoch, self._since = epoch, until
        return more and has_advanced

    def _learn(self, frame: bytes, now: int) -> bool:
        try:
            values = _object(frame)
            line, heard = parse_values(values), min(_number(values, "heard"), now)
        except ValueError:
            return False
        return heard > now - limits.FORGET_US and self._intake.learn_line(line, heard, now)


def _object(octets: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(octets)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise ExchangeError("no JSON object")
    return values


def _number(values: dict[str, Any], name: str) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_NUMBER:
        raise ExchangeError(f"{name} is no number")
    return value
