"""Templates are kept over a restart."""

import struct
from pathlib import Path

from twisted.internet.task import Clock

from flowcorr.service.template_file import GATHER, TRY_AGAIN, TemplateFile
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
