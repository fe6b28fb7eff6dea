"""`pmacct`: asks the memory plugin of a flow daemon, with the switches of pmacct's own client."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from flowcorr.client.ask import Answer, RefusedError, ask
from flowcorr.client.merge import merge_counts, merge_rows, of_each
from flowcorr.client.show import MOST_ROWS, show
from flowcorr.client.switches import UsageError, parse, usage
from routed.plumbing.build import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcorr.client.switches import Asked

OK: Final = 0
FAILED: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print, and return the exit status."""
    try:
        asked = parse(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        sys.stderr.write(f"ERROR: {error}\npmacct -h shows the switches\n")
        return FAILED
    if asked.say:
        sys.stdout.write(usage() if asked.say == "h" else f"pmacct {build()}\n")
        return OK
    try:
        return _ask(asked, *asked.paths) if len(asked.paths) == 1 else _ask_all(asked)
    except RefusedError as error:
        sys.stderr.write(f"ERROR: {error}\n")
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the rows has seen enough
    except OSError as error:
        where = ", ".join(asked.paths)
        sys.stderr.write(f"ERROR: {where}: {error.strerror or error}: is a daemon with a memory plugin there?\n")
    return FAILED


def _ask_all(asked: Asked) -> int:
    """Ask several plugins; what can be summed is, of all else there is an answer each."""
    summed = asked.question["do"] in {"list", "count"}
    with ExitStack() as stack:
        question = of_each(asked.question) if summed else asked.question
        answers = [stack.enter_context(ask(path, question)) for path in asked.paths]
        if not summed:
            return max(_copy(asked, answer) for answer in answers)
        if not asked.lists:
            sys.stdout.buffer.writelines(merge_counts(answer.body for answer in answers))
            return OK
        rows = merge_rows((answer.body for answer in answers), asked.question)
    lines = (json.dumps(row).encode() + b"\n" for row in rows)
    if not asked.is_plain and sys.stdout.isatty() and len(rows) <= MOST_ROWS:
        show(lines, len(rows))
    else:
        sys.stdout.buffer.writelines(lines)
    return OK


def _ask(asked: Asked, path: str) -> int:
    for_people = asked.lists and not asked.is_plain and sys.stdout.isatty()
    question = {**asked.question, "output": "json"} if for_people else asked.question
    with ask(path, question) as answer:
        if for_people and answer.entries <= MOST_ROWS:
            show(answer.body, answer.entries)
            return OK
        if not for_people:
            return _copy(asked, answer)
    with ask(path, asked.question) as answer:
        return _copy(asked, answer)


def _copy(asked: Asked, answer: Answer) -> int:
    """Print what the plugin says as it is; custom primitives that there are none of are a failure."""
    is_empty = not answer.body.peek(1)  # type: ignore[attr-defined]  # a buffered reader
    shutil.copyfileobj(answer.body, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return FAILED if is_empty and asked.question["do"] == "custom" else OK


if __name__ == "__main__":
    raise SystemExit(main())
