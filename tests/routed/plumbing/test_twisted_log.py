from __future__ import annotations

from io import StringIO

from twisted.logger import Logger, LogPublisher

from routed.plumbing.log import Log, LogSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.twisted_log import AT_MOST_PER_MINUTE, TwistedObserver


def observed() -> tuple[Logger, StringIO]:
    terminal = StringIO()
    chosen = LogSettings(
        process="p", debug=False, file=None, facility=None, ident="p", stderr_timestamps=False, utc=True
    )
    log = Log(chosen, Owner(), clock=lambda: 0.0, terminal=terminal)
    publisher = LogPublisher(TwistedObserver(log))
    return Logger("twisted", observer=publisher), terminal


def test_what_goes_well_is_a_detail() -> None:
    logger, terminal = observed()
    logger.info("Starting factory")
    logger.debug("x")
    assert terminal.getvalue() == ""


def test_warnings_and_errors_keep_their_level() -> None:
    logger, terminal = observed()
    logger.warn("hm")
    logger.critical("oh {what}", what="no")
    assert terminal.getvalue().splitlines() == ["WARN ( p/core ): hm", "ERROR ( p/core ): oh no"]


def test_a_failure_is_a_traceback_line_by_line_and_not_for_ever() -> None:
    logger, terminal = observed()
    for _ in range(AT_MOST_PER_MINUTE + 3):
        try:
            raise KeyError("bug")  # noqa: TRY301 (what is tested is the way it is logged)
        except KeyError:
            logger.failure("unhandled")
    lines = terminal.getvalue().splitlines()
    assert sum(line.endswith("KeyError: 'bug'") for line in lines) == AT_MOST_PER_MINUTE
    assert lines[0] == "ERROR ( p/core ): unhandled"
    assert all(line.startswith("ERROR ( p/core ): ") for line in lines)
