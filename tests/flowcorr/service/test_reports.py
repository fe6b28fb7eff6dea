"""What the log says about exporters."""

from flowcorr.model.event import CounterSample, ExporterSeen, SequenceJump, TemplateRefused
from flowcorr.service.reports import LINES, ExporterReports
from routed.plumbing.log import Level

ROUTER = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])


class Lines:
    """A log that keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []

    def info(self, text: str) -> None:
        self.lines.append((Level.INFO, text))

    def warning(self, text: str) -> None:
        self.lines.append((Level.WARN, text))


def test_lines_name_the_exporter() -> None:
    log = Lines()
    report = ExporterReports(log, lambda: 0.0)
    report(ExporterSeen(ROUTER, 9, 7))
    report(SequenceJump(ROUTER, 105, 0, 5, 9))
    report(TemplateRefused(bytes(15) + b"\x01", 10, 1, "it has no fields"))
    report(CounterSample(ROUTER, 105, 0, 0, 0, b""))
    assert log.lines == [
        (Level.INFO, "[192.0.2.1/v9:7] new exporter"),
        (Level.WARN, "[192.0.2.1/sFlow v5:0] expecting flow '5' but received '9'"),
        (Level.WARN, "[::1/v10:1] template refused: it has no fields"),
    ]


def test_an_exporter_cannot_fill_the_log() -> None:
    log, now = Lines(), 0.0
    report = ExporterReports(log, lambda: now)
    for number in range(100):
        report(SequenceJump(ROUTER, 9, 0, number, number + 2))
    assert len(log.lines) == LINES
    now = 61.0
    report(SequenceJump(ROUTER, 9, 0, 1, 2))
    assert log.lines[-1][1].endswith(f"({100 - LINES} more lines like this one were left out)")
