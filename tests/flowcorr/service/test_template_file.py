"""Templates are kept over a restart."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from flowcorr.service.template_file import GATHER, LINES_AT_ONCE, REST, TRY_AGAIN, TemplateFile
from tests.flowcorr.exports import Input, export_set, ipfix, only, template

LAYOUT = ipfix(export_set(2, template(300, (8, 4), (1, 4))), domain=5)
DATA = ipfix(export_set(300, struct.pack("!II", 0x0A000001, 99)), domain=5)


def start(path: Path) -> tuple[Input, TemplateFile, Clock, list[str]]:
    clock, complaints = Clock(), []
    i = Input("src_host")
    file = TemplateFile(clock, path, i.intake, complaints.append)
    file.startService()
    return i, file, clock, complaints


def learn(path: Path) -> None:
    i, file, clock, _ = start(path)
    i.take(LAYOUT)
    for event in i.events:
        file.hear(event)
    clock.advance(GATHER)


def test_records_are_read_with_the_templates_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "templates"
    learn(path)
    i, file, _, complaints = start(path)
    assert only(i.take(DATA), "src_host", "bytes") == [("10.0.0.1", 99)]
    assert (complaints, file.refused) == ([], 0)


def test_templates_of_exporters_that_are_silent_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "templates"
    learn(path)
    i, file, _, _ = start(path)
    i.take(LAYOUT, sender="192.0.2.99")
    for event in i.events:
        file.hear(event)
    file.stopService()
    assert len(path.read_bytes().splitlines()) == 2


def test_lines_that_are_no_templates_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "templates"
    learn(path)
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    i, file, _, complaints = start(path)
    assert len(i.take(DATA)) == 1
    assert file.refused == len(complaints) == 1


def test_a_file_that_cannot_be_written_is_a_complaint(tmp_path: Path) -> None:
    i, file, clock, complaints = start(tmp_path / "missing" / "templates")
    i.take(LAYOUT)
    for event in i.events:
        file.hear(event)
    clock.advance(GATHER)
    assert (file.failures, len(complaints)) == (1, 1)


def test_a_file_that_could_not_be_written_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "later" / "templates"
    i, file, clock, complaints = start(path)
    i.take(LAYOUT)
    for event in i.events:
        file.hear(event)
    clock.advance(GATHER)
    path.parent.mkdir()
    clock.advance(TRY_AGAIN - 1)
    assert not path.exists()
    clock.advance(1)
    assert len(path.read_bytes().splitlines()) == len(complaints) == 1
    assert clock.getDelayedCalls() == []


def test_what_was_not_written_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "later" / "templates"
    i, file, clock, _ = start(path)
    i.take(LAYOUT)
    for event in i.events:
        file.hear(event)
    clock.advance(GATHER)
    path.parent.mkdir()
    file.stopService()
    assert path.exists()


class Slow(Clock):
    """A reactor whose turns take a second, in each of which something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self.happens = happens
        self.turns = 0

    def callLater(self, when: float, what: Callable[[], None]) -> Any:  # type: ignore[override]  # noqa: N802
        def turn() -> None:
            self.turns += 1
            self.rightNow += 1
            self.happens()
            what()

        return super().callLater(when, what if when else turn)


def test_many_templates_are_written_in_turns_and_then_it_rests(tmp_path: Path) -> None:
    path, i = tmp_path / "templates", Input("src_host")

    def happens() -> None:
        assert not path.exists()
        i.take(ipfix(export_set(2, template(2000 + clock.turns, (8, 4), (1, 4)))))
        file.hear(i.events[-1])

    clock = Slow(happens)
    file = TemplateFile(clock, path, i.intake, [].append)
    file.startService()
    for number in range(3 * LINES_AT_ONCE):
        i.take(ipfix(export_set(2, template(256 + number, (8, 4), (1, 4)))))
    file.hear(i.events[-1])
    clock.advance(GATHER)
    assert clock.turns == 3
    assert len(path.read_bytes().splitlines()) == 3 * LINES_AT_ONCE
    (again,) = clock.getDelayedCalls()
    assert again.getTime() == clock.seconds() + 3 * REST
    file.stopService()
    assert len(path.read_bytes().splitlines()) == 3 * LINES_AT_ONCE + 3
    assert clock.getDelayedCalls() == []


def test_exporters_may_come_and_go_while_the_file_is_written() -> None:
    i = Input("src_host")
    for number in range(5):
        i.take(LAYOUT, sender=f"192.0.2.{number}")
    lines = i.intake.template_lines()
    assert next(lines).address[-1] == 0
    i.intake.set_allow(lambda address: address[-1] != 2)
    i.take(LAYOUT, sender="192.0.2.99")
    assert [line.address[-1] for line in lines] == [1, 3, 4]
